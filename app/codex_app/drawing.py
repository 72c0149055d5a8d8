"""Events become what the page shows: entries of the conversation, the state in the head, and the open questions."""

from __future__ import annotations

import re
import time
from typing import Any

from codex_app import asks
from codex_app.entries import CommandEntry, Entry, Json, PatchEntry, TextEntry
from codex_app.pictures import Pictures
from codex_app.reviews import Review
from codex_app.stored_items import draw_items
from codex_app.words import (
    call_arguments,
    command_fields,
    context_left,
    mcp_images,
    mcp_result,
    patch_fields,
    plan_fields,
    settings_fields,
)
from codex_protocol import events as ev
from codex_protocol.attach import Snapshot, read_event
from codex_protocol.events import ApprovalRequest, ElicitationRequest
from codex_render.amounts import count, duration
from codex_render.command_words import typed
from codex_render.excerpt import shorten
from codex_render.file_links import OpenFile, editor_links
from codex_render.safe_text import one_line, visible
from codex_store.context_items import CONTEXT_OPENINGS

_NAMES = re.compile(r"</?image(?: name=\[Image #\d+\] path=\"[^\"\n]*\")?>")
"""How images are named to the model, around each of them."""

_ANSWERED = 20


_STIRRING = (ev.PatchApplyEnd, ev.ExecCommandEnd, ev.TaskComplete, ev.TurnAborted, ev.ChangesReverted)
"""Files may be others after these: who shows what changed looks again."""


