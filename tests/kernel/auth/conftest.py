"""An issuer on loopback and settings for logins."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from codex_kernel.config.load import load_config
from codex_kernel.config.types import Config
from codex_store.home import Home
from tests.support.fake_issuer import FakeIssuer, fake_issuer


@pytest.fixture
def issuer() -> Generator[FakeIssuer]:
    with fake_issuer() as running:
        yield running


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    return tmp_path / "auth.json"


MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    def make_config(**changes: Any) -> Config:
        return msgspec.structs.replace(load_config(home=Home(root=tmp_path), cwd=tmp_path, env={}), **changes)

    return make_config
