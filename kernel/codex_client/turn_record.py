"""A turn's events, gathered into its result; a pure fold, one event after the other."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from codex_client.results import (
    AgentText,
    Approval,
    CommandRun,
    Item,
    Passed,
    PatchRun,
    Status,
    Thought,
    ToolRun,
    TurnResult,
    WebSearch,
)
from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    ApplyPatchApprovalRequest,
    ApprovalRequest,
    ApprovalResolved,
    Error,
    EventMsg,
    ExecApprovalRequest,
    ExecCommandBegin,
    ExecCommandEnd,
    McpApprovalRequest,
    McpToolCallBegin,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    TaskComplete,
    TaskStarted,
    TokenCount,
    TurnAborted,
    TurnDiff,
    Warning,
    WebSearchBegin,
    WebSearchEnd,
)
from codex_protocol.token_usage import TokenUsage
from codex_render.command_words import script_of


class TurnRecord:
    """The result so far. `take` is called with every event of the turn, in order."""

    def __init__(
        self,
        *,
        id: str,
        thread_id: str,
        cwd: str = "",
        model: str = "",
        context: tuple[Passed, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing has happened yet."""
        self.id = id
        self.status: Status = "running"
        self.saying = ""
        """What the model is saying now."""
        self._thread_id, self._cwd, self._model, self._context = thread_id, cwd, model, context
        self._clock = clock
        self._began = self._ended = clock()
        self._items: dict[str, Item] = {}
        self._approvals: dict[str, Approval] = {}
        self._warnings: list[str] = []
        self._final: str | None = None
        self._error: str | None = None
        self._diff = ""
        self._plan: tuple[PlanStep, ...] = ()
        self._usage = TokenUsage()

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.status != "running"

    @property
    def untouched(self) -> bool:
        """Whether the model has said and done nothing yet, and it has not ended."""
        return not (self.ended or self.saying or self._items or self._approvals or self._error)

    def take(self, msg: EventMsg) -> None:
        """Take in one event; those that say nothing about results change nothing."""
        match msg:
            case AgentMessageDelta(delta=delta):
                self.saying += delta
            case AgentMessage(message=text):
                self.saying = ""
                self._final = text
                self._add(AgentText(text=text))
            case AgentReasoning(text=text):
                self._add(Thought(text=text))
            case ExecCommandBegin() | ExecCommandEnd():
                self._command(msg)
            case PatchApplyBegin() | PatchApplyEnd():
                self._patch(msg)
            case McpToolCallBegin() | McpToolCallEnd():
                self._tool(msg)
            case WebSearchBegin(call_id=call_id):
                self._add(WebSearch(call_id=call_id, query=""), call_id)
            case WebSearchEnd(call_id=call_id, query=query):
                self._add(WebSearch(call_id=call_id, query=query), call_id)
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() | McpApprovalRequest() | ApprovalResolved():
                self._approval(msg)
            case TurnDiff(unified_diff=diff):
                self._diff = diff
            case PlanUpdate(plan=plan):
                self._plan = plan
            case TokenCount():
                self._usage += msg.usage()
            case Warning(message=text):
                self._warnings.append(text)
            case Error(message=text):
                self._error = text
            case TaskStarted():
                self._began = self._clock()
            case TaskComplete():
                self._final = msg.last_agent_message
                self._error = msg.error
                self._end("failed" if msg.error is not None else "completed")
            case TurnAborted():
                self._end("interrupted")
            case _:
                return

    def fail(self, message: str) -> None:
        """The turn never began, or nothing is heard of it any more."""
        self._error = message
        self._end("failed")

    def result(self) -> TurnResult:
        """What it has come to so far."""
        return TurnResult(
            id=self.id,
            thread_id=self._thread_id,
            status=self.status,
            final_response=self._final,
            items=tuple(self._items.values()),
            diff=self._diff,
            plan=self._plan,
            usage=self._usage,
            approvals=tuple(self._approvals.values()),
            warnings=tuple(self._warnings),
            context=self._context,
            error=self._error,
            duration_s=round((self._ended if self.ended else self._clock()) - self._began, 3),
            cwd=self._cwd,
            model=self._model,
        )

    def _add(self, item: Item, key: str = "") -> None:
        self._items[key or f"#{len(self._items)}"] = item

    def _end(self, status: Status) -> None:
        self.status = status
        self._ended = self._clock()

    def _command(self, msg: ExecCommandBegin | ExecCommandEnd) -> None:
        if isinstance(msg, ExecCommandBegin):
            run = CommandRun(
                call_id=msg.call_id,
                command=msg.command,
                script=script_of(msg.command),
                cwd=msg.cwd,
                sandboxed=msg.sandboxed,
            )
            self._add(run, msg.call_id)
            return
        run = self._items.get(msg.call_id)
        if not isinstance(run, CommandRun):
            run = CommandRun(call_id=msg.call_id, command=(), script="", cwd="")
        done = msgspec.structs.replace(
            run,
            exit_code=msg.exit_code,
            output=msg.aggregated_output,
            duration_s=msg.duration.seconds(),
            timed_out=msg.timed_out,
        )
        self._add(done, msg.call_id)

    def _patch(self, msg: PatchApplyBegin | PatchApplyEnd) -> None:
        key = f"patch {msg.call_id}"  # a command may be a patch: both have its call id
        if isinstance(msg, PatchApplyBegin):
            self._add(PatchRun(call_id=msg.call_id, changes=msg.changes), key)
            return
        run = self._items.get(key)
        if not isinstance(run, PatchRun):
            run = PatchRun(call_id=msg.call_id, changes={})
        text = msg.stdout if msg.success else msg.stderr or msg.stdout
        self._add(msgspec.structs.replace(run, success=msg.success, message=text), key)

    def _tool(self, msg: McpToolCallBegin | McpToolCallEnd) -> None:
        called = msg.invocation
        run = ToolRun(call_id=msg.call_id, server=called.server, tool=called.tool, arguments=called.arguments)
        if isinstance(msg, McpToolCallEnd):
            run = msgspec.structs.replace(run, result=msg.result, duration_s=msg.duration.seconds())
        self._add(run, msg.call_id)

    def _approval(self, msg: ApprovalRequest | ApprovalResolved) -> None:
        if isinstance(msg, ApprovalResolved):
            asked = self._approvals.get(msg.approval_id)
            if asked is not None:
                answered = msgspec.structs.replace(asked, decision=msg.decision, by=msg.by)
                self._approvals[msg.approval_id] = answered
            return
        match msg:
            case ExecApprovalRequest():
                what = script_of(msg.command)
            case ApplyPatchApprovalRequest():
                what = ", ".join(msg.changes)
            case McpApprovalRequest():
                what = f"{msg.server}/{msg.tool}"
        self._approvals[msg.approval_id] = Approval(approval_id=msg.approval_id, what=what)
