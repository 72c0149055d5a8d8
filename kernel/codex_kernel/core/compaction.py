"""Compaction: the history replaced by a summary that the model writes, the user's words and the plan kept.

Source: spec/agent-loop.md section 9 for the flow; what is kept goes beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_kernel.core.context import context_messages
from codex_kernel.core.history import is_call, is_context
from codex_kernel.core.instructions import base_instructions
from codex_kernel.core.prompts import prompt_text
from codex_kernel.core.sampling import Partial, sample
from codex_kernel.model.interface import Prompt
from codex_protocol.errors import ContextWindowExceeded
from codex_protocol.events import ContextCompacted, EventMsg, Warning
from codex_protocol.items import (
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    InputText,
    Item,
    Message,
    encode_item,
    user_message,
)

if TYPE_CHECKING:
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.state import Emit, ThreadState
    from codex_kernel.core.turn_hooks import TurnHooks

KEPT_USER_BYTES = 80_000
"""What the user said is kept word for word, newest first, up to here (about 20,000 tokens)."""


async def compact(
    state: ThreadState, settings: TurnSettings, emit: Emit, *, automatic: bool, hooks: TurnHooks | None = None
) -> bool:
    """Replace the thread's history by a summary of it.

    The new history is the context messages, what the user said last, and the summary with the plan. It is on disk
    before `context_compacted` is told of. It is never larger than the old one: if the summary does not make it
    smaller, the history stays and a warning says so.

    Returns:
        Whether the history was replaced.

    Raises:
        ModelError: No summary could be had; the history stays.
    """
    if hooks is not None and not await hooks.before_compaction(automatic=automatic):
        return False
    history = state.history
    before = state.meter.tokens(history.items)
    summary = await _summarise(state, settings, emit)
    if not summary.strip():
        emit(Warning(message="The history was not compacted: the model gave no summary."))
        return False
    replacement = _replacement(state, settings, summary)
    if _size(replacement) >= _size(history.items):
        emit(Warning(message="The history was not compacted: its summary would have been no shorter."))
        return False
    replacement += state.take_steered()  # on disk before this, where resuming does not look any more
    state.recorder.compacted(summary, replacement)
    history.replace(replacement)
    state.meter.reset()
    emit(ContextCompacted(automatic=automatic, tokens_before=before, summary=summary))
    if hooks is not None:
        await hooks.after_compaction(state, automatic=automatic)
    return True


async def _summarise(state: ThreadState, settings: TurnSettings, emit: Emit) -> str:
    """Ask for the summary; while even that is too long, leave out the older half of what is not context."""
    items = list(state.history.items)
    while True:
        prompt = Prompt(
            model=settings.model,
            instructions=base_instructions(settings.config),
            input=[*items, user_message(settings.config.compact_prompt or prompt_text("compact.md"))],
            effort=settings.effort,
            summary=settings.summary if settings.info().supports_reasoning_summaries else None,
            thread_id=state.thread_id,
            store=not settings.config.disable_response_storage,
        )
        try:
            sampled = await sample(prompt, state.client, _quiet(emit), Partial(), show_raw=False)
        except ContextWindowExceeded:
            shorter = _without_oldest(items)
            if shorter is None:
                raise
            items = shorter
            continue
        if sampled.usage is not None:
            state.usage += sampled.usage
        texts = [item.text() for item in sampled.items if isinstance(item, Message) and item.role == "assistant"]
        return texts[-1] if texts else ""


def _quiet(emit: Emit) -> Emit:
    """Only troubles are told of: the summary is not an answer to the user."""

    def forward(msg: EventMsg) -> None:
        if msg.__struct_config__.tag == "stream_error":
            emit(msg)

    return forward


def _without_oldest(items: list[Item]) -> list[Item] | None:
    """The items without the older half of what is not context, calls with outputs; None: nothing to leave out."""
    leading = 0
    while leading < len(items):
        item = items[leading]
        if not (isinstance(item, Message) and is_context(item)):
            break
        leading += 1
    rest = items[leading:]
    if len(rest) < 2:
        return None
    cut = (len(rest) + 1) // 2
    while cut < len(rest) and (
        isinstance(rest[cut], FunctionCallOutput | CustomToolCallOutput) or is_call(rest[cut - 1])
    ):
        cut += 1
    return items[:leading] + rest[cut:]


def _replacement(state: ThreadState, settings: TurnSettings, summary: str) -> list[Item]:
    text = f"{prompt_text('compacted.md')}\n\n{summary.strip()}"
    if state.plan:
        marks = {"completed": "[x]", "in_progress": "[>]", "pending": "[ ]"}
        steps = "\n".join(f"- {marks[step.status]} {step.step}" for step in state.plan)
        text += f"\n\nThe plan as it stands ([x] done, [>] in progress):\n{steps}"
    return [*context_messages(state, settings), *_kept_user_messages(state.history.items), user_message(text)]


def _kept_user_messages(items: list[Item]) -> list[Item]:
    """What the user said, newest kept first.

    The last message is kept whatever its length; images are left out where they take too much.
    """
    marker = prompt_text("compacted.md")
    said = [
        item
        for item in items
        if isinstance(item, Message)
        and item.role == "user"
        and not is_context(item)
        and not item.text().startswith(marker)
    ]
    kept: list[Item] = []
    budget = KEPT_USER_BYTES
    for message in reversed(said):
        size = len(encode_item(message))
        if size > budget:
            message = _without_images(message)
            size = len(encode_item(message))
        if size > budget and kept:
            break
        budget -= size
        kept.append(message)
    return kept[::-1]


def _without_images(message: Message) -> Message:
    content = tuple(
        InputText("[an image was here]") if isinstance(part, InputImage) else part for part in message.content
    )
    return Message(role=message.role, content=content)


def _size(items: list[Item]) -> int:
    return sum(len(encode_item(item)) for item in items)
