"""The sandbox: from a policy to a confined process tree."""

__all__: list[str] = []
