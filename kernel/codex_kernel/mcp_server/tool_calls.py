"""The tools `codex` and `codex-reply`: a call is a turn; its events are told as they come, its end is the result.

Calls for one thread run one after another. A cancelled call is not answered. Source: spec/mcp.md B3 to B5b.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import msgspec

from codex_kernel.mcp_server.approvals import OpenQuestions, as_elicitation
from codex_kernel.mcp_server.messages import INVALID_REQUEST, Request, RequestId
from codex_kernel.mcp_server.older_events import older
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_kernel.mcp_server.progress import remark
from codex_kernel.mcp_server.settings import ServerSettings, config_for
from codex_kernel.mcp_server.threads import ServedThread, Spawn, Threads
from codex_kernel.mcp_server.tool_schemas import CodexArguments, ReplyArguments, text_result
from codex_protocol.errors import CodexError, ThreadError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    ElicitationRequest,
    ElicitationResolved,
    Error,
    Event,
    ExecApprovalRequest,
    McpApprovalRequest,
    NumberedEvent,
    TaskComplete,
    TurnAborted,
)
from codex_protocol.ops import Interrupt, Op, TextInput, UserInput


class _Call:
    """One `tools/call` that has not been answered."""

    def __init__(self, request: Request, prompt: str) -> None:
        self.id: RequestId = request.id
        self.prompt = prompt
        self.progress_token = _progress_token(request.params)
        self.progress = 0
        self.submission: str | None = None
        """Id of its input, once the thread has it."""
        self.cancelled = False


class ToolCalls:
    """Runs calls of the two tools."""

    def __init__(self, out: Outgoing, threads: Threads, settings: ServerSettings, spawn: Spawn) -> None:
        self.can_ask = False
        """Whether the client declared that it answers elicitations."""
        self._out = out
        self._threads = threads
        self._settings = settings
        self._spawn = spawn
        self._calls: dict[RequestId, _Call] = {}
        self._sessions: dict[str, _Session] = {}
        self._session_of: dict[RequestId, _Session] = {}

    def call(self, request: Request, name: str, arguments: Any) -> None:
        """Begin a call; its answer leaves when it is there."""
        if request.id in self._calls:
            self._out.error(request.id, INVALID_REQUEST, f"the request {request.id!r} is still being worked on")
        elif name == "codex":
            self._begin(request, arguments)
        elif name == "codex-reply":
            self._reply(request, arguments)
        else:
            self._refuse(request.id, f"Unknown tool '{name}'")

    def cancel(self, request_id: RequestId) -> None:
        """The client does not want the answer any more: stop the work, answer nothing."""
        call = self._calls.pop(request_id, None)
        if call is not None:
            call.cancelled = True
            session = self._session_of.pop(request_id, None)
            if session is not None:
                session.cancel(call)

    def _begin(self, request: Request, arguments: Any) -> None:
        if arguments is None:
            self._refuse(request.id, "Missing arguments for tool-call; the `prompt` field is required.")
            return
        try:
            asked = msgspec.convert(arguments, CodexArguments)
        except msgspec.ValidationError as error:
            self._refuse(request.id, f"Failed to parse configuration for Codex tool: {_words(error)}")
            return
        if not asked.prompt.strip():
            self._refuse(request.id, "Failed to parse configuration for Codex tool: the field `prompt` is empty")
            return
        call = self._calls[request.id] = _Call(request, asked.prompt)
        self._spawn(self._start(call, asked), call.id)

    async def _start(self, call: _Call, asked: CodexArguments) -> None:
        try:
            config = await asyncio.to_thread(config_for, self._settings, asked)
        except CodexError as error:
            self._end(call, f"Failed to load Codex configuration from overrides: {error}", is_error=True)
            return
        if call.cancelled:
            return
        try:
            thread = await self._threads.start(config, can_ask=self.can_ask)
        except CodexError as error:
            self._end(call, f"Failed to start Codex session: {error}", is_error=True)
            return
        if self.can_ask:
            thread.answers_servers()
        session = self._sessions[thread.id] = _Session(thread, self._out, self._end)
        session.begin(call)
        if not call.cancelled:
            self._session_of[call.id] = session
            session.run(call, submission=str(call.id))

    def _reply(self, request: Request, arguments: Any) -> None:
        if arguments is None:
            self._refuse(
                request.id, "Missing arguments for codex-reply; the `session_id` and `prompt` fields are required."
            )
            return
        try:
            asked = msgspec.convert(arguments, ReplyArguments)
        except msgspec.ValidationError as error:
            self._refuse(request.id, f"Failed to parse configuration for Codex tool: {_words(error)}")
            return
        wanted = asked.thread()
        if wanted is None or not asked.prompt.strip():
            missing = "sessionId" if wanted is None else "prompt"
            self._refuse(
                request.id,
                f"Failed to parse configuration for Codex tool: missing field `{missing}`; "
                "the `session_id` and `prompt` fields are required.",
            )
            return
        try:
            id = str(uuid.UUID(wanted))
        except ValueError as error:
            self._refuse(request.id, f"Failed to parse session_id: {error}")
            return
        session = self._sessions.get(id)
        if session is None:
            self._refuse(request.id, f"Session not found for session_id: {id}")
            return
        call = self._calls[request.id] = _Call(request, asked.prompt)
        self._session_of[request.id] = session
        session.run(call)

    def _refuse(self, id: RequestId, text: str) -> None:
        self._out.result(id, text_result(text, is_error=True))

    def _end(self, call: _Call, text: str, *, is_error: bool = False, thread_id: str | None = None) -> None:
        """Answer a call, unless it was cancelled or answered before."""
        self._session_of.pop(call.id, None)
        if self._calls.get(call.id) is call:
            del self._calls[call.id]
            self._out.result(call.id, text_result(text, is_error=is_error, thread_id=thread_id))


class _Session:
    """One thread, its calls in the order they came, and its events on their way to the client."""

    def __init__(self, thread: ServedThread, out: Outgoing, end: Callable[..., None]) -> None:
        self._thread = thread
        self._out = out
        self._end = end
        self._current: _Call | None = None
        self._waiting: deque[_Call] = deque()
        self._questions = OpenQuestions(out, self._submit)

    def begin(self, call: _Call) -> None:
        """Tell of what there is of the thread so far, for the call that asked for it."""
        self._current = call
        self._thread.subscribe(self._on_event)
        self._current = None

    def run(self, call: _Call, submission: str | None = None) -> None:
        """Run a call's turn, after those that came before it."""
        if self._current is not None:
            self._waiting.append(call)
            return
        self._current = call
        try:
            call.submission = self._thread.submit(UserInput(items=(TextInput(call.prompt),)), submission)
        except ThreadError as error:
            self._done(f"Codex runtime error: {error}", is_error=True)

    def cancel(self, call: _Call) -> None:
        """Interrupt a call that runs, forget one that waits."""
        if call is self._current:
            self._submit(Interrupt())
        elif call in self._waiting:
            self._waiting.remove(call)

    def _submit(self, op: Op) -> None:
        try:
            self._thread.submit(op)
        except ThreadError:
            return  # it has ended: nothing is left to stop or to answer

    def _on_event(self, numbered: NumberedEvent) -> None:
        event = numbered.event
        call = self._current
        self._tell(event, call)
        match event.msg:
            case ElicitationRequest():
                self._questions.pass_on(event.msg)
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() | McpApprovalRequest():
                tool_call_id = str(call.id) if call is not None else ""
                self._questions.put(event.msg, as_elicitation(event.msg, tool_call_id=tool_call_id, event_id=event.id))
            case ApprovalResolved(approval_id=id) | ElicitationResolved(id=id):
                self._questions.settled(id)
            case _ if call is None or event.id != call.submission:
                return
            case TaskComplete(error=None, last_agent_message=said):
                self._done(said or "")
            case TaskComplete(error=error):
                self._done(error or "", is_error=True)
            case TurnAborted():
                self._done("The turn was stopped before it was done.", is_error=True)
            case Error(message=message) if not self._thread.busy:  # the input never became a turn
                self._done(message, is_error=True)
            case _:
                return

    def _tell(self, event: Event, call: _Call | None) -> None:
        msg = older(event.msg)
        if msg is None:
            return
        params: dict[str, Any] = {"id": event.id, "msg": msg}
        if call is not None:
            params = {"_meta": {"requestId": call.id, "threadId": self._thread.id}, **params}
            self._progress(call, event)
        self._out.notify("codex/event", params)

    def _progress(self, call: _Call, event: Event) -> None:
        if call.progress_token is None or call.cancelled or (said := remark(event.msg)) is None:
            return
        call.progress += 1
        self._out.notify(
            "notifications/progress",
            {"progressToken": call.progress_token, "progress": call.progress, "message": said},
        )

    def _done(self, text: str, *, is_error: bool = False) -> None:
        call, self._current = self._current, None
        if call is not None:
            self._end(call, text, is_error=is_error, thread_id=self._thread.id)
        if self._waiting:
            self.run(self._waiting.popleft())


def _progress_token(params: Any) -> RequestId | None:
    if not isinstance(params, dict):
        return None
    meta = cast("dict[str, Any]", params).get("_meta")
    token = cast("dict[str, Any]", meta).get("progressToken") if isinstance(meta, dict) else None
    return token if isinstance(token, str | int) and not isinstance(token, bool) else None


def _words(error: msgspec.ValidationError) -> str:
    """A validation error as older clients know it: "missing field `prompt`"."""
    text = str(error)
    marker = "Object missing required field "
    return f"missing field {text.removeprefix(marker)}" if text.startswith(marker) else text
