"""Other servers' tools, over the Model Context Protocol."""

__all__: list[str] = []
