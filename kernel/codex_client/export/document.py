"""A stored thread as a document: its turns, and in each what was asked, said and done, in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from codex_protocol.events import PlanStep
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    Item,
    LocalShellCall,
    Message,
    Reasoning,
    ToolCallItem,
    WebSearchCall,
)
from codex_protocol.token_usage import TokenUsage
from codex_render.diff_files import FileDiff, of_changes
from codex_render.patch_diff import files_of_patch
from codex_store.context_items import is_prompt
from codex_store.item_texts import called_by, outcome_of, written_files
from codex_store.rollout_lines import UNREADABLE
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_replay import Plan, Turn
from codex_store.rollout_segments import first_meta, thread_lines
from codex_store.turn_diffs import written_patches
from codex_store.turn_records import TurnFold, TurnRecord

Clean = Callable[[str], str]
_plan = msgspec.json.Decoder(Plan)
_SHELL = re.compile(
    r"\s*<user_shell_command>\n\$ (?P<command>.*?)\nexit code (?P<code>-?\d+)\n(?P<output>.*)\n"
    r"</user_shell_command>\s*",
    re.DOTALL,
)


class Asked(msgspec.Struct, frozen=True):
    """What the user said, with pictures as `data:` URLs."""

    text: str
    images: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True):
    """What the model said: Markdown."""

    text: str


class Thought(msgspec.Struct, frozen=True):
    """The summary of the model's reasoning."""

    text: str


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """A command, of the model's or (`yours`) of the user's."""

    script: str
    output: str = ""
    exit_code: int | None = None
    duration_s: float | None = None
    yours: bool = False


class Patched(msgspec.Struct, frozen=True):
    """A patch in the agent's format; `failed` says why it was not applied."""

    patch: str
    failed: str | None = None
    files: tuple[FileDiff, ...] = ()
    """What it changed, with the numbers of its lines; what it would change, without them, where that is not kept."""


class Called(msgspec.Struct, frozen=True):
    """Another tool, with its arguments and what it gave."""

    name: str
    arguments: str
    output: str = ""


class Planned(msgspec.Struct, frozen=True):
    """The plan as it stood from here on."""

    steps: tuple[PlanStep, ...]
    explanation: str | None = None


Part = Asked | Said | Thought | Ran | Patched | Called | Planned


class DocumentTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn; number 0 holds what came before the first."""

    number: int
    parts: tuple[Part, ...]
    started_ms: int | None = None
    status: str = "completed"
    error: str | None = None


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A thread. Every text in it has been through the cleaning it was read with."""

    id: str
    title: str
    """Its name, else the beginning of what was asked first."""
    cwd: str
    model: str
    begun: str
    """UTC, ISO 8601; empty when the file does not say."""
    usage: TokenUsage
    turns: tuple[DocumentTurn, ...]
    notices: tuple[str, ...]


def read_document(path: Path, clean: Clean = str) -> Document:
    """The thread in a rollout; turns that were taken back are left out.

    Args:
        path: The rollout.
        clean: Applied to every text a person or a program wrote.

    Raises:
        RolloutError: It cannot be read.
    """
    rollout = read_rollout(path)
    records = _records(path)
    written = written_patches(path)
    turns = tuple(
        _turn(number, turn, items, records, _Parts(clean, rollout.cwd, written))
        for number, turn, items in _by_turn(rollout.turns, rollout.items)
        if turn is not None or any(True for _ in _Parts(str, "", {}).of(items))
    )
    asked = (part.text for turn in turns for part in turn.parts if isinstance(part, Asked))
    first = " ".join(next(asked, "").split())
    name = rollout.name
    return Document(
        id=rollout.meta.id,
        title=clean(name) if name else first[:80] or "A thread without a message",
        cwd=clean(rollout.cwd),
        model=rollout.turn_context.model if rollout.turn_context is not None else "",
        begun=rollout.meta.timestamp,
        usage=rollout.usage,
        turns=turns,
        notices=rollout.notices,
    )


def _records(path: Path) -> dict[str, TurnRecord]:
    """When turns began and how they ended, by their ids."""
    fold = TurnFold(first_meta(path))
    for raw, own in thread_lines(path, []):
        fold.feed(raw, own=own)
    return {turn.id: turn for turn in fold.turns if turn.id}


