"""Whether the sandbox stopped a command, or it failed by itself; told from what it said and what the init saw.

The kernel tells nobody which call it refused. So an error message counts only when it names a path that the plan keeps
from commands and that the user could have used, and a network error only when the init saw the attempt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from codex_kernel.sandbox.plan import Confinement
from codex_kernel.sandbox.roots import inside

_LAST_LINES = 40
_LONGEST_LINE = 1000  # what is longer is no error message, and the patterns would take their time over it
_NOT_EXECUTABLE = 126  # the shell's word for a file without the right to run; the sandbox never takes that away
_PHRASE = re.compile(
    r"read-only file ?system|permission ?denied|operation not permitted|device or resource busy"
    r"|\bE(?:ROFS|ACCES|PERM|BUSY)\b|os error (?:30|13|1|16)\b|\[Errno (?:30|13|1|16)\]",
    re.IGNORECASE,
)
_READ_ONLY = re.compile(r"read-only file ?system|\bEROFS\b|os error 30\b|\[Errno 30\]", re.IGNORECASE)
_QUOTED = re.compile(
    r"'([^'\n]{1,4096})'|\"([^\"\n]{1,4096})\"|`([^`'\n]{1,4096})[`']|\u2018([^\u2019\n]{1,4096})\u2019"
)
_WORD = re.compile(r"[^\s:'\"`\u2018\u2019,;()\[\]{}<>=]*/[^\s:'\"`\u2018\u2019,;()\[\]{}<>=]*")
_BEFORE_COLON = re.compile(r"(?:^|[\s:])([^\s:'\"]+):\s*(?:read-only|permission|operation|device)", re.IGNORECASE)
_NETWORK = re.compile(
    r"unreachable|resolv|name or service|getaddrinfo|nodename|no address|ENOTFOUND|EAI_AGAIN|ENETUNREACH"
    r"|could not connect|failed to connect|connection|network|offline|fetch|download|proxy|host",
    re.IGNORECASE,
)
_NAMESPACES = re.compile(
    r"(?:unshare|ptrace|namespace|perf_event|io_uring|PTRACE)[^\n]*(?:operation not permitted|EPERM)", re.IGNORECASE
)
_DNS = ":53"


def denied(plan: Confinement, cwd: str, code: int, tail: bytes, notes: list[str], *, network_seen: bool) -> str | None:
    """What the sandbox seems to have stopped, in one sentence.

    Args:
        plan: What the command was confined to.
        cwd: Where relative paths in its messages start.
        code: Exit status; 0 is never a denial, nor is 127, the shell's "not found".
        tail: The end of what it wrote.
        notes: What the init refused or saw fail, as `unix:PATH` and `net:HOST:PORT`.
        network_seen: Whether the init sees connects at all; without it words must do.
    """
    if code in (0, 127):
        return None
    text = tail.decode("utf-8", "replace")
    lines = [line for line in text.splitlines()[-_LAST_LINES:] if len(line) <= _LONGEST_LINE]
    for line in reversed(lines):
        if _PHRASE.search(line) and (sentence := _about_file(line, plan, cwd, code)) is not None:
            return sentence
    for note in notes:
        if note.startswith("unix:") and os.path.basename(note) in text:
            return f"It tried to connect to {note.removeprefix('unix:')}, a socket of a program outside the sandbox."
    if not plan.network and (sentence := _about_network(text, notes, network_seen)) is not None:
        return sentence
    if any(_NAMESPACES.search(line) for line in lines):
        return "It used a system call that the sandbox forbids (namespaces, tracing and the like)."
    if lines and any(_READ_ONLY.search(line) for line in lines[-5:]):
        return "It tried to write where the sandbox only lets it read."
    return None


def _about_file(line: str, plan: Confinement, cwd: str, code: int) -> str | None:
    for candidate in _paths_in(line):
        if "\0" in candidate:
            continue
        path = os.path.realpath(os.path.join(cwd, os.path.expanduser(candidate)))
        if _hidden(path, plan) and _could(path, os.R_OK):
            return f"It tried to use {path}, which is hidden from commands."
        if code != _NOT_EXECUTABLE and not _writable(path, plan) and _could_write(path):
            return f"It tried to write {path}, which the sandbox keeps as it is."
    return None


def _paths_in(line: str) -> Iterator[str]:
    for match in _QUOTED.finditer(line):
        yield next(group for group in match.groups() if group)
    for match in _WORD.finditer(line):
        yield match.group()
    for match in _BEFORE_COLON.finditer(line):
        yield match.group(1)


def _hidden(path: str, plan: Confinement) -> bool:
    return any(inside(path, mask.path) and not any(inside(path, keep) for keep in mask.keep) for mask in plan.masks)


def _writable(path: str, plan: Confinement) -> bool:
    if path.startswith(("/proc/", "/dev/")):
        return True  # not a matter of roots; no approval would help
    if not any(inside(path, root) for root in plan.roots):
        return False
    return not any(inside(path, kept) for kept in (*plan.read_only, *plan.placeholders))


def _could(path: str, right: int) -> bool:
    """Whether the user may, without the sandbox."""
    return os.access(path, right)


def _could_write(path: str) -> bool:
    """Whether the user could write or make this path; what nobody could is not the sandbox's doing."""
    here = Path(path)
    if here.exists():
        return os.access(here, os.W_OK) or os.access(here.parent, os.W_OK)
    for parent in here.parents:
        if parent.exists():
            return parent.is_dir() and os.access(parent, os.W_OK)
    return False


def _about_network(text: str, notes: list[str], network_seen: bool) -> str | None:
    if not _NETWORK.search(text):
        return None
    targets = [note.removeprefix("net:") for note in notes if note.startswith("net:")]
    if targets:
        others = [target for target in targets if not target.endswith(_DNS)]
        what = f"reach {others[0]}" if others else "look up a host name"
        return f"It tried to {what}, but the network is off for commands."
    if not network_seen and re.search(r"name resolution|resolve host|unreachable|ENOTFOUND|EAI_AGAIN", text):
        return "It tried to use the network, which is off for commands."
    return None
