"""Drives kernels: threads and turns from Python."""

__all__: list[str] = []
