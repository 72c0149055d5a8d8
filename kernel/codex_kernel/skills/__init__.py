"""Skills and custom prompts."""

__all__: list[str] = []
