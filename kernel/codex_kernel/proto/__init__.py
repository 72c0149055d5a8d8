"""Front end: ops and events as JSON lines on stdio."""

__all__: list[str] = []
