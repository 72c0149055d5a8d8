"""Deny-read patterns: which paths they mean, as a list for the mounts and as a question for the file tools.

`**` stands for any number of directories, `*` and `?` do not cross a slash. A pattern without a leading slash is taken
below the thread's directory; a leading `~/` is the user's home.
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Iterator

from codex_kernel.sandbox.host import Host, Kind

_MAX_DIRECTORIES = 20_000
_CLOCK_GRAIN_NS = 50_000_000
_NEVER = -1


class DeniedPaths:
    """What the patterns mean in the tree as it stands; asks again when directories have changed."""

    def __init__(self, patterns: tuple[str, ...], workspace: str, host: Host) -> None:
        """Nothing is searched yet."""
        self._patterns = patterns
        self._workspace = workspace
        self._host = host
        self._seen: dict[str, int | None] = {}
        self._paths: tuple[str, ...] | None = None

    def paths(self) -> tuple[str, ...]:
        """Existing paths the patterns mean, symlinks resolved; what lies below a denied directory is not listed."""
        if self._paths is None or any(self._host.modified(path) != then for path, then in self._seen.items()):
            self._seen = {}
            self._paths = self._search()
        return self._paths

    def _search(self) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for pattern in self._patterns:
            for path in self._matches(absolute(pattern, self._workspace, self._host.user_home)):
                found[self._host.real(path)] = None
        return tuple(found)

    def _look_at(self, directory: str) -> None:
        """Remember when it last changed; a change just now may have a successor with the same time stamp."""
        then = self._host.modified(directory)
        fresh = then is not None and time.time_ns() - then < _CLOCK_GRAIN_NS
        self._seen[directory] = _NEVER if fresh else then

    def _matches(self, pattern: str) -> Iterator[str]:
        """Walk only below the part of the pattern that has no wildcard."""
        parts = pattern.split("/")
        fixed = next((index for index, part in enumerate(parts) if _wild(part)), len(parts))
        if fixed == len(parts):
            parent = os.path.dirname(pattern)
            self._look_at(parent)
            if self._host.kind(pattern) is not None:
                yield pattern
            return
        expression = _expression(pattern)
        deep = "**" in parts
        queue = ["/".join(parts[:fixed]) or "/"]
        for _ in range(_MAX_DIRECTORIES):
            if not queue:
                return
            directory = queue.pop()
            self._look_at(directory)
            for name, kind in self._host.entries(directory):
                path = os.path.join(directory, name)
                if expression.fullmatch(path):
                    yield path
                elif kind is Kind.DIRECTORY and (deep or path.count("/") < len(parts) - 1):
                    queue.append(path)


def is_denied(path: str, patterns: tuple[str, ...], workspace: str, user_home: str) -> bool:
    """Whether `path` or a directory above it is meant by a pattern; nothing is resolved."""
    compiled = [_expression(absolute(pattern, workspace, user_home)) for pattern in patterns]
    while compiled:
        if any(expression.fullmatch(path) for expression in compiled):
            return True
        parent = os.path.dirname(path)
        if parent == path:
            return False
        path = parent
    return False


def absolute(pattern: str, workspace: str, user_home: str) -> str:
    """The pattern from the root of the file system on, without a trailing slash."""
    if pattern.startswith("~/"):
        pattern = user_home + pattern[1:]
    return os.path.join(workspace, pattern).rstrip("/") or "/"


def _wild(part: str) -> bool:
    return any(character in part for character in "*?[")


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    out: list[str] = []
    parts = pattern.split("/")
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            out.append(".*" if last else "(?:[^/]+/)*")
            continue
        out.append(_component(part) + ("" if last else "/"))
    return re.compile("".join(out), re.DOTALL)


def _component(part: str) -> str:
    """One path component; `[abc]` is a set as in the shell."""
    out: list[str] = []
    index = 0
    while index < len(part):
        character = part[index]
        end = part.find("]", index + 2) if character == "[" else -1
        if end > 0:
            inner = part[index + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
            index = end
        elif character in "*?":
            out.append("[^/]*" if character == "*" else "[^/]")
        else:
            out.append(re.escape(character))
        index += 1
    return "".join(out)
