from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.model_server import ModelServer
from tests.support.replies import says


@pytest.mark.parametrize(("find", "version"), [(peers.august, "0.27.0"), (peers.november, "0.169.0")])
def test_a_peer_answers_from_the_scripted_server(find: Callable[[], peers.Peer], version: str, tmp_path: Path) -> None:
    peer = find()
    assert peer.version == version
    home = tmp_path / "home"
    home.mkdir()
    with ModelServer([says("a word from the script")]) as server:
        (home / "config.toml").write_text(peer.config(server.url), encoding="utf-8")
        done = subprocess.run(
            [peer.command, "exec", "--json", "--skip-git-repo-check", "hi"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CODEX_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert "a word from the script" in done.stdout, done.stderr
    assert len(server.requests) == 1


def test_a_missing_peer_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peers, "MODULES", tmp_path)
    with pytest.raises(peers.PeerMissingError, match="run tests/run once"):
        peers.november()


def test_the_official_sdk_is_installed() -> None:
    assert (peers.sdk() / "dist" / "index.js").is_file()
