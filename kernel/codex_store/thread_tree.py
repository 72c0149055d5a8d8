"""A thread and its relatives by forking: which branch begins behind which message of which other one.

Read from the rollouts alone: a fork's first line names its source, and what it copied is older than itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from codex_protocol.errors import RolloutError
from codex_protocol.items import Message
from codex_store.home import Home
from codex_store.rollout_lines import UNREADABLE, Line
from codex_store.rollout_replay import Replay
from codex_store.rollout_segments import first_meta, thread_lines
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread, list_threads

_LISTED = 2000
_PREVIEW_CHARS = 300
_line = msgspec.json.Decoder(Line)


class Prompt(msgspec.Struct, kw_only=True):
    """A message of the user's, in the branch that it was first said in."""

    number: int
    """Counted from 0 over the thread, what it copied included; a fork can begin before it."""
    text: str
    at: str
    """UTC, ISO 8601; empty when the file does not say."""
    branches: list[Branch]
    """Threads that share everything up to the answer to this, and go on differently."""


class Branch(msgspec.Struct, kw_only=True):
    """What was said in one thread and not copied from another."""

    info: ThreadInfo
    prompts: list[Prompt]
    before: list[Branch]
    """Threads that begin as this one did, before its first message."""


def tree_of(home: Home, thread_id: str) -> Branch:
    """The whole family of a thread, from its oldest ancestor that is still there.

    Raises:
        CodexError: There is no such thread.
    """
    listed = [info for archived in (False, True) for info in list_threads(home, archived=archived, limit=_LISTED)]
    known = {info.id: info for info in listed}
    here = find_thread(home, thread_id)
    known.setdefault(here.id, here)
    root, seen = here, {here.id}
    while root.forked_from in known and root.forked_from not in seen:
        root = known[root.forked_from]
        seen.add(root.id)
    return _Family(known.values()).grown(root)


def own_prompts(path: Path) -> list[Prompt]:
    """What the user said in a thread, without what it copied.

    Raises:
        RolloutError: The file cannot be read.
    """
    return _read(path)[1]


class _Family:
    def __init__(self, infos: Iterable[ThreadInfo]) -> None:
        self._children: dict[str, list[ThreadInfo]] = {}
        for info in sorted(infos, key=lambda info: info.created):
            if info.forked_from:
                self._children.setdefault(info.forked_from, []).append(info)
        self._copied: dict[str, int] = {}
        self._seen: set[str] = set()

    def grown(self, root: ThreadInfo) -> Branch:
        """The branch with all that grew out of it."""
        return self._grow(root, [])

    def _grow(self, info: ThreadInfo, ancestors: list[Branch]) -> Branch:
        self._seen.add(info.id)
        copied, prompts = _said(info)
        self._copied[info.id] = copied
        branch = Branch(info=info, prompts=prompts, before=[])
        line = [*ancestors, branch]
        for child in self._children.get(info.id, ()):
            if child.id not in self._seen:
                grown = self._grow(child, line)
                self._place(line, self._copied[child.id]).append(grown)
        return branch

    def _place(self, line: list[Branch], shared: int) -> list[Branch]:
        """Where a branch hangs that shares so many messages: the ancestor in which the last of them was first said."""
        for branch in reversed(line):
            for prompt in branch.prompts:
                if prompt.number == shared - 1:
                    return prompt.branches
            if shared >= self._copied[branch.info.id]:
                return branch.before if shared == self._copied[branch.info.id] else branch.prompts[-1].branches
        return line[0].before


def _said(info: ThreadInfo) -> tuple[int, list[Prompt]]:
    """How many messages of the user's a thread copied, and those of its own; none when it cannot be read."""
    try:
        return _read(info.path)
    except (RolloutError, OSError):
        return 0, []


def _read(path: Path) -> tuple[int, list[Prompt]]:
    meta = first_meta(path)
    born = meta.timestamp if meta is not None and meta.forked_from_id else ""
    replay, found = Replay(), list[tuple[bool, Prompt]]()
    for raw, own in thread_lines(path, []):
        items = len(replay.items)
        replay.feed(raw, own)
        count = sum(len(turn.prompt_lines) for turn in replay.turns)
        del found[count:]  # a turn was taken back
        if count > len(found) and len(replay.items) > items and isinstance(item := replay.items[-1], Message):
            at = _stamp(raw)
            text = item.text()[:_PREVIEW_CHARS]
            found.append((own and at >= born, Prompt(number=len(found), text=text, at=at, branches=[])))
    return sum(not own for own, _ in found), [prompt for own, prompt in found if own]


def _stamp(raw: bytes) -> str:
    try:
        return _line.decode(raw).timestamp
    except UNREADABLE:
        return ""
