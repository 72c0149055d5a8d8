from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_kernel.config.types import SandboxSettings
from codex_protocol.policy import DangerFullAccess, WorkspaceWrite
from tests.support.sandboxes import READ, WRITE, Site

HERE_ONLY = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


@pytest.fixture
def tree(site: Site) -> Site:
    """A workspace with everything that could lead somewhere else."""
    work = site.workspace
    for name in (".git/hooks", "src", "sub/.git", "sub/.codex", "linked"):
        (work / name).mkdir(parents=True)
    (work / "out").symlink_to(site.outside)
    (work / "file-out").symlink_to(site.outside / "x")
    (work / "login").symlink_to(site.home / "auth.json")
    (work / "hooks").symlink_to(".git/hooks")
    (work / "back").symlink_to(".")
    (site.outside / "gitdir").mkdir()
    (work / "linked" / ".git").write_text(f"gitdir: {site.outside}/gitdir\n")
    (site.home / "skills").mkdir()
    for name in ("store/objects", "store/hooks", "HEAD/objects"):
        (work / name).mkdir(parents=True)
    (work / "store" / "HEAD").write_text("ref: refs/heads/main\n")
    return site


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("new.txt", True),
        ("src/new.txt", True),
        ("src/deep/er/new.txt", True),
        ("back/src/new.txt", True),
        ("src/../new.txt", True),
        (".", False),
        ("..", False),
        ("../outside/x", False),
        ("src/../../outside/x", False),
        ("out/x", False),
        ("out", False),
        ("file-out", False),
        ("login", False),
        ("store/hooks/pre-commit", False),
        ("store/config", False),
        ("HEAD/objects/x", True),
        (".git", False),
        (".git/config", False),
        (".git/hooks/pre-commit", False),
        (".GIT/config", False),
        ("src/.Git/config", False),
        ("hooks/pre-commit", False),
        ("back/.git/config", False),
        ("sub/.git/config", False),
        ("sub/.codex/config.toml", False),
        ("sub/.agents/skills/x", False),
        (".codex/config.toml", False),
        (".agents/x", False),
        ("linked/.git", False),
        (".gitignore", True),
        (".github/workflows/ci.yml", True),
        ("{home}/config.toml", False),
        ("{home}/skills/x", False),
        ("{outside}/x", False),
        ("/etc/passwd", False),
        ("/tmp/x", False),
        ("{work}/abs", True),
        ("a\x00b", False),
    ],
)
def test_patches_write_where_commands_do(tree: Site, path: str, may: bool) -> None:
    sandbox = tree.sandbox()
    full = Path(path.format(home=tree.home, outside=tree.outside, work=tree.workspace))
    if not full.is_absolute():
        full = tree.workspace / path
    assert sandbox.may_write(full, HERE_ONLY, tree.workspace) is may
    assert not sandbox.may_write(full, READ, tree.workspace)


def test_temporary_directories_and_further_roots_are_writable(tree: Site) -> None:
    sandbox = tree.sandbox()
    assert sandbox.may_write(Path("/tmp/x"), WRITE, tree.workspace)
    assert not sandbox.may_write(Path("/tmp/.git/config"), WRITE, tree.workspace)
    further = WorkspaceWrite(writable_roots=(str(tree.outside),))
    assert sandbox.may_write(tree.workspace / "out" / "x", further, tree.workspace)
    assert not sandbox.may_write(tree.outside / ".git" / "x", further, tree.workspace)


def test_full_access_writes_anywhere(tree: Site) -> None:
    assert tree.sandbox().may_write(tree.workspace / ".git" / "config", DangerFullAccess(), tree.workspace)


def test_a_git_directory_named_by_a_file_is_protected_inside_a_root(tree: Site) -> None:
    (tree.workspace / "real").mkdir()
    os.rmdir(tree.workspace / ".git" / "hooks")
    os.rmdir(tree.workspace / ".git")
    (tree.workspace / ".git").write_text("gitdir: real\n")
    assert not tree.sandbox().may_write(tree.workspace / "real" / "config", HERE_ONLY, tree.workspace)


@pytest.mark.parametrize(
    ("path", "may"),
    [
        ("src/x", True),
        ("/etc/passwd", True),
        (".git/config", True),
        ("{home}/auth.json", False),
        ("{home}/sessions/x", False),
        ("{home}/skills/s/SKILL.md", True),
        ("{home}", False),
        ("{runtime}/sock", False),
        ("login", False),
        ("back/login", False),
        (".env", False),
        ("src/.env", False),
        ("src/.env.example", True),
        ("keys/a.pem", False),
        ("secret", False),
        ("secret/inside", False),
    ],
)
def test_what_is_hidden_from_commands_is_hidden_from_tools(tree: Site, path: str, may: bool) -> None:
    tree.settings = SandboxSettings(deny_read=("**/.env", "*/*.pem", "secret/"))
    sandbox = tree.sandbox()
    full = Path(path.format(home=tree.home, runtime=tree.runtime))
    assert sandbox.may_read(full if full.is_absolute() else tree.workspace / path) is may
    if not may:
        assert not sandbox.may_write(full if full.is_absolute() else tree.workspace / path, HERE_ONLY, tree.workspace)


def test_keys_of_the_user_are_hidden_from_tools(tree: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tree.folder / "user"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    assert not tree.sandbox().may_read(home / ".ssh" / "id_ed25519")
    assert tree.sandbox().may_read(home / ".bashrc")


def test_a_root_swapped_for_a_link_is_refused_to_patches_as_well(tree: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tree.workspace / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    sandbox = tree.sandbox()
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert sandbox.may_write(scratch / "x", policy, tree.workspace)
    scratch.rmdir()
    scratch.symlink_to(tree.outside)
    assert not sandbox.may_write(scratch / "x", policy, tree.workspace)
