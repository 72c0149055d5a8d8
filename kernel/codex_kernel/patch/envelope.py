"""The lines of a patch, without what models put around it.

Source: spec/apply-patch.md section 2, "Envelope". Accepted beyond it: any heredoc delimiter, a code fence, and an
indentation of the whole. What is cut off or stands outside the markers is refused: it may have been part of the patch.
"""

from __future__ import annotations

import re

from codex_protocol.errors import PatchError

BEGIN = "*** Begin Patch"
END = "*** End Patch"

_HEREDOC = r"(?:(?:apply_patch|applypatch)[ \t]+)?<<-?[ \t]*(?P<quote>['\"]?)(?P<word>\w+)(?P=quote)"
_FENCE = r"(?P<word>`{3,}|~{3,})[ \t]*[\w-]*"
_QUOTED = 200
"""Characters of a line that a message repeats."""


class PatchSyntaxError(PatchError):
    """The text is not a patch.

    Attributes:
        reason: What is wrong, without the place.
        line: 1-based line of the patch; None when the envelope is wrong.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"invalid patch: {reason}" if line is None else f"invalid hunk at line {line}, {reason}")
        self.reason = reason
        self.line = line


def lines_of(text: str) -> list[str]:
    """The lines from the begin to the end marker, a heredoc, a fence or an indentation around them removed."""
    lines = [line.rstrip("\r") for line in text.strip().removeprefix("\ufeff").strip().split("\n")]
    fault = _envelope_fault(lines)
    if fault is not None:
        inner = _inside(lines)
        if inner is None:
            raise PatchSyntaxError(fault + _envelope_hint(lines))
        lines, fault = inner, _envelope_fault(inner)
    if fault is not None:
        raise PatchSyntaxError(fault + _envelope_hint(lines))
    return _without_margin(lines)


def _inside(lines: list[str]) -> list[str] | None:
    """The lines within a heredoc or a code fence; None when there is neither."""
    first, last = lines[0].strip(), lines[-1].strip()
    opening = re.fullmatch(_HEREDOC, first) or re.fullmatch(_FENCE, first)
    return lines[1:-1] if opening and len(lines) >= 4 and last == opening["word"] else None


def _without_margin(lines: list[str]) -> list[str]:
    """The lines without what all of them are indented by; the first one may have lost it already."""
    last = lines[-1]
    margin = last[: len(last) - len(last.lstrip())]
    if not margin or not all(line.startswith(margin) or not line.strip() for line in lines[1:]):
        return lines
    return [line.removeprefix(margin) for line in lines]


def _envelope_hint(lines: list[str]) -> str:
    """What else to say of a wrong envelope."""
    if len(lines) == 1 and lines[0].startswith(BEGIN + "\\n"):
        return "; this one is a single line, with \\n in the place of its line ends: send real line ends"
    if lines[0].strip() != BEGIN and lines != [""]:
        return f", it is '{lines[0].strip()[:_QUOTED]}'"
    return f", it is '{lines[-1].strip()[:_QUOTED]}': send the whole patch again" if lines != [""] else ""


def _envelope_fault(lines: list[str]) -> str | None:
    if lines[0].strip() != BEGIN and lines != [""]:
        return f"The first line of the patch must be '{BEGIN}'"
    if lines[-1].strip() != END:
        return f"The last line of the patch must be '{END}'"
    return None
