"""The web workbench: the page at localhost."""

__all__: list[str] = []
