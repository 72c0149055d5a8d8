"""What the model is told of skills: the list it may choose from, and the whole text of those the user names.

Source: spec/execpolicy-and-hooks.md sections 3.3 and 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from codex_kernel.config.confirmed import REMEDY, Confirmed
from codex_kernel.skills.discovery import Skill, skill_text
from codex_kernel.skills.front_matter import FrontMatterError

DEFAULT_BUDGET = 8_000
"""Characters of the list where the model's window is not known."""
CHARACTERS_PER_TOKEN = 4
MAX_MENTIONS = 20
_NAME = re.compile(r"(?<![\w$\\])\$([A-Za-z0-9_:-]+)")
_LINK = re.compile(r"\[\$([A-Za-z0-9_:-]+)\]\(([^()\s]+)\)")
_VARIABLES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TERM", "LANG", "EDITOR", "PAGER", "HOSTNAME"}
    | {"TMPDIR", "TEMP", "TMP", "IFS", "DISPLAY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "PYTHONPATH", "VIRTUAL_ENV"}
)


def budget_for(context_window: int | None) -> int:
    """Characters the list may take: two hundredths of the model's window."""
    return DEFAULT_BUDGET if not context_window else context_window // 50 * CHARACTERS_PER_TOKEN


def instructions(skills: Sequence[Skill], budget: int) -> str | None:
    """The developer text that lists the skills the model may choose; None when there are none.

    Args:
        skills: In the order they are listed.
        budget: Characters the entries may take; what does not fit is left out, and the text says how many.
    """
    offered = [skill for skill in skills if skill.implicit]
    if not offered:
        return None
    roots = {root: f"r{number}" for number, root in enumerate(dict.fromkeys(skill.root for skill in offered))}
    entries: list[str] = []
    for skill in offered:
        place = f"{roots[skill.root]}/{skill.file.relative_to(skill.root)}"
        entry = f"- {skill.name}: {skill.description} (file: {place})"
        if len(entry) + 1 > budget:
            continue
        budget -= len(entry) + 1
        entries.append(entry)
    left_out = len(offered) - len(entries)
    lines = [
        "<skills_instructions>",
        "## Skills",
        "A skill is a folder with instructions for one kind of task, in a file SKILL.md, and maybe scripts and "
        "references beside it.",
        "### Skill roots",
        *(f"- {short} = {root}" for root, short in roots.items()),
        "### Available skills",
        *entries,
        *([f"({left_out} more did not fit into this list; the user can name them.)"] if left_out else []),
        "### How to use them",
        "When the task is what a skill's description names, or the user names a skill as $name, read its SKILL.md "
        "first and follow it. Read the files it refers to only as far as you need them, and run its scripts rather "
        "than writing them anew. If a skill cannot be read, say so and go on without it.",
        "</skills_instructions>",
    ]
    return "\n".join(lines)


def mentioned(text: str, skills: Sequence[Skill], cwd: Path) -> list[Skill]:
    """The skills a prompt names by `$name` or `[$name](path/SKILL.md)`, each once, in the order of the prompt.

    A plain name counts when exactly one skill has it.
    """
    found: dict[Path, Skill] = {}
    linked: set[int] = set()
    at: list[tuple[int, Skill]] = []
    for link in _LINK.finditer(text):
        linked.add(link.start() + 1)
        at += [(link.start(), skill) for skill in skills if skill.file == cwd / link[2]]
    for name in _NAME.finditer(text):
        if name.start() in linked or name[1] in _VARIABLES:
            continue
        same = [skill for skill in skills if skill.name == name[1].rstrip(":-")] or [
            skill for skill in skills if skill.name == name[1]
        ]
        if len(same) == 1:
            at.append((name.start(), same[0]))
    for _, skill in sorted(at, key=lambda entry: entry[0]):
        found.setdefault(skill.file, skill)
    return list(found.values())[:MAX_MENTIONS]


def injected(skill: Skill, confirmed: Confirmed | None = None) -> str:
    """The user message that carries a skill's whole file.

    Raises:
        FrontMatterError: The file is too long by now, or of a project and no longer as it was confirmed.
        OSError: It cannot be read any more.
    """
    text = skill_text(skill.file)
    if skill.scope == "repo" and confirmed is not None and not confirmed.holds(skill.file, text):
        raise FrontMatterError(f"it {confirmed.why_not(skill.file)}; {REMEDY}")
    return f"<skill>\n<name>{skill.name}</name>\n<path>{skill.file}</path>\n{text}\n</skill>"


def injections(skills: Iterable[Skill], confirmed: Confirmed | None = None) -> tuple[list[str], list[str]]:
    """The messages for some skills, and a sentence for each that cannot be used any more.

    Args:
        skills: In the order they are added.
        confirmed: Which of a project's files count; None: all.
    """
    messages: list[str] = []
    problems: list[str] = []
    for skill in skills:
        try:
            messages.append(injected(skill, confirmed))
        except (FrontMatterError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"The skill {skill.name} was named but not added: {skill.file}: {why}.")
    return messages, problems
