"""The tools the model may call, one a file."""

__all__: list[str] = []
