"""Larger programs inside: test runners, databases, agents, builds, git; beside `test_works_inside.py`. Also run as an
ordinary user."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox.interface import Command
from tests.support.sandboxes import READ, Site, run, shell

POSTGRES = sorted(glob.glob("/usr/lib/postgresql/*/bin"))


def new_repository(path: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)


# Test runners

TESTS = """
import asyncio, concurrent.futures, multiprocessing, os, socket, subprocess, threading, pytest
def double(x): return 2 * x
@pytest.mark.parametrize("n", range(5))
def test_pool(n):
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(double, range(n))) == [2 * x for x in range(n)]
def test_files(tmp_path):
    (tmp_path / "a").write_text("x"); os.rename(tmp_path / "a", tmp_path / "b"); assert os.listdir(tmp_path) == ["b"]
def test_wake_up():
    async def main():
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, double, 2) == 4
        children = [await asyncio.create_subprocess_exec("sh", "-c", f"exit {n}") for n in range(8)]
        assert [await child.wait() for child in children] == list(range(8))
    asyncio.run(main())
def test_socketpair():
    a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"; a.sendmsg([b"y"]); assert b.recv(1) == b"y"
def test_udp():
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
    a.bind(("127.0.0.1", 0)); b.connect(a.getsockname()); b.send(b"x"); assert a.recv(9) == b"x"
    with pytest.raises(OSError): socket.create_connection(("127.0.0.1", 1), 1)
    with pytest.raises(OSError): socket.create_connection(("192.0.2.1", 80), 1)
