"""A turn's events as the outputs of a cell, each drawn once; text that grows is replaced in place at 30 Hz at most."""

from __future__ import annotations

import asyncio
from pathlib import PurePath

from codex_kernel.jupyter import bundles
from codex_kernel.jupyter.outputs import EVENT_MIME, Outputs
from codex_kernel.jupyter.question_text import resolved_words
from codex_protocol import events as ev
from codex_protocol.attach import event_content
from codex_render.amounts import count
from codex_render.command_words import script_of
from codex_render.safe_text import one_line, output_text, visible

_FRAME_S = 1 / 30
_BYTES_PER_S = 2_000_000
"""Longer texts are redrawn less often, so that redrawing costs no more than this."""
_TAIL_BYTES = 16_384
_LIVE_LINES = 200
"""Lines of one command's output that a console is sent as they come."""


class CellView:
    """Draws one submission's events. `close` draws what is unfinished, as it stands."""

    def __init__(self, outputs: Outputs, cwd: str, *, events: bool = False) -> None:
        """Draw on `outputs`; `events` also hands every event over as data."""
        self._out = outputs
        self._cwd = PurePath(cwd or "/")
        self._events = events
        self._text = _GrowingText(outputs)
        self._commands: dict[str, _Command] = {}
        self._patches: dict[str, ev.PatchApplyBegin] = {}
        self._asked: dict[str, str] = {}
        self._plan_id = ""
        self._usage: ev.TokenUsage | None = None

    def show(self, numbered: ev.NumberedEvent) -> None:
        """Draw an event."""
        if self._events:
            content = event_content(numbered)
            kind = content["msg"]["type"]
            self._out.display({EVENT_MIME: content, "text/plain": f"event {numbered.n}: {kind}"})
        event = numbered.event.msg
        match event:
            case ev.AgentMessageDelta(delta=delta):
                self._text.add(delta)
            case ev.AgentMessage(message=message):
                self._text.finish(message)
            case ev.ExecCommandBegin():
                self._text.settle()
                self._commands[event.call_id] = _Command(self._out, event)
            case ev.ExecCommandOutputDelta():
                if (command := self._commands.get(event.call_id)) is not None:
                    command.add(event.chunk)
            case ev.ExecCommandEnd():
                command = self._commands.pop(event.call_id, None)
                if command is None:
                    self._out.display(bundles.ended_command(None, event))
                else:
                    command.end(event)
            case ev.PatchApplyBegin():
                self._patches[event.call_id] = event
            case ev.PatchApplyEnd():
                self._patch(event)
            case ev.PlanUpdate():
                self._plan(event)
            case ev.TokenCount():
                self._usage = event.total or self._usage
            case _:
                self._note(event)

    def close(self) -> None:
        """Stop every clock."""
        self._text.settle()
        for command in self._commands.values():
            command.stop()

    def _patch(self, ended: ev.PatchApplyEnd) -> None:
        began = self._patches.pop(ended.call_id, None)
        if not ended.success:
            why = (ended.stderr or ended.stdout).strip()
            self._out.display(bundles.plain(f"✗ Patch not applied: {why}"))
        elif began is not None:
            self._out.display(bundles.changes(began.changes, self._cwd))

    def _plan(self, event: ev.PlanUpdate) -> None:
        """A page keeps one plan that changes; elsewhere each state is shown when it comes."""
        bundle = bundles.plan(event.plan, event.explanation)
        if self._out.style == "update" and self._plan_id:
            self._out.update(self._plan_id, bundle)
        else:
            self._plan_id = self._out.display(bundle, growing=True)

    def _note(self, event: ev.EventMsg) -> None:
        match event:
            case ev.Warning():
                self._out.stream(f"warning: {visible(event.message)}\n", "stderr")
            case ev.StreamError():
                tries = f" ({event.attempt} of {event.max_attempts})" if event.max_attempts else ""
                self._text.drop()
                self._out.stream(f"the answer broke off, asking again{tries}: {visible(event.message)}\n", "stderr")
            case ev.BackgroundEvent():
                self._out.stream(f"{visible(event.message)}\n")
            case ev.UserMessage(steered=True):
                self._out.stream("(joins the running turn)\n")
            case ev.McpToolCallEnd():
                called = event.invocation
                mark = "✔" if "Ok" in event.result and not _is_error(event.result["Ok"]) else "✗ failed"
                self._out.display(bundles.plain(f"• Call {one_line(f'{called.server}.{called.tool}')} {mark}"))
            case ev.WebSearchEnd():
                self._out.display(bundles.plain(f"• Searched the web: {one_line(event.query)}"))
            case ev.ImageViewed():
                self._out.display(bundles.plain(f"• Looked at {one_line(event.path)}"))
            case ev.ContextCompacted():
                before = f" (it had {count(event.tokens_before)} tokens)" if event.tokens_before else ""
                self._out.display(bundles.plain(f"• The history was replaced by a summary of it{before}"))
            case ev.EnteredReviewMode():
                self._out.display(bundles.plain(f"• Review {one_line(event.hint)}"))
            case ev.ExecApprovalRequest():
                self._asked[event.approval_id] = f"run {one_line(script_of(event.command))}"
            case ev.ApplyPatchApprovalRequest():
                self._out.display(bundles.changes(event.changes, self._cwd))
                self._asked[event.approval_id] = f"change {', '.join(one_line(path) for path in event.changes)}"
            case ev.ApprovalResolved():
                asked = self._asked.pop(event.approval_id, "do this")
                self._out.display(bundles.plain(f"• {resolved_words(event)}: {asked}"))
            case ev.TaskComplete() | ev.TurnAborted():
                self._ended(event)
            case _:
                return

    def _ended(self, event: ev.TaskComplete | ev.TurnAborted) -> None:
        self._text.settle()
        if isinstance(event, ev.TaskComplete) and event.error is None and event.last_agent_message is None:
            self._out.stream("the model ended without a message\n")
        if self._usage is not None:
            self._out.display({"text/plain": bundles.tokens(self._usage)})


