"""The threads of a home: lists, search, and finding one by id, name or directory. The rollout files are the truth."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_protocol.items import Message
from codex_store.context_items import is_prompt
from codex_store.home import Home
from codex_store.rollout_paths import all_rollouts, find_rollout, thread_id_of
from codex_store.rollout_reader import read_rollout
from codex_store.thread_cache import Stamp, ThreadCache
from codex_store.thread_ids import is_thread_id
from codex_store.thread_info import ThreadInfo, read_info
from codex_store.thread_names import thread_names

_MAX_TEXT_CHARS = 2_000_000
_ID_BEGINNING = re.compile(r"[0-9a-f][0-9a-f-]{3,34}", re.IGNORECASE)
"""Four characters at least: fewer may be a name mistyped."""


def list_threads(
    home: Home,
    *,
    cwd: Path | str | None = None,
    archived: bool = False,
    search: str | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[ThreadInfo]:
    """Threads in which somebody said something, the one that changed last first.

    Args:
        home: Whose.
        cwd: Only those whose last turn ran in this directory.
        archived: The archived ones instead of the others.
        search: Only those in which every word of this stands, in whatever case: in what was said, the name, the
            directory or the branch.
        limit: How many at most; None for all.
        after: The `cursor` of the last thread seen.
    """
    wanted_cwd = None if cwd is None else os.path.realpath(cwd)
    words = search.casefold().split() if search else []
    stamps = _newest_first(home, archived=archived)
    found: list[ThreadInfo] = []
    with ThreadCache(home) as cache:
        infos = _Infos(cache, home, archived)
        texts = _Texts(cache, stamps, words) if words else None
        for stamp in stamps:
            if after is not None and not _comes_after(stamp, after):
                continue
            if limit is not None and len(found) >= limit:
                break
            info = infos.of(stamp)
            if info is None or (wanted_cwd is not None and not _is_in(info, wanted_cwd)):
                continue
            if texts is None or texts.match(info, stamp):
                found.append(info)
        infos.remember(stamps)
    return found


def last_thread(home: Home, cwd: Path | str | None = None) -> ThreadInfo | None:
    """The thread that changed last, of those whose last turn ran in `cwd`; sub-agents' do not count.

    Reads as few files as it can and leaves the cache alone, as `codex exec resume --last` starts with it.
    """
    wanted = None if cwd is None else os.path.realpath(cwd)
    for stamp in _newest_first(home, archived=False):
        info = read_info(Path(stamp.path), stamp.mtime_ns)
        if info is not None and info.source != "subagent" and (wanted is None or _is_in(info, wanted)):
            return _named(info, thread_names(home.root).get(info.id), archived=False)
    return None


def earlier_thread(home: Home, id_or_name: str | None, cwd: Path | None) -> ThreadInfo:
    """The thread a command goes on with: by id or name, or the newest.

    Args:
        home: Whose.
        id_or_name: None: the newest.
        cwd: The newest of this directory; None: of any.

    Raises:
        RolloutError: There is none, or several.
    """
    if id_or_name is not None:
        return find_thread(home, id_or_name)
    newest = last_thread(home, cwd)
    if newest is None:
        where = f" of {cwd} (--last --all takes the newest of any directory)" if cwd is not None else ""
        raise RolloutError(f"there is no earlier thread{where}")
    return newest


def find_thread(home: Home, id_or_name: str) -> ThreadInfo:
    """The thread of that id, archived or not, of that name, or the only one whose id begins like this.

    Raises:
        RolloutError: There is none, or several have the name or the beginning; then they are listed.
    """
    wanted = id_or_name.strip()
    names = thread_names(home.root)
    if is_thread_id(wanted):
        info = _of_id(home, wanted.lower(), names)
        if info is None:
            raise RolloutError(f"There is no thread with the id {wanted}.")
        return info
    ids = [thread_id for thread_id, name in names.items() if name == wanted] or [
        thread_id for thread_id, name in names.items() if name.casefold() == wanted.casefold()
    ]
    found = [info for thread_id in ids if (info := _of_id(home, thread_id, names)) is not None]
    found = [info for info in found if not info.archived] or found
    match_by = "are called"
    if not found and _ID_BEGINNING.fullmatch(wanted):
        found = [info for thread_id in _ids_beginning(home, wanted.lower()) if (info := _of_id(home, thread_id, names))]
        match_by = "have ids that begin with"
    match found:
        case []:
            raise RolloutError(f"There is no thread with the id or name {wanted!r}.")
        case [info]:
            return info
        case _:
            listed = ", ".join(f"{info.id} ({info.cwd or 'unknown directory'})" for info in found)
            raise RolloutError(f"Several threads {match_by} {wanted!r}; say which by its id: {listed}.")


def _ids_beginning(home: Home, beginning: str) -> list[str]:
    entries = [*all_rollouts(home, archived=False), *all_rollouts(home, archived=True)]
    ids = {thread_id for entry in entries if (thread_id := thread_id_of(entry.name))}
    return sorted(thread_id for thread_id in ids if thread_id.startswith(beginning))


def _of_id(home: Home, thread_id: str, names: dict[str, str]) -> ThreadInfo | None:
    path = find_rollout(home, thread_id)
    if path is None:
        return None
    try:
        updated_ns = path.stat().st_mtime_ns
    except OSError:
        return None
    info = read_info(path, updated_ns) or ThreadInfo(id=thread_id, path=path, updated_ns=updated_ns)
    return _named(info, names.get(thread_id), archived=path.parent == home.archived_sessions)


def _newest_first(home: Home, *, archived: bool) -> list[Stamp]:
    stamps: list[Stamp] = []
    for entry in all_rollouts(home, archived=archived):
        try:
            found = entry.stat()
        except OSError:
            continue
        stamps.append(Stamp(entry.path, found.st_size, found.st_mtime_ns))
    return sorted(stamps, key=_order, reverse=True)


def _order(stamp: Stamp) -> tuple[int, str]:
    return stamp.mtime_ns, thread_id_of(stamp.path) or ""


def _comes_after(stamp: Stamp, cursor: str) -> bool:
    """Whether a thread stands below the cursor's in the list; a cursor that says nothing cuts nothing."""
    updated, _, thread_id = cursor.partition("-")
    return not updated.isdigit() or _order(stamp) < (int(updated), thread_id)


