"""`update_plan`: the model's checklist, shown to the user. Source: spec/tools.md section 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_kernel.model.interface import FunctionTool, ToolSpec
from codex_kernel.tools.interface import BadArguments, ToolOutput, decode_arguments, object_schema
from codex_protocol.events import PlanStep, PlanUpdate
from codex_protocol.items import FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, ToolContext


class _Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    step: str
    status: str


class _Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plan: tuple[_Step, ...]
    explanation: str | None = None


class UpdatePlan:
    """Replaces the plan."""

    names = ("update_plan",)
    parallel = True

    def spec(self, offer: Offer) -> ToolSpec | None:
        """Offered unless switched off."""
        if not offer.config.tools.update_plan:
            return None
        return FunctionTool(
            name="update_plan",
            description="Shows the user your plan: all steps each time, at most one of them in progress.",
            parameters=object_schema(
                {
                    "explanation": {"type": "string", "description": "Why the plan changed, in one sentence."},
                    "plan": {
                        "type": "array",
                        "description": "All steps in order.",
                        "items": object_schema(
                            {
                                "step": {"type": "string"},
                                "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                            },
                            required=("step", "status"),
                        ),
                    },
                },
                required=("plan",),
            ),
        )

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """Report the plan."""
        if not isinstance(call, FunctionCall):
            raise BadArguments("update_plan is a function tool")
        given = decode_arguments(call.arguments, _Plan)
        try:
            steps = msgspec.convert([msgspec.to_builtins(step) for step in given.plan], tuple[PlanStep, ...])
        except msgspec.ValidationError as error:
            raise BadArguments(f"failed to parse function arguments: {error}") from error
        return ToolOutput("Plan updated", after=(PlanUpdate(explanation=given.explanation, plan=steps),))
