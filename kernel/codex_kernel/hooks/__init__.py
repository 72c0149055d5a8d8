"""The user's hooks: programs run around turns, tool calls, approvals and compaction, outside the sandbox."""

__all__: list[str] = []
