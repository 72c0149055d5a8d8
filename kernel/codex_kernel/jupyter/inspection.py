"""What stands at the cursor, told: a path's head, a command's or a setting's meaning."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.setting_lines import SETTINGS
from codex_kernel.jupyter.slash_commands import COMMANDS, prompts_of
from codex_render.amounts import count
from codex_render.safe_text import visible

_HEAD_LINES = 40
_HEAD_BYTES = 16_384
_WORD = re.compile(r"\S+")


async def inspect_at(agent: Agent, code: str, cursor: int) -> dict[str, Any]:
    """The content of an `inspect_reply`."""
    text = await _about(agent, _word_at(code, cursor))
    data = {"text/plain": text} if text else {}
    return {"status": "ok", "found": bool(text), "data": data, "metadata": {}}


def _word_at(code: str, cursor: int) -> str:
    for match in _WORD.finditer(code):
        if match.start() <= cursor <= match.end():
            return match[0]
    return ""


async def _about(agent: Agent, word: str) -> str:
    kind, name = word[:1], word[1:]
    if kind == "/" and name in COMMANDS:
        return f"/{name}: {COMMANDS[name][0]}"
    if kind == "/":
        for prompt in prompts_of(agent):
            if prompt.name == name:
                return f"/{name}: your prompt {prompt.path}\n\n{visible(prompt.content)}"
    if kind == "%" and name in SETTINGS:
        return f"%{name}: {SETTINGS[name][0]}"
    path = name if kind == "@" else word
    return await asyncio.to_thread(_head, agent.cwd, path) if path else ""


def _head(cwd: Path, name: str) -> str:
    """The beginning of a file inside the thread's directory; a cell must not become a window on everything else."""
    try:
        path = (cwd / name).resolve()
        if not path.is_relative_to(cwd.resolve()):
            return ""
        if path.is_dir():
            names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in path.iterdir())
            return visible("\n".join([f"{name}: {count(len(names))} entries", *names[:_HEAD_LINES]]))
        if not path.is_file():
            return ""
        size = path.stat().st_size
        with path.open("rb") as stream:
            data = stream.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return ""
    if b"\0" in data:
        return f"{visible(name)}: {count(size)} bytes, not text"
    lines = data.decode("utf-8", "replace").split("\n")[:_HEAD_LINES]
    return visible("\n".join([f"{name}: {count(size)} bytes", "", *lines]))
