"""Front end: the agent as a Jupyter kernel."""

__all__: list[str] = []
