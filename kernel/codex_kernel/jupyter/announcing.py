"""Tells other programs of this user which thread the kernel has open, and what it is doing."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from codex_kernel.jupyter.agent import Agent
from codex_protocol import events as ev
from codex_protocol.errors import ConfigError
from codex_store.home import find_home
from codex_store.running import Announcement, RunningThread

log = logging.getLogger(__name__)


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
                self._announcement.update(state="working")
            case ev.ExecApprovalRequest() | ev.ApplyPatchApprovalRequest() | ev.McpApprovalRequest():
                self._announcement.update(state="asking")
            case ev.ApprovalResolved():
                self._announcement.update(state="working")
            case ev.TaskComplete() | ev.TurnAborted():
                self._announcement.update(state="idle", tokens=self._tokens())
            case ev.ThreadNameUpdated(name=name):
                self._announcement.update(name=name)
            case ev.TurnContextChanged(cwd=cwd, model=model):
                self._announcement.update(cwd=cwd, model=model)
            case ev.ShutdownComplete():
                self.close()
            case _:
                return

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
            stay=self._agent.options.stay,
        )
        try:
            self._announcement = Announcement(find_home(), running)
        except (OSError, ConfigError) as error:
            log.warning("other programs are not told of this thread: %s", error)

    def _tokens(self) -> int:
        thread = self._agent.current
        return thread.usage.total_tokens if thread is not None else 0
