"""What lists and searches remember between calls: `workbench/threads.sqlite`, which may be deleted at any time.

Every entry is bound to the size and time of the file it was read from. Whatever goes wrong here only costs time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from codex_protocol.errors import CodexError
from codex_store.home import Home
from codex_store.rollout_lines import UNREADABLE
from codex_store.thread_info import ThreadInfo

if TYPE_CHECKING:
    import sqlite3

_VERSION = 1
_MIN_GRAMS = 3
_SCHEMA = (
    "CREATE TABLE infos (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, info BLOB)",
    "CREATE TABLE texts (id INTEGER PRIMARY KEY, path TEXT UNIQUE, size INTEGER, mtime INTEGER)",
    "CREATE VIRTUAL TABLE grams USING fts5(content, tokenize = 'trigram')",
    f"PRAGMA user_version = {_VERSION}",
)
_decoder = msgspec.json.Decoder(ThreadInfo | None, dec_hook=lambda kind, value: kind(value))
_encoder = msgspec.json.Encoder(enc_hook=str)


class Stamp(msgspec.Struct, frozen=True):
    """A rollout file as it stands on disk."""

    path: str
    size: int
    mtime_ns: int


class ThreadCache:
    """An open cache; used within `with`, which commits what was put."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.workbench / "threads.sqlite"
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        import sqlite3

        with contextlib.suppress(CodexError):
            self._home.ensure()
        for _ in range(2):
            try:
                self._db = _open(self._path)
            except sqlite3.OperationalError:
                break  # locked, unwritable, or no full-text search here: do without
            except sqlite3.DatabaseError:
                self._discard()
            else:
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            with self._forgiving():
                self._db.commit()
            self._db.close()
            self._db = None

    def infos(self) -> dict[str, tuple[Stamp, ThreadInfo | None]]:
        """Everything remembered, by path; None for files that are no thread worth showing."""
        found: dict[str, tuple[Stamp, ThreadInfo | None]] = {}
        if self._db is not None:
            with self._forgiving():
                for path, size, mtime, info in self._db.execute("SELECT path, size, mtime, info FROM infos"):
                    found[path] = (Stamp(path, size, mtime), _decoder.decode(info))
        return found

    def put_infos(self, entries: Iterable[tuple[Stamp, ThreadInfo | None]], gone: Sequence[str]) -> None:
        """Remember what was read, and forget files that are gone."""
        if self._db is None:
            return
        with self._forgiving():
            self._db.executemany(
                "INSERT OR REPLACE INTO infos VALUES (?, ?, ?, ?)",
                [(stamp.path, stamp.size, stamp.mtime_ns, _encoder.encode(info)) for stamp, info in entries],
            )
            self._db.executemany("DELETE FROM infos WHERE path = ?", [(path,) for path in gone])

    def texts(self) -> dict[str, Stamp]:
        """The files whose text is remembered."""
        if self._db is None:
            return {}
        with self._forgiving():
            rows = self._db.execute("SELECT path, size, mtime FROM texts").fetchall()
            return {path: Stamp(path, size, mtime) for path, size, mtime in rows}
        return {}

    def put_text(self, stamp: Stamp, text: str) -> bool:
        """Remember a thread's text; False when that cannot be."""
        if self._db is None:
            return False
        with self._forgiving():
            self._db.execute("DELETE FROM grams WHERE rowid IN (SELECT id FROM texts WHERE path = ?)", (stamp.path,))
            self._db.execute("DELETE FROM texts WHERE path = ?", (stamp.path,))
            row = self._db.execute(
                "INSERT INTO texts (path, size, mtime) VALUES (?, ?, ?)", (stamp.path, stamp.size, stamp.mtime_ns)
            )
            self._db.execute("INSERT INTO grams (rowid, content) VALUES (?, ?)", (row.lastrowid, text))
            return True
        return False

    def text(self, path: str) -> str | None:
        """A thread's text as it was put."""
        if self._db is None:
            return None
        with self._forgiving():
            row = self._db.execute(
                "SELECT content FROM grams JOIN texts ON texts.id = grams.rowid WHERE path = ?", (path,)
            ).fetchone()
            return None if row is None else row[0]
        return None

    def holding_any(self, terms: Sequence[str]) -> set[str] | None:
        """Paths of the texts that hold one of the terms, and maybe some more; None when the cache cannot tell."""
        if self._db is None or any(len(term) < _MIN_GRAMS for term in terms):
            return None
        question = " OR ".join('"' + term.replace('"', '""') + '"' for term in terms)
        with self._forgiving():
            rows = self._db.execute(
                "SELECT path FROM grams JOIN texts ON texts.id = grams.rowid WHERE grams MATCH ?", (question,)
            )
            return {path for (path,) in rows}
        return None

    @contextlib.contextmanager
    def _forgiving(self) -> Generator[None]:
        """Does without the cache from the first failure on; a damaged one is removed."""
        import sqlite3

        try:
            yield
        except (sqlite3.Error, *UNREADABLE) as error:
            if self._db is not None:
                self._db.close()
                self._db = None
            if not isinstance(error, sqlite3.OperationalError):
                self._discard()

    def _discard(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    import sqlite3

    db = sqlite3.connect(path, timeout=2.0)
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, _VERSION):
            raise sqlite3.DatabaseError("made by another version")
        db.execute("PRAGMA synchronous = OFF")  # a cache: what a crash breaks is built again
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:  # else another process was faster
                for statement in _SCHEMA:
                    db.execute(statement)
            db.commit()
    except BaseException:
        db.close()
        raise
    return db
