"""A thread as Markdown: what a wiki, an issue or a mail can hold. Nothing in it is raw HTML, no picture is fetched."""

from __future__ import annotations

from codex_client.export.document import (
    Asked,
    Called,
    Document,
    DocumentTurn,
    Part,
    Patched,
    Planned,
    Ran,
    Said,
    Thought,
)
from codex_client.export.words import facts, outcome, turn_note
from codex_render.bundles import diffs
from codex_render.excerpt import excerpt
from codex_render.markdown_text import escaped, fence, without_html
from codex_render.safe_text import one_line, output_text

_HEAD_LINES, _TAIL_LINES = 60, 60


def to_markdown(document: Document) -> str:
    """The whole file, with a line end."""
    lines = [f"# {escaped(one_line(document.title))}", ""]
    lines += [f"- {name}: {escaped(value)}" for name, value in facts(document)]
    for notice in document.notices:
        lines += ["", f"> {escaped(one_line(notice))}"]
    for turn in document.turns:
        lines += _turn(turn)
    return "\n".join(lines) + "\n"


def _turn(turn: DocumentTurn) -> list[str]:
    note = turn_note(turn)
    head = f"## Turn {turn.number}" if turn.number else "## Before the first turn"
    lines = ["", head + (f" · {escaped(note)}" if note else "")]
    for part in turn.parts:
        lines += ["", *_part(part)]
    return lines


def _part(part: Part) -> list[str]:
    match part:
        case Asked(text=text, images=images):
            with_images = [f"> ({len(images)} picture{'s' if len(images) > 1 else ''})"] if images else []
            return [*(f"> {line}".rstrip() for line in without_html(text).split("\n")), *with_images]
        case Said(text=text):
            return [without_html(text)]
        case Thought(text=text):
            return ["*Thought:*", "", without_html(text)]
        case Ran():
            who = "You ran" if part.yours else "Ran"
            how = outcome(part)
            shown = _excerpt(part.output)
            block = ["", fence(shown)] if shown else []
            return [f"**{who}**{f' · {how}' if how else ''}", "", fence(part.script, "sh"), *block]
        case Patched(patch=patch, failed=failed, files=files):
            return [diffs(list(files), failed=failed)["text/markdown"].rstrip()] if files else [fence(patch)]
        case Called(name=name, arguments=arguments, output=output):
            blocks = [fence(text) for text in (arguments, _excerpt(output)) if text.strip()]
            return [f"**Called** {escaped(one_line(name))}", *(line for block in blocks for line in ("", block))]
        case Planned(steps=steps, explanation=explanation):
            boxes = [
                f"- [{'x' if step.status == 'completed' else ' '}] {escaped(one_line(step.step))}" for step in steps
            ]
            return [f"**Plan**{f': {escaped(one_line(explanation))}' if explanation else ''}", "", *boxes]


def _excerpt(text: str) -> str:
    shown = excerpt(output_text(text), head=_HEAD_LINES, tail=_TAIL_LINES)
    cut = [f"… {shown.omitted:,} lines not shown"] if shown.omitted else []
    return "\n".join([*shown.head, *cut, *shown.tail]).rstrip()
