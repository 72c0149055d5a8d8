"""The settings of one turn, and what the model's own facts make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from codex_kernel.config.types import Config, WireApi
from codex_kernel.model.catalogue import ModelInfo, model_info
from codex_kernel.tools.interface import Offer
from codex_protocol.ops import OverrideTurnContext, UserTurn
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxPolicy, Summary


class TurnSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn runs under. A thread has one for its next turn; a turn keeps the one it began with."""

    config: Config
    cwd: Path
    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    model: str
    effort: Effort | None
    summary: Summary
    output_schema: dict[str, Any] | None = None

    @classmethod
    def of(cls, config: Config) -> TurnSettings:
        """The settings a thread starts with."""
        return cls(
            config=config,
            cwd=config.cwd,
            approval_policy=config.approval_policy,
            sandbox_policy=config.sandbox_policy,
            model=config.model,
            effort=config.model_reasoning_effort,
            summary=config.model_reasoning_summary,
        )

    def overridden(self, op: OverrideTurnContext) -> TurnSettings:
        """With what the op names changed for all later turns."""
        changes: dict[str, Any] = {
            "cwd": Path(op.cwd) if op.cwd is not None else None,
            "approval_policy": op.approval_policy,
            "sandbox_policy": op.sandbox_policy,
            "model": op.model,
            "effort": op.effort,
            "summary": op.summary,
        }
        return msgspec.structs.replace(self, **{key: value for key, value in changes.items() if value is not None})

    def for_turn(self, op: UserTurn) -> TurnSettings:
        """With the op's own settings, for one turn."""
        return msgspec.structs.replace(
            self,
            cwd=Path(op.cwd),
            approval_policy=op.approval_policy,
            sandbox_policy=op.sandbox_policy,
            model=op.model,
            effort=op.effort or self.effort,
            summary=op.summary,
            output_schema=op.output_schema,
        )

    def info(self) -> ModelInfo:
        """The model's facts: window, reasoning, which form of tools it takes."""
        return model_info(self.model, self.config)

    def context_window(self) -> int | None:
        """Tokens the model can take; None when nobody knows."""
        return self.config.model_context_window or self.info().context_window

    def compact_limit(self) -> int | None:
        """Tokens in context at which the history is compacted; None: never by itself."""
        if self.config.model_auto_compact_token_limit is not None:
            return self.config.model_auto_compact_token_limit
        window = self.context_window()
        return window * 9 // 10 if window else None

    def offer(self, *, confinable: bool) -> Offer:
        """What decides which tools the model is offered."""
        info = self.info()
        freeform = self.config.provider.wire_api is WireApi.RESPONSES
        wanted = self.config.tools.apply_patch
        form = wanted if wanted != "auto" else info.apply_patch
        return Offer(
            config=self.config,
            freeform=freeform,
            local_shell=info.local_shell and freeform,
            apply_patch="function" if form == "freeform" and not freeform else form,
            confinable=confinable,
        )