class _GrowingText:
    """One message of the model while it comes."""

    def __init__(self, outputs: Outputs) -> None:
        self._out = outputs
        self._pieces: list[str] = []
        self._shown = 0  # characters a console has already
        self._display_id = ""
        self._clock: asyncio.TimerHandle | None = None

    def add(self, delta: str) -> None:
        self._pieces.append(delta)
        if self._clock is None and self._out.style != "whole":
            self._clock = asyncio.get_running_loop().call_later(self._pause(), self._draw)

    def finish(self, message: str) -> None:
        """The message is whole; nothing that was shown of it is shown twice."""
        self._stop()
        if self._out.style == "append" and self._shown and message.startswith("".join(self._pieces)[: self._shown]):
            rest = message[self._shown :].strip("\n")
            if rest:
                self._out.display(bundles.markdown(rest))
        elif self._display_id and self._out.style == "update":
            self._out.update(self._display_id, bundles.markdown(message))
        elif message.strip():
            self._out.display(bundles.markdown(message))
        self._forget()

    def settle(self) -> None:
        """Nothing more will come of an unfinished message: show it as it stands."""
        if self._pieces:
            self.finish("".join(self._pieces))

    def drop(self) -> None:
        """It will be said anew."""
        if self._display_id and self._out.style == "update":
            self._out.update(self._display_id, {"text/plain": ""})
        self._stop()
        self._forget()

    def _draw(self) -> None:
        self._clock = None
        text = "".join(self._pieces)
        self._pieces = [text]
        if self._out.style == "append":
            self._draw_blocks(text)
        elif self._display_id:
            self._out.update(self._display_id, bundles.growing_markdown(text))
        elif text.strip():
            self._display_id = self._out.display(bundles.growing_markdown(text), growing=True)

    def _draw_blocks(self, text: str) -> None:
        """A console gets every block once, when it is whole."""
        end = _end_of_whole_blocks(text)
        if end > self._shown:
            block = text[self._shown : end].strip("\n")
            self._shown = end
            if block:
                self._out.display(bundles.markdown(block))

    def _pause(self) -> float:
        length = len(self._pieces[0])
        return max(_FRAME_S, 2 * length / _BYTES_PER_S)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _forget(self) -> None:
        self._pieces.clear()
        self._shown, self._display_id = 0, ""


def _end_of_whole_blocks(text: str) -> int:
    """Where the last blank line outside a fenced block ends."""
    end = at = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        at += len(line)
        stripped = line.strip()
        if fence:
            fence = "" if stripped.startswith(fence) and not stripped.strip(fence[0]) else fence
        elif stripped.startswith(("```", "~~~")):
            fence = stripped[:3]
        elif not stripped and line.endswith("\n"):
            end = at
    return end


class _Command:
    """One command while it runs: a page sees the end of its output grow, a console gets it line by line."""

    def __init__(self, outputs: Outputs, began: ev.ExecCommandBegin) -> None:
        self._out = outputs
        self._began = began
        self._tail = b""
        self._lines_sent = 0
        self._clock: asyncio.TimerHandle | None = None
        self._unsent = b""
        self._display_id = ""
        if outputs.style == "update":
            self._display_id = outputs.display(bundles.running_command(began, ""), growing=True)
        elif outputs.style == "append":
            outputs.display({"text/plain": bundles.command_title(began)})

    def add(self, chunk: bytes) -> None:
        if self._out.style == "append":
            self._unsent += chunk
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        if self._clock is None and self._out.style != "whole":
            self._clock = asyncio.get_running_loop().call_later(3 * _FRAME_S, self._draw)

    def end(self, ended: ev.ExecCommandEnd) -> None:
        self.stop()
        if self._out.style == "append":
            self._send_lines(last=True)
            self._out.stream(f"{bundles.verdict(ended)}\n")
            return
        bundle = bundles.ended_command(self._began, ended)
        if self._display_id:
            self._out.update(self._display_id, bundle)
        else:
            self._out.display(bundle)

    def stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _draw(self) -> None:
        self._clock = None
        if self._out.style == "append":
            self._send_lines(last=False)
        else:
            text = self._tail.decode("utf-8", "replace")
            self._out.update(self._display_id, bundles.running_command(self._began, text))

    def _send_lines(self, *, last: bool) -> None:
        whole = len(self._unsent) if last else self._unsent.rfind(b"\n") + 1
        data, self._unsent = self._unsent[:whole], self._unsent[whole:]
        if self._lines_sent > _LIVE_LINES or not data:
            return
        lines = output_text(data.decode("utf-8", "replace")).removesuffix("\n").split("\n")
        self._lines_sent += len(lines)
        room = len(lines) - max(0, self._lines_sent - _LIVE_LINES)
        text = "".join(f"  {line}\n" for line in lines[:room])
        more = f"  … more output; the first {_LIVE_LINES} lines are shown\n" if self._lines_sent > _LIVE_LINES else ""
        self._out.stream(text + more)


def _is_error(result: object) -> bool:
    return isinstance(result, dict) and bool(result.get("isError"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]