class Drawing:
    """A thread drawn so far.

    Attributes:
        entries: By id, in the order of the conversation.
        state: What the head and the composer show.
        asks: Open questions by id, oldest first.
        reviews: Of those about patches, the patches.
        answered: Of those that were answered lately, what became of them.
        pictures: The images in it.
        settings: Of the next turn, as the thread told them last.
        touched: Ids of entries that changed since somebody looked; `removed` those that are gone.
    """

    def __init__(self) -> None:
        self.pictures = Pictures()
        self.settings: ev.TurnContextChanged | None = None
        self.entries: dict[str, Entry] = {}
        self.state: Json = {"busy": False, "turns_ended": 0, "plan": [], "connected": True}
        self.asks: dict[str, Json] = {}
        self.reviews: dict[str, Review] = {}
        self.answered: dict[str, str] = {}
        self.touched: dict[str, None] = {}
        self.removed: list[str] = []
        self.state_changed = self.asks_changed = True
        self._open_file: OpenFile | None = None
        self._count = 0
        self._prompts = 0
        self._answer: tuple[str, TextEntry] | None = None
        self._thought: tuple[str, TextEntry] | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> Drawing:
        """The thread as a snapshot tells it."""
        drawing = cls()
        drawing.draw(ev.Event("", snapshot.configured))
        if snapshot.configured.resumed:  # where it branched off is not known any more
            drawing._branch(snapshot.configured)
        draw_items(snapshot.items, drawing, parsed=snapshot.parsed)
        drawing._break_off()
        if not snapshot.configured.resumed:
            drawing._branch(snapshot.configured)
        for content in snapshot.events:
            told = read_event(content)
            if told is not None:
                drawing.draw(told.event, replayed=True)
        drawing.draw(ev.Event("", snapshot.settings))
        if snapshot.name is not None:
            drawing.state["name"] = one_line(snapshot.name)
        if snapshot.plan:
            drawing.state.update(plan_fields(None, snapshot.plan))
        drawing.state.setdefault("tokens", count(snapshot.usage.blended()))
        servers = {id: ask for id, ask in drawing.asks.items() if ask["kind"] == "elicitation"}
        drawing.asks.clear()
        for request in snapshot.pending:
            drawing._ask(request)
        drawing.asks.update(servers)
        return drawing

    @property
    def cwd(self) -> str:
        """The thread's directory; empty while it is not known."""
        return self.state.get("cwd", "")

    def add(self, entry: Entry, id: str | None = None) -> str:
        """Put an entry at the end; its id."""
        self._count += 1
        id = id or f"e{self._count}"
        if id in self.entries:  # a call id that a provider used twice
            id = f"{id}.{self._count}"
        self.entries[id] = entry
        self.touched[id] = None
        return id

    def prompt(self, text: str, images: list[str], *, steered: bool = False, at: float | None = None) -> None:
        """Put a message of the user's at the end. They are numbered, so that a thread can be forked before one."""
        number = None if text.lstrip().startswith(CONTEXT_OPENINGS) else self._prompts
        self._prompts += number is not None
        pictures = self.pictures.take(images, self.cwd)
        text = _NAMES.sub("", text)
        self.add(Entry("user", text=visible(text), images=pictures, steered=steered, at=at, number=number))

    def text_entry(self, kind: str) -> TextEntry:
        """An answer or reasoning, put nowhere yet; files that it names can be opened."""
        return TextEntry(kind, self._open_file)

    def prompt_entry(self, number: int) -> Entry | None:
        """The user's message of that number."""
        return next((entry for entry in self.entries.values() if entry.fields.get("number") == number), None)

    def _branch(self, configured: ev.SessionConfigured) -> None:
        """Say where the thread comes from, if it is a fork."""
        if configured.forked_from:
            what = "From here on this thread" if self.entries else "This thread"
            text = f"{what} is a branch of another one, which stays as it is."
            self.add(Entry("branch", text=text, thread=configured.forked_from))

    def draw(self, event: ev.Event, *, replayed: bool = False) -> None:
        """Take in one event."""
        msg = event.msg
        if isinstance(msg, _STIRRING):
            self.state["stirred"] = self.state.get("stirred", 0) + 1
            self.state_changed = True
        match msg:
            case ev.AgentMessageDelta(delta=delta):
                self._answer = self._grow(self._answer, "answer", delta)
            case ev.AgentReasoningDelta(delta=delta) | ev.AgentReasoningRawContentDelta(delta=delta):
                self._thought = self._grow(self._thought, "reasoning", delta)
            case ev.ExecCommandOutputDelta():
                entry = self.entries.get(msg.call_id)
                if isinstance(entry, CommandEntry):
                    entry.output(msg.stream, msg.chunk)
                    self.touched[msg.call_id] = None
            case ev.AgentMessage(message=message):
                self._whole(self._answer, "answer", message)
                self._answer = None
            case ev.AgentReasoning(text=text) | ev.AgentReasoningRawContent(text=text):
                self._whole(self._thought, "reasoning", text)
                self._thought = None
            case ev.AgentReasoningSectionBreak():
                self._settle()
            case ev.UserMessage():
                at = None if replayed else time.time()
                self._settle()
                self.prompt(msg.message, list(msg.images), steered=msg.steered, at=at)
            case ev.ElicitationRequest() | ev.ExecApprovalRequest() | ev.ApplyPatchApprovalRequest():
                self._ask(msg)
            case ev.McpApprovalRequest():
                self._ask(msg)
            case ev.ApprovalResolved():
                self._resolved(msg)
            case ev.ElicitationResolved(id=id):
                self.asks_changed = self.asks.pop(id, None) is not None or self.asks_changed
                self._remember(id, {"accept": "Answered", "decline": "Declined"}.get(msg.action, "Put off"), msg.by)
            case _:
                if not (self._draw_work(msg) or self._draw_turn(msg, replayed=replayed)):
                    self._draw_notice(msg)

    # What the model says

    def _grow(self, current: tuple[str, TextEntry] | None, kind: str, delta: str) -> tuple[str, TextEntry]:
        if current is None:
            entry = self.text_entry(kind)
            current = (self.add(entry), entry)
        current[1].append(delta)
        self.touched[current[0]] = None
        return current

    def _whole(self, current: tuple[str, TextEntry] | None, kind: str, text: str) -> None:
        """The text as it counts; what was streamed of it is not said twice."""
        if current is not None and not text.startswith(current[1].text):
            self._remove(current[0])
            current = None
        if current is None:
            if not text.strip():
                return
            entry = self.text_entry(kind)
            current = (self.add(entry), entry)
        id, entry = current
        entry.append(text[len(entry.text) :])
        entry.finish()
        self.touched[id] = None

    def _settle(self) -> None:
        """What was being said will not go on."""
        for current in (self._answer, self._thought):
            if current is not None:
                current[1].finish()
                self.touched[current[0]] = None
        self._answer = self._thought = None

    def _remove(self, id: str) -> None:
        if self.entries.pop(id, None) is not None:
            self.touched.pop(id, None)
            self.removed.append(id)

    # What it does

    def _draw_work(self, msg: ev.EventMsg) -> bool:
        match msg:
            case ev.ExecCommandBegin():
                self.add(CommandEntry(**command_fields(msg)), msg.call_id)
            case ev.ExecCommandEnd():
                self._command_ended(msg)
            case ev.TerminalInteraction():
                entry = self.entries.get(msg.call_id)
                into = entry.fields["steps"][0][1] if isinstance(entry, CommandEntry) else "a command"
                self.add(Entry("note", text=f"Typed {typed(msg.stdin)} into {shorten(into, 80)}"))
            case ev.PatchApplyBegin():
                fields = patch_fields(msg.changes, self.cwd)
                self.add(PatchEntry(**fields), msg.call_id)
            case ev.PatchApplyEnd():
                self._update(
                    msg.call_id,
                    state="done" if msg.success else "failed",
                    error="" if msg.success else visible(msg.stderr or msg.stdout),
                )
            case ev.McpToolCallBegin(invocation=called):
                title = f"{one_line(called.server)} · {one_line(called.tool)}"
                given = call_arguments(called.arguments)
                self.add(Entry("tool", state="running", verb="Call", what=title, given=given), msg.call_id)
            case ev.McpToolCallEnd():
                fields = {**mcp_result(msg.result), "images": self.pictures.take(mcp_images(msg.result))}
                self._update(msg.call_id, duration=duration(msg.duration.seconds()), **fields)
            case ev.WebSearchBegin():
                self.add(Entry("tool", state="running", verb="Search the web", what=""), msg.call_id)
            case ev.WebSearchEnd():
                self._update(msg.call_id, state="done", what=one_line(msg.query))
            case ev.ImageViewed(path=path):
                images = self.pictures.take([path], self.cwd)
                self.add(Entry("tool", state="done", verb="Look at", what=one_line(path), images=images))
            case _:
                return False
        return True

    def _command_ended(self, msg: ev.ExecCommandEnd) -> None:
        entry = self.entries.get(msg.call_id)
        if isinstance(entry, CommandEntry):
            entry.end(
                msg.aggregated_output,
                state="done" if msg.exit_code == 0 else "failed",
                exit_code=msg.exit_code,
                timed_out=msg.timed_out,
                duration=duration(msg.duration.seconds()),
            )
            self.touched[msg.call_id] = None

    def _update(self, id: str, **fields: Any) -> None:
        if (entry := self.entries.get(id)) is not None:
            entry.set(**fields)
            self.touched[id] = None

    # Questions

    def _ask(self, request: ApprovalRequest | ElicitationRequest) -> None:
        view = asks.view(request)
        self.asks[view["id"]] = view
        if isinstance(request, ev.ApplyPatchApprovalRequest):
            self.reviews[request.approval_id] = Review(request.changes, self.cwd)
        self.asks_changed = True

    def _resolved(self, msg: ev.ApprovalResolved) -> None:
        asked = self.asks.pop(msg.approval_id, None)
        self.reviews.pop(msg.approval_id, None)
        self.asks_changed = True
        words = {"approved": "Allowed", "approved_for_session": "Allowed for this thread", "denied": "Not allowed"}
        said = words.get(msg.decision.value, "Stopped")
        if said == "Allowed" and any(not choice.take or choice.text is not None for choice in msg.choices):
            said = "Allowed in part"
        by = f" by {one_line(msg.by)}" if msg.by else ""
        what = f": {shorten(one_line(asked['exact']), 80)}" if asked and asked.get("exact") else ""
        self.add(Entry("note", text=f"{said}{by}{what}"))
        self._remember(msg.approval_id, said, msg.by)

    def _remember(self, id: str, said: str, by: str | None) -> None:
        """For a dialog that still shows the question."""
        where = "in another tab" if by == asks.BY else f"by {one_line(by)}" if by else "by nobody"
        self.answered[id] = f"Answered {where}: {said[0].lower()}{said[1:]}."
        while len(self.answered) > _ANSWERED:
            del self.answered[next(iter(self.answered))]

    # Turns and settings

    def _draw_turn(self, msg: ev.EventMsg, *, replayed: bool) -> bool:
        state = self.state
        match msg:
            case ev.SessionConfigured():
                state.update(settings_fields(msg))
                self._open_file = editor_links(msg.file_opener, msg.cwd)
            case ev.TurnContextChanged():
                self.settings = msg
                state.update(settings_fields(msg))
            case ev.TaskStarted():
                state.update(busy=True, ended=None, since=None if replayed else time.time(), plan=[], plan_note="")
            case ev.TaskComplete() | ev.TurnAborted():
                self._turn_ended(msg)
            case ev.TokenCount():
                if msg.total is not None:
                    state["tokens"] = count(msg.total.blended())
                state["context_left"] = context_left(msg)
            case ev.PlanUpdate():
                state.update(plan_fields(msg.explanation, msg.plan))
            case ev.ThreadNameUpdated(name=name):
                state["name"] = one_line(name)
            case _:
                return False
        self.state_changed = True
        return True

    def _break_off(self, *, sessions: bool = True) -> None:
        """What seems to run does not; without `sessions` commands may, which tell of their end themselves."""
        for id, entry in self.entries.items():
            if entry.fields.get("state") == "running" and (sessions or not isinstance(entry, CommandEntry)):
                entry.set(state="failed", duration="")
                self.touched[id] = None

    def _turn_ended(self, msg: ev.TaskComplete | ev.TurnAborted) -> None:
        self._settle()
        ended = "aborted" if isinstance(msg, ev.TurnAborted) else "complete"
        self.state.update(busy=False, since=None, ended=ended, turns_ended=self.state["turns_ended"] + 1)
        self._break_off(sessions=isinstance(msg, ev.TaskComplete) and msg.error is not None)
        if isinstance(msg, ev.TurnAborted):
            text = "Stopped. Say what to do differently."
            self.add(Entry("notice", level="wait", text=text))

    def _reverted(self, msg: ev.ChangesReverted) -> None:
        if msg.files:
            self.add(Entry("note", text=f"Taken back: {', '.join(map(one_line, msg.files))}"))
        for left in msg.left:
            self.add(Entry("notice", level="wait", text=f"{one_line(left.path)} was left alone: {visible(left.why)}."))

    def _draw_notice(self, msg: ev.EventMsg) -> None:
        match msg:
            case ev.Error(message=message):
                self._settle()
                self.add(Entry("notice", level="bad", text=visible(message)))
            case ev.Warning(message=message):
                self.add(Entry("notice", level="wait", text=visible(message)))
            case ev.StreamError():
                for current in (self._answer, self._thought):
                    if current is not None:
                        self._remove(current[0])
                self._answer = self._thought = None
                tries = f" ({msg.attempt} of {msg.max_attempts})" if msg.max_attempts else ""
                self.add(Entry("note", text=f"The answer broke off, asking again{tries}: {one_line(msg.message)}"))
            case ev.BackgroundEvent(message=message):
                self.add(Entry("note", text=visible(message)))
            case ev.ChangesReverted():
                self._reverted(msg)
            case ev.ContextCompacted():
                before = f" It had {count(msg.tokens_before)} tokens." if msg.tokens_before else ""
                text = f"The history was replaced by a summary of it.{before}"
                self.add(Entry("note", text=text, more=visible(msg.summary)))
            case ev.EnteredReviewMode(hint=hint):
                self.add(Entry("note", text=f"Review: {one_line(hint)}"))
            case _:
                return
