"""Scripts inside argument lists: `bash -lc SCRIPT`, and patches that models send as commands.

Source: spec/apply-patch.md section 6. More forms are understood than there: every shell of `script_of`, a leading
`cd DIR &&`, the patch as a quoted argument. A script that does anything besides is no patch.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from codex_kernel.policy.shell_plain import plain_commands
from codex_kernel.policy.shell_walk import all_commands

__all__ = ["SHELLS", "PatchScript", "all_commands", "patch_in_script", "plain_commands", "script_of"]

SHELLS = frozenset({"bash", "sh", "zsh"})
_NAMES = ("apply_patch", "applypatch")
_SPECIAL = r"""\s'"$`\\;&|<>(){}*?\["""
_WORD = rf"""(?: "(?:[^"$`\\\n]|\\[^\n])*" | '[^'\n]*' | (?:[^{_SPECIAL}~!\#-]|\\[^\n])(?:[^{_SPECIAL}]|\\[^\n])* )"""
_HEREDOC = rf"""
    \s* (?: cd [ \t]+ (?:--[ \t]+)? (?P<directory>{_WORD}) [ \t]* (?: && | ; | \n ) \s* )?
    (?: {"|".join(_NAMES)} ) [ \t]*
    << (?P<dash>-?) [ \t]* (?P<delimiter> '[^'\n]+' | "[^"\n]+" | \\?[^\s'"\\;&|<>()$`]+ ) [ \t]* \r?\n
    """


class PatchScript(NamedTuple):
    """A patch found in a command."""

    text: str
    """As the patch tool takes it; may be malformed."""
    directory: str | None = None
    """Of a leading `cd`, relative to the command's own; None without one."""


def script_of(argv: tuple[str, ...]) -> str | None:
    """The script of `bash -lc SCRIPT` and its like; None for anything else, also with arguments after the script."""
    if len(argv) < 3 or os.path.basename(argv[0]) not in SHELLS or not _is_name_or_absolute(argv[0]):
        return None
    match argv[1:]:
        case ("-c" | "-lc", script) | ("-l" | "--login", "-c", script):
            return None if script.startswith(("-", "+")) else script  # the shell takes that for another option
        case _:
            return None


def _is_name_or_absolute(program: str) -> bool:
    return "/" not in program or program.startswith("/")


def patch_in_script(argv: tuple[str, ...]) -> PatchScript | None:
    """The patch an argument list applies; None when it does something else, or something else as well."""
    if len(argv) == 2 and argv[0] in _NAMES:
        return PatchScript(argv[1])
    script = script_of(argv)
    if script is None or not any(name in script for name in _NAMES):
        return None
    return _in_heredoc(script) or _as_argument(script)


def _in_heredoc(script: str) -> PatchScript | None:
    opening = re.match(_HEREDOC, script, re.VERBOSE)  # compiled when first needed
    if opening is None:
        return None
    delimiter = opening["delimiter"].lstrip("\\").strip("'\"")
    body: list[str] = []
    lines = script[opening.end() :].split("\n")
    for index, line in enumerate(lines):
        text = line.lstrip("\t") if opening["dash"] else line
        if text.removesuffix("\r") == delimiter:
            if any(rest.strip() for rest in lines[index + 1 :]):
                return None
            break
        body.append(text)
    return PatchScript("\n".join(body).rstrip("\n"), _directory(opening["directory"]))


def _directory(word: str | None) -> str | None:
    if word is None:
        return None
    if word.startswith("'"):
        return word[1:-1]
    if word.startswith('"'):
        return re.sub(r'\\([$`"\\])', r"\1", word[1:-1])
    return re.sub(r"\\(.)", r"\1", word)


def _as_argument(script: str) -> PatchScript | None:
    match plain_commands(script):
        case ((name, patch),) if name in _NAMES:
            return PatchScript(patch)
        case (("cd", directory), (name, patch)) if name in _NAMES and "|" not in script[: script.index(name)]:
            return PatchScript(patch, directory)
        case _:
            return None
