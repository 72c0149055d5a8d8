"""Facts of events as the page's fields: commands in words, patches as diffs, settings, the plan."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import msgspec

from codex_protocol.events import ExecCommandBegin, PlanStep, SessionConfigured, TokenCount, TurnContextChanged
from codex_protocol.file_changes import FileChange
from codex_protocol.policy import mode_of
from codex_render.command_words import describe, script_of
from codex_render.diff_files import FileDiff, of_changes
from codex_render.safe_text import one_line, safe_json, visible

Json = dict[str, Any]
_TITLE_CHARS = 300
_MAX_TOOL_CHARS = 50_000


def command_fields(begun: ExecCommandBegin) -> Json:
    """What runs, in words and exactly."""
    steps = describe(begun.command, begun.parsed_cmd)
    return {
        "steps": [[step.verb, one_line(step.what)[:_TITLE_CHARS]] for step in steps],
        "exploring": all(step.exploring for step in steps),
        "script": visible(script_of(begun.command)),
        "cwd": one_line(begun.cwd),
        "sandboxed": begun.sandboxed,
        "yours": begun.source == "user_shell",
    }


def patch_fields(changes: Mapping[str, FileChange], cwd: str) -> Json:
    """A patch that was made: what `PatchEntry` takes, paths relative to the thread's directory."""
    return file_fields(of_changes({relative(path, cwd): change for path, change in changes.items()}))


def file_fields(files: Sequence[FileDiff]) -> Json:
    """What `PatchEntry` takes for the diffs of these files."""
    names = [one_line(file.path) for file in files]
    verbs = {file.status for file in files}
    verb = {"added": "Add", "deleted": "Delete", "renamed": "Move"}.get(next(iter(verbs), ""), "Edit")
    return {
        "verb": verb if len(verbs) == 1 else "Edit",
        "what": names[0] if len(names) == 1 else f"{len(names)} files",
        "added": sum(file.added for file in files),
        "removed": sum(file.removed for file in files),
        "files": [[one_line(file.path), file.added, file.removed] for file in files],
        "diffs": files,
        "error": "",
    }


def relative(path: str, cwd: str) -> str:
    """The path as it is said of a thread in `cwd`."""
    pure = PurePath(path)
    return str(pure.relative_to(cwd)) if cwd and pure.is_relative_to(cwd) else path


def settings_fields(told: SessionConfigured | TurnContextChanged) -> Json:
    """The thread's settings for its head."""
    fields: Json = {
        "cwd": told.cwd,
        "where": one_line(told.cwd),
        "directory": one_line(_short(told.cwd)),
        "model": one_line(told.model),
        "approval": told.approval_policy.value,
        "effort": None if told.effort is None else told.effort.value,
    }
    if isinstance(told, TurnContextChanged) and told.summary is not None:
        fields["summary"] = told.summary.value
    if told.sandbox_policy is not None:
        fields["sandbox"] = mode_of(told.sandbox_policy).value
    if isinstance(told, SessionConfigured):
        fields["thread"] = told.session_id
        fields["provider"] = one_line(told.provider)
        fields["name"] = None if told.name is None else one_line(told.name)
        fields["branch"] = None if told.branch is None else one_line(told.branch)
        fields["forked_from"] = told.forked_from
        if told.sandbox is not None:
            fields["rung"] = told.sandbox.rung
            fields["rung_note"] = None if told.sandbox.notice is None else one_line(told.sandbox.notice)
    return fields


def _short(path: str) -> str:
    home = os.path.expanduser("~")
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def plan_fields(note: str | None, plan: Iterable[PlanStep]) -> Json:
    """The plan as `[step, status]` pairs."""
    return {
        "plan": [[one_line(step.step), step.status] for step in plan],
        "plan_note": one_line(note) if note else "",
    }


def context_left(told: TokenCount) -> int | None:
    """Percent of the model's window that the next request can still fill."""
    window = told.model_context_window
    if not window:
        return None
    used = max(0, told.total_tokens - (told.reasoning_output_tokens or 0))
    return max(0, 100 * (window - used) // window)


def call_arguments(arguments: Any) -> str:
    """The arguments of a tool call, for reading."""
    if arguments in (None, {}):
        return ""
    return safe_json(msgspec.json.format(msgspec.json.encode(arguments), indent=2).decode())[:_MAX_TOOL_CHARS]


def mcp_images(result: Mapping[str, Any]) -> list[str]:
    """The images in what a call to an MCP server came to, as `data:` URLs."""
    found = result.get("Ok")
    content = found.get("content") if isinstance(found, dict) else None
    return [
        f"data:image/png;base64,{part['data']}"  # what it is, is seen by its first bytes
        for part in (content if isinstance(content, list) else [])
        if isinstance(part, dict) and part.get("type") == "image" and isinstance(part.get("data"), str)
    ]


def mcp_result(result: Mapping[str, Any]) -> Json:
    """What a call to an MCP server came to, as text."""
    if (problem := result.get("Err")) is not None:
        return {"state": "failed", "text": visible(str(problem))[:_MAX_TOOL_CHARS]}
    found = result.get("Ok")
    content = found.get("content") if isinstance(found, dict) else None
    parts = [_part(part) for part in content] if isinstance(content, list) else []
    failed = isinstance(found, dict) and bool(found.get("isError"))
    return {"state": "failed" if failed else "done", "text": "\n".join(parts)[:_MAX_TOOL_CHARS]}


def _part(part: Any) -> str:
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            return visible(part["text"])
        if part.get("type") in ("image", "audio"):
            return f"({part['type']})"
    return safe_json(msgspec.json.encode(part).decode())
