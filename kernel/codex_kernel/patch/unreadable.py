"""Bytes that are not UTF-8 kept in lines that a patch changes.

Whoever wrote the patch saw U+FFFD in their place. An added line gets them back from the removed lines it stands for,
where it has as many of them between the same neighbours; else it is refused, for the bytes would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from codex_protocol.errors import PatchError

_SHOWN = "\ufffd"
_RAW = "[\udc80-\udcff\ufffd]+"
_PLACES = "(?s)(.?)(\ufffd+)(?=(.?))"


def shows_unreadable(body: Sequence[str]) -> bool:
    """Whether an added line has what stands for such bytes."""
    return any(line[0] == "+" and _SHOWN in line for line in body)


def with_bytes(body: Sequence[str], found: Sequence[str], name: str) -> Sequence[str]:
    """A chunk's lines, with the file's bytes where its added ones have U+FFFD for them.

    Args:
        body: With their signs.
        found: The file's lines that its old ones were found at; bytes that are not UTF-8 are lone surrogates.
        name: Which chunk, for the message.

    Raises:
        PatchError: An added line has U+FFFD, and which bytes that stands for cannot be told.
    """
    out: list[str] = []
    removed: list[str] = []
    at = 0
    for line in body:
        if line[0] == "+":
            out.append("+" + _restored(line[1:], removed, name) if _SHOWN in line else line)
            continue
        removed = [*removed, found[at]] if line[0] == "-" else []
        at += 1
        out.append(line)
    return out


def _restored(line: str, removed: Sequence[str], name: str) -> str:
    wanted = _places(line)
    all_runs = [re.findall(_RAW, there) for there in removed if _places(re.sub(_RAW, _SHOWN, there)) == wanted]
    if all_runs and all(runs == all_runs[0] for runs in all_runs):
        left = iter(all_runs[0])
        return re.sub(f"{_SHOWN}+", lambda _: next(left), line)
    raise PatchError(
        f"{name} would write U+FFFD where the file has bytes that are not UTF-8, in the line:\n    {line}\n"
        "Leave such lines as they are, or change them with a command."
    )


def _places(line: str) -> list[tuple[str, str]]:
    """What stands on both sides of each U+FFFD."""
    return [(before, after) for before, _, after in re.findall(_PLACES, line)]
