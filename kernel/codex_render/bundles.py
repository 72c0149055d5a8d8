"""What a notebook's cell shows, as MIME bundles: readable plain text always, Markdown or HTML where that says more.

Pure functions. Markdown of ours is fenced so that nothing in it is obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from codex_protocol.events import ExecCommandBegin, ExecCommandEnd, PlanStep, SessionConfigured
from codex_protocol.file_changes import FileChange
from codex_protocol.token_usage import TokenUsage
from codex_protocol.version import VERSION
from codex_render.amounts import count, duration
from codex_render.change_words import below, name_of, verb_of
from codex_render.command_words import Described, describe, script_of
from codex_render.diff_files import FileDiff, Hunk, of_change, of_changes, parse_diff
from codex_render.diff_rows import counts, rows_of_change
from codex_render.excerpt import excerpt
from codex_render.html_policy import escape
from codex_render.safe_text import one_line, output_text, visible
from codex_render.terminal import Paint, diff_lines, plan_lines

Bundle = dict[str, Any]
"""MIME type to data; `text/plain` is always there."""

_PLAIN = Paint(on=False)
_OUTPUT_HEAD, _OUTPUT_TAIL = 12, 20
_DIFF_LINES = 400
_LINE_CHARACTERS = 400
_OUTPUT_CHARACTERS = 20_000
_IMAGE = re.compile(r"!(?=\[)")


def plain(text: str) -> Bundle:
    """Text as it is, made visible."""
    return {"text/plain": visible(text)}


def markdown(text: str) -> Bundle:
    """What the model said. Pictures become links in every form: nothing is fetched from elsewhere."""
    from codex_render.markdown import to_html

    return {
        "text/plain": visible(text),
        "text/markdown": _IMAGE.sub(r"\\!", visible(text)),
        "text/html": _html(to_html(text)),
    }


def growing_markdown(text: str) -> Bundle:
    """What the model has said so far: no HTML yet, it would be made anew thirty times a second."""
    return {"text/plain": visible(text), "text/markdown": _IMAGE.sub(r"\\!", visible(text))}


def banner(session: SessionConfigured) -> Bundle:
    """Where the thread works, who answers, and what it may: its first output."""
    rows = [("directory", session.cwd), ("model", f"{session.model} ({session.provider})")]
    rows.append(("approval", session.approval_policy.value))
    if session.sandbox is not None:
        rows.append(("sandbox", f"{session.sandbox.summary}, rung {session.sandbox.rung} of 5"))
    if session.branch:
        rows.append(("branch", session.branch))
    origin = " (resumed)" if session.resumed else f" (forked from {session.forked_from})" if session.forked_from else ""
    rows.append(("thread", f"{session.session_id}{f' {session.name!r}' if session.name else ''}{origin}"))
    lines = [f"Codex workbench {VERSION}", *(f"  {name + ':':<11}{one_line(value)}" for name, value in rows)]
    if session.sandbox is not None and session.sandbox.notice:
        lines.append(f"  note: {one_line(session.sandbox.notice)}")
    if session.provider == "demo":
        lines.append("  note: this is the demo model: it follows a fixed plan")
    text = "\n".join(lines)
    return {"text/plain": text, "text/html": _html(f"<pre>{escape(text)}</pre>", styled=True)}


def command_title(began: ExecCommandBegin) -> str:
    """What runs, in words: `• Run pytest -q`; what the user typed, as it was typed."""
    lines: list[str] = []
    own = began.source == "user_shell"
    steps = (Described("Run", script_of(began.command)),) if own else describe(began.command, began.parsed_cmd)
    for step in steps:
        first, *rest = visible(step.what).split("\n")
        lines += [f"• {step.verb} {first}", *(f"    {line}" for line in rest)]
    if not began.sandboxed:
        lines[0] += " (outside the sandbox)"
    return "\n".join(lines)


def running_command(began: ExecCommandBegin, output: str) -> Bundle:
    """A command that runs, with the end of what it printed so far."""
    lines = output_text(output).removesuffix("\n").split("\n") if output else []
    shown = [_cut(line) for line in lines[-_OUTPUT_TAIL:]]
    return _command(command_title(began), shown, "  … running")


def ended_command(began: ExecCommandBegin | None, ended: ExecCommandEnd) -> Bundle:
    """A command with its output and how it went; one with which the model only looked around takes one line."""
    title = command_title(began) if began is not None else "• A command"
    steps = describe(began.command, began.parsed_cmd) if began is not None else (Described("Run", ""),)
    own = began is not None and began.source == "user_shell"
    exploring = not own and ended.exit_code == 0 and all(step.exploring for step in steps)
    bundle = _command(title, [] if exploring else _excerpt(ended.aggregated_output), verdict(ended))
    if not exploring:
        from codex_render.ansi_html import to_html

        output = to_html(ended.aggregated_output, max_chars=_OUTPUT_CHARACTERS)
        parts = (f"<strong>{escape(title)}</strong>", output, escape(verdict(ended).strip()))
        bundle["text/html"] = _html(f"<pre>{chr(10).join(part for part in parts if part)}</pre>")
    return bundle


def past_command(script: str, output: str, exit_code: int | None, seconds: float | None) -> Bundle:
    """A command of which a thread on disk tells; None where it does not say."""
    first, *rest = visible(script).split("\n")
    title = "\n".join([f"• Run {first}", *(f"    {line}" for line in rest)])
    last = "" if exit_code is None else "  ✔ done" if exit_code == 0 else f"  ✗ exit {exit_code}"
    if last and seconds is not None:
        last += f" in {duration(seconds)}"
    bundle = _command(title, _excerpt(output), last)
    from codex_render.ansi_html import to_html

    shown = to_html(output, max_chars=_OUTPUT_CHARACTERS)
    parts = (f"<strong>{escape(title)}</strong>", shown, escape(last.strip()))
    return {**bundle, "text/html": _html(f"<pre>{chr(10).join(part for part in parts if part)}</pre>")}


def verdict(ended: ExecCommandEnd) -> str:
    """How a command went, one line."""
    time = duration(ended.duration.seconds())
    if ended.timed_out:
        return f"  ✗ stopped after its time-out, {time}"
    if ended.exit_code == 0:
        return f"  ✔ done in {time}"
    return "  ✗ did not run" if ended.exit_code == -1 else f"  ✗ exit {ended.exit_code} in {time}"


def changes(files: dict[str, FileChange], cwd: PurePath) -> Bundle:
    """Changed files with their diffs."""
    lines: list[str] = []
    fenced: list[str] = []
    for path, change in files.items():
        added, removed = counts(change)
        name = name_of(path, change, cwd)
        title = f"{verb_of(change)} {name} (+{added} -{removed})"
        rows = list(rows_of_change(change))
        lines += [f"• {title}", *diff_lines(rows, _PLAIN, limit=_DIFF_LINES)]
        body = _numbered(of_change(str(path), change).hunks)[:_DIFF_LINES]
        fenced += [f"**{_escaped(title)}**", "", _fence("\n".join(body), "diff"), ""]
    shown = [
        FileDiff(below(f.path, cwd), f.old_path and below(f.old_path, cwd), f.status, f.hunks, f.note)
        for f in of_changes(files)
    ]
    return {"text/plain": "\n".join(lines), "text/markdown": "\n".join(fenced), "text/html": _diff(shown)}


def _numbered(hunks: Sequence[Hunk]) -> list[str]:
    """Lines of a unified diff, with hunk headers: without numbers where none are known."""
    lines: list[str] = []
    for hunk in hunks:
        old = [row.old for row in hunk.rows if row.old is not None]
        new = [row.new for row in hunk.rows if row.new is not None]
        where = [f"-{_range(old)} +{_range(new)}", "@@"] if old or new else []
        heading = " ".join(["@@", *where, one_line(hunk.heading)]).rstrip()
        lines += [heading, *(f"{_SIGNS[row.kind]}{visible(row.text)}" for row in hunk.rows)]
    return lines


def _range(numbers: Sequence[int]) -> str:
    return f"{numbers[0]},{len(numbers)}" if numbers else "0,0"


def diffs(files: list[FileDiff], *, failed: str | None = None) -> Bundle:
    """Files with their diffs; with `failed`, that they were not changed and why."""
    lines: list[str] = []
    fenced: list[str] = []
    for file in files:
        moved = f"{one_line(file.old_path)} → " if file.old_path is not None else ""
        title = f"{_STATUS_VERBS[file.status]} {moved}{one_line(file.path)} (+{file.added} -{file.removed})"
        rows = [row for hunk in file.hunks for row in hunk.rows]
        lines += [f"• {title}", *diff_lines(rows, _PLAIN, limit=_DIFF_LINES)]
        body = _numbered(file.hunks)[:_DIFF_LINES]
        fenced += [f"**{_escaped(title)}**", "", _fence("\n".join(body), "diff"), ""]
    if failed is not None:
        said = f"✗ Patch not applied: {visible(failed.strip())}"
        lines.append(said)
        fenced.append(_fence(said, "text"))
    return {"text/plain": "\n".join(lines), "text/markdown": "\n".join(fenced), "text/html": _diff(files, failed)}


def unified_diff(text: str) -> Bundle:
    """A diff as git writes it."""
    html = _diff(parse_diff(text))
    return {"text/plain": visible(text), "text/markdown": _fence(visible(text), "diff"), "text/html": html}


def plan(steps: Iterable[PlanStep], explanation: str | None) -> Bundle:
    """The plan as a checklist."""
    steps = tuple(steps)
    title = f"Plan{f': {one_line(explanation)}' if explanation else ''}"
    boxes = [f"- [{'x' if step.status == 'completed' else ' '}] {_step(step)}" for step in steps]
    return {
        "text/plain": "\n".join([f"• {title}", *plan_lines(steps, _PLAIN)]),
        "text/markdown": "\n".join([f"**{_escaped(title)}**", "", *boxes]),
    }


def tokens(usage: TokenUsage, context_left: int | None = None) -> str:
    """What the thread has used so far, one line."""
    fresh = max(0, usage.input_tokens - usage.cached_input_tokens)
    cached = f" + {count(usage.cached_input_tokens)} cached" if usage.cached_input_tokens else ""
    thought = f", of it reasoning {count(usage.reasoning_output_tokens)}" if usage.reasoning_output_tokens else ""
    left = f" · {context_left} % of the context left" if context_left is not None else ""
    return (
        f"tokens used: {count(usage.blended())} (input {count(fresh)}{cached}, "
        f"output {count(usage.output_tokens)}{thought}){left}"
    )


_STATUS_VERBS = {"added": "Add", "deleted": "Delete", "modified": "Edit", "renamed": "Move"}
_SIGNS = {"added": "+", "removed": "-", "context": " ", "gap": "@@ ", "note": "\\ "}


def _html(fragment: str, *, styled: bool = False) -> str:
    """HTML of `codex_render` in the element its style sheet applies to; `styled` brings the sheet along."""
    if not styled:
        return f'<div class="codex">{fragment}</div>'
    from codex_render.styles import css

    return f'<style>{css()}</style><div class="codex">{fragment}</div>'


def _diff(files: list[FileDiff], failed: str | None = None) -> str:
    from codex_render.diff_html import to_html

    why = "" if failed is None else f"<pre>✗ Patch not applied: {escape(failed.strip())}</pre>"
    return _html(to_html(files) + why, styled=True)


def _command(title: str, output: list[str], last: str) -> Bundle:
    text = "\n".join([title, *(f"  {line}" for line in output), last])
    lines = "\n".join([title.removeprefix("• "), *output, *([last.strip()] if last else [])])
    return {"text/plain": text if last else text.removesuffix("\n"), "text/markdown": _fence(lines, "text")}


def _excerpt(text: str) -> list[str]:
    shown = excerpt(output_text(text), head=_OUTPUT_HEAD, tail=_OUTPUT_TAIL)
    cut = [f"… {shown.omitted:,} lines not shown"] if shown.omitted else []
    return [*(_cut(line) for line in shown.head), *cut, *(_cut(line) for line in shown.tail)]


def _cut(line: str) -> str:
    if len(line) <= _LINE_CHARACTERS:
        return line
    return f"{line[:_LINE_CHARACTERS]}… ({len(line) - _LINE_CHARACTERS:,} characters not shown)"


def _fence(text: str, language: str) -> str:
    """A code block that nothing in `text` can close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    """Text that Markdown takes as text."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&])", r"\\\1", text)


def _step(step: PlanStep) -> str:
    text = _escaped(one_line(step.step))
    return f"**{text}**" if step.status == "in_progress" else text
