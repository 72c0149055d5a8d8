"""`codex export`: to stdout or a file, nothing replaced unasked, secrets told, bad input in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from codex_cli.main import main
from codex_store.home import Home
from codex_store.rollout_reader import read_rollout
from codex_store.thread_changes import set_name
from tests.support.rollouts import home_at, write_thread

KEY = "sk-proj-abcdefghijklmnopqrstuvwx1234"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "codex"
    root.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(root))
    return home_at(root)


def stored(home: Home, prompt: str, *, name: str | None = None, cwd: str = "/nowhere") -> str:
    thread_id = read_rollout(write_thread(home, prompt, cwd=cwd)).meta.id
    if name is not None:
        set_name(home, thread_id, name)
    return thread_id


def test_markdown_goes_to_stdout_and_secrets_are_told_on_stderr(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    stored(home, f"use {KEY}, or {KEY}", name="nightly")
    assert main(["export", "nightly"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# nightly\n")
    assert "> use [redacted: OpenAI key], or" in out
    assert err == "Secrets taken out:\n  OpenAI key: sk-p… (36 characters), 2 times\n"


def test_a_preview_lists_secrets_and_writes_nothing(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thread, plain = stored(home, f"use {KEY}"), stored(home, "no secret")
    assert main(["export", thread, "--preview", "-o", str(tmp_path / "x.md")]) == 0
    assert capsys.readouterr().out == "OpenAI key: sk-p… (36 characters)\n"
    assert not (tmp_path / "x.md").exists()
    assert main(["export", plain, "--preview"]) == 0
    assert capsys.readouterr().out == "No secrets were found.\n"


def test_secrets_stay_in_only_when_asked(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    thread = stored(home, f"use {KEY}")
    assert main(["export", thread, "--no-redact", "--to", "jsonl"]) == 0
    out, err = capsys.readouterr()
    assert any(KEY in json.dumps(json.loads(line)) for line in out.splitlines())
    assert err.startswith("Secrets left in, as you asked:\n")


def test_the_files_ending_says_the_form_and_a_directory_gets_a_name(home: Home, tmp_path: Path) -> None:
    thread = stored(home, "hello", name="My thread")
    assert main(["export", thread, "-o", str(tmp_path / "x.ipynb")]) == 0
    nbformat.validate(nbformat.read(tmp_path / "x.ipynb", as_version=4))
    assert main(["export", thread, "--to", "html", "-o", str(tmp_path)]) == 0
    assert (tmp_path / f"My-thread-{thread}.html").read_text().startswith("<!doctype html>")


def test_a_file_that_is_there_is_replaced_only_when_asked(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thread, file = stored(home, "hello"), tmp_path / "mine.md"
    file.write_text("mine")
    assert main(["export", thread, "-o", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main(["export", thread, "-o", str(file), "--force"]) == 0
    assert "> hello" in file.read_text()


def test_the_last_thread_is_that_of_this_directory(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    stored(home, "here", cwd=str(tmp_path))
    stored(home, "elsewhere")
    assert main(["export", "--last"]) == 0
    assert "> here" in capsys.readouterr().out
    assert main(["export", "--last", "--all"]) == 0
    assert "> elsewhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "which thread? give its id or name, or '--last'"),
        (["--last", "x"], 2, "'--last' takes no id"),
        (["nothing"], 1, "There is no thread with the id or name 'nothing'."),
        (["--last"], 1, "There is no thread in "),
        (["x", "--to", "pdf"], 2, "pdf"),
    ],
)
def test_bad_input_is_answered_in_a_sentence(
    home: Home, words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_a_file_that_cannot_be_written_is_named(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    thread = stored(home, "hello")
    assert main(["export", thread, "-o", "/nowhere/at/all.md"]) == 1
    assert capsys.readouterr().err == "Error: /nowhere/at/all.md cannot be written: No such file or directory\n"
