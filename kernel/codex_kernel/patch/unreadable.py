"""Bytes that are not UTF-8 kept in lines that a patch changes.

Whoever wrote the patch saw U+FFFD in their place. An added line gets them back from the removed lines it stands for,
where it has as many of them between the same neighbours; else it is refused, for the bytes would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from codex_protocol.errors import PatchError

_SHOWN = "\ufffd"
_RAW = "[\udc80-\udcff\ufffd]+"
_BETWEEN = "(?s)(.?)(\ufffd+)(?=(.?))"

_Runs = tuple[str, ...]
_Places = tuple[tuple[str, str], ...]


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
    known: dict[_Places, set[_Runs]] = {}
    """The bytes of the removed lines above, by what stands around them."""
    at = 0
    for line in body:
        if line[0] == "+":
            out.append("+" + _restored(line[1:], known, name) if _SHOWN in line else line)
            continue
        if line[0] == " ":
            known = {}
        elif runs := tuple(re.findall(_RAW, found[at])):
            known.setdefault(_places(re.sub(_RAW, _SHOWN, found[at])), set()).add(runs)
        at += 1
        out.append(line)
    return out


def _restored(line: str, known: Mapping[_Places, set[_Runs]], name: str) -> str:
    choices = known.get(_places(line), set())
    if len(choices) == 1:
        left = iter(next(iter(choices)))
        return re.sub(f"{_SHOWN}+", lambda _: next(left), line)
    raise PatchError(
        f"{name} would write U+FFFD where the file has bytes that are not UTF-8, in the line:\n    {line}\n"
        "Leave such lines as they are, or change them with a command."
    )


def _places(line: str) -> _Places:
    """What stands on both sides of each U+FFFD."""
    return tuple((before, after) for before, _, after in re.findall(_BETWEEN, line))
