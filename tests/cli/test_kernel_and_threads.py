"""`codex kernel install` and `codex threads`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from codex_cli.main import main
from codex_cli.threads_command import age
from codex_store.home import Home
from codex_store.running import Announcement, RunningThread, running_threads


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "codex"
    root.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(root))
    return Home(root=root)


def test_the_kernelspec_names_this_interpreter_and_no_provisioner(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["kernel", "install", "--prefix", str(tmp_path)]) == 0
    place = tmp_path / "share/jupyter/kernels/codex"
    assert str(place) in capsys.readouterr().out
    spec = json.loads((place / "kernel.json").read_text())
    assert spec["argv"] == [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f", "{connection_file}"]
    assert spec["interrupt_mode"] == "message"
    assert "kernel_provisioner" not in spec["metadata"]


def test_with_fork_the_kernelspec_names_our_provisioner_which_jupyter_finds(tmp_path: Path):
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    assert main(["kernel", "install", "--prefix", str(tmp_path), "--fork"]) == 0
    spec = json.loads((tmp_path / "share/jupyter/kernels/codex/kernel.json").read_text())
    name = spec["metadata"]["kernel_provisioner"]["provisioner_name"]
    assert name in KernelProvisionerFactory.instance(parent=None).get_provisioner_entries()


def test_places_that_contradict_each_other_are_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["kernel", "install", "--user", "--sys-prefix"]) == 2
    assert "contradict" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("")
    assert main(["kernel", "install", "--prefix", str(tmp_path / "file")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_running_thread_is_listed_with_its_state(home: Home, capsys: pytest.CaptureFixture[str]):
    running = RunningThread(thread_id="t-1", pid=os.getpid(), connection_file="/x/k.json", cwd="/w", name="nightly")
    announcement = Announcement(home, running)
    announcement.update(state="asking", tokens=7)
    assert main(["threads", "--json"]) == 0
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (row["id"], row["state"], row["name"], row["cwd"], row["tokens"]) == ("t-1", "asking", "nightly", "/w", 7)
    main(["threads"])
    assert "asking" in capsys.readouterr().out
    announcement.close()
    assert running_threads(home) == []
    main(["threads"])
    assert "no threads yet" in capsys.readouterr().out


def test_what_a_dead_process_left_is_taken_away_and_nothing_else(home: Home, tmp_path: Path):
    runtime = home.runtime_dir()
    ours, foreign = runtime / "k-1.json", tmp_path / "kernel-2.json"
    for file in (ours, foreign):
        file.write_text(json.dumps({"transport": "ipc", "ip": str(file.with_suffix(""))}))
        Path(f"{file.with_suffix('')}-1").touch()
        folder = runtime / "threads"
        folder.mkdir(exist_ok=True)
        left = RunningThread(thread_id=file.stem, pid=1, connection_file=str(file))
        import msgspec

        (folder / f"{file.stem}.json").write_bytes(msgspec.json.encode(left))
    assert running_threads(home) == []
    assert [path.name for path in runtime.rglob("*") if path.is_file()] == []
    assert foreign.exists()


def test_the_announcement_of_another_process_is_not_taken_for_a_dead_one(home: Home):
    announcement = Announcement(home, RunningThread(thread_id="t", pid=1, connection_file="/k.json"))
    (home.runtime_dir() / "threads" / "broken.json").write_text("{")
    assert [running.thread_id for running in running_threads(home)] == ["t"]
    announcement.close()


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")])
def test_age_is_one_number(seconds: float, text: str):
    assert age(seconds) == text
