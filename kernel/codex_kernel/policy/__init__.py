"""What may run without asking: the one decision function and what it needs."""

__all__: list[str] = []
