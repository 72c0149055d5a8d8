"""Results as people see them: plain text for terminals, HTML for notebooks.

All that others wrote goes through `codex_render`.
"""

from __future__ import annotations

import re

from codex_client.results import AgentText, CommandRun, Item, PatchRun, Thought, ToolRun, TurnResult, WebSearch
from codex_protocol.file_changes import FileChange
from codex_render.amounts import count, duration
from codex_render.diff_rows import counts, rows_of_change
from codex_render.excerpt import excerpt
from codex_render.safe_text import one_line, output_text, visible
from codex_render.terminal import Paint, diff_lines, plan_lines

_PLAIN = Paint(on=False)
_HEAD, _TAIL = 8, 12
_DIFF_LINES = 200
_LINE = 300
_PRE = "max-height:24em;overflow:auto;font-family:monospace;font-size:90%;line-height:1.35;margin:.2em 0"
_SIGNED = re.compile(r"\s*\d+ ([+-])")
_ROW_COLOURS = {"+": "rgba(46,160,67,.18)", "-": "rgba(248,81,73,.18)"}


def plain(result: TurnResult) -> str:
    """The result as text: what was done, line by line, then the answer."""
    lines: list[str] = []
    for item in result.items:
        lines += _plain_item(item, result)
    if result.plan:
        lines += ["• Plan", *plan_lines(result.plan, _PLAIN)]
    lines += [f"! {visible(text)}" for text in result.warnings]
    if result.error:
        lines.append(f"✗ {visible(result.error)}")
    elif result.final_response:
        lines += ["", visible(result.final_response)] if lines else [visible(result.final_response)]
    if result.parsed is not None:
        lines.append(f"→ {result.parsed!r}")
    lines += ["", footer(result)]
    return "\n".join(lines)


def html(result: TurnResult) -> str:
    """The result as HTML: the answer open, what was done folded away above it."""
    from codex_render.html_policy import escape
    from codex_render.markdown import to_html

    parts = [f"<details>{_summary(_done(result))}{_steps(result)}</details>"] if result.items else []
    for passed in result.context:
        title = f"sent along: {passed.name} ({passed.kind}{', cut' if passed.cut else ''})"
        parts.append(f"<details>{_summary(title)}{_pre(passed.text)}</details>")
    changed = result.changes
    if changed:
        parts.append(f"<details open>{_summary(_files(changed))}{_diff(changed, result.cwd)}</details>")
    if result.plan:
        marks = {"completed": "✔", "in_progress": "→", "pending": "○"}
        rows = "".join(f"<div>{marks[step.status]} {escape(step.step)}</div>" for step in result.plan)
        parts.append(f"<details>{_summary('Plan')}{rows}</details>")
    parts += [f"<div><b>Warning:</b> {escape(text)}</div>" for text in result.warnings]
    if result.error:
        parts.append(f"<div><b>✗ {escape(result.error)}</b></div>")
    elif result.final_response:
        parts.append(f"<div>{to_html(result.final_response)}</div>")
    if result.parsed is not None:
        parts.append(_pre(repr(result.parsed)))
    parts.append(f'<div style="opacity:.65;font-size:85%">{escape(footer(result))}</div>')
    return f'<div class="codex-result">{"".join(parts)}</div>'


def footer(result: TurnResult) -> str:
    """How it went and what it used, one line."""
    usage = result.usage
    tokens = f"{count(usage.blended())} tokens" if usage.total_tokens else ""
    parts = [result.status, duration(result.duration_s), one_line(result.model), tokens]
    return " · ".join(part for part in parts if part)


def command_line(run: CommandRun) -> str:
    """A command and how it went, one line."""
    how = "…" if run.exit_code is None else "✔" if run.exit_code == 0 else "✗"
    code = f" exit {run.exit_code}" if run.exit_code not in (None, 0, -1) else ""
    refused = " did not run" if run.exit_code == -1 else " timed out" if run.timed_out else ""
    outside = " (outside the sandbox)" if not run.sandboxed else ""
    return f"{how} $ {_cut(one_line(run.script))}{outside}{refused or code}"


