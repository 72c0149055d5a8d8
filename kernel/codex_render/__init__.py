"""Text a person sees: Markdown, diffs, ANSI and redaction, as terminal text or safe HTML."""

__all__: list[str] = []