"""


async def test_pytest_runs_a_suite_with_processes_and_sockets(sandbox, site: Site) -> None:
    (site.workspace / "test_it.py").write_text(TESTS)
    result = await run(sandbox, _pytest(site))
    assert "9 passed" in result.stdout, result.stdout + result.stderr


async def test_pytest_xdist_shares_out_a_suite(sandbox, site: Site) -> None:
    (site.workspace / "test_it.py").write_text(TESTS)
    result = await run(sandbox, _pytest(site, "-p", "xdist.plugin", "-n", "2"))
    assert "9 passed" in result.stdout, result.stdout + result.stderr


def _pytest(site: Site, *arguments: str) -> Command:
    """Pytest on `test_it.py`, without what takes long: importing the plugins that happen to be installed, and, in the
    usual place for its files, removing those of all earlier runs.
    """
    return site.command(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, "--basetemp=files", "test_it.py"),
        env={
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "HOME": str(site.workspace),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )


# Databases and agents


@pytest.mark.skipif(os.geteuid() == 0, reason="Postgres refuses root; the ordinary user's run of this module has it")
async def test_postgres_is_set_up_started_and_asked_over_its_own_socket(sandbox, site: Site) -> None:
    script = f"""
    export PATH={POSTGRES[-1]}:$PATH
    initdb -D db -A peer --no-sync >log 2>&1 || {{ cat log; exit 1; }}
    pg_ctl -D db -w -o "-k $PWD -c listen_addresses=''" -l log start >/dev/null || {{ cat log; exit 1; }}
    psql -h $PWD -d postgres -Atc 'create table t (x int); insert into t values (6),(7); select sum(x) from t'
    pg_ctl -D db -w -m fast stop >/dev/null && echo stopped
    """
    result = await shell(sandbox, site, script)
    assert result.stdout.splitlines()[-2:] == ["13", "stopped"], result.stdout + result.stderr


async def test_an_ssh_agent_of_its_own_can_be_used(sandbox, site: Site) -> None:
    script = """
    ssh-keygen -q -t ed25519 -N '' -f key -C mine && eval $(ssh-agent -a agent.sock) >/dev/null
    chmod 600 key; ssh-add -q key && ssh-add -l | grep -c mine && ssh-agent -k >/dev/null
    """
    result = await shell(sandbox, site, script)
    assert result.stdout == "1\n", result.stderr


async def test_sqlite_locks_and_journals(sandbox, site: Site) -> None:
    script = (
        "sqlite3 x.db 'pragma journal_mode=wal; create table t(x); insert into t values (1),(2); select sum(x) from t'"
    )
    assert (await shell(sandbox, site, script)).stdout.split() == ["wal", "3"]


async def test_tmux_has_a_server_of_its_own(sandbox, site: Site) -> None:
    script = """
    export SHELL=/bin/sh  # the ordinary user has none
    tmux -S t.sock new-session -d 'echo in >out; sleep 100' && while [ ! -s out ]; do sleep 0.01; done
    cat out; tmux -S t.sock kill-server
    """
    result = await shell(sandbox, site, script)
    assert result.stdout == "in\n", result.stderr


# Builds


async def test_make_builds_side_by_side(sandbox, site: Site) -> None:
    for number in range(6):
        (site.workspace / f"f{number}.c").write_text(f"int f{number}(void) {{ return {number}; }}\n")
    calls = "+".join(f"f{number}()" for number in range(6))
    declared = "".join(f"int f{number}(void);" for number in range(6))
    (site.workspace / "main.c").write_text(f'#include <stdio.h>\n{declared}int main(){{printf("%d\\n",{calls});}}\n')
    (site.workspace / "Makefile").write_text(
        "all: main.o f0.o f1.o f2.o f3.o f4.o f5.o\n\t$(CC) -o $@ $^\n%.o: %.c\n\t$(CC) -c -o $@ $<\n"
    )
    result = await shell(sandbox, site, "make -s -j4 all && ./all")
    assert result.stdout == "15\n", result.stderr


async def test_a_virtual_environment_is_made(sandbox, site: Site) -> None:
    script = "/usr/bin/python3 -m venv --without-pip v && v/bin/python -c 'import sys; print(sys.prefix)'"
    result = await shell(sandbox, site, script)
    assert result.stdout.strip() == str(site.workspace / "v"), result.stderr


# Git

AS_SOMEBODY = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b"


async def test_status_diff_log_and_blame_work_while_git_is_protected(sandbox, site: Site) -> None:
    new_repository(site.workspace)
    git = ["git", "-C", site.workspace, "-c", "user.name=a", "-c", "user.email=a@b"]
    (site.workspace / "f").write_text("one\n")
    subprocess.run([*git, "add", "f"], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    script = "echo two >>f; git status --short; git diff --stat | tail -1; git log --format=%s; git blame -s f | wc -l"
    for policy, lines in ((READ, ["first", "1"]), (None, [" M f", " 1 file changed, 1 insertion(+)", "first", "2"])):
        result = await shell(sandbox, site, script, **({} if policy is None else {"policy": policy}))
        assert result.stdout.splitlines() == lines, result.stderr


async def test_a_days_work_of_git_goes_on_when_commits_are_allowed(site: Site) -> None:
    new_repository(site.workspace)
    site.settings = SandboxSettings(git_writes=True)
    before = (site.workspace / ".git/config").read_bytes()
    sandbox = site.sandbox()
    script = f"""
    set -e
    {AS_SOMEBODY}
    echo one >f; git add f; git commit -qm one
    git switch -qc topic; echo two >>f; git commit -qam two
    git switch -q main; echo other >g; git add g; git commit -qm three; git merge -q --no-edit topic
    echo dirty >>f; git stash -q; git stash pop -q; git checkout -q -- f
    git switch -q topic; git rebase -q main; git revert -m 1 --no-edit HEAD >/dev/null
    git tag t; git branch -d topic 2>/dev/null || true; git gc -q; git fsck --no-progress
    git reset -q --hard HEAD~1; git clean -qfd -e .codex -e .agents; git log --oneline | wc -l
    """
    result = await shell(sandbox, site, script)
    assert result.code == 0, result.stderr
    await sandbox.aclose()
    assert (site.workspace / ".git/config").read_bytes() == before
    said = subprocess.run(
        ["git", "-C", site.workspace, "status", "--short"], capture_output=True, text=True, check=True
    )
    assert said.stdout == ""


async def test_files_are_moved_between_directories_that_hold_repositories(sandbox, site: Site) -> None:
    """What protects them makes borders that rename(2) does not cross; `mv` copies then, and nothing is lost."""
    for name in ("one", "two"):
        new_repository(site.workspace / "deps" / name)
    (site.workspace / "deps/one/file").write_text("x")
    (site.workspace / "deps/one/folder").mkdir()
    (site.workspace / "deps/one/folder/file").write_text("y")
    result = await shell(
        sandbox, site, "mv deps/one/file deps/two/ && mv deps/one/folder . && cat deps/two/file folder/file"
    )
    assert result.stdout == "xy", result.stderr
    assert not (site.workspace / "deps/one/folder").exists()


# Connecting

ODD_CONNECTS = """
import ctypes, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    for kind in (0, 1, 2, 10, 16, 77):
        for length in (*range(0, 32, 3), 110, 127, 128, 129, 4000, -1):
            s = socket.socket(family, socket.SOCK_STREAM if family != socket.AF_NETLINK else socket.SOCK_RAW)
            s.setblocking(False)
            address = struct.pack("=H", kind) + struct.pack("!H", 53) + b"\\xff" * 200
            for fd in (s.fileno(), 0, 99, -1):
                libc.connect(fd, address, length)
            libc.connect(s.fileno(), 1, length)
            s.close()
print("alive")
"""


async def test_addresses_like_none_we_know_are_errors_and_nothing_ends(sandbox, site: Site) -> None:
    result = await run(sandbox, site.command("python3", "-c", ODD_CONNECTS))
    assert (result.stdout, result.code) == ("alive\n", 0), result.stderr
