"""`%%codex` and `%codex_threads`, in any Python notebook or console: `%load_ext codex_client`.

%%codex [-m MODEL] [-s SANDBOX] [--thread NAME] [--schema NAME] [--context NAME] [--new] [--demo] [-C DIR] [-o NAME]
what the model is asked
"""

from __future__ import annotations

import argparse
import atexit
import shlex
from typing import Any

from codex_protocol.errors import CodexError, UsageError

_DEFAULT = ""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(f"%%codex: {message}; it takes {_options(self)}")


def _options(parser: argparse.ArgumentParser) -> str:
    return " ".join(parser.format_usage().split()[2:])


def parser() -> argparse.ArgumentParser:
    """The options of `%%codex`."""
    made = _Parser(prog="codex", add_help=False)
    made.add_argument("-m", "--model")
    made.add_argument("-s", "--sandbox", choices=("read-only", "workspace-write", "danger-full-access"))
    made.add_argument("-C", "--cd", metavar="DIR")
    made.add_argument("--thread", metavar="NAME")
    made.add_argument("--schema", metavar="NAME")
    made.add_argument("--context", metavar="NAME", action="append", default=[])
    made.add_argument("-o", "--out", metavar="NAME")
    made.add_argument("--new", action="store_true")
    made.add_argument("--demo", action="store_true")
    return made


class Magics:
    """The threads of one shell: one for cells that name none, and one for each name."""

    def __init__(self, shell: Any) -> None:
        """Start nothing yet.

        Args:
            shell: IPython's.
        """
        self._shell = shell
        self._codex: Any = None
        self._threads: dict[str, Any] = {}

    def cell(self, line: str, cell: str | None = None) -> Any:
        """`%%codex`: one turn; its result, or the object with `--schema`."""
        try:
            return self._run(line, cell)
        except CodexError as error:
            return self._complain(error)

    def threads(self, line: str) -> Any:
        """`%codex_threads [WORDS]`: stored threads, as a table."""
        try:
            return ThreadTable(self._open().threads(search=line.strip() or None, limit=30))
        except CodexError as error:
            return self._complain(error)

    def close(self) -> None:
        """End the agents that were started here."""
        codex, self._codex = self._codex, None
        self._threads.clear()
        if codex is not None:
            codex.close()

    def _run(self, line: str, cell: str | None) -> Any:
        from codex_client.progress import TurnProgress

        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%%codex: {error}") from error
        options, rest = parser().parse_known_args(words)
        if rest and (cell is not None or rest[0].startswith("-")):
            raise UsageError(f"%%codex: there is no option {rest[0]}; it takes {_options(parser())}")
        prompt = cell if cell is not None else " ".join(rest)
        if not prompt.strip():
            raise UsageError("%%codex: the cell below the line is the prompt, and it is empty")
        schema = None if options.schema is None else self._variable(options.schema)
        context = {name: self._variable(name) for name in options.context}
        thread = self._thread(options)
        changes: dict[str, Any] = {"model": options.model, "sandbox": options.sandbox}
        turn = thread.turn(prompt.strip(), schema=schema, context=context, on_event=TurnProgress(), **changes)
        result = turn.result()
        if options.out:
            self._shell.user_ns[options.out] = result.parsed if schema is not None else result
        return result

    def _thread(self, options: argparse.Namespace) -> Any:
        name = options.thread or _DEFAULT
        known = self._threads.get(name)
        if known is not None and not options.new:
            return known
        codex = self._open()
        settings: dict[str, Any] = {"cwd": options.cd, "demo": options.demo or None}
        thread = None if not name or options.new else self._resumed(name, settings)
        if thread is None:
            thread = codex.thread_start(**settings)
            if name:
                thread.set_name(name)
        if known is not None:
            known.close()
        self._threads[name] = thread
        return thread

    def _resumed(self, name: str, settings: dict[str, Any]) -> Any:
        """The stored thread of that name; None when there is none."""
        from codex_protocol.errors import RolloutError
        from codex_store.threads import find_thread

        codex = self._open()
        try:
            found = find_thread(codex.home(), name)
        except RolloutError as error:
            if "Several" in str(error):
                raise
            return None
        return codex.thread_resume(found.id, **settings)

    def _open(self) -> Any:
        if self._codex is None:
            from codex_client.api import Codex

            self._codex = Codex()
            atexit.register(self.close)
        return self._codex

    def _variable(self, name: str) -> Any:
        if name not in self._shell.user_ns:
            raise UsageError(f"%%codex: there is no variable {name!r} here; run the cell that defines it first")
        return self._shell.user_ns[name]

    def _complain(self, error: CodexError) -> None:
        """One sentence, never a traceback; a notebook that is run as a whole stops here all the same."""
        raise Complaint(str(error)) from None


class Complaint(Exception):
    """One sentence for a person; IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"codex: {self}"]


class ThreadTable(list[dict[str, Any]]):
    """Records that show themselves as a table; a list otherwise."""

    _COLUMNS = ("updated", "name", "preview", "cwd", "model", "tokens", "id")

    def __repr__(self) -> str:
        return "\n".join("  ".join(row) for row in self._rows()) or "no threads yet"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        from codex_render.html_policy import escape

        head, *rows = self._rows() or [[]]
        if not rows:
            return "<p>no threads yet</p>"
        titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
        lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>"

    def _rows(self) -> list[list[str]]:
        from codex_render.safe_text import one_line

        if not self:
            return []
        rows: list[list[str]] = [list(self._COLUMNS)]
        for record in self:
            when = record["updated"].astimezone().strftime("%Y-%m-%d %H:%M")
            cells = [when, *(one_line(str(record[column] or ""))[:60] for column in self._COLUMNS[1:])]
            rows.append(cells)
        return rows


def register(shell: Any) -> None:
    """Give an IPython shell the magics.

    Args:
        shell: IPython's.
    """
    magics = Magics(shell)
    shell.register_magic_function(magics.cell, "line_cell", "codex")
    shell.register_magic_function(magics.threads, "line", "codex_threads")
