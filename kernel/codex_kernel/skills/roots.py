"""Where skills are looked for: the project, the user, the program and the machine.

Source: spec/execpolicy-and-hooks.md section 3.2. Unlike there, a project's skills count only when it is trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from codex_kernel.config.types import Config, TrustLevel

Scope = Literal["repo", "user", "system", "admin"]
_ADMIN = Path("/etc/codex/skills")


class Root(msgspec.Struct, frozen=True):
    """A folder that skills are looked for in."""

    folder: Path
    scope: Scope


def skill_roots(config: Config, user_home: Path | None) -> list[Root]:
    """The folders there are that may hold skills; no file is read.

    Args:
        config: Names the layers, the project, and whether it is trusted.
        user_home: The user's home directory, for `~/.agents/skills`.
    """
    candidates: list[Root] = []
    if config.trust is TrustLevel.TRUSTED:
        layers = [layer.folder for layer in config.layers if layer.kind == "project"]
        candidates += [Root(folder / "skills", "repo") for folder in layers]
        candidates += [Root(folder / ".agents" / "skills", "repo") for folder in _project_folders(config)]
    candidates.append(Root(config.codex_home / "skills", "user"))
    if user_home is not None:
        candidates.append(Root(user_home / ".agents" / "skills", "user"))
    bundled = config.skills.get("bundled")
    if not (isinstance(bundled, dict) and cast("dict[str, Any]", bundled).get("enabled") is False):
        candidates.append(Root(config.codex_home / "skills" / ".system", "system"))
    candidates.append(Root(_ADMIN, "admin"))
    return [root for root in candidates if root.folder.is_dir()]


def _project_folders(config: Config) -> list[Path]:
    root, cwd = config.project_root, config.cwd
    if root is None or not cwd.is_relative_to(root):
        return [cwd]
    steps = cwd.relative_to(root).parts
    return [root.joinpath(*steps[:depth]) for depth in range(len(steps) + 1)]
