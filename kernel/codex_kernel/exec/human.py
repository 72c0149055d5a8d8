"""What a person reads while a turn runs, on stderr: plan, commands, diffs, reasoning, the answer, tokens and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.exec.banner import banner
from codex_kernel.exec.blocks import command_block, command_title, mcp_block, patch_block
from codex_protocol import events as ev
from codex_protocol.token_usage import TokenUsage
from codex_render.amounts import clock, count, duration
from codex_render.command_words import describe, script_of, typed
from codex_render.safe_text import one_line, visible
from codex_render.screen import Screen
from codex_render.terminal import Paint, plan_lines

if TYPE_CHECKING:
    from codex_render.markdown_colours import MarkdownColours

_SLOW_S = 2.0


class HumanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is shown.

    Attributes:
        prompt: What was asked, echoed under the banner.
        version: Ours, for the banner.
        stream_answer: Show the answer as it comes; otherwise message by message.
        answer_elsewhere: The last answer is printed to stdout, in the same place as this text: leave it out here.
        hide_reasoning: Show no reasoning.
        interruptible: Name Ctrl-C in the status line.
    """

    prompt: str
    version: str
    stream_answer: bool
    answer_elsewhere: bool
    hide_reasoning: bool = False
    interruptible: bool = True


class HumanView:
    """Draws each event on a `Screen`; owns the status line's text, not its clock (`tick`)."""

    def __init__(
        self, screen: Screen, paint: Paint, options: HumanOptions, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._paint = paint
        self._options = options
        self._now = now
        self._began = self._waiting_since = now()
        self._cwd = PurePath("/")
        self._running: dict[str, tuple[str, float, ev.ExecCommandBegin | None]] = {}
        self._patches: dict[str, ev.PatchApplyBegin] = {}
        self._asked: dict[str, str] = {}
        self._held: str | None = None  # a message that may turn out to be the last answer
        self._streamed: list[str] = []
        self._colours: MarkdownColours | None = None  # of the message that is streamed
        self._thought: list[str] = []
        self._titled: set[str] = set()
        self._announced: str | None = None  # the call whose title is the last thing on the screen
        self._usage: TokenUsage | None = None
        self._done = False

    @property
    def streaming(self) -> bool:
        """Whether the answer is on the screen piece by piece, so that its line may be unfinished."""
        return bool(self._streamed)

    def show(self, event: ev.EventMsg) -> None:
        """Draw what `event` says."""
        if type(event) is ev.AgentMessageDelta:
            if self._options.stream_answer:
                self._delta(event.delta)
            return
        if isinstance(event, ev.ExecCommandOutputDelta | ev.AgentReasoningRawContentDelta):
            return
        if isinstance(event, ev.AgentReasoningDelta | ev.AgentReasoningSectionBreak):
            self._thinking(event)
            return
        self._draw(event)
        if not self._running:
            self._waiting_since = self._now()
        self.tick()

    def tick(self) -> None:
        """Draw the status line as of now, and send what was added; in a log, name what runs for long."""
        if not self._screen.live:
            self._announce_slow()
        if self._done or self._streamed or not self._screen.live:
            self._screen.flush()
            return
        hint = " · Ctrl-C stops" if self._options.interruptible else ""
        self._screen.set_status(one_line(f"{self._activity()}{hint}"))

    def finish(self) -> None:
        """Take the status line away for good."""
        self._done = True
        if self._streamed:
            self._end_line()
        self._screen.set_status("")

    def notice(self, text: str) -> None:
        """A remark of ours, dim."""
        self._heading_off()
        self._screen.prose(self._paint.dim(visible(text)))
        self.tick()

    def _announce_slow(self) -> None:
        """A long build should not look like silence in a log: its title is printed before it ends."""
        for call_id, (_, since, began) in self._running.items():
            if began is not None and call_id not in self._titled and self._now() - since >= _SLOW_S:
                self._titled.add(call_id)
                self._block(command_title(began, self._paint))
                self._announced = call_id

    def _activity(self) -> str:
        if not self._running:
            title = _title_of("".join(self._thought))
            what = f"Thinking: {title}" if title else "Waiting for the model"
            return f"{what} · {clock(self._now() - self._waiting_since)}"
        label, since, _ = next(reversed(self._running.values()))
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        return f"{label}{more} · {clock(self._now() - since)}"

    def _draw(self, event: ev.EventMsg) -> None:
        paint, screen = self._paint, self._screen
        match event:
            case ev.SessionConfigured():
                self._cwd = PurePath(event.cwd or "/")
                lines = banner(event, self._options.version, self._options.prompt, paint)
                facts = lines.index("")
                for line in lines[:facts]:
                    screen.prose(line, hang=4)
                for line in lines[facts:]:
                    screen.line(line)
            case ev.AgentMessage():
                self._message(event.message)
            case ev.AgentReasoning():
                self._reasoning(event.text)
            case ev.AgentReasoningRawContent():
                self._reasoning(event.text)
            case ev.ExecCommandBegin():
                self._settle_message(final=False)
                self._command_began(event)
            case ev.ExecCommandEnd():
                self._command_ended(event)
            case ev.TerminalInteraction():
                label, _, _ = self._running.get(event.call_id, ("a command that has ended", 0.0, None))
                self._block(
                    [f"{paint.accent('•')} Typed {typed(event.stdin)} into {one_line(label.removeprefix('Run '))}"]
                )
            case ev.PatchApplyBegin():
                self._settle_message(final=False)
                self._patches[event.call_id] = event
            case ev.PatchApplyEnd():
                self._block(patch_block(self._patches.pop(event.call_id, None), event, self._cwd, paint))
            case ev.McpToolCallBegin():
                self._settle_message(final=False)
                title = f"{event.invocation.server}.{event.invocation.tool}"
                self._running[event.call_id] = (title, self._now(), None)
            case ev.McpToolCallEnd():
                self._running.pop(event.call_id, None)
                self._block(mcp_block(event, paint))
            case ev.WebSearchBegin():
                self._running[event.call_id] = ("Searching the web", self._now(), None)
            case ev.WebSearchEnd():
                self._running.pop(event.call_id, None)
                self._block([f"{paint.accent('•')} Searched the web: {one_line(event.query)}"])
            case ev.PlanUpdate():
                explanation = f" {paint.dim(one_line(event.explanation))}" if event.explanation else ""
                plan = [f"{paint.accent('•')} {paint.bold('Plan')}{explanation}", *plan_lines(event.plan, paint)]
                self._block(plan, hang=4)
            case ev.TokenCount():
                self._usage = event.total or self._usage
            case _:
                self._draw_notice(event)

    def _draw_notice(self, event: ev.EventMsg) -> None:
        paint = self._paint
        match event:
            case ev.Error():
                self._block([f"{paint.bad('ERROR:')} {visible(event.message)}"], hang=2)
            case ev.Warning():
                self._block([f"{paint.warn('warning:')} {visible(event.message)}"], hang=2)
            case ev.StreamError():
                tries = f" ({event.attempt} of {event.max_attempts})" if event.max_attempts else ""
                self._drop_streamed()
                self._block([paint.dim(f"the answer broke off, asking again{tries}: {visible(event.message)}")], hang=2)
            case ev.BackgroundEvent():
                self._block([paint.dim(visible(event.message))], hang=2)
            case ev.ExecApprovalRequest():
                self._asked[event.approval_id] = f"run {one_line(script_of(event.command))}"
            case ev.ApplyPatchApprovalRequest():
                self._asked[event.approval_id] = f"change {', '.join(one_line(path) for path in event.changes)}"
            case ev.McpApprovalRequest():
                self._asked[event.approval_id] = f"call {one_line(event.server)}/{one_line(event.tool)}"
            case ev.ApprovalResolved():
                self._resolved(event)
            case ev.ImageViewed():
                self._block([f"{paint.accent('•')} Looked at {one_line(event.path)}"])
            case ev.ContextCompacted():
                before = f" (it had {count(event.tokens_before)} tokens)" if event.tokens_before else ""
                self._block([paint.dim(f"the history was replaced by a summary of it{before}")])
            case ev.EnteredReviewMode():
                self._block([f"{paint.accent('•')} Review {one_line(event.hint)}"])
            case ev.TaskComplete():
                self._turn_ended(event)
            case ev.TurnAborted():
                self._settle_message(final=False)
                self._block([paint.warn("turn interrupted")])
                self._closing()
            case _:
                return

    # What the model says.

    def _delta(self, delta: str) -> None:
        if not self._streamed:
            self._heading_off()
            self._screen.line()
            self._begin_colours()
        self._streamed.append(delta)
        self._say(delta)

    def _message(self, message: str) -> None:
        if self._streamed:
            said = "".join(self._streamed)
            if message.startswith(said):
                self._say(message[len(said) :])
            else:
                self._end_line()
                self._screen.line()
                self._begin_colours()
                self._say(message)
            self._streamed.clear()
            self._end_line()
            self._announced = None
            return
        self._settle_message(final=False)
        self._held = message

    def _settle_message(self, *, final: bool) -> None:
        message, self._held = self._held, None
        if message is None or (final and self._options.answer_elsewhere):
            return
        self._announced = None
        self._screen.line()
        self._screen.line(visible(message.rstrip("\n")))

    def _drop_streamed(self) -> None:
        if self._streamed:
            self._end_line()
            self._streamed.clear()

    def _begin_colours(self) -> None:
        if self._paint.on:
            from codex_render.markdown_colours import MarkdownColours

            self._colours = MarkdownColours()

    def _say(self, text: str) -> None:
        text = visible(text)
        self._screen.put(self._colours.feed(text) if self._colours is not None else text)

    def _end_line(self) -> None:
        if self._colours is not None:
            self._screen.put(self._colours.end())
        self._screen.fresh_line()

    def _thinking(self, event: ev.AgentReasoningDelta | ev.AgentReasoningSectionBreak) -> None:
        if isinstance(event, ev.AgentReasoningDelta):
            self._thought.append(event.delta)
        else:
            self._thought.clear()

    def _reasoning(self, text: str) -> None:
        self._thought.clear()
        if self._options.hide_reasoning or not text.strip():
            return
        self._heading_off()
        self._screen.line()
        for line in visible(text.strip()).split("\n"):
            self._screen.prose(self._paint.thought(line.strip("*") if line.startswith("**") else line))

    # What it does.

    def _command_began(self, event: ev.ExecCommandBegin) -> None:
        steps = describe(event.command, event.parsed_cmd)
        label = "; ".join(f"{step.verb} {step.what}" for step in steps)
        self._running[event.call_id] = (label, self._now(), event)

    def _command_ended(self, event: ev.ExecCommandEnd) -> None:
        _, _, began = self._running.pop(event.call_id, ("", 0.0, None))
        self._titled.discard(event.call_id)
        announced = self._announced == event.call_id
        self._block(command_block(began, event, self._paint, titled=not announced), gap=not announced)

    def _resolved(self, event: ev.ApprovalResolved) -> None:
        asked = self._asked.pop(event.approval_id, "do this")
        if event.decision in ("denied", "abort"):
            who = "nobody can be asked here" if event.by is None else f"{one_line(event.by)} said no"
            self._block([f"{self._paint.warn('✗ Not allowed:')} {asked} {self._paint.dim(f'({who})')}"])

    # Blocks and the end.

    def _block(self, lines: list[str], *, gap: bool = True, hang: int | None = None) -> None:
        """Draw the lines; with `hang` they are words, and the rest of a broken one is indented so far."""
        self._settle_message(final=False)
        self._drop_streamed()
        if gap:
            self._announced = None
        for line in lines:
            if hang is None:
                self._screen.line(line)
            else:
                self._screen.prose(line, hang=hang)

    def _heading_off(self) -> None:
        self._settle_message(final=False)
        self._announced = None

    def _turn_ended(self, event: ev.TaskComplete) -> None:
        self._settle_message(final=event.error is None)
        if event.error is None and event.last_agent_message is None:
            self._block([self._paint.dim("the model ended without a message")])
        self._name_what_runs()
        self._closing()

    def _name_what_runs(self) -> None:
        """Sessions that the model left behind have no block of their own: nothing was told of their end."""
        self._heading_off()
        for _, _, began in self._running.values():
            if began is not None:
                for line in command_title(began, self._paint):
                    self._screen.line(line)
                self._screen.line(self._paint.dim("  still running; ends with this run"))

    def _closing(self) -> None:
        self._done = True  # from here on there is no status line
        spent = duration(self._now() - self._began)
        self._screen.line()
        if self._usage is None:
            self._screen.line(self._paint.dim(f"time: {spent}"))
            return
        usage = self._usage
        fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
        parts = f"input {count(fresh)}"
        if usage.cached_input_tokens:
            parts += f" + {count(usage.cached_input_tokens)} cached"
        parts += f", output {count(usage.output_tokens)}"
        if usage.reasoning_output_tokens:
            parts += f", of it reasoning {count(usage.reasoning_output_tokens)}"
        self._screen.prose(self._paint.dim(f"tokens used: {count(usage.blended())} ({parts}) · time: {spent}"))


def _title_of(thought: str) -> str:
    """The heading a reasoning summary begins with: `**Reading the tests**`."""
    start = thought.find("**")
    end = thought.find("**", start + 2)
    return thought[start + 2 : end].strip() if start >= 0 and end > start else ""
