"""What a patch does to a file, in words: for the terminal of `codex exec`, notebooks and exported threads alike."""

from __future__ import annotations

from pathlib import PurePath

from codex_protocol.file_changes import FileChange
from codex_render.safe_text import one_line


def verb_of(change: FileChange) -> str:
    """`Add`, `Delete`, `Move` or `Edit`."""
    if change.add is not None:
        return "Add"
    if change.delete is not None:
        return "Delete"
    return "Move" if change.update is not None and change.update.move_path else "Edit"


def name_of(path: str, change: FileChange, cwd: PurePath) -> str:
    """The file on one line, below `cwd` relative to it, and where it is moved to."""
    name = below(path, cwd)
    if change.update is not None and change.update.move_path:
        return f"{name} → {below(change.update.move_path, cwd)}"
    return name


def below(path: str, cwd: PurePath) -> str:
    """A path on one line, below `cwd` relative to it."""
    pure = PurePath(path)
    return one_line(str(pure.relative_to(cwd)) if pure.is_relative_to(cwd) else path)
