"""Threads on disk: where they live, how they are written and read."""

__all__: list[str] = []
