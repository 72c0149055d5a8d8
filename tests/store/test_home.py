"""The home and runtime directories: found, made private, never changed when they exist."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from codex_protocol.errors import ConfigError
from codex_store.home import MAX_SOCKET_PATH_BYTES, Home, find_home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_codex_home_is_used_with_symlinks_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert find_home({"CODEX_HOME": str(tmp_path / "link"), "HOME": "/nowhere"}).root == tmp_path / "real"


@pytest.mark.parametrize("named", ["missing", "file"])
def test_codex_home_that_is_no_directory_is_refused_with_one_sentence(tmp_path: Path, named: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"CODEX_HOME is .*(does not exist|is not a directory); create it"):
        find_home({"CODEX_HOME": str(tmp_path / named)})


def test_empty_codex_home_counts_as_unset_and_the_default_need_not_exist(tmp_path: Path) -> None:
    home = find_home({"CODEX_HOME": "", "HOME": str(tmp_path)})
    assert home.root == tmp_path / ".codex"
    assert not home.root.exists()


def test_relative_home_directory_is_refused() -> None:
    with pytest.raises(ConfigError, match="set HOME or CODEX_HOME"):
        find_home({"HOME": "somewhere"})


def test_ensure_makes_private_directories_and_leaves_existing_ones_alone(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o755)
    Home(root=root).ensure()
    assert (mode(root), mode(root / "workbench")) == (0o755, 0o700)


def test_ensure_says_which_directory_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/home cannot be created: .*; let CODEX_HOME name a dir"):
        Home(root=tmp_path / "file" / "home").ensure()


def test_runtime_directory_is_ours_in_a_private_xdg_directory(tmp_path: Path) -> None:
    xdg = tmp_path / "xdg"
    xdg.mkdir(mode=0o700)
    runtime = Home(root=tmp_path / "home", xdg_runtime_dir=str(xdg)).runtime()
    assert (runtime.path, runtime.notice, mode(runtime.path)) == (xdg / "codex-workbench", None, 0o700)
    assert not (tmp_path / "home").exists()


def make_open(xdg: Path) -> None:
    xdg.mkdir()
    xdg.chmod(0o755)


def make_link(xdg: Path) -> None:
    (xdg.parent / "elsewhere").mkdir(mode=0o700)
    xdg.symlink_to("elsewhere")


def make_open_folder_inside(xdg: Path) -> None:
    xdg.mkdir(mode=0o700)
    (xdg / "codex-workbench").mkdir()
    (xdg / "codex-workbench").chmod(0o777)


def make_nothing(xdg: Path) -> None:
    del xdg


@pytest.mark.parametrize("make", [make_open, make_link, make_open_folder_inside, make_nothing])
def test_xdg_directory_others_may_reach_into_is_passed_over_with_a_notice(tmp_path: Path, make) -> None:
    xdg = tmp_path / "xdg"
    make(xdg)
    before = mode(xdg) if xdg.exists() else None
    runtime = Home(root=tmp_path / "home", xdg_runtime_dir=str(xdg)).runtime()
    assert runtime.path == tmp_path / "home" / "workbench" / "run"
    assert runtime.notice is not None
    assert runtime.notice.startswith(f"XDG_RUNTIME_DIR={xdg} is not used: ")
    assert (mode(xdg) if xdg.exists() else None) == before


def test_relative_xdg_directory_is_passed_over(tmp_path: Path) -> None:
    runtime = Home(root=tmp_path, xdg_runtime_dir="run").runtime()
    assert runtime.notice == "XDG_RUNTIME_DIR=run is not used: it is not an absolute path."


def test_open_runtime_directory_in_the_home_is_an_error_and_keeps_its_mode(tmp_path: Path) -> None:
    run = tmp_path / "workbench" / "run"
    run.mkdir(parents=True)
    run.chmod(0o750)
    with pytest.raises(ConfigError, match="other users may look into it; remove it or run `chmod 700` on it"):
        Home(root=tmp_path).runtime()
    assert mode(run) == 0o750


def test_socket_stays_in_the_runtime_directory_when_its_path_fits(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    if len(os.fsencode(tmp_path / "workbench/run/a")) > MAX_SOCKET_PATH_BYTES:
        pytest.skip("the temporary directory of this run is too deep")
    assert home.socket_path("a") == tmp_path / "workbench" / "run" / "a"
    assert home.private_dirs() == (home.runtime_dir(),)


def test_deep_home_gets_short_private_socket_paths_that_stay_the_same(tmp_path: Path) -> None:
    home = Home(root=tmp_path / ("d" * 100))
    path = home.socket_path("a")
    try:
        assert len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES
        assert mode(path.parent) == 0o700
        assert mode(home.runtime_dir() / "socket-dir") == 0o600
        assert home.socket_path("b").parent == path.parent
        assert home.private_dirs() == (home.runtime_dir(), path.parent)
    finally:
        shutil.rmtree(path.parent)


def test_recorded_socket_directory_that_vanished_is_replaced(tmp_path: Path) -> None:
    home = Home(root=tmp_path / ("d" * 100))
    first = home.socket_path("a").parent
    first.rmdir()
    second = home.socket_path("a").parent
    try:
        assert second.is_dir()
        assert first != second
    finally:
        shutil.rmtree(second)
