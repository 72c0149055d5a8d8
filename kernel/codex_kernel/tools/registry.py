"""Every tool: which are offered to a model, and which one a call means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_kernel.model.interface import ToolSpec, WebSearchTool
from codex_kernel.tools.apply_patch import ApplyPatch
from codex_kernel.tools.exec_command import ExecCommand
from codex_kernel.tools.shell import Shell
from codex_kernel.tools.update_plan import UpdatePlan
from codex_kernel.tools.view_image import ViewImage
from codex_kernel.tools.write_stdin import WriteStdin
from codex_protocol.items import CustomToolCall, FunctionCall, ToolCallItem

if TYPE_CHECKING:
    from codex_kernel.tools.interface import Offer, Tool

BUILT_IN: tuple[Tool, ...] = (ExecCommand(), WriteStdin(), Shell(), UpdatePlan(), ApplyPatch(), ViewImage())
"""In the order the model is told of them."""


class ToolRegistry:
    """The tools of one thread. The offered list is the same for each request, so that prompts stay cached."""

    def __init__(self, tools: tuple[Tool, ...] = BUILT_IN) -> None:
        self._tools = tools
        self._joined: tuple[Tool, ...] = ()
        self._by_name = {name: tool for tool in tools for name in tool.names}
        self._own_names = frozenset(self._by_name)

    def join(self, tools: tuple[Tool, ...]) -> None:
        """Offer these beside the built-in ones from the next turn on, instead of those that joined before.

        Names of built-in tools stay theirs. A tool that is offered no more still answers to its name: a running turn
        may have been told of it.
        """
        self._joined = tuple(tool for tool in tools if not self._own_names & set(tool.names))
        for tool in self._joined:
            self._by_name.update(dict.fromkeys(tool.names, tool))

    def offered(self, offer: Offer) -> tuple[ToolSpec, ...]:
        """What the model is told of."""
        specs = [spec for tool in self._tools if (spec := tool.spec(offer)) is not None]
        web_search = offer.config.tools.web_search
        if web_search != "disabled" and offer.freeform:
            specs.append(WebSearchTool(live=web_search == "live"))
        specs += [spec for tool in self._joined if (spec := tool.spec(offer)) is not None]
        return tuple(specs)

    def find(self, call: ToolCallItem) -> Tool | None:
        """The tool a call means; None for a name nobody answers to."""
        if isinstance(call, FunctionCall | CustomToolCall):
            return self._by_name.get(_name_of(call))
        return self._by_name.get("local_shell")


def _name_of(call: FunctionCall | CustomToolCall) -> str:
    """The name a call means; models that were trained on namespaces put `mcp__server` there."""
    if isinstance(call, FunctionCall) and isinstance(call.namespace, str) and call.namespace.startswith("mcp__"):
        return f"{call.namespace}__{call.name}"
    return call.name


def unknown_call(call: ToolCallItem) -> str:
    """What the model is told when it calls a tool there is none of. Source: spec/tools.md section 3."""
    if isinstance(call, CustomToolCall):
        return f"unsupported custom tool call: {call.name}"
    return f"unsupported call: {getattr(call, 'name', 'local_shell')}"
