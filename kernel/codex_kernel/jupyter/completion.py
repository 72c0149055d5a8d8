"""What could stand at the cursor: `@path`, `/command`, `%setting` and its value, `$skill`."""

from __future__ import annotations

import re
from typing import Any

from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.asking import ask
from codex_kernel.jupyter.setting_lines import SETTINGS, VALUES
from codex_kernel.jupyter.slash_commands import COMMANDS, PRESETS, prompts_of
from codex_protocol.events import SkillsListed
from codex_protocol.ops import ListSkills

_LIMIT = 50
_TOKEN = re.compile(r"[^\s]*\Z")
_SETTING_VALUE = re.compile(r"%([a-z_]+)[ \t]+([^\s]*)\Z")
_COMMAND_VALUE = re.compile(r"/approvals[ \t]+([^\s]*)\Z")


async def complete_at(agent: Agent, code: str, cursor: int) -> dict[str, Any]:
    """The content of a `complete_reply`; `cursor_start` is where the completed word begins."""
    before = code[:cursor]
    token = ((match := _TOKEN.search(before)) and match[0]) or ""
    line = before.rpartition("\n")[2]
    start, kind = cursor - len(token), ""
    matches: list[str] = []
    if (value := _SETTING_VALUE.fullmatch(line)) is not None:
        if value[1] == "cd":
            matches, kind = await _directories(agent, value[2]), "path"
        else:
            matches, kind = _beginning(VALUES.get(value[1], ()), value[2]), "keyword"
    elif (value := _COMMAND_VALUE.fullmatch(before)) is not None:
        matches, kind = _beginning(tuple(PRESETS), value[1]), "keyword"
    elif token.startswith("@"):
        matches, kind = await _paths(agent, token[1:]), "path"
    elif token.startswith("/") and start == len(before) - len(before.lstrip()):
        names = (*COMMANDS, *(prompt.name for prompt in prompts_of(agent)))
        matches, kind = [f"/{name}" for name in _beginning(names, token[1:])], "command"
    elif token.startswith("%") and token == line.strip():
        matches, kind = [f"%{name}" for name in _beginning(tuple(SETTINGS), token[1:])], "setting"
    elif token.startswith("$"):
        matches, kind = [f"${name}" for name in _beginning(await _skills(agent), token[1:])], "skill"
    types = [{"start": start, "end": cursor, "text": match, "type": kind} for match in matches]
    return {
        "status": "ok",
        "matches": matches,
        "cursor_start": start if matches else cursor,
        "cursor_end": cursor,
        "metadata": {"_jupyter_types_experimental": types} if types else {},
    }


def _beginning(names: tuple[str, ...], prefix: str) -> list[str]:
    return [name for name in names if name.startswith(prefix)]


async def _directories(agent: Agent, prefix: str) -> list[str]:
    import asyncio

    return await asyncio.to_thread(_list_directories, agent, prefix)


def _list_directories(agent: Agent, prefix: str) -> list[str]:
    head, slash, tail = prefix.rpartition("/")
    try:
        entries = sorted((agent.cwd / (head + slash)).iterdir())
    except OSError:
        return []
    return [f"{head}{slash}{entry.name}/" for entry in entries if entry.name.startswith(tail) and entry.is_dir()][
        :_LIMIT
    ]


async def _paths(agent: Agent, query: str) -> list[str]:
    return [f"@{match.path}{'/' if match.is_directory else ''}" for match in await agent.paths.find(query, _LIMIT)]


async def _skills(agent: Agent) -> tuple[str, ...]:
    """The names of the skills the thread may use; none before it is open, as opening it is the user's to begin."""
    if agent.current is None:
        return ()
    listed = await ask(agent.current, ListSkills(), SkillsListed)
    return tuple(skill.name for skill in listed.skills)
