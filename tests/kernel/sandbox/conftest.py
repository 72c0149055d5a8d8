from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from codex_kernel.sandbox.interface import Sandbox
from tests.support.sandboxes import Site


@pytest.fixture
def site() -> Iterator[Site]:
    folder = tempfile.mkdtemp(prefix="cdxt", dir="/var/tmp")  # /tmp is a writable root itself
    yield Site(Path(folder).resolve())
    shutil.rmtree(folder)


@pytest.fixture
async def sandbox(site: Site) -> AsyncIterator[Sandbox]:
    made = site.sandbox()
    yield made
    await made.aclose()