def _plain_item(item: Item, result: TurnResult) -> list[str]:
    match item:
        case CommandRun():
            return [command_line(item), *(f"    {line}" for line in _excerpt(item.output))]
        case PatchRun(success=True):
            lines: list[str] = []
            for path, change in item.changes.items():
                added, removed = counts(change)
                lines.append(f"• {_name(path, result.cwd)} (+{added} -{removed})")
                lines += diff_lines(list(rows_of_change(change)), _PLAIN, limit=_DIFF_LINES)
            return lines
        case AgentText(text=text):
            return [] if text == result.final_response else [f"» {visible(text)}"]
        case _:
            return [_one_line(item)]


def _one_line(item: Item) -> str:
    match item:
        case CommandRun():
            return command_line(item)
        case PatchRun():
            what = ", ".join(one_line(path) for path in item.changes) or "a patch"
            return f"{'✔' if item.success else '✗'} patch {what}{'' if item.success else ': ' + one_line(item.message)}"
        case ToolRun():
            return f"{_tool_mark(item)} {one_line(item.server)}.{one_line(item.tool)}"
        case WebSearch():
            return f"• searched the web: {one_line(item.query)}"
        case Thought():
            return f"~ {_cut(one_line(item.text))}"
        case AgentText():
            return f"» {_cut(one_line(item.text))}"


def _tool_mark(item: ToolRun) -> str:
    return "…" if item.result is None else "✔" if "Ok" in item.result else "✗"


def _steps(result: TurnResult) -> str:
    from codex_render.html_policy import escape

    parts: list[str] = []
    for item in result.items:
        if isinstance(item, CommandRun) and item.output.strip():
            output = "\n".join(_excerpt(item.output))
            parts.append(f"<details>{_summary(command_line(item))}{_pre(output)}</details>")
        elif not (isinstance(item, AgentText) and item.text == result.final_response):
            parts.append(f"<div>{escape(_one_line(item))}</div>")
    return "".join(parts)


def _done(result: TurnResult) -> str:
    commands = len(result.commands)
    patches = sum(isinstance(item, PatchRun) for item in result.items)
    tools = sum(isinstance(item, ToolRun) for item in result.items)
    parts = [_many(commands, "command"), _many(patches, "patch", "patches"), _many(tools, "tool call")]
    return ", ".join(part for part in parts if part) or "what was said on the way"


def _many(number: int, one: str, more: str | None = None) -> str:
    return "" if not number else f"{number} {one if number == 1 else more or one + 's'}"


def _files(changed: dict[str, FileChange]) -> str:
    sums = [counts(change) for change in changed.values()]
    added, removed = sum(each[0] for each in sums), sum(each[1] for each in sums)
    return f"{_many(len(changed), 'file')} changed (+{added} -{removed})"


def _diff(changed: dict[str, FileChange], cwd: str) -> str:
    from codex_render.html_policy import escape

    parts: list[str] = []
    for path, change in changed.items():
        lines = diff_lines(list(rows_of_change(change)), _PLAIN, limit=_DIFF_LINES)
        rows = "".join(_diff_row(line) for line in lines)
        parts.append(f'<div><code>{escape(_name(path, cwd))}</code></div><pre style="{_PRE}">{rows}</pre>')
    return "".join(parts)


def _diff_row(line: str) -> str:
    """One row of a diff; its sign stands behind the number and also tells where colours do not."""
    from codex_render.html_policy import escape

    signed = _SIGNED.match(line)
    colour = _ROW_COLOURS[signed[1]] if signed is not None else ""
    style = f' style="background:{colour}"' if colour else ""
    return f"<div{style}>{escape(line) or ' '}</div>"


def _summary(text: str) -> str:
    from codex_render.html_policy import escape

    return f"<summary>{escape(text)}</summary>"


def _pre(text: str) -> str:
    from codex_render.html_policy import escape

    return f'<pre style="{_PRE}">{escape(text)}</pre>'


def _excerpt(output: str) -> list[str]:
    text = output_text(output)
    if not text.strip():
        return []
    shown = excerpt(text, head=_HEAD, tail=_TAIL)
    cut = [f"… {shown.omitted:,} lines not shown"] if shown.omitted else []
    return [*(_cut(line) for line in shown.head), *cut, *(_cut(line) for line in shown.tail)]


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}… ({len(line) - _LINE:,} characters not shown)"


def _name(path: str, cwd: str) -> str:
    return one_line(path.removeprefix(f"{cwd}/") if cwd else path)
