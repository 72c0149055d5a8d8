"""Front end: the agent as an MCP server."""

__all__: list[str] = []
