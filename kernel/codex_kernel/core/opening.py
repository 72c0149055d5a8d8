"""How a thread comes to be: new, gone on with, or forked; with the model, sandbox and rollout the config names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.config.types import Config
from codex_kernel.core.approvals import Approvals
from codex_kernel.core.consents import Consents
from codex_kernel.core.history import History, in_call_order
from codex_kernel.core.instructions import user_instructions
from codex_kernel.core.recording import RolloutRecorder
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.state import NoRecorder, Recorder, ThreadState
from codex_kernel.tools.registry import ToolRegistry
from codex_kernel.tools.sessions import CommandSessions
from codex_protocol.events import SessionConfigured
from codex_protocol.version import VERSION
from codex_store.home import Home
from codex_store.rollout_lines import GitFacts, ThreadMeta, now_stamp
from codex_store.thread_ids import new_thread_id

if TYPE_CHECKING:
    from codex_kernel.model.interface import ModelClient
    from codex_kernel.sandbox.interface import Sandbox
    from codex_store.rollout_reader import Rollout
    from codex_store.rollout_writer import RolloutWriter


class Opened(msgspec.Struct, kw_only=True, eq=False):
    """A thread that is ready to run, and what only its edges need."""

    state: ThreadState
    configured: SessionConfigured
    notices: tuple[str, ...]
    """Sentences a person should see."""
    rollout_path: Path | None
    home: Home

    def instructions_for(self, settings: TurnSettings) -> str | None:
        """AGENTS.md as it is for another directory."""
        from codex_kernel.config.project import project_root

        root = project_root(settings.cwd, settings.config.project_root_markers)
        moved = msgspec.structs.replace(settings.config, cwd=settings.cwd, project_root=root)
        return user_instructions(moved, self.home.root)

    def add_to_message_history(self, text: str) -> None:
        """Append to the history that all threads share, unless it is switched off."""
        from codex_store.message_history import append_entry

        history = self.state.settings.config.history
        if history.persistence != "none":
            append_entry(self.home, self.state.thread_id, text, max_bytes=history.max_bytes)

    def message_history_entry(self, log_id: int, offset: int) -> dict[str, Any] | None:
        """One entry of that history; None when there is none (any more)."""
        from codex_store.message_history import lookup

        entry = lookup(self.home, log_id, offset)
        return None if entry is None else msgspec.to_builtins(entry)

    def custom_prompts(self) -> tuple[dict[str, Any], ...]:
        """The user's custom prompts."""
        from codex_kernel.skills.custom_prompts import custom_prompts

        return tuple(msgspec.to_builtins(prompt) for prompt in custom_prompts(self.home.prompts))


def open_thread(
    config: Config,
    *,
    can_ask: bool,
    originator: str,
    model: ModelClient | None,
    sandbox: Sandbox | None,
    resume: Path | None,
    fork: Path | None,
    environment: Mapping[str, str],
) -> Opened:
    """Everything of a thread but its loop; see `Thread.start` for the arguments and errors."""
    home = Home(root=config.codex_home, xdg_runtime_dir=environment.get("XDG_RUNTIME_DIR"))
    reopened = _reopen(config, resume)  # the lock first, then what is read stays true
    try:
        source = _read(resume or fork)
    except BaseException:
        if reopened is not None:
            reopened.close()
        raise
    thread_id = source.meta.id if source is not None and resume is not None else new_thread_id()
    writer = reopened or _new_writer(config, home, thread_id, originator, source)
    try:
        recorder: Recorder = NoRecorder() if writer is None else RolloutRecorder(writer)
        client = model or _make_client(config, home, thread_id, originator)
        sandbox = sandbox or _make_sandbox(config, home)
        state = _state(config, home, thread_id, recorder, client, sandbox, source, environment, can_ask=can_ask)
        if writer is not None and source is not None and resume is not None:
            writer.take_approvals(source.approvals)
        if source is not None:
            _take_over(state, source, resumed=resume is not None)
    except BaseException:
        if writer is not None:
            writer.close()
        raise
    settings = state.settings
    notices = (*config.warnings, *(source.notices if source else ()), *(writer.notices if writer else ()))
    configured = SessionConfigured(
        session_id=thread_id,
        model=settings.model,
        provider=config.model_provider,
        cwd=str(settings.cwd),
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        sandbox=sandbox.facts(settings.sandbox_policy),
        effort=settings.effort,
        summary=settings.summary.value,
        rollout_path=str(writer.path) if writer else None,
        forked_from=source.meta.id if source is not None and fork is not None else None,
        resumed=resume is not None,
        name=source.name if source is not None and resume is not None else None,
        branch=_branch(config.cwd),
    )
    return Opened(
        state=state,
        configured=configured,
        notices=tuple(dict.fromkeys(notices)),
        rollout_path=writer.path if writer else None,
        home=home,
    )


