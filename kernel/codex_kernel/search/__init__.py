"""Fuzzy search over the files of a project."""

__all__: list[str] = []
