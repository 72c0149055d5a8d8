"""A home and a project to load settings in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from codex_kernel.config.flags import Flags
from codex_kernel.config.load import load_config
from codex_kernel.config.types import Config
from codex_store.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(root=tmp_path / "home")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a `.git`, and one below it."""
    root = tmp_path / "repo"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / "sub").mkdir()
    return root


Load = Callable[..., Config]


@pytest.fixture
def load(home: Home, project: Path) -> Load:
    def load(*overrides: str, cwd: Path = project, env: dict[str, str] | None = None, **flags: object) -> Config:
        return load_config(home=home, cwd=cwd, overrides=overrides, flags=Flags(**flags), env=env or {})  # type: ignore[arg-type]

    return load
