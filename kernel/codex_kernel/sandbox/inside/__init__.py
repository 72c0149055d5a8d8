"""What runs on the other side: the helper process that confines commands. Standard library only, no secrets."""

__all__: list[str] = []
