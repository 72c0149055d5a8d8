"""Every tool: which are offered to a model, and which one a call means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_kernel.model.interface import ToolSpec, WebSearchTool
from codex_kernel.tools.apply_patch import ApplyPatch
from codex_kernel.tools.exec_command import ExecCommand, WriteStdin
from codex_kernel.tools.shell import Shell
from codex_kernel.tools.update_plan import UpdatePlan
from codex_kernel.tools.view_image import ViewImage
from codex_protocol.items import CustomToolCall, FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, Tool

BUILT_IN: tuple[Tool, ...] = (ExecCommand(), WriteStdin(), Shell(), UpdatePlan(), ApplyPatch(), ViewImage())
"""In the order the model is told of them."""


class ToolRegistry:
    """The tools of one thread. The offered list is the same for each request, so that prompts stay cached."""

    def __init__(self, tools: tuple[Tool, ...] = BUILT_IN) -> None:
        self._tools = tools
        self._by_name = {name: tool for tool in tools for name in tool.names}

    def offered(self, offer: Offer) -> tuple[ToolSpec, ...]:
        """What the model is told of."""
        specs = [spec for tool in self._tools if (spec := tool.spec(offer)) is not None]
        web_search = offer.config.tools.web_search
        if web_search != "disabled" and offer.freeform:
            specs.append(WebSearchTool(live=web_search == "live"))
        return tuple(specs)

    def find(self, call: ToolCallItem) -> Tool | None:
        """The tool a call means; None for a name nobody answers to."""
        if isinstance(call, FunctionCall | CustomToolCall):
            return self._by_name.get(call.name)
        return self._by_name.get("local_shell")


def unknown_call(call: ToolCallItem) -> str:
    """What the model is told when it calls a tool there is none of. Source: spec/tools.md section 3."""
    if isinstance(call, CustomToolCall):
        return f"unsupported custom tool call: {call.name}"
    return f"unsupported call: {getattr(call, 'name', 'local_shell')}"
