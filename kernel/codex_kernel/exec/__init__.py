"""Front end: one prompt, no questions."""

__all__: list[str] = []
