"""Credentials: API keys, auth.json, login."""

__all__: list[str] = []
