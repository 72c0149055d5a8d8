"""The files a command line names: what a hook or a project's MCP server runs besides the system's own programs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

_MAX_FILES = 16
_SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib", "/opt/", "/nix/", "/dev/", "/proc/", "/sys/", "/System/", "/Library/")


def named_files(words: Sequence[str], cwd: Path) -> Iterator[tuple[str, Path]]:
    """The word and the file for each existing file outside the system's folders; at most 16.

    Args:
        words: Program and arguments; a program without a slash also counts where `PATH` finds it below `cwd`.
        cwd: Where it runs; names count from there.
    """
    seen = 0
    pieces = [piece for word in words for piece in (word, word.partition("=")[2]) if piece]
    for word in dict.fromkeys(pieces):
        path = _file(word, cwd) or (_program(word, cwd) if word == words[0] else None)
        if path is None:
            continue
        seen += 1
        if seen > _MAX_FILES:
            return
        yield word, path


def _file(word: str, cwd: Path) -> Path | None:
    path = Path(os.path.normpath(cwd / os.path.expanduser(os.path.expandvars(word.strip(";&|()<>")))))
    if str(path).startswith(_SYSTEM) or "\0" in word:
        return None
    try:
        return path if stat.S_ISREG(path.stat().st_mode) else None
    except (OSError, ValueError):
        return None


def _program(word: str, cwd: Path) -> Path | None:
    import shutil  # every start reads settings, few name programs

    if "/" in word or "\0" in word or (found := shutil.which(word)) is None:
        return None
    path = Path(os.path.normpath(cwd / found))
    return path if path.is_relative_to(cwd) else None


def file_digest(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits; `unreadable` when it cannot be read."""
    import hashlib

    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"
