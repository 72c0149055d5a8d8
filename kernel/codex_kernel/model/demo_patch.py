"""The patch by which the demo model writes its tour: a new file, or an update of the one it wrote before."""

from __future__ import annotations

from codex_kernel.model.demo_commands import TOUR
from codex_kernel.model.demo_tour import HEADING, SIGNATURE


def is_ours(text: str) -> bool:
    """Whether an existing file is a tour of the demo model, printed whole: only such a file is changed."""
    return text.startswith(HEADING) and SIGNATURE in text and "tokens truncated" not in text and "omitted" not in text


def tour_patch(old: str | None, new: str) -> str | None:
    """The patch that turns `old` into `new`; None when they are the same.

    Args:
        old: The file as it stands; None: there is none.
        new: Ends with a line end.
    """
    if old is None:
        body = [f"*** Add File: {TOUR}", *(f"+{line}" for line in new.splitlines())]
    elif old.splitlines() == new.splitlines():
        return None
    else:
        body = [f"*** Update File: {TOUR}", "@@", *_changed_lines(old.splitlines(), new.splitlines())]
    return "\n".join(["*** Begin Patch", *body, "*** End Patch"])


def _changed_lines(old: list[str], new: list[str]) -> list[str]:
    from difflib import SequenceMatcher

    lines: list[str] = []
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [f" {line}" for line in old[old_start:old_end]]
        else:
            lines += [f"-{line}" for line in old[old_start:old_end]]
            lines += [f"+{line}" for line in new[new_start:new_end]]
    return lines
