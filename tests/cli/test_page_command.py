"""`codex` alone: what the command line hands to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_app.launches import Launch
from codex_cli.main import main
from codex_kernel.config.confirmed import ConfirmedFiles
from codex_store.home import Home


def test_trust_is_taken_at_once_and_not_handed_to_threads_that_open_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    (work / ".codex").mkdir(parents=True)
    (work / ".codex" / "config.toml").write_text('model = "x"\n')
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "home"))
    launched: list[Launch] = []

    def run_page(home: Home, launch: Launch, **options: Any) -> int:
        launched.append(launch)
        return 0

    monkeypatch.setattr("codex_app.server.run_page", run_page)
    assert main(["--trust", "--demo", "-C", str(work)]) == 0
    assert launched[0].options.flags == {"demo": True}
    assert list(ConfirmedFiles(Home(root=tmp_path / "home")).read()[str(work)]) == [".codex/config.toml"]
