"""Which skills there are: folders with a `SKILL.md` below some roots, and what each says about itself.

Source: spec/execpolicy-and-hooks.md sections 3.1 and 3.2.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import msgspec

from codex_kernel.config.confirmed import REMEDY, Confirmed
from codex_kernel.skills.front_matter import FrontMatterError, Table, parse, split
from codex_kernel.skills.roots import Root, Scope

FILE_NAME = "SKILL.md"
MAX_DEPTH = 6
MAX_FOLDERS = 2_000
MAX_NAME = 64
MAX_DESCRIPTION = 1_024
MAX_FILE_BYTES = 256 * 1024
_ORDER: tuple[Scope, ...] = ("repo", "user", "system", "admin")
_SPACE = re.compile(r"\s+")


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """One skill."""

    name: str
    description: str
    file: Path
    """Its `SKILL.md`, absolute."""
    root: Path
    """The folder it was found in."""
    scope: Scope
    short_description: str | None = None
    implicit: bool = True
    """The model may choose it by itself; otherwise only the user's `$name` does."""


class Found(msgspec.Struct, frozen=True):
    """The skills by scope, then name; and one sentence for each file that is no skill although it should be."""

    skills: tuple[Skill, ...] = ()
    problems: tuple[str, ...] = ()


def discover(
    roots: Iterable[Root], settings: dict[str, Any] | None = None, confirmed: Confirmed | None = None
) -> Found:
    """The skills below some folders that `[skills]` does not disable.

    Args:
        roots: Where to look.
        settings: The `[skills]` table.
        confirmed: Which of a project's files count; None: all.
    """
    skills: dict[Path, Skill] = {}
    problems: list[str] = []
    unconfirmed: dict[Path, Path] = {}
    for root in roots:
        for file in _skill_files(root):
            real = Path(os.path.realpath(file))
            if real in skills:
                continue
            if root.scope == "repo" and confirmed is not None and not _is_confirmed(file, confirmed):
                unconfirmed.setdefault(real, file)
                continue
            try:
                skills[real] = read_skill(file, root)
            except (FrontMatterError, OSError) as error:
                why = error.strerror if isinstance(error, OSError) else str(error)
                problems.append(f"The skill {file} cannot be used: {why}.")
    left_out = [file for real, file in unconfirmed.items() if real not in skills]
    if left_out and confirmed is not None:
        more = f" and {len(left_out) - 1} more skills of the project are" if len(left_out) > 1 else " is"
        why = (
            "they are new or were changed since you trusted it"
            if more != " is"
            else "it " + confirmed.why_not(left_out[0])
        )
        problems.append(f"The skill {left_out[0]}{more} not offered, because {why}; {REMEDY}.")
    disabled, wrong = _disabled(settings or {})
    problems += wrong
    kept = [skill for skill in skills.values() if not _is_disabled(skill, disabled)]
    kept.sort(key=lambda skill: (_ORDER.index(skill.scope), skill.name))
    return Found(tuple(kept), tuple(problems))


def _skill_files(root: Root) -> list[Path]:
    """Breadth-first; a folder's own files are not looked through once it is a skill."""
    found: list[Path] = []
    seen: set[str] = set()
    level = [root.folder]
    folders = 0
    for depth in range(MAX_DEPTH + 1):
        deeper: list[Path] = []
        for folder in level:
            real = os.path.realpath(folder)
            folders += 1
            if real in seen or folders > MAX_FOLDERS:
                continue
            seen.add(real)
            if depth and (folder / FILE_NAME).is_file():
                found.append(folder / FILE_NAME)
                continue
            deeper += _folders_in(folder, follow_links=root.scope != "system")
        level = deeper
    return found


def _folders_in(folder: Path, *, follow_links: bool) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=follow_links)
            ]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def _is_confirmed(file: Path, confirmed: Confirmed) -> bool:
    try:
        return confirmed.holds(file, skill_text(file))
    except (FrontMatterError, OSError):
        return True  # it is no skill, and reading it says why


def read_skill(file: Path, root: Root) -> Skill:
    """What a `SKILL.md` says about itself.

    Raises:
        FrontMatterError: It says nothing, or too much.
        OSError: It cannot be read.
    """
    table = parse(split(skill_text(file))[0])
    name = _line(table.get("name")) or file.parent.name
    description = _line(table.get("description"))
    if not description:
        raise FrontMatterError("it has no description")
    if len(name) > MAX_NAME:
        raise FrontMatterError(f"its name has more than {MAX_NAME} characters")
    if len(description) > MAX_DESCRIPTION:
        raise FrontMatterError(f"its description has more than {MAX_DESCRIPTION} characters")
    metadata = table.get("metadata")
    short = _line(metadata.get("short-description")) if isinstance(metadata, dict) else ""
    return Skill(
        name=name,
        description=description,
        file=file,
        root=root.folder,
        scope=root.scope,
        short_description=short or None,
        implicit=_may_be_chosen(file.parent / "agents" / "openai.yaml"),
    )


def skill_text(file: Path) -> str:
    """A skill's whole file.

    Raises:
        FrontMatterError: It is too long.
        OSError: It cannot be read.
    """
    with file.open("rb") as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise FrontMatterError(f"it has more than {MAX_FILE_BYTES} bytes")
    return data.decode("utf-8", "replace")


def _may_be_chosen(file: Path) -> bool:
    """`policy.allow_implicit_invocation` of the optional second file; whatever is wrong with that is ignored."""
    try:
        if not file.is_file():
            return True
        policy: Table | str | dict[str, str] | None = parse(skill_text(file)).get("policy")
    except (FrontMatterError, OSError):
        return True
    return not (isinstance(policy, dict) and policy.get("allow_implicit_invocation") == "false")


def _line(value: object) -> str:
    """On one line, without characters that nobody sees."""
    if not isinstance(value, str):
        return ""
    return "".join(character for character in _SPACE.sub(" ", value) if character.isprintable()).strip()


def _disabled(settings: dict[str, Any]) -> tuple[set[str], list[str]]:
    """Names and paths that `[[skills.config]]` switches off; a later entry wins over an earlier one."""
    entries = settings.get("config", [])
    off: set[str] = set()
    problems: list[str] = []
    for entry in cast("list[object]", entries) if isinstance(entries, list) else [entries]:
        match entry:
            case {"path": str() as named, "enabled": bool() as enabled}:
                named = os.path.realpath(os.path.expanduser(named))
            case {"name": str() as named, "enabled": bool() as enabled}:
                pass
            case _:
                problems.append("An entry of [[skills.config]] is ignored: it needs path or name, and enabled.")
                continue
        (off.discard if enabled else off.add)(named)
    return off, problems


def _is_disabled(skill: Skill, disabled: set[str]) -> bool:
    real = os.path.realpath(skill.file)
    return bool(disabled & {skill.name, real, os.path.dirname(real)})
