"""The agent: everything from a user's prompt to the files it changes."""

__all__: list[str] = []
