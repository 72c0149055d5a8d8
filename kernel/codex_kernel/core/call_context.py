"""What the calls of one turn may use. Made with the turn's first call: a turn without calls never loads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.core.approvals import TurnApprover
from codex_kernel.core.history import call_id_of
from codex_kernel.core.judge import ThreadJudge
from codex_kernel.core.settings import TurnSettings
from codex_kernel.core.state import Emit, ThreadState
from codex_kernel.patch.turn_diff import TurnDiff
from codex_kernel.sandbox.environment import model_environment
from codex_kernel.sandbox.git_files import git_root
from codex_kernel.tools.interface import ToolContext
from codex_protocol.items import ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.core.turn_hooks import TurnHooks


class CallContexts:
    """Makes the context of each call of a turn."""

    def __init__(
        self,
        state: ThreadState,
        settings: TurnSettings,
        emit: Emit,
        abort: Callable[[], None],
        hooks: TurnHooks | None = None,
    ) -> None:
        """Contexts for the calls of the turn that runs under `settings`; see `Turn` for the arguments."""
        facts = state.sandbox.facts(settings.sandbox_policy)
        self._state = state
        self._settings = settings
        self._emit = emit
        self._approver = TurnApprover(
            state.approvals,
            emit,
            facts,
            abort,
            lambda argv, ask: state.rules.suggest(argv, ask, state.history.items),
            None if hooks is None else lambda request: hooks.permission(state, request),
        )
        self._judge = ThreadJudge(state, settings)
        self._diff = TurnDiff(git_root(settings.cwd) or settings.cwd)
        self._environment = model_environment(settings.config.shell_environment_policy, state.base_environment)

    def of(self, call: ToolCallItem) -> ToolContext:
        """A context for one call."""
        settings = self._settings
        return ToolContext(
            call_id=call_id_of(call),
            config=settings.config,
            cwd=settings.cwd,
            approval_policy=settings.approval_policy,
            sandbox_policy=settings.sandbox_policy,
            emit=self._emit,
            sandbox=self._state.sandbox,
            judge=self._judge,
            approver=self._approver,
            sessions=self._state.sessions,
            turn_diff=self._diff,
            around_patch=lambda edits: self._state.checkpoints.around_patch(settings.cwd, edits),
            environment=self._environment,
            made_here=self._state.made_here,
        )
