"""Model clients: Responses, Chat Completions, and the scripted model."""

__all__: list[str] = []
