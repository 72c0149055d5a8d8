"""What was typed into kernels, kept over restarts: numbered by session and line, as `history_request` asks for it.

Source: Jupyter messaging 5.4, "History". Kept in `$CODEX_HOME/workbench/kernel-inputs.sqlite`; when that cannot be
written, this kernel's own inputs are still answered from memory.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Any

from codex_protocol.errors import ConfigError
from codex_store.home import find_home

log = logging.getLogger(__name__)

FILE = "kernel-inputs.sqlite"
Row = tuple[int, int, str]
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS inputs (
    session INTEGER NOT NULL, line INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (session, line)
) WITHOUT ROWID;
"""


class InputHistory:
    """The inputs of this kernel (a session) and of those before it. Opened when first used."""

    def __init__(self, session: str, file: Path | None = None) -> None:
        """Use `file`, or the home's own."""
        self._session = session
        self._file = file
        self._base: sqlite3.Connection | None = None
        self._number = 0
        self.keep = True
        """Whether inputs are written down; off by the setting `history.persistence = "none"`."""

    def add(self, line: int, text: str) -> None:
        """Keep an input under its line number."""
        if not self.keep:
            return
        base = self._open()
        try:
            base.execute("INSERT OR REPLACE INTO inputs VALUES (?, ?, ?)", (self._own(base), line, text))
            base.commit()
        except sqlite3.Error as error:
            log.warning("an input was not kept: %s", error)

    def answer(self, content: dict[str, Any]) -> list[tuple[int, int, Any]]:
        """What a `history_request` asks for, oldest first; with `output` each row has `[input, null]`."""
        rows = self._rows(content)
        if content.get("output"):
            return [(session, line, (text, None)) for session, line, text in rows]
        return [*rows]

    def close(self) -> None:
        """Close the file."""
        if self._base is not None:
            self._base.close()
            self._base = None

    def _rows(self, content: dict[str, Any]) -> list[Row]:
        match content.get("hist_access_type", "tail"):
            case "range":
                return self._range(_whole(content, "session", 0), _whole(content, "start", 1), _stop(content))
            case "search":
                pattern = str(content.get("pattern") or "*")
                return self._newest(_whole(content, "n", None), pattern, unique=bool(content.get("unique")))
            case _:
                return self._newest(_whole(content, "n", 10), "*", unique=False)

    def _range(self, session: int, start: int, stop: int | None) -> list[Row]:
        base = self._open()
        number = self._own(base) + session if session <= 0 else session
        query = "SELECT session, line, text FROM inputs WHERE session = ? AND line >= ? AND (? IS NULL OR line < ?)"
        return self._fetch(f"{query} ORDER BY line", (number, start, stop, stop))

    def _newest(self, count: int | None, pattern: str, *, unique: bool) -> list[Row]:
        if unique:
            query = (
                "SELECT session, max(line), text FROM inputs AS a WHERE text GLOB ? AND session = "
                "(SELECT max(session) FROM inputs AS b WHERE b.text = a.text) GROUP BY text"
            )
        else:
            query = "SELECT session, line, text FROM inputs WHERE text GLOB ?"
        limit = -1 if count is None else max(0, count)
        order = "max(line)" if unique else "line"
        rows = self._fetch(f"{query} ORDER BY session DESC, {order} DESC LIMIT ?", (pattern, limit))
        return rows[::-1]

    def _fetch(self, query: str, values: tuple[Any, ...]) -> list[Row]:
        try:
            return self._open().execute(query, values).fetchall()
        except sqlite3.Error as error:
            log.warning("the input history could not be read: %s", error)
            return []

    def _own(self, base: sqlite3.Connection) -> int:
        """This session's number, taken with its first use."""
        if not self._number:
            cursor = base.execute("INSERT INTO sessions (session) VALUES (?)", (self._session,))
            base.commit()
            self._number = int(cursor.lastrowid or 1)
        return self._number

    def _open(self) -> sqlite3.Connection:
        if self._base is None:
            try:
                self._base = _connect(self._file)
            except (sqlite3.Error, OSError, ConfigError) as error:
                log.warning("inputs are kept in memory alone: %s", error)
                self._base = sqlite3.connect(":memory:")
                self._base.executescript(_SCHEMA)
        return self._base


def _connect(file: Path | None) -> sqlite3.Connection:
    if file is None:
        home = find_home()
        home.ensure()
        file = home.workbench / FILE
    if not file.exists():
        file.touch(0o600)
    base = sqlite3.connect(file, timeout=1)
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=NORMAL")
        base.executescript(_SCHEMA)
    except BaseException:
        base.close()
        raise
    return base


def _whole(content: dict[str, Any], key: str, default: Any) -> Any:
    value = content.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _stop(content: dict[str, Any]) -> int | None:
    return _whole(content, "stop", None)
