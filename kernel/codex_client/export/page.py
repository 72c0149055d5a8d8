"""A thread as one HTML file that stands alone: no script, nothing fetched, both themes, folded details, print.

Its policy allows the one style sheet by its hash and pictures that stand in the file, nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

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
from codex_render import ansi_html, diff_html, markdown, redaction
from codex_render.html_policy import escape
from codex_render.safe_text import one_line
from codex_render.styles import css

_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+\Z")
_OPEN_CHARS = 2_000
"""Output of a failed command that is longer starts folded."""
_NAV_TURNS = 3
"""With fewer turns there is no list of them."""
_BOXES = {"completed": "☑", "in_progress": "◐"}


def to_page(document: Document) -> str:
    """The whole file."""
    style = _style()
    title = escape(one_line(document.title))
    head = "".join(f"<dt>{escape(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts(document))
    notices = "".join(f'<p class="notice">{_text(notice)}</p>' for notice in document.notices)
    turns = "".join(_turn(turn) for turn in document.turns)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">\n'
        f"<title>{title}</title>\n<style>{style}</style></head>\n"
        f'<body class="codex"><main>\n<header><h1>{title}</h1><dl>{head}</dl>{notices}</header>\n'
        f"{_contents(document)}{turns}<footer>A thread of the Codex workbench, exported.</footer>\n"
        "</main></body></html>\n"
    )


def policy(style: str) -> str:
    """The content security policy of a page with this style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=1)
def _style() -> str:
    return f"\n{css()}{Path(__file__).with_name('page.css').read_text('utf-8')}"


def _contents(document: Document) -> str:
    asked = [(turn, part.text) for turn in document.turns for part in turn.parts[:1] if isinstance(part, Asked)]
    if len(asked) < _NAV_TURNS:
        return ""
    items = "".join(
        f'<li value="{turn.number}"><a href="#turn-{turn.number}">{_text(" ".join(text.split())[:120])}</a></li>'
        for turn, text in asked
    )
    return f"<nav><details open><summary>{len(asked)} turns</summary><ol>{items}</ol></details></nav>\n"


def _turn(turn: DocumentTurn) -> str:
    name = f"Turn {turn.number}" if turn.number else "Before the first turn"
    note = turn_note(turn)
    parts = "".join(f'<div class="part">{_part(part)}</div>\n' for part in turn.parts)
    return (
        f'<section id="turn-{turn.number}"><h2><a href="#turn-{turn.number}">{name}</a>'
        f"{f' · {_text(note)}' if note else ''}</h2>\n{parts}</section>\n"
    )


def _part(part: Part) -> str:
    match part:
        case Asked(text=text, images=images):
            pictures = "".join(_picture(image) for image in images)
            return f'<div class="asked">{_text(text)}{pictures}</div>'
        case Said(text=text):
            return markdown.to_html(text)
        case Thought(text=text):
            body = f'<div class="body">{_text(text)}</div>'
            return f'<details class="step thought"><summary>Thought</summary>{body}</details>'
        case Ran():
            return _command(part)
        case Patched(patch=patch, failed=failed, files=files):
            drawn = diff_html.to_html(files) if files else f"<pre>{_text(patch)}</pre>"
            return drawn + ("" if failed is None else f'<pre class="failed">Not applied: {_text(failed)}</pre>')
        case Called(name=name, arguments=arguments, output=output):
            body = "\n".join(text for text in (arguments, output) if text.strip())
            title = f"<span>Call</span><code>{_text(one_line(name))}</code>"
            return f'<details class="step"><summary>{title}</summary><pre class="body">{_text(body)}</pre></details>'
        case Planned(steps=steps, explanation=explanation):
            said = f"<p>{_text(explanation)}</p>" if explanation else ""
            items = "".join(f"<li>{_BOXES.get(step.status, '☐')} {_text(step.step)}</li>" for step in steps)
            return f'{said}<ul class="plan">{items}</ul>'


def _command(command: Ran) -> str:
    bad = command.exit_code not in (None, 0)
    how = outcome(command)
    is_open = bad and len(command.output) <= _OPEN_CHARS
    output = ansi_html.to_html(command.output)
    who = "You ran" if command.yours else "Ran"
    return (
        f'<details class="step"{" open" if is_open else ""}><summary><span>{who}</span>'
        f"<code>{_text(command.script)}</code>"
        f'<span class="how{" bad" if bad else ""}">{escape(how)}</span></summary>'
        f'<pre class="body">{output or "(no output)"}</pre></details>'
    )


def _picture(address: str) -> str:
    if not _IMAGE.match(address):
        return "<p>(a picture that is not in this file)</p>"
    return f'<img src="{address}" alt="a picture the user sent">'


def _text(text: str) -> str:
    """Untrusted text, with what was taken out of it marked."""
    return redaction.to_html(text)
