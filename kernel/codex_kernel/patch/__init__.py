"""The patch format: parse, match, apply."""

__all__: list[str] = []
