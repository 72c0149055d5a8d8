from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_kernel.sandbox.denial import denied
from codex_kernel.sandbox.plan import Confinement, Mask
from codex_protocol.policy import WorkspaceWrite
from tests.support.sandboxes import READ, shell

HERE_ONLY = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("w/.git", "out", "hidden"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def verdict(tree: Path, text: str, *, code: int = 1, notes: list[str] | None = None, seen: bool = True) -> str | None:
    plan = Confinement(
        roots=(f"{tree}/w",), identities=((0, 0),), read_only=(f"{tree}/w/.git",), placeholders=(f"{tree}/w/.codex",),
        masks=(Mask(f"{tree}/hidden"),), network=False, memory_bytes=1, shm_bytes=1, processes=1, file_bytes=1,
        free_disk_bytes=1, disks=(),
    )  # fmt: skip
    message = text.replace("OUT", f"{tree}/out").replace("HIDDEN", f"{tree}/hidden").replace("WORK", f"{tree}/w")
    return denied(plan, f"{tree}/w", code, message.encode(), notes or [], network_seen=seen)


@pytest.mark.parametrize(
    "text",
    [
        "touch: cannot touch 'OUT/x': Read-only file system",
        "bash: line 1: OUT/x: Read-only file system",
        "mkdir: cannot create directory \u2018OUT/x\u2019: Permission denied",
        "OSError: [Errno 30] Read-only file system: 'OUT/x'",
        "PermissionError: [Errno 13] Permission denied: 'OUT/deep/er/x'",
        "Error: EROFS: read-only file system, open 'OUT/x'",
        "npm ERR! Error: EACCES: permission denied, mkdir 'OUT/x'",
        "open OUT/x: read-only file system",
        'failed to write "OUT/x": Os { code: 30, kind: ReadOnlyFilesystem } (os error 30)',
        "fatal: Unable to create 'WORK/.git/index.lock': Read-only file system",
        "touch: cannot touch '.git/x': Read-only file system",
        "mkdir: '.codex': File exists\nmkdir: cannot create directory '.codex/x': Read-only file system",
        "rm: cannot remove '.git': Device or resource busy",
        "cat: HIDDEN: Permission denied",
        "chmod: changing permissions of '../out': Operation not permitted",
        "unshare: unshare failed: Operation not permitted",
        "strace: test_ptrace_get_syscall_info: PTRACE_TRACEME: Operation not permitted",
        "something failed\nRead-only file system\n",
    ],
)  # fmt: skip
def test_what_the_sandbox_stopped_is_called_denied(tree: Path, text: str) -> None:
    assert verdict(tree, text) is not None
    assert verdict(tree, text, code=0) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FAILED tests/test_a.py::test_b - AssertionError: assert 1 == 2",
        "E   AssertionError: assert 'Permission denied' in ''",
        "test_permission_denied ... FAILED",
        "bash: ./script.sh: Permission denied",
        "PermissionError: [Errno 13] Permission denied: 'WORK/f'",
        "cat: OUT/absent: No such file or directory",
        "grep: pattern not found",
        "make: *** [Makefile:3: all] Error 2",
        "fatal: not a git repository",
        "curl: (6) Could not resolve host: example.com",
        "rm: cannot remove 'OUT/busy': Directory not empty",
        "bash: /dev/nosuch: Permission denied",
        "sh: 1: cannot open /proc/sys/kernel/x: Permission denied",
        "a" * 100_000,
        "a" * 100_000 + " Permission denied",
        "'" * 5000 + "a/" * 5000 + "Permission denied",
        "\x00\xff Permission denied \x00'\x00'",
    ],
)
def test_a_command_that_failed_by_itself_is_not_called_denied(tree: Path, text: str) -> None:
    assert verdict(tree, text) is None


@pytest.mark.parametrize("code", [0, 127])
def test_success_and_command_not_found_are_never_denials(tree: Path, code: int) -> None:
    assert verdict(tree, "touch: cannot touch 'OUT/x': Read-only file system", code=code) is None


def test_what_the_user_could_not_do_either_is_not_the_sandboxs_doing(tree: Path) -> None:
    os.chmod(tree / "out", 0o555)
    expected = os.access(tree / "out", os.W_OK)  # root may write anywhere
    assert (verdict(tree, "touch: cannot touch 'OUT/x': Permission denied") is not None) is expected


@pytest.mark.parametrize(
    ("text", "notes", "sentence"),
    [
        ("curl: (7) Failed to connect: Network is unreachable", ["net:93.184.216.34:443"], "reach 93.184.216.34:443"),
        ("curl: (6) Could not resolve host: example.com", ["net:10.0.0.2:53"], "look up a host name"),
        ("getaddrinfo ENOTFOUND registry", ["net:10.0.0.2:53", "net:[::1]:443"], "reach"),
        ("2 tests failed", ["net:10.0.0.2:53"], None),
        ("dial unix /run/docker.sock: connect: operation not permitted", ["unix:/run/docker.sock"], "/run/docker.sock"),
        ("2 tests failed", ["unix:/run/nscd/socket"], None),
    ],
)
def test_attempts_the_init_saw_count_when_the_command_complains(tree: Path, text, notes, sentence) -> None:
    said = verdict(tree, text, notes=notes)
    assert said is None if sentence is None else sentence in str(said)


def test_without_an_init_that_sees_connects_words_must_do(tree: Path) -> None:
    assert verdict(tree, "curl: (6) Could not resolve host: example.com", seen=False) is not None


async def test_real_denials_and_failures_are_told_apart(sandbox, site) -> None:
    async def said(script: str, policy=HERE_ONLY) -> str | None:
        return (await shell(sandbox, site, script, policy=policy)).exit.denied

    assert "outside/x" in str(await said(f"echo x > {site.outside}/x"))
    assert ".git" in str(await said("mkdir .git/hooks"))
    assert "hidden" in str(await said(f"cat {site.home}"))
    assert "work/x" in str(await said("echo x > x", READ))
    reach = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    assert "network is off" in str(await said(f'python3 -c "{reach}"'))
    assert await said("exit 3") is None
    assert await said("cat nothing-here") is None
    assert await said("python3 -c 'assert False'") is None
    assert await said("printf 'touch: cannot touch x: Permission denied'; exit 1") is None
    assert await said("touch own && chmod 000 own && sh own") is None
    assert await said("kill -9 $$") is None
    assert await said(f"echo x > {site.outside}/x || true") is None
