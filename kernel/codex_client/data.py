"""Threads as data, with no agent running: plain records of numbers, texts and datetimes that pandas takes as they are.

pandas.DataFrame(Codex().usage())
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from codex_store.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from codex_client.export.thread import Exported, Format
    from codex_store.thread_info import ThreadInfo
    from codex_store.turn_records import TurnRecord

Record = dict[str, Any]


class StoredThreads(ABC):
    """What can be asked about the threads of a home; `Codex` and `AsyncCodex` are such."""

    @abstractmethod
    def home(self) -> Home:
        """Whose threads these are."""

    def threads(self, **options: Any) -> list[Record]:
        """One record a thread, the one that changed last first; options as for `codex_store.threads.list_threads`."""
        return [_thread_record(info) for info in self._infos(options)]

    def turns(self, thread: str | None = None, **options: Any) -> list[Record]:
        """One record a turn, oldest first within its thread.

        Args:
            thread: Id or name; None for all threads.
            options: Which threads, as for `threads`.
        """
        return [_turn_record(info, turn) for info, turn in self._all_turns(thread, options)]

    def commands(self, thread: str | None = None, **options: Any) -> list[Record]:
        """One record a command that was run, in order; arguments as for `turns`."""
        return [
            {
                "thread_id": info.id,
                "turn": turn.number,
                "command": command.script,
                "exit_code": command.exit_code,
                "started": _time(command.started_ms),
                "duration_s": command.duration_s,
                "output": command.output,
                "cwd": command.cwd or turn.cwd,
                "tool": command.tool,
            }
            for info, turn in self._all_turns(thread, options)
            for command in turn.commands
        ]

    def usage(self, thread: str | None = None, **options: Any) -> list[Record]:
        """One record a response of the model, with its tokens; arguments as for `turns`."""
        return [
            {
                "thread_id": info.id,
                "turn": turn.number,
                "time": _time(each.at_ms),
                "duration_s": each.duration_s,
                "model": turn.model,
                "cwd": turn.cwd,
                "input_tokens": each.usage.input_tokens,
                "cached_input_tokens": each.usage.cached_input_tokens,
                "output_tokens": each.usage.output_tokens,
                "reasoning_output_tokens": each.usage.reasoning_output_tokens,
                "total_tokens": each.usage.total_tokens,
            }
            for info, turn in self._all_turns(thread, options)
            for each in turn.usages
        ]

    def search(self, text: str, *, limit: int = 50, kinds: Collection[str] = (), thread_id: str = "") -> list[Record]:
        """Where all words of `text` stand together: in what was said, run, printed or patched; best first.

        Args:
            text: Words; quoted ones must stand together, a `*` at a word's end means any ending.
            limit: How many places at most.
            kinds: Of these alone: `prompt`, `answer`, `command`, `output`, `patch`, `call`.
            thread_id: In this thread alone.

        Raises:
            UsageError: There is no word in it, or no such kind.
            ThreadError: This Python's SQLite has no full-text search.
        """
        from codex_store.search import search_threads

        return [
            {
                "thread_id": found.thread_id,
                "turn": found.turn,
                "kind": found.kind,
                "time": _time(found.at_ms),
                "excerpt": found.excerpt,
                "name": found.name,
                "path": found.path,
            }
            for found in search_threads(self.home(), text, limit=limit, kinds=kinds, thread_id=thread_id)
        ]

    def export(self, thread: str, to: Format = "md", *, redact: bool = True) -> Exported:
        """The thread as text for other people; `save` writes it, `found` lists the secrets that stood in it.

        Args:
            thread: Id, beginning of the id, or name.
            to: `md`, `html` (one file, no scripts), `ipynb` (of the Codex kernel) or `jsonl`.
            redact: Whether secrets are taken out.

        Raises:
            RolloutError: There is no such thread.
            UsageError: There is no such form.
        """
        from codex_client.export.thread import export_thread, format_of
        from codex_store.threads import find_thread

        home = self.home()
        return export_thread(home, find_thread(home, thread), format_of(to), redact=redact)

    def _infos(self, options: dict[str, Any]) -> list[ThreadInfo]:
        from codex_store.threads import list_threads

        return list_threads(self.home(), **options)

    def _all_turns(self, thread: str | None, options: dict[str, Any]) -> Iterator[tuple[ThreadInfo, TurnRecord]]:
        from codex_protocol.errors import RolloutError
        from codex_store.threads import find_thread
        from codex_store.turn_records import read_turns

        infos = self._infos(options) if thread is None else [find_thread(self.home(), thread)]
        for info in infos:
            path: Path = info.path
            try:
                turns = read_turns(path)
            except RolloutError:
                if thread is not None:
                    raise
                continue  # one damaged file must not cost the table
            for turn in turns:
                yield info, turn


def _thread_record(info: ThreadInfo) -> Record:
    return {
        "id": info.id,
        "name": info.name,
        "preview": info.preview,
        "cwd": info.cwd,
        "branch": info.branch,
        "model": info.model,
        "provider": info.provider,
        "tokens": info.tokens,
        "created": _iso(info.created),
        "updated": datetime.fromtimestamp(info.updated_ns / 1e9, UTC),
        "archived": info.archived,
        "source": info.source,
        "forked_from": info.forked_from,
        "path": str(info.path),
    }


def _turn_record(info: ThreadInfo, turn: TurnRecord) -> Record:
    from codex_store.insight import turn_numbers

    started, ended = _time(turn.started_ms), _time(turn.ended_ms)
    numbers = turn_numbers(turn)
    return {
        "thread_id": info.id,
        "turn": turn.number,
        "id": turn.id,
        "prompt": turn.prompt,
        "answer": turn.answer,
        "status": turn.status,
        "error": turn.error,
        "started": started,
        "duration_s": (ended - started).total_seconds() if started is not None and ended is not None else None,
        "model": turn.model,
        "cwd": turn.cwd,
        "commands": numbers.commands,
        "command_s": numbers.command_s,
        "patches": turn.patches,
        "files": list(numbers.files),
        "responses": numbers.requests,
        "request_s": numbers.request_s,
        "input_tokens": numbers.usage.input_tokens,
        "cached_input_tokens": numbers.usage.cached_input_tokens,
        "output_tokens": numbers.usage.output_tokens,
        "reasoning_output_tokens": numbers.usage.reasoning_output_tokens,
        "total_tokens": numbers.usage.total_tokens,
    }


def _time(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
