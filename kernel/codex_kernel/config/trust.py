"""Whether the user trusts a directory, and how the answer is written down.

Trust stands in the user's `config.toml` as `[projects."/path"] trust_level = "trusted"`. Source: spec/config.md
section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from codex_kernel.config.layers import table_at
from codex_kernel.config.overrides import Tree
from codex_kernel.config.project import main_worktree
from codex_kernel.config.types import TrustLevel
from codex_store.home import Home


class Trust(msgspec.Struct, frozen=True):
    """What the user said about a directory."""

    level: TrustLevel
    root: Path | None = None
    """The directory the answer was given for; None when nothing was said."""


def trust_of(cwd: Path, project: Path | None, tree: Tree) -> Trust:
    """What `tree`'s `[projects]` says about `cwd`: about itself, its project, or its repository's main directory.

    The nearest answer wins, so that a directory inside a trusted project can be said to be untrusted.

    Args:
        cwd: Absolute, symlinks resolved.
        project: Its project's root.
        tree: The user's settings; nothing that comes from a project.
    """
    projects = table_at(tree, "projects")
    if not projects:
        return Trust(TrustLevel.UNKNOWN)
    candidates = [cwd, project, main_worktree(cwd)]
    for directory in dict.fromkeys(directory for directory in candidates if directory is not None):
        if (level := _level(projects, directory)) is not None:
            return Trust(level, directory)
    return Trust(TrustLevel.UNKNOWN)


def trusted_directories(tree: Tree) -> list[Path]:
    """Every directory that `tree`'s `[projects]` says is trusted."""
    projects = table_at(tree, "projects")
    return [Path(name) for name in projects if _level(projects, Path(name)) is TrustLevel.TRUSTED]


def trust_target(cwd: Path, project: Path | None) -> Path:
    """The directory to record trust for: the repository's main directory, else the project's root, else `cwd`."""
    return main_worktree(cwd) or project or cwd


def record_trust(home: Home, directory: Path, level: TrustLevel = TrustLevel.TRUSTED) -> None:
    """Write the answer into the user's `config.toml`; comments, order and mode of the file stay.

    Raises:
        ConfigError: The file cannot be read, understood or written.
        ValueError: `level` is no answer.
    """
    if level is TrustLevel.UNKNOWN:
        raise ValueError("only trusted and untrusted can be recorded")
    from codex_kernel.config.edit import set_value

    home.ensure()
    set_value(home.config_file, ("projects", str(directory), "trust_level"), level.value)


def _level(projects: Mapping[str, object], directory: Path) -> TrustLevel | None:
    entry = projects.get(str(directory)) or projects.get(f"{directory}/")
    match entry:
        case {"trust_level": "trusted"}:
            return TrustLevel.TRUSTED
        case {"trust_level": "untrusted"}:
            return TrustLevel.UNTRUSTED
        case _:
            return None
