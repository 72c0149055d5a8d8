"""The lines a human run begins with: where, who answers, what is allowed."""

from __future__ import annotations

from codex_protocol.events import SessionConfigured
from codex_render.excerpt import excerpt
from codex_render.safe_text import one_line, visible
from codex_render.terminal import Paint

_PROMPT_LINES = 8


def banner(session: SessionConfigured, version: str, prompt: str, paint: Paint) -> list[str]:
    """The banner and the prompt."""
    rows = [("workdir", session.cwd), ("model", session.model), ("provider", session.provider)]
    rows.append(("approval", session.approval_policy.value))
    if session.sandbox is not None:
        rows.append(("sandbox", f"{session.sandbox.summary} (rung {session.sandbox.rung} of 5)"))
    if session.effort is not None:
        rows.append(("reasoning effort", session.effort.value))
    if session.branch:
        rows.append(("branch", session.branch))
    origin = " (resumed)" if session.resumed else f" (forked from {session.forked_from})" if session.forked_from else ""
    rows.append(("thread", f"{session.session_id}{f' {session.name!r}' if session.name else ''}{origin}"))
    if session.provider == "demo":
        rows.append(("note", "this is the demo model: it follows a fixed plan and asks nobody"))
    width = max(len(name) for name, _ in rows) + 1
    lines = [paint.bold(f"Codex workbench {version}")]
    lines.extend(f"  {paint.dim(f'{name}:'.ljust(width))} {one_line(value)}" for name, value in rows)
    if session.sandbox is not None and session.sandbox.notice:
        lines.append(f"{paint.warn('note:')} {one_line(session.sandbox.notice)}")
    lines.append("")
    lines.extend(_prompt(prompt, paint))
    return lines


def _prompt(prompt: str, paint: Paint) -> list[str]:
    shown = excerpt(visible(prompt.strip("\n")), head=_PROMPT_LINES - 2, tail=2)
    lines = [f"{paint.accent('>')} {paint.bold(line)}" for line in shown.head]
    if shown.omitted:
        lines.append(paint.dim(f"  … {shown.omitted} lines of the prompt not shown"))
    lines.extend(f"{paint.accent('>')} {paint.bold(line)}" for line in shown.tail)
    return lines
