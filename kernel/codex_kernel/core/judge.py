"""The one decision function, with what the thread and the machine bring to it filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_kernel.policy.interface import CommandQuestion, Decision, PatchQuestion, Standing

if TYPE_CHECKING:
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.state import ThreadState
    from codex_kernel.policy.decide_mcp import McpQuestion


class ThreadJudge:
    """Judges one turn's calls; implements `tools.interface.Judge`."""

    def __init__(self, state: ThreadState, settings: TurnSettings) -> None:
        self._state = state
        self._settings = settings

    async def command(self, question: CommandQuestion) -> Decision:
        """Whether the command may run, and how."""
        from codex_kernel.policy.decide import decide_command
        from codex_kernel.policy.worktree import GitWorkTree

        rules, count = self._state.rules.questioned()
        worktree = GitWorkTree(self._state.sandbox)
        decision = await decide_command(question, self._standing(), rules=rules, worktree=worktree)
        count()
        return decision

    async def patch(self, question: PatchQuestion) -> Decision:
        """Whether the files may be changed."""
        from codex_kernel.policy.decide_patch import decide_patch

        settings = self._settings
        rights = self._state.sandbox.rights()
        return decide_patch(
            question,
            self._standing(),
            may_write=lambda path: rights.may_write(path, settings.sandbox_policy, settings.cwd),
        )

    async def mcp(self, question: McpQuestion) -> Decision:
        """Whether an MCP server's tool may be called."""
        from codex_kernel.policy.decide_mcp import decide_mcp

        return decide_mcp(question, self._standing())

    def consent(self) -> None:
        """The user accepted this machine's weaker confinement."""
        self._state.consents.record(self._rung())

    def _rung(self) -> int:
        """As it is now: it falls when confinement fails in the middle of a turn."""
        return self._state.sandbox.facts(self._settings.sandbox_policy).rung

    def _standing(self) -> Standing:
        state, settings, rung = self._state, self._settings, self._rung()
        return Standing(
            approval_policy=settings.approval_policy,
            sandbox_policy=settings.sandbox_policy,
            rung=rung,
            consented=rung == 3 and state.consents.given(rung),
            can_ask=state.approvals.can_ask,
            workspace=settings.cwd,
            approved_digests=frozenset(state.approvals.approved_digests),
            made_here=frozenset(state.made_here),
            started_at=state.started_at,
        )