def _is_in(info: ThreadInfo, cwd: str) -> bool:
    return info.cwd is not None and (info.cwd == cwd or os.path.realpath(info.cwd) == cwd)


def _named(info: ThreadInfo, name: str | None, *, archived: bool) -> ThreadInfo:
    if info.name == name and info.archived == archived:
        return info
    import msgspec

    return msgspec.structs.replace(info, name=name, archived=archived)


class _Infos:
    """What lists show, from the cache where the file has not changed."""

    def __init__(self, cache: ThreadCache, home: Home, archived: bool) -> None:
        self._cache = cache
        self._known = cache.infos()
        self._fresh: list[tuple[Stamp, ThreadInfo | None]] = []
        self._names = thread_names(home.root)
        self._archived = archived
        self._root = f"{home.archived_sessions if archived else home.sessions}{os.sep}"

    def of(self, stamp: Stamp) -> ThreadInfo | None:
        """The thread of a file; None when there is nothing to show."""
        known = self._known.get(stamp.path)
        if known is not None and known[0] == stamp:
            info = known[1]
        else:
            info = read_info(Path(stamp.path), stamp.mtime_ns)
            self._fresh.append((stamp, info))
        return None if info is None else _named(info, self._names.get(info.id), archived=self._archived)

    def remember(self, stamps: list[Stamp]) -> None:
        """Write what was read to the cache, once."""
        there = {stamp.path for stamp in stamps}
        gone = [path for path in self._known if path.startswith(self._root) and path not in there]
        if self._fresh or gone:
            self._cache.put_infos(self._fresh, gone)


class _Texts:
    """Whether the words of a search stand in a thread."""

    def __init__(self, cache: ThreadCache, stamps: list[Stamp], words: list[str]) -> None:
        self._cache = cache
        self._words = words
        known = cache.texts()
        for stamp in stamps:
            if known.get(stamp.path) != stamp and not cache.put_text(stamp, _said(Path(stamp.path))):
                break
        self._candidates = cache.holding_any(words)

    def match(self, info: ThreadInfo, stamp: Stamp) -> bool:
        facts = "\n".join(_facts(info)).casefold()
        left = [word for word in self._words if word not in facts]
        if not left:
            return True
        if self._candidates is not None and stamp.path not in self._candidates:
            return False
        text = self._cache.text(stamp.path)
        if text is None:
            text = _said(Path(stamp.path))
        return all(word in text for word in left)


def _facts(info: ThreadInfo) -> Iterator[str]:
    yield info.id
    for fact in (info.name, info.cwd, info.branch):
        if fact is not None:
            yield fact


def _said(path: Path) -> str:
    """What the user and the model said, casefolded; empty when the thread cannot be read."""
    try:
        items = read_rollout(path).items
    except RolloutError:
        return ""
    said = (
        item.text() for item in items if isinstance(item, Message) and (item.role == "assistant" or is_prompt(item))
    )
    return "\n".join(said)[:_MAX_TEXT_CHARS].casefold()
