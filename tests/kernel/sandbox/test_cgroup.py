"""Control groups, over a folder that looks like their file system: this machine may hand out none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_kernel.sandbox import cgroup

OWN = "12:memory:/x\n0::/user.slice/app.slice/term.scope\n"


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    parent = tmp_path / "user.slice" / "app.slice"
    (parent / "term.scope").mkdir(parents=True)
    (parent / "cgroup.subtree_control").write_text("memory pids\n")
    (parent / "cgroup.procs").write_text("")
    return tmp_path


def test_the_group_above_ours_is_used_when_it_counts_memory_and_processes(mount: Path) -> None:
    assert cgroup.find_parent(mount, OWN) == mount / "user.slice" / "app.slice"


@pytest.mark.parametrize("own", ["", "0::/", "1:name=systemd:/a\n", "0::/elsewhere/x\n"])
def test_without_a_place_of_version_two_there_is_none(mount: Path, own: str) -> None:
    assert cgroup.find_parent(mount, own) is None


@pytest.mark.parametrize("counted", ["", "memory", "pids cpu"])
def test_a_place_that_does_not_count_is_none(mount: Path, counted: str) -> None:
    (mount / "user.slice" / "app.slice" / "cgroup.subtree_control").write_text(counted)
    assert cgroup.find_parent(mount, OWN) is None


def test_a_group_is_limited_filled_and_removed(mount: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("memory.max", "pids.max", "cgroup.procs", "cgroup.kill")
    make = os.mkdir

    def kernel_mkdir(path: Path, mode: int) -> None:
        make(path, mode)
        for name in names:
            (path / name).touch()

    monkeypatch.setattr(os, "mkdir", kernel_mkdir)
    group = cgroup.Group(mount, memory_bytes=800, processes=10)
    group.take(4711)
    (made,) = mount.glob("codex-*")
    assert [(made / name).read_text() for name in names] == ["900", "42", "4711", ""]
    for name in names[:3]:
        (made / name).unlink()
    group.remove()
    assert (made / "cgroup.kill").read_text() == "1"


def test_a_group_that_cannot_be_limited_is_not_left_behind(mount: Path) -> None:
    with pytest.raises(OSError, match=r"memory\.max"):
        cgroup.Group(mount, memory_bytes=1, processes=1)
    assert list(mount.glob("codex-*")) == []
