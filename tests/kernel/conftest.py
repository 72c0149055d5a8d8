"""The `codex` command against a model server that answers; files with another script have a `server` of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import says


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer([says("the answer")] * 4) as running:
        yield running


@pytest.fixture
def codex(tmp_path: Path, server: ModelServer) -> OurCommand:
    return OurCommand(tmp_path, server)
