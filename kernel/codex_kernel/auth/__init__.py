"""API keys, `auth.json`, login: where a credential comes from."""

from __future__ import annotations

__all__: list[str] = []