def _by_turn(turns: tuple[Turn, ...], items: tuple[Item, ...]) -> Iterator[tuple[int, Turn | None, tuple[Item, ...]]]:
    starts = [turn.first_item for turn in turns]
    yield 0, None, items[: starts[0] if starts else len(items)]
    for at, turn in enumerate(turns):
        end = starts[at + 1] if at + 1 < len(turns) else len(items)
        yield at + 1, turn, items[starts[at] : end]


def _turn(
    number: int, turn: Turn | None, items: tuple[Item, ...], records: dict[str, TurnRecord], reader: _Parts
) -> DocumentTurn:
    parts = tuple(reader.of(items))
    if turn is None:
        return DocumentTurn(number=number, parts=parts)
    record = records.get(turn.id)
    status = (
        "failed" if turn.error else {"complete": "completed", "aborted": "stopped"}.get(turn.end or "", "broken off")
    )
    if not turn.id and turn.end is None and any(isinstance(part, Said) for part in parts):
        status = "completed"  # files of August 2025 do not say when turns end
    return DocumentTurn(
        number=number,
        parts=parts,
        started_ms=None if record is None else record.started_ms,
        status=status,
        error=None if turn.error is None else reader.clean(turn.error),
    )


class _Parts:
    """Items become parts."""

    def __init__(self, clean: Clean, cwd: str, written: Mapping[str, Mapping[str, FileChange]]) -> None:
        self.clean = clean
        self._cwd = cwd
        self._written = written

    def of(self, items: tuple[Item, ...]) -> Iterator[Part]:
        """What of the items a reader sees."""
        clean = self.clean
        outputs = {
            item.call_id: item.text() for item in items if isinstance(item, FunctionCallOutput | CustomToolCallOutput)
        }
        for item in items:
            match item:
                case Message(role="user") if is_prompt(item):
                    images = tuple(part.image_url for part in item.content if isinstance(part, InputImage))
                    yield Asked(clean(item.text()), images)
                case Message(role="user"):
                    if (command := _SHELL.fullmatch(item.text())) is not None:
                        script, output = clean(command["command"]), clean(command["output"])
                        yield Ran(script=script, output=output, exit_code=int(command["code"]), yours=True)
                case Message(role="assistant") if item.text().strip():
                    yield Said(clean(item.text()))
                case Reasoning() if item.summary:
                    yield Thought(clean("\n\n".join(part.text for part in item.summary)))
                case FunctionCall() | CustomToolCall() | LocalShellCall():
                    yield self._call(item, outputs.get(item.call_id or item.id or "", ""))
                case WebSearchCall(action=action):
                    yield Called("web_search", clean(str((action or {}).get("query", ""))))
                case _:
                    continue

    def _call(self, item: ToolCallItem, output: str) -> Part:
        clean = self.clean
        if isinstance(item, FunctionCall) and item.name == "update_plan":
            try:
                plan = _plan.decode(item.arguments)
            except UNREADABLE:
                return Called(item.name, clean(item.arguments), clean(output))
            steps = tuple(msgspec.structs.replace(step, step=clean(step.step)) for step in plan.plan)
            return Planned(steps, None if plan.explanation is None else clean(plan.explanation))
        called = called_by(item)
        if called.kind == "patch":
            said = outcome_of(output).output
            failed = None if written_files(said) else clean(said or "no answer to it is kept")
            return Patched(clean(called.text), failed, self._files(called.text, item))
        if called.kind == "command":
            outcome = outcome_of(output)
            return Ran(
                script=clean(called.text),
                output=clean(outcome.output),
                exit_code=outcome.exit_code,
                duration_s=outcome.duration_s,
            )
        return Called(called.tool, clean(called.text.removeprefix(f"{called.tool} ")), clean(output))

    def _files(self, text: str, item: ToolCallItem) -> tuple[FileDiff, ...]:
        changes = self._written.get(item.call_id or "")
        if changes is None:
            return tuple(files_of_patch(self.clean(text)))
        return tuple(of_changes({self._name(path): self._cleaned(change) for path, change in changes.items()}))

    def _name(self, path: str) -> str:
        below = path.removeprefix(f"{self._cwd}/") if self._cwd else path
        return self.clean(below)

    def _cleaned(self, change: FileChange) -> FileChange:
        if change.add is not None:
            return FileChange(add=AddedFile(self.clean(change.add.content)))
        if change.delete is not None:
            return FileChange(delete=DeletedFile(self.clean(change.delete.content)))
        if change.update is None:
            return change
        moved = change.update.move_path
        to = None if moved is None else self._name(moved)
        return FileChange(update=UpdatedFile(self.clean(change.update.unified_diff), to))
