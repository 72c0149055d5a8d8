"""The family of a thread as rows: each message of the user's once, in the branch that it was said in."""

from __future__ import annotations

from typing import Any

from codex_render.safe_text import one_line
from codex_store.thread_tree import Branch

Json = dict[str, Any]
_NAME_CHARS = 80


def branch_view(branch: Branch, level: int = 1) -> list[Json]:
    """The rows of a branch and of all that grew out of it, in the order of the conversation.

    A row of kind `branch` opens one; those of kind `prompt` follow one level deeper, and further branches stand behind
    the message after which they begin.
    """
    info = branch.info
    name = one_line(" ".join((info.name or "").split()))[:_NAME_CHARS]
    rows: list[Json] = [row for child in branch.before for row in branch_view(child, level)]
    rows.append({"kind": "branch", "level": level, "thread": info.id, "name": name, "archived": info.archived})
    for prompt in branch.prompts:
        text = one_line(" ".join(prompt.text.split()))
        row = {"kind": "prompt", "level": level + 1, "thread": info.id, "number": prompt.number}
        rows.append({**row, "text": text, "at": prompt.at})
        rows += [row for child in prompt.branches for row in branch_view(child, level + 2)]
    return rows
