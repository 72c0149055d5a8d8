"""How a thread comes to be: new, gone on with, or forked; with the model, sandbox and rollout the config names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.changes.checkpoints import Checkpoints
from codex_kernel.config.types import Config
from codex_kernel.core.approvals import Approvals
from codex_kernel.core.consents import Consents
from codex_kernel.core.earlier_inputs import EarlierInputs
from codex_kernel.core.history import History, in_call_order
from codex_kernel.core.instructions import user_instructions
from codex_kernel.core.recording import RolloutRecorder
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.state import NoRecorder, Recorder, ThreadState
from codex_kernel.core.thread_hooks import open_hooks
from codex_kernel.core.thread_rules import ThreadRules
from codex_kernel.core.thread_skills import ThreadSkills
from codex_kernel.tools.registry import ToolRegistry
from codex_kernel.tools.sessions import CommandSessions
from codex_protocol.errors import ThreadError
from codex_protocol.events import SessionConfigured
from codex_protocol.version import VERSION
from codex_store.home import Home
from codex_store.rollout_lines import GitFacts, ThreadMeta, now_stamp
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_ids import new_thread_id

if TYPE_CHECKING:
    from httpx import AsyncClient

    from codex_kernel.auth.manager import AuthManager
    from codex_kernel.config.credentials import CredentialSource
    from codex_kernel.model.interface import ModelClient
    from codex_kernel.sandbox.interface import Sandbox
    from codex_store.rollout_reader import Rollout


class Opened(msgspec.Struct, kw_only=True, eq=False):
    """A thread that is ready to run, and what only its edges need."""

    state: ThreadState
    configured: SessionConfigured
    notices: tuple[str, ...]
    """Sentences a person should see."""
    rollout_path: Path | None
    home: Home
    auth: AuthManager | None
    """Its login; None where a model was handed in."""
    earlier: EarlierInputs

    async def aclose(self) -> None:
        """Keep a login that is just being refreshed."""
        if self.auth is not None:
            await self.auth.aclose()

    def instructions_for(self, settings: TurnSettings) -> str | None:
        """AGENTS.md as it is for another directory."""
        from codex_kernel.config.project import project_root

        root = project_root(settings.cwd, settings.config.project_root_markers)
        moved = msgspec.structs.replace(settings.config, cwd=settings.cwd, project_root=root)
        return user_instructions(moved, self.home.root, self.state.sandbox.may_read)

    def add_to_message_history(self, text: str) -> None:
        """Append to the history that all threads share, unless it is switched off."""
        from codex_store.message_history import append

        history = self.state.settings.config.history
        if history.persistence != "none":
            append(self.home, self.state.thread_id, text, max_bytes=history.max_bytes)

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
    fork_prompts: int | None,
    environment: Mapping[str, str],
) -> Opened:
    """Everything of a thread but its loop; see `Thread.start` for the arguments and errors."""
    home = Home(root=config.codex_home, xdg_runtime_dir=environment.get("XDG_RUNTIME_DIR"))
    rules = ThreadRules(config, home.workbench)
    goes_on = resume or fork
    if fork is not None and not config.ephemeral:
        goes_on = _copied(config, home, fork, originator, fork_prompts)
    elif fork_prompts is not None:
        raise ThreadError("a part of a thread is forked on disk only, and this thread is to be ephemeral")
    writer = _reopen(config, goes_on)  # the lock first, then what is read stays true
    try:
        source = _read(goes_on)
        thread_id = source.meta.id if source is not None and writer is not None else new_thread_id()
        if source is None and not config.ephemeral:
            writer = RolloutWriter.create(home, _meta(config, thread_id, originator))
        recorder: Recorder = NoRecorder() if writer is None else RolloutRecorder(writer)
        auth = None if model is not None else _make_auth(config, home, environment)
        client = model or _make_client(config, auth, thread_id, originator, environment)
        sandbox = sandbox or _make_sandbox(config, home)
        state = _state(config, home, thread_id, recorder, client, sandbox, rules, environment, can_ask=can_ask)
        if source is not None:
            _take_over(state, source)
            if resume is not None:  # what was approved for a thread does not carry over to its forks
                state.approvals.approved_digests.update(source.approvals.approved_digests)
                if writer is not None:
                    writer.take_approvals(source.approvals)
    except BaseException:
        if writer is not None:
            writer.close()
        raise
    state.hooks, skipped_hooks = open_hooks(
        config,
        environment,
        thread_id=thread_id,
        transcript=writer.path if writer else None,
        source="resume" if resume is not None else "fork" if fork is not None else "startup",
    )
    notices = (
        *config.warnings,
        *rules.problems,
        *skipped_hooks,
        *state.skills.problems,
        *(source.notices if source else ()),
        *(writer.notices if writer else ()),
        *_changed_model(source, state.settings.model),
    )
    return Opened(
        state=state,
        configured=_configured(state, config, source, writer, resumed=resume is not None, fork=fork),
        notices=tuple(dict.fromkeys(notices)),
        rollout_path=writer.path if writer else None,
        home=home,
        auth=auth,
        earlier=EarlierInputs(source if resume is not None else None),
    )


def _configured(
    state: ThreadState,
    config: Config,
    source: Rollout | None,
    writer: RolloutWriter | None,
    *,
    resumed: bool,
    fork: Path | None,
) -> SessionConfigured:
    settings = state.settings
    return SessionConfigured(
        session_id=state.thread_id,
        model=settings.model,
        provider=config.model_provider,
        cwd=str(settings.cwd),
        approval_policy=settings.approval_policy,
        sandbox_policy=settings.sandbox_policy,
        sandbox=state.sandbox.facts(settings.sandbox_policy),
        effort=settings.effort,
        summary=settings.summary.value,
        rollout_path=str(writer.path) if writer else None,
        forked_from=_forked_from(source, writer, fork),
        resumed=resumed,
        name=source.name if source is not None and resumed else None,
        branch=_branch(config.cwd),
        file_opener=config.file_opener,
    )


def _read(path: Path | None) -> Rollout | None:
    if path is None:
        return None
    from codex_store.rollout_reader import read_rollout

    return read_rollout(path)


def _changed_model(source: Rollout | None, model: str) -> tuple[str, ...]:
    before = source.turn_context.model if source is not None and source.turn_context is not None else ""
    if not before or before == model:
        return ()
    return (f"This thread was recorded with the model {before} and goes on with {model}; answers may be less fitting.",)


def _copied(config: Config, home: Home, fork: Path, originator: str, prompts: int | None) -> Path:
    from codex_store.rollout_fork import copy_for_fork

    return copy_for_fork(fork, home, _meta(config, new_thread_id(), originator), prompts=prompts)


def _forked_from(source: Rollout | None, writer: RolloutWriter | None, fork: Path | None) -> str | None:
    """Of a thread that is gone on with too: it stays a branch of another one."""
    if source is None:
        return None
    return source.meta.id if fork is not None and writer is None else source.meta.forked_from_id


def _reopen(config: Config, path: Path | None) -> RolloutWriter | None:
    return None if config.ephemeral or path is None else RolloutWriter.reopen(path)


def _meta(config: Config, thread_id: str, originator: str) -> ThreadMeta:
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
    )


def _branch(cwd: Path) -> str | None:
    from codex_kernel.sandbox.git import head_info

    head = head_info(cwd)
    return head.branch if head else None


def _make_auth(config: Config, home: Home, environment: Mapping[str, str]) -> AuthManager:
    from codex_kernel.auth.manager import AuthManager

    def make_http() -> AsyncClient:
        from codex_kernel.model.through_httpx import make_httpx

        return make_httpx()

    return AuthManager(home, config, env=environment, make_http=make_http)


def _make_client(
    config: Config, auth: CredentialSource | None, thread_id: str, originator: str, environment: Mapping[str, str]
) -> ModelClient:
    from codex_kernel.model.factory import make_client

    if auth is None:
        raise ThreadError("a thread needs a model or a login to ask one with")
    return make_client(config, auth, thread_id=thread_id, originator=originator, env=environment)


def _make_sandbox(config: Config, home: Home) -> Sandbox:
    from codex_kernel.sandbox.launcher import make_sandbox

    return make_sandbox(config, home.root, home.runtime_dir(), private_dirs=home.private_dirs())


def _state(
    config: Config,
    home: Home,
    thread_id: str,
    recorder: Recorder,
    client: ModelClient,
    sandbox: Sandbox,
    rules: ThreadRules,
    environment: Mapping[str, str],
    *,
    can_ask: bool,
) -> ThreadState:
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
        approvals=Approvals(recorder, can_ask=can_ask),
        consents=Consents(home.workbench),
        checkpoints=Checkpoints(None if config.ephemeral else home.changes / thread_id, sandbox),
        rules=rules,
        skills=ThreadSkills(config, _user_home(environment)),
        base_environment=dict(environment),
        user_instructions=user_instructions(config, home.root, sandbox.may_read),
    )


def _user_home(environment: Mapping[str, str]) -> Path | None:
    home = environment.get("HOME", "")
    return Path(home) if home.startswith("/") else None


def _take_over(state: ThreadState, source: Rollout) -> None:
    """Go on from a stored thread: its history made valid (what had to be made up is written down), totals, plan."""
    items, made_up = in_call_order(source.history())
    for output in made_up:
        state.history.write(output)
    state.history = History(state.recorder, items)
    state.usage = source.usage
    if source.plan is not None:
        state.plan = source.plan.plan
