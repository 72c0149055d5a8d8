"""A thread as a notebook of the Codex kernel: what the user said are its cells, what came of it their outputs.

Opening it runs nothing: outputs are text, Markdown and HTML without scripts, and the notebook does not claim to be
trusted. Running its cells has the agent do the work anew, with the rights of who runs it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from codex_client.export.document import Asked, Called, Document, Part, Patched, Planned, Ran, Said, Thought
from codex_client.export.words import facts, turn_note
from codex_render import bundles
from codex_render.markdown_text import escaped, without_html
from codex_render.safe_text import one_line, visible

_IMAGE = re.compile(r"data:(image/(?:png|jpeg|gif|webp));base64,([A-Za-z0-9+/=\s]+)\Z")
_STEERS = ("!", "/", "%")
_METADATA = {
    "kernelspec": {"display_name": "Codex", "language": "codex", "name": "codex"},
    "language_info": {"name": "codex", "file_extension": ".md", "mimetype": "text/markdown"},
}


def to_notebook(document: Document) -> str:
    """The whole file: nbformat 4.5 as JSON."""
    cells = [_head(document)]
    number = 0
    for turn in document.turns:
        cell: dict[str, Any] | None = None
        for part in turn.parts:
            source = _source(part)
            if source is not None or cell is None:
                number += 1
                cell = _cell(f"turn-{turn.number}-{number}", source or "", number)
                cells.append(cell)
            cell["outputs"] += [_display(bundle) for bundle in _bundles(part)]
        note = turn_note(turn)
        if cell is not None and turn.error is not None:
            cell["outputs"].append(_error(turn.error))
        elif cell is not None and note and turn.status != "completed":
            cell["outputs"].append(_display(bundles.plain(f"• This turn was {turn.status}.")))
    notebook = {"cells": cells, "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _head(document: Document) -> dict[str, Any]:
    lines = [f"# {escaped(one_line(document.title))}", ""]
    lines += [f"- {name}: {escaped(value)}" for name, value in facts(document)]
    lines += ["", "Opening this notebook runs nothing. Running its cells on the Codex kernel has the agent do it anew."]
    return {"cell_type": "markdown", "id": "head", "metadata": {}, "source": _lines("\n".join(lines))}


def _cell(id: str, source: str, number: int) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": number,
        "id": id,
        "metadata": {},
        "outputs": [],
        "source": _lines(source),
    }


def _source(part: Part) -> str | None:
    """The cell that a part begins; None when it is an output of the one before.

    A message that the kernel would take as a command or a setting gets a word in front.
    """
    match part:
        case Asked(text=text):
            return f"Message: {visible(text)}" if text.lstrip().startswith(_STEERS) else visible(text)
        case Ran(yours=True, script=script):
            return f"!{visible(script)}"
        case _:
            return None


def _bundles(part: Part) -> list[bundles.Bundle]:
    match part:
        case Asked(images=images):
            return [_picture(image) for image in images]
        case Said(text=text):
            return [{**bundles.markdown(text), "text/markdown": without_html(text)}]
        case Thought(text=text):
            return [bundles.plain(f"• Thought: {text}")]
        case Ran():
            return [bundles.past_command(part.script, part.output, part.exit_code, part.duration_s)]
        case Patched(patch=patch, failed=failed, files=files):
            return [bundles.diffs(list(files), failed=failed) if files else bundles.plain(patch)]
        case Called(name=name, arguments=arguments, output=output):
            return [bundles.plain(f"• Call {one_line(name)} {arguments}\n{output}".rstrip())]
        case Planned(steps=steps, explanation=explanation):
            return [bundles.plan(steps, explanation)]


def _picture(address: str) -> bundles.Bundle:
    found = _IMAGE.match(address)
    if found is None:
        return bundles.plain("• a picture that is not in this file")
    return {"text/plain": "• a picture", found[1]: "".join(found[2].split())}


def _display(bundle: bundles.Bundle) -> dict[str, Any]:
    data = {mime: value if mime.startswith("image/") else _lines(value) for mime, value in bundle.items()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _error(message: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "TurnFailed", "evalue": visible(message), "traceback": [visible(message)]}


def _lines(text: str) -> list[str]:
    """As notebooks keep text: a list of lines with their ends."""
    return [line for line in re.split(r"(?<=\n)", text) if line]
