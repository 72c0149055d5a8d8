"""Tells other programs of this user which thread the kernel has open, and what it is doing."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path, PurePath

from codex_kernel.jupyter.agent import Agent
from codex_protocol import events as ev
from codex_protocol.errors import ConfigError
from codex_render.safe_text import one_line
from codex_store.home import find_home
from codex_store.running import Announcement, RunningThread, State

log = logging.getLogger(__name__)

_WORDS_CHARS = 120


class Announcing:
    """Keeps the announcement of the agent's thread true."""

    def __init__(self, agent: Agent, connection_file: Path) -> None:
        """Announce every thread the agent opens from now on."""
        self._agent = agent
        self._file = connection_file
        self._announcement: Announcement | None = None
        agent.listen(self._on_event)

    def close(self) -> None:
        """The kernel ends."""
        if self._announcement is not None:
            self._announcement.close()
            self._announcement = None

    def _on_event(self, numbered: ev.NumberedEvent) -> None:
        event = numbered.event.msg
        if isinstance(event, ev.SessionConfigured):
            self._begin(event)
        if self._announcement is None:
            return
        match event:
            case ev.TaskStarted():
                self._announcement.update(failed=False)
                self._say("working")
            case ev.Error():
                self._announcement.update(failed=True)
            case ev.ExecCommandBegin() | ev.PatchApplyBegin() | ev.McpToolCallBegin() | ev.WebSearchBegin():
                self._announcement.update(doing=_words(event))
            case ev.ExecApprovalRequest() | ev.ApplyPatchApprovalRequest() | ev.McpApprovalRequest():
                self._say("asking", _words(event))
            case ev.ElicitationRequest(server=server):
                self._say("asking", f"{one_line(server)} asks")
            case ev.ApprovalResolved() | ev.ElicitationResolved():
                self._go_on()
            case ev.TaskComplete() | ev.TurnAborted():
                self._announcement.update(tokens=self._tokens())
                self._say("idle")
            case ev.ThreadNameUpdated(name=name):
                self._announcement.update(name=name)
            case ev.TurnContextChanged(cwd=cwd, model=model):
                self._announcement.update(cwd=cwd, model=model)
            case ev.ShutdownComplete():
                self.close()
            case _:
                return

    def _say(self, state: State, doing: str = "") -> None:
        announcement = self._announcement
        if announcement is not None:
            since = announcement.running.since if announcement.running.state == state else time.time()
            announcement.update(state=state, doing=doing, since=since)

    def _go_on(self) -> None:
        """One question less; the next one may be waiting."""
        thread = self._agent.current
        waiting = thread.pending() if thread is not None else ()
        if waiting:
            self._say("asking", _words(waiting[0]))
        elif thread is None or thread.busy:
            self._say("working")
        else:
            self._say("idle")

    def _begin(self, configured: ev.SessionConfigured) -> None:
        self.close()
        running = RunningThread(
            thread_id=configured.session_id,
            pid=os.getpid(),
            connection_file=str(self._file),
            cwd=configured.cwd,
            name=configured.name,
            model=configured.model,
            started=time.time(),
            since=time.time(),
            stay=self._agent.options.stay,
        )
        try:
            self._announcement = Announcement(find_home(), running)
        except (OSError, ConfigError) as error:
            log.warning("other programs are not told of this thread: %s", error)

    def _tokens(self) -> int:
        thread = self._agent.current
        return thread.usage.total_tokens if thread is not None else 0


def _words(event: ev.EventMsg) -> str:
    """What a thread does with this, in a few words."""
    match event:
        case ev.ExecCommandBegin() | ev.ExecApprovalRequest():
            from codex_render.command_words import describe

            step = describe(event.command, event.parsed_cmd)[0]
            text = f"{step.verb} {step.what}"
        case ev.PatchApplyBegin() | ev.ApplyPatchApprovalRequest():
            names = [PurePath(path).name for path in event.changes]
            text = f"Edit {names[0] if len(names) == 1 else f'{len(names)} files'}"
        case ev.McpToolCallBegin(invocation=called):
            text = f"Call {called.server} · {called.tool}"
        case ev.McpApprovalRequest():
            text = f"Call {event.server} · {event.tool}"
        case ev.WebSearchBegin():
            text = "Search the web"
        case _:
            text = ""
    return one_line(text)[:_WORDS_CHARS]
