"""Images named in a prompt as `@path.png`: sent along with it."""

from __future__ import annotations

import re
from pathlib import Path

from codex_protocol.ops import LocalImageInput

_MENTION = re.compile(r"(?<!\S)@(\S+\.(?:png|jpe?g|gif|webp))(?!\S)", re.IGNORECASE)


def inputs_of(text: str, cwd: Path) -> tuple[LocalImageInput, ...]:
    """The images that exist among the paths the text mentions."""
    found = dict.fromkeys(match[1] for match in _MENTION.finditer(text))
    return tuple(LocalImageInput(path) for path in found if (cwd / path).is_file())
