"""The words all sides share: items, ops, events and policies. Types only, no I/O."""

__all__: list[str] = []
