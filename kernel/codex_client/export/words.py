"""What every form of an exported thread says in the same words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from codex_client.export.document import Document, DocumentTurn, Ran
from codex_render.amounts import count, duration
from codex_render.safe_text import one_line


def facts(document: Document) -> Iterator[tuple[str, str]]:
    """Name and value of what the head says."""
    yield "Thread", document.id
    if document.cwd:
        yield "Directory", one_line(document.cwd)
    if document.model:
        yield "Model", one_line(document.model)
    if document.begun:
        yield "Begun", one_line(document.begun[:16].replace("T", " ")) + " UTC"
    if document.usage.total_tokens:
        yield "Tokens used", count(document.usage.blended())


def turn_note(turn: DocumentTurn) -> str:
    """When it began, and how it ended unless it was completed."""
    parts: list[str] = []
    if turn.started_ms is not None:
        parts.append(f"{datetime.fromtimestamp(turn.started_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC")
    if turn.error:
        parts.append(f"failed: {one_line(turn.error)}")
    elif turn.number and turn.status != "completed":
        parts.append(turn.status)
    return " · ".join(parts)


def outcome(command: Ran) -> str:
    """How a command went: `exit 1 in 2.10s`; empty when the thread does not say."""
    if command.exit_code is None:
        return ""
    how = "done" if command.exit_code == 0 else f"exit {command.exit_code}"
    return how if command.duration_s is None else f"{how} in {duration(command.duration_s)}"
