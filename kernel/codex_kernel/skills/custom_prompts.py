"""The user's custom prompts: Markdown files that a `/name` stands for.

Source: spec/agent-loop.md section 15, spec/execpolicy-and-hooks.md section 4.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_kernel.skills.prompt_arguments import described


class CustomPrompt(msgspec.Struct, frozen=True):
    """One prompt."""

    name: str
    """The file's name without `.md`."""
    path: str
    content: str
    """The whole file; `prompt_arguments.expand` makes of it what is sent."""
    description: str | None = None
    argument_hint: str | None = None


def custom_prompts(folder: Path) -> list[CustomPrompt]:
    """The prompts directly in `folder`, by name; a missing folder has none, files that are not UTF-8 are left out."""
    found: list[CustomPrompt] = []
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    for path in entries:
        if path.suffix.lower() != ".md" or not path.is_file():
            continue
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        description, hint, _ = described(content)
        found.append(CustomPrompt(path.stem, str(path), content, description, hint))
    return sorted(found, key=lambda prompt: prompt.name)
