"""Search over everything said, run, printed and patched: `workbench/search.sqlite`, which may be deleted at any time.

The rollout files are the truth. Before a search the index reads what was added to them since; a file that was not
merely added to is read anew. Where no index can be kept, one is made in memory.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_protocol.errors import CodexError, RolloutError, UsageError
from codex_store.home import Home
from codex_store.rollout_paths import all_rollouts, thread_id_of
from codex_store.search_feed import Entry, State, Stored, read_entries
from codex_store.thread_names import thread_names

if TYPE_CHECKING:
    import sqlite3

_VERSION = 1
_SCHEMA = (
    "CREATE TABLE files (id INTEGER PRIMARY KEY, path TEXT UNIQUE, state BLOB)",
    "CREATE VIRTUAL TABLE entries USING fts5(text, file UNINDEXED, turn UNINDEXED, kind UNINDEXED, at UNINDEXED,"
    " tokenize = 'unicode61 remove_diacritics 2')",
    f"PRAGMA user_version = {_VERSION}",
)
_WORD = re.compile(r'"([^"]*)"?|(\S+)')
_state = msgspec.json.Decoder(State)
_encode = msgspec.json.Encoder().encode
_MARK, _UNMARK = "\ue000", "\ue001"
"""Around a found word while it comes from SQLite: private characters, which no excerpt keeps."""
_SELECT = (
    "SELECT path, turn, kind, at, snippet(entries, 0, char(0xE000), char(0xE001), ' … ', 32) FROM entries"
    " JOIN files ON files.id = entries.file WHERE entries MATCH ?"
    " AND (? = '' OR instr(path, ?) > 0) AND (? = '' OR instr(?, ' ' || kind || ' ') > 0)"
    " ORDER BY rank, at DESC LIMIT ?"
)
KINDS = ("prompt", "answer", "command", "output", "patch", "call")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A place where all words stand together."""

    thread_id: str
    name: str | None
    path: str
    turn: int
    """Counted from 1; 0 for what stands before the first."""
    kind: str
    """`prompt`, `answer`, `command`, `output`, `patch`, or `call` for other tools."""
    at_ms: int | None
    excerpt: str
    marks: tuple[tuple[int, int], ...] = ()
    """Where the words stand in `excerpt`, as ranges of characters."""


def search_threads(
    home: Home, text: str, *, limit: int = 50, kinds: Collection[str] = (), thread_id: str = ""
) -> list[Found]:
    """The places where all words stand together, best first; archived threads count too.

    Args:
        home: Whose threads.
        text: Words; what stands in double quotes must stand together, `*` at a word's end means any ending.
        limit: How many at most.
        kinds: Only places of these kinds; none for all.
        thread_id: Only this thread; empty for all.

    Raises:
        UsageError: There is nothing to search for, or no such kind.
        RolloutError: This Python's SQLite has no full-text search.
    """
    question = match_expression(text)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"there is no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    names = thread_names(home.root)
    with _open(home) as db:
        _update(db, home)
        wanted = f" {' '.join(kinds)} " if kinds else ""
        rows = db.execute(_SELECT, (question, thread_id, thread_id, wanted, wanted, limit)).fetchall()
    return [
        Found(
            thread_id=thread_id_of(path) or "",
            name=names.get(thread_id_of(path) or ""),
            path=path,
            turn=turn,
            kind=kind,
            at_ms=at,
            excerpt=excerpt,
            marks=marks,
        )
        for path, turn, kind, at, marked in rows
        for excerpt, marks in [_unmarked(marked)]
    ]


