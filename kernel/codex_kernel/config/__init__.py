"""Settings: files, profiles, overrides and trust, resolved into one frozen Config."""

__all__: list[str] = []
