"""Commands, patches and MCP calls as blocks of lines for a person."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, cast

import msgspec

from codex_protocol.events import (
    ExecCommandBegin,
    ExecCommandEnd,
    McpToolCallEnd,
    PatchApplyBegin,
    PatchApplyEnd,
)
from codex_render.amounts import duration
from codex_render.change_words import name_of, verb_of
from codex_render.command_words import Described, describe
from codex_render.diff_rows import counts, rows_of_change
from codex_render.excerpt import excerpt, shorten
from codex_render.safe_text import one_line, output_text, visible
from codex_render.terminal import Paint, diff_lines

_HEAD_LINES = 6
_TAIL_LINES = 8
_DIFF_LINES = 80
_SCRIPT_LINES = 12
_LINE_CHARACTERS = 400
_TITLE_CHARACTERS = 200


def command_title(began: ExecCommandBegin, paint: Paint) -> list[str]:
    """What runs, in words; a script of several lines whole, up to a limit."""
    lines: list[str] = []
    for step in describe(began.command, began.parsed_cmd):
        lines.extend(_step_lines(step, paint))
    if not began.sandboxed:
        lines[0] += paint.warn(" (outside the sandbox)")
    return lines


def command_block(began: ExecCommandBegin | None, ended: ExecCommandEnd, paint: Paint, *, titled: bool) -> list[str]:
    """How it went: looking around takes one line, everything else shows the head and tail of its output.

    Args:
        began: The beginning; None when it was not seen.
        ended: The end.
        paint: Colours.
        titled: Whether the title is part of the block; False when it stands right above.
    """
    steps = describe(began.command, began.parsed_cmd) if began is not None else (Described("Run", "a command"),)
    title = (command_title(began, paint) if began is not None else [f"{paint.accent('•')} A command"]) if titled else []
    time = duration(ended.duration.seconds())
    if ended.exit_code == 0 and all(step.exploring for step in steps):
        title[-1:] = [f"{title[-1]} {paint.dim(time)}"] if title else []
        return title
    return [*title, *_output(ended.aggregated_output, paint), f"  {_verdict(ended, paint)} {paint.dim(f'in {time}')}"]


def patch_block(began: PatchApplyBegin | None, ended: PatchApplyEnd, cwd: PurePath, paint: Paint) -> list[str]:
    """The changed files with their diffs, or why the patch could not be written."""
    if not ended.success:
        return [f"{paint.bad('✗ Patch not applied')}", *_output(ended.stderr or ended.stdout, paint)]
    lines: list[str] = []
    for path, change in (began.changes if began is not None else {}).items():
        added, removed = counts(change)
        size = f"({paint.good(f'+{added}')} {paint.bad(f'-{removed}')})"
        lines.append(f"{paint.accent('•')} {paint.bold(verb_of(change))} {name_of(path, change, cwd)} {size}")
        lines.extend(diff_lines(rows_of_change(change), paint, limit=_DIFF_LINES))
    return lines


def mcp_block(ended: McpToolCallEnd, paint: Paint) -> list[str]:
    """The call, how it went, and the head of its text."""
    called = ended.invocation
    arguments = "" if called.arguments is None else msgspec.json.encode(called.arguments).decode("utf-8", "replace")
    text, failed = _mcp_text(ended.result)
    mark = paint.bad("✗ failed") if failed else paint.good("✔")
    call = one_line(f"{called.server}.{called.tool}({shorten(arguments, _LINE_CHARACTERS)})")
    return [
        f"{paint.accent('•')} {paint.bold('Call')} {call}",
        *_output(text, paint),
        f"  {mark} {paint.dim(f'in {duration(ended.duration.seconds())}')}",
    ]


def _step_lines(step: Described, paint: Paint) -> list[str]:
    script = excerpt(visible(step.what), head=_SCRIPT_LINES - 2, tail=2)
    first, *rest = [shorten(line, _TITLE_CHARACTERS) for line in script.head] or [""]
    lines = [f"{paint.accent('•')} {paint.bold(step.verb)} {first}", *(f"    {line}" for line in rest)]
    if script.omitted:
        lines.append(paint.dim(f"    … {script.omitted} lines of the script not shown"))
    lines.extend(f"    {shorten(line, _TITLE_CHARACTERS)}" for line in script.tail)
    return lines


def _verdict(ended: ExecCommandEnd, paint: Paint) -> str:
    if ended.timed_out:
        return paint.bad("✗ stopped after its time-out")
    if ended.exit_code == 0:
        return paint.good("✔ done")
    return paint.bad("✗ did not run" if ended.exit_code == -1 else f"✗ exit {ended.exit_code}")


def _output(text: str, paint: Paint) -> list[str]:
    shown = excerpt(output_text(text), head=_HEAD_LINES, tail=_TAIL_LINES)
    lines = [paint.dim(f"  {_cut(line)}") for line in shown.head]
    if shown.omitted:
        lines.append(paint.dim(f"  … {shown.omitted:,} lines not shown"))
    lines.extend(paint.dim(f"  {_cut(line)}") for line in shown.tail)
    return lines


def _cut(line: str) -> str:
    if len(line) <= _LINE_CHARACTERS:
        return line
    return f"{line[:_LINE_CHARACTERS]}… ({len(line) - _LINE_CHARACTERS:,} characters not shown)"


def _mcp_text(raw: dict[str, Any]) -> tuple[str, bool]:
    if "Ok" not in raw:
        return str(raw.get("Err", "the call failed")), True
    result = cast("dict[str, Any]", raw["Ok"]) if isinstance(raw["Ok"], dict) else {}
    parts: list[str] = []
    content = result.get("content")
    for part in cast("list[object]", content) if isinstance(content, list) else []:
        if isinstance(part, dict):
            fields = cast("dict[str, Any]", part)
            parts.append(str(fields["text"]) if isinstance(fields.get("text"), str) else f"({fields.get('type')})")
    return "\n".join(parts), bool(result.get("isError"))
