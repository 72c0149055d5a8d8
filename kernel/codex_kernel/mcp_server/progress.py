"""What a progress notification says of an event; deltas say nothing. A client's time-out starts anew with each."""

from __future__ import annotations

from codex_protocol import events as ev
from codex_protocol.events import EventMsg
from codex_render.shell_words import join_words

_MAX_CHARS = 200


def remark(msg: EventMsg) -> str | None:
    """One line for a person; None when the event is not worth one."""
    match msg:
        case ev.TaskStarted():
            return "started"
        case ev.AgentMessage(message=text) | ev.AgentReasoning(text=text):
            return _line(text)
        case ev.ExecCommandBegin(command=command):
            return _line(f"running {join_words(command)}")
        case ev.ExecCommandEnd(exit_code=code):
            return f"the command ended with exit code {code}"
        case ev.ExecApprovalRequest() | ev.ApplyPatchApprovalRequest() | ev.McpApprovalRequest():
            return "waiting for an approval"
        case ev.PatchApplyBegin(changes=changes):
            return f"changing {len(changes)} file{'s' if len(changes) != 1 else ''}"
        case ev.McpToolCallBegin(invocation=called):
            return _line(f"calling {called.server}/{called.tool}")
        case ev.StreamError(message=message) | ev.BackgroundEvent(message=message):
            return _line(message)
        case _:
            return None


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_CHARS else line[: _MAX_CHARS - 1] + "…"