def _unmarked(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """An excerpt without the signs around its found words, and where those stand."""
    pieces: list[str] = []
    marks: list[tuple[int, int]] = []
    length = 0
    for part in marked.split(_MARK):
        word, is_marked, rest = part.partition(_UNMARK)
        if is_marked and pieces:
            marks.append((length, length + len(word)))
        pieces += (word, rest)
        length += len(word) + len(rest.replace(_UNMARK, ""))
    return "".join(pieces).replace(_UNMARK, ""), tuple(marks)


def match_expression(text: str) -> str:
    """The words as an FTS5 question in which nothing but them means anything.

    Raises:
        UsageError: There is no word in it.
    """
    terms: list[str] = []
    for quoted, word in _WORD.findall(text):
        term = quoted or word
        prefix = not quoted and term.endswith("*")
        term = term.rstrip("*") if prefix else term
        if any(character.isalnum() for character in term):
            terms.append('"' + term.replace('"', '""').replace("\0", " ") + '"' + ("*" if prefix else ""))
    if not terms:
        raise UsageError("there is no word to search for")
    return " ".join(terms)


@contextlib.contextmanager
def _open(home: Home) -> Generator[sqlite3.Connection]:
    """The index, made anew when it is damaged, in memory when it cannot be kept."""
    import sqlite3

    path = home.workbench / "search.sqlite"
    with contextlib.suppress(CodexError):
        home.ensure()
    db: sqlite3.Connection | None = None
    for _ in range(2):
        try:
            db = _connect(str(path))
            break
        except sqlite3.OperationalError:
            break  # unwritable, or locked for long
        except sqlite3.DatabaseError:
            _discard(path)
    try:
        db = db or _connect(":memory:")
    except sqlite3.OperationalError as error:
        raise RolloutError(f"threads cannot be searched: this Python's SQLite says {error}.") from error
    try:
        yield db
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):
            _discard(path)  # the next search makes it anew
        raise RolloutError(f"The search index {path} cannot be used ({error}); search again.") from error
    finally:
        db.close()


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3

    db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")  # what a crash breaks is built again
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("made by another version")
        if version == 0:
            for statement in _SCHEMA:
                db.execute(statement)
        db.execute("SELECT count(*) FROM files").fetchone()
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _discard(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _update(db: sqlite3.Connection, home: Home) -> None:
    """Take in what was written since the last search, and forget files that are gone."""
    db.execute("BEGIN IMMEDIATE")
    try:
        known = {
            path: (file, _stored(file, state)) for file, path, state in db.execute("SELECT id, path, state FROM files")
        }
        there: set[str] = set()
        for entry in [*all_rollouts(home, archived=False), *all_rollouts(home, archived=True)]:
            there.add(entry.path)
            file, stored = known.get(entry.path, (None, None))
            with contextlib.suppress(OSError, RolloutError):
                _take(db, Path(entry.path), file, stored)
        for path in known.keys() - there:
            _forget(db, known[path][0])
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):
            db.execute("ROLLBACK")
        raise


def _take(db: sqlite3.Connection, path: Path, file: int | None, stored: Stored | None) -> None:
    if stored is not None and stored.unchanged(path):
        return
    entries, state, anew = read_entries(path, stored.state if stored is not None else None)
    if anew and file is not None:
        _forget(db, file)
        file = None
    if file is None:
        file = db.execute("INSERT INTO files (path, state) VALUES (?, ?)", (str(path), b"")).lastrowid
    db.executemany(
        "INSERT INTO entries (text, file, turn, kind, at) VALUES (?, ?, ?, ?, ?)",
        [(entry.text, file, entry.turn, entry.kind, entry.at_ms) for entry in _storable(entries)],
    )
    db.execute("UPDATE files SET state = ? WHERE id = ?", (_encode(state), file))


def _storable(entries: list[Entry]) -> Iterator[Entry]:
    for entry in entries:
        text = entry.text.encode("utf-8", "replace").decode()
        if text.strip():
            yield msgspec.structs.replace(entry, text=text)


def _forget(db: sqlite3.Connection, file: int) -> None:
    db.execute("DELETE FROM entries WHERE file = ?", (file,))
    db.execute("DELETE FROM files WHERE id = ?", (file,))


def _stored(file: int, state: bytes) -> Stored | None:
    try:
        return Stored(_state.decode(state))
    except msgspec.DecodeError:
        return None