def _read(path: Path | None) -> Rollout | None:
    if path is None:
        return None
    from codex_store.rollout_reader import read_rollout

    return read_rollout(path)


def _reopen(config: Config, resume: Path | None) -> RolloutWriter | None:
    if config.ephemeral or resume is None:
        return None
    from codex_store.rollout_writer import RolloutWriter

    return RolloutWriter.reopen(resume)


def _new_writer(
    config: Config, home: Home, thread_id: str, originator: str, source: Rollout | None
) -> RolloutWriter | None:
    if config.ephemeral:
        return None
    from codex_store.rollout_writer import RolloutWriter

    return RolloutWriter.create(home, _meta(config, thread_id, originator, source))


def _meta(config: Config, thread_id: str, originator: str, source: Rollout | None) -> ThreadMeta:
    from codex_kernel.sandbox.git import head_info

    head = head_info(config.cwd)
    git = GitFacts(commit_hash=head.commit, branch=head.branch, repository_url=head.url) if head else None
    return ThreadMeta(
        id=thread_id,
        timestamp=now_stamp().decode(),
        cwd=str(config.cwd),
        originator=originator,
        cli_version=VERSION,
        source=originator,
        model_provider=config.model_provider,
        git=git,
        forked_from_id=source.meta.id if source is not None else None,
    )


def _branch(cwd: Path) -> str | None:
    from codex_kernel.sandbox.git import head_info

    head = head_info(cwd)
    return head.branch if head else None


def _make_client(config: Config, home: Home, thread_id: str, originator: str) -> ModelClient:
    from codex_kernel.auth.manager import AuthManager
    from codex_kernel.model.factory import make_client

    return make_client(config, AuthManager(home, config), thread_id=thread_id, originator=originator)


def _make_sandbox(config: Config, home: Home) -> Sandbox:
    from codex_kernel.sandbox.launcher import make_sandbox

    return make_sandbox(config, home.root, home.runtime_dir())


def _state(
    config: Config,
    home: Home,
    thread_id: str,
    recorder: Recorder,
    client: ModelClient,
    sandbox: Sandbox,
    source: Rollout | None,
    environment: Mapping[str, str],
    *,
    can_ask: bool,
) -> ThreadState:
    approved = source.approvals.approved_digests if source is not None else frozenset[str]()
    return ThreadState(
        thread_id=thread_id,
        home=home.root,
        settings=TurnSettings.of(config),
        history=History(recorder),
        recorder=recorder,
        client=client,
        sandbox=sandbox,
        registry=ToolRegistry(),
        sessions=CommandSessions(),
        approvals=Approvals(recorder, can_ask=can_ask, approved_digests=approved),
        consents=Consents(home.workbench),
        base_environment=dict(environment),
        user_instructions=user_instructions(config, home.root),
    )


def _take_over(state: ThreadState, source: Rollout, *, resumed: bool) -> None:
    """Go on from a stored thread: its history made valid, its totals, its plan.

    A thread that goes on gets the outputs that were made up written down; a fork gets the whole history.
    """
    items, made_up = in_call_order(source.history())
    if resumed:
        for output in made_up:
            state.history.write(output)
        state.history = History(state.recorder, items)
    else:
        state.history.record(*items)
    state.usage = source.usage
    if source.plan is not None:
        state.plan = source.plan.plan
