"""The agent core: threads, turns, history, approvals."""

__all__: list[str] = []
