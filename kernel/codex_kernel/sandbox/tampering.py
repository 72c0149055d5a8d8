"""What a command changed that it should not have, where the machine could not prevent it.

Without mounts nothing keeps `.git/hooks` or `.codex` from being written inside a root. So they are compared before and
after, and the person is told.
"""

from __future__ import annotations

import os

from codex_kernel.sandbox import repositories
from codex_kernel.sandbox.plan import Confinement

_MAX_ENTRIES = 5000
_MAX_NAMED = 3

Prints = dict[str, tuple[int, ...]]


def fingerprints(plan: Confinement) -> Prints:
    """What identifies every protected file's content, by path; of a `.git` directory only what git runs or follows."""
    found: Prints = {}
    # Where the agent itself is installed below a root its files are thousands: they must not use up the room of others.
    for path in sorted((*plan.read_only, *plan.placeholders), key=lambda path: not _is_small(path)):
        if os.path.basename(path) == ".git" or os.path.exists(os.path.join(path, "HEAD")):
            for name in repositories.GIT_ONLY_READ:
                _collect(os.path.join(path, name), found)
            _add(path, found, contents=False)
        else:
            _collect(path, found)
    return found


def _is_small(path: str) -> bool:
    return os.path.basename(path).startswith(".git") or os.path.basename(path) in (".codex", ".agents")


def tampered(before: Prints, after: Prints) -> str | None:
    """One sentence about what differs; None when nothing does."""
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if not changed:
        return None
    named = ", ".join(changed[:_MAX_NAMED]) + (f" and {len(changed) - _MAX_NAMED} more" if changed[_MAX_NAMED:] else "")
    return f"It changed {named}, which this machine's sandbox cannot prevent: look at it before you use git there."


def _collect(path: str, found: Prints) -> None:
    _add(path, found, contents=True)
    for directory, names, files in os.walk(path):
        for name in (*names, *files):
            if len(found) >= _MAX_ENTRIES:
                return
            _add(os.path.join(directory, name), found, contents=True)


def _add(path: str, found: Prints, *, contents: bool) -> None:
    try:
        at = os.lstat(path)
    except OSError:
        return
    is_directory = os.path.isdir(path) and not os.path.islink(path)
    when = () if is_directory or not contents else (at.st_size, at.st_mtime_ns, at.st_ctime_ns)
    found[path] = (at.st_mode, at.st_ino, *when)
