from __future__ import annotations

import stat
from pathlib import Path

import pytest

from codex_kernel.core import consents as consents_module
from codex_kernel.core.consents import Consents
from codex_protocol.errors import ThreadError


def test_a_consent_holds_in_the_next_start_and_for_every_stronger_rung(tmp_path: Path) -> None:
    home = tmp_path / "not there yet"
    assert not Consents(home).given(3)
    Consents(home).record(3)
    assert [Consents(home).given(rung) for rung in (2, 3, 4)] == [True, True, False]
    assert stat.S_IMODE((home / "sandbox-consent.json").stat().st_mode) == 0o600


def test_a_consent_is_this_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Consents(tmp_path).record(3)
    monkeypatch.setattr(consents_module, "_machine", lambda: "another")
    assert not Consents(tmp_path).given(3)
    Consents(tmp_path).record(4)
    monkeypatch.undo()
    assert (Consents(tmp_path).given(3), Consents(tmp_path).given(4)) == (True, False)


@pytest.mark.parametrize("content", ["", "{", "[3]", '"x"', "\udce9"])
def test_what_cannot_be_read_is_no_consent(tmp_path: Path, content: str) -> None:
    (tmp_path / "sandbox-consent.json").write_text(content, encoding="utf-8", errors="surrogateescape")
    assert not Consents(tmp_path).given(3)
    Consents(tmp_path).record(3)
    assert Consents(tmp_path).given(3)


def test_a_consent_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ThreadError, match="the consent could not be written to"):
        Consents(tmp_path / "file").record(3)
