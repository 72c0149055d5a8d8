"""Tool calls as hooks see them: a name, an input, a bare output; and calls as hooks rewrite them.

Source: spec/execpolicy-and-hooks.md sections 2.1 and 2.3.
"""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple, cast

import msgspec

from codex_kernel.policy.shell_script import patch_in_script, script_of
from codex_kernel.tools.interface import ToolOutput
from codex_protocol.events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from codex_protocol.items import CustomToolCall, LocalShellCall, ToolCallItem, output_text

_SHELLS = frozenset({"shell", "container.exec", "local_shell"})


class ToolUse(NamedTuple):
    """A call as hooks see it."""

    name: str
    names: tuple[str, ...]
    """Everything matchers are compared with."""
    input: dict[str, Any]
    text: str
    """The command, patch or arguments in one text."""
    tool: str
    """The tool's own name."""


def arguments_of(call: ToolCallItem) -> ToolUse:
    """What a call asks for; a call that cannot be read keeps its text."""
    if isinstance(call, LocalShellCall):
        return _shell(call.action.command, "local_shell")
    tool = call.name
    if isinstance(call, CustomToolCall):
        return _patch(call.input, tool) if tool == "apply_patch" else _use(tool, {"input": call.input}, call.input)
    arguments = _decoded(call.arguments)
    if arguments is None:
        return _use(tool, {"arguments": call.arguments}, call.arguments)
    match arguments:
        case {"cmd": str() as line} if tool == "exec_command":
            return _shell(("/bin/bash", "-lc", line), tool)
        case {"command": list()} if tool in _SHELLS:
            words = cast("list[object]", arguments["command"])
            return _shell(tuple(map(str, words)), tool)
        case {"input": str() as text} if tool == "apply_patch":
            return _patch(text, tool)
        case _:
            return _use(tool, arguments, call.arguments)


def approval_of(request: ApprovalRequest) -> tuple[str, dict[str, Any]]:
    """What an approval is about: a tool's name and input."""
    match request:
        case ExecApprovalRequest():
            use = _shell(request.command, "shell")
            reason = {"description": request.reason} if request.reason else {}
            return "Bash", {"command": use.text, **reason}
        case ApplyPatchApprovalRequest():
            reason = {"description": request.reason} if request.reason else {}
            return "apply_patch", {"changes": msgspec.to_builtins(request.changes), **reason}
        case _:
            arguments: object = request.arguments
            fields = cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else {"arguments": arguments}
            return f"mcp__{request.server}__{request.tool}", fields


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        found: object = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _use(tool: str, arguments: dict[str, Any], text: str) -> ToolUse:
    return ToolUse(tool, (tool,), arguments, text, tool)


def _shell(argv: tuple[str, ...], tool: str) -> ToolUse:
    patch = patch_in_script(argv) if argv else None
    if patch is not None:
        return _patch(patch.text, tool)
    script = script_of(argv)
    text = script if script is not None else shlex.join(argv)
    return ToolUse("Bash", ("Bash",), {"command": text}, text, tool)


def _patch(text: str, tool: str) -> ToolUse:
    return ToolUse("apply_patch", ("apply_patch", "Edit", "Write"), {"command": text}, text, tool)


def rewritten(call: ToolCallItem, updated: dict[str, Any]) -> ToolCallItem:
    """The call with what a hook put in the place of its input.

    For commands and patches that is `command`; for other tools all arguments.
    """
    command = updated.get("command")
    use = arguments_of(call)
    text = command if isinstance(command, str) else use.text
    if isinstance(call, LocalShellCall):
        argv = ("/bin/bash", "-lc", text)
        return msgspec.structs.replace(call, action=msgspec.structs.replace(call.action, command=argv))
    if isinstance(call, CustomToolCall):
        return msgspec.structs.replace(call, input=text if call.name == "apply_patch" else call.input)
    arguments = _decoded(call.arguments) or {}
    if use.name == "apply_patch" and use.tool == "apply_patch":
        arguments = {**arguments, "input": text}
    elif use.name == "apply_patch":  # the patch stood in a command
        script = f"apply_patch <<'CODEX_HOOK_PATCH'\n{text}\nCODEX_HOOK_PATCH\n"
        arguments = _with_command(arguments, use.tool, script)
    elif use.name == "Bash":
        arguments = _with_command(arguments, use.tool, text)
    else:
        arguments = updated
    return msgspec.structs.replace(call, arguments=msgspec.json.encode(arguments).decode())


def _with_command(arguments: dict[str, Any], tool: str, text: str) -> dict[str, Any]:
    return arguments | ({"cmd": text} if tool == "exec_command" else {"command": ["/bin/bash", "-lc", text]})


def bare_output(use: ToolUse, output: ToolOutput) -> str:
    """What a call printed, without what is wrapped around it for the model."""
    text = output_text(output.content)
    if use.tool == "exec_command" and use.name == "Bash":
        head, mark, rest = text.partition("\nOutput:\n")
        return rest if mark and "\n" in head else text
    if use.tool in _SHELLS and use.name == "Bash":
        found = _decoded(text)
        inner = found.get("output") if found is not None else None
        return inner if isinstance(inner, str) else text
    return text
