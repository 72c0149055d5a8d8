"""Front end: MCP. Any MCP client runs the agent as a tool, on stdio."""

__all__: list[str] = []
