"""A turn's events as the outputs of a cell, each drawn once."""

from __future__ import annotations

from pathlib import PurePath

from codex_kernel.jupyter.command_view import CommandView
from codex_kernel.jupyter.growing_text import GrowingText
from codex_kernel.jupyter.outputs import EVENT_MIME, Outputs
from codex_protocol import events as ev
from codex_protocol.attach import event_content
from codex_protocol.token_usage import TokenUsage
from codex_render import bundles
from codex_render.amounts import count
from codex_render.command_words import script_of
from codex_render.questions import resolved_words
from codex_render.safe_text import one_line, visible


class CellView:
    """Draws one submission's events. `close` draws what is unfinished, as it stands."""

    def __init__(self, outputs: Outputs, cwd: str, *, events: bool = False) -> None:
        """Draw on `outputs`; `events` also hands every event over as data."""
        self._out = outputs
        self._cwd = PurePath(cwd or "/")
        self._events = events
        self._text = GrowingText(outputs)
        self._commands: dict[str, CommandView] = {}
        self._patches: dict[str, ev.PatchApplyBegin] = {}
        self._asked: dict[str, str] = {}
        self._plan_id = ""
        self._usage: TokenUsage | None = None

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
                self._commands[event.call_id] = CommandView(self._out, event, alone=not self._commands)
            case ev.ExecCommandOutputDelta():
                if (command := self._commands.get(event.call_id)) is not None:
                    command.add(event.chunk, event.stream)
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
        """What can be replaced is one plan that changes; a console is shown each state when it comes."""
        bundle = bundles.plan(event.plan, event.explanation)
        if self._out.style != "append" and self._plan_id:
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
            case ev.McpApprovalRequest():
                self._asked[event.approval_id] = f"call {one_line(f'{event.server}.{event.tool}')}"
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


def _is_error(result: object) -> bool:
    return isinstance(result, dict) and bool(result.get("isError"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]
