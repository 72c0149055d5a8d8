"""What commands may not do, tried; the escape suite goes further. Runs as root and, from another test, as a user."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox.interface import Sandbox
from codex_protocol.policy import DangerFullAccess, WorkspaceWrite
from tests.support.sandboxes import READ, WRITE, Site, run, shell

NETWORK = WorkspaceWrite(network_access=True)


async def test_writes_go_to_the_roots_and_nowhere_else(sandbox: Sandbox, site: Site) -> None:
    result = await shell(
        sandbox, site, f"echo a > in; echo b > {site.outside}/out; echo c > ../up; rm -rf {site.home}/auth.json"
    )
    assert (site.workspace / "in").read_text() == "a\n"
    assert os.listdir(site.outside) == []
    assert not (site.folder / "up").exists()
    assert (site.home / "auth.json").exists()
    assert result.stderr.count("Read-only file system") == 2


async def test_read_only_writes_nowhere(sandbox, site) -> None:
    await shell(sandbox, site, "echo a > in; echo b > /tmp/cdx-ro-$$; mkdir d; chmod 700 .", policy=READ)
    assert os.listdir(site.workspace) == []


async def test_further_roots_are_writable(sandbox, site) -> None:
    policy = WorkspaceWrite(writable_roots=(str(site.outside),))
    await shell(sandbox, site, f"echo a > {site.outside}/a", policy=policy)
    assert (site.outside / "a").exists()


async def test_temporary_directories_are_writable_unless_excluded(sandbox, site) -> None:
    script = 'f=$(mktemp /tmp/cdxXXXXXX) && rm "$f" && echo yes'
    assert (await shell(sandbox, site, script)).stdout == "yes\n"
    assert (await shell(sandbox, site, script, policy=WorkspaceWrite(exclude_slash_tmp=True))).stdout == ""


async def test_full_access_is_the_users_own(sandbox, site) -> None:
    result = await shell(
        sandbox, site, f"echo a > {site.outside}/a; cat {site.home}/auth.json", policy=DangerFullAccess()
    )
    assert (site.outside / "a").exists()
    assert result.stdout == "the login"


def repository(path: Path) -> None:
    subprocess.run(["git", "init", "-q", path], check=True)
    (path / ".git" / "hooks" / "pre-commit").write_text("#!/bin/sh\n")


def status(path: Path) -> str:
    return subprocess.run(["git", "-C", path, "status", "--short"], check=True, capture_output=True, text=True).stdout


TAMPER = """
for g in "$@"; do
  echo x >> "$g/config"; echo x > "$g/hooks/pre-commit"; mkdir "$g/new"; rm -rf "$g"; mv "$g" moved; ln -sfn /tmp "$g"
  chmod 777 "$g"; touch "$g"; setfattr -n user.x -v y "$g" 2>/dev/null; echo x > "$g"
done
exit 0
"""


def snapshot(folder: Path) -> dict[str, tuple[int, bytes | str]]:
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        what = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (mode, what)
    return found


def directory(work: Path) -> list[str]:
    repository(work)
    return [".git"]


def git_file(work: Path) -> list[str]:
    repository(work / "main")
    shutil.move(work / "main" / ".git", work / "real")
    (work / ".git").write_text("gitdir: real\n")
    return [".git", "real"]


def worktree(work: Path) -> list[str]:
    repository(work / "main")
    git = ["git", "-C", work / "main", "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", work / "tree"], check=True)
    return ["main/.git", "tree/.git", "main/.git/worktrees/tree"]


def link(work: Path) -> list[str]:
    repository(work)
    shutil.move(work / ".git", work / "store")
    (work / ".git").symlink_to("store")
    return [".git", "store"]


def nested(work: Path) -> list[str]:
    repository(work / "a" / "b")
    return ["a/b/.git"]


def settings_folders(work: Path) -> list[str]:
    for name in (".codex", ".agents", "sub/.codex"):
        (work / name).mkdir(parents=True)
        (work / name / "config").write_text("x")
        (work / name / "hooks").mkdir()
    return [".codex", ".agents", "sub/.codex"]


@pytest.mark.parametrize("make", [directory, git_file, worktree, link, nested, settings_folders])
async def test_git_and_settings_stay_as_they_are_in_every_form(sandbox, site, make) -> None:
    names = make(site.workspace)
    before = snapshot(site.workspace)
    await run(sandbox, site.command("bash", "-c", TAMPER, "tamper", *names))
    await sandbox.aclose()
    after = snapshot(site.workspace)
    assert {name: after.get(name) for name in before} == before
    assert {name.split("/")[0] for name in set(after) - set(before)} <= {"moved"}


@pytest.mark.parametrize("name", [".git", ".codex", ".agents"])
async def test_what_is_absent_cannot_be_made(sandbox, site, name) -> None:
    script = (
        f"mkdir {name}; mkdir {name}/hooks; echo x > {name}/config; rm -rf {name}; mv other {name}; ln -s /tmp {name}"
    )
    (site.workspace / "other").mkdir()
    await shell(sandbox, site, script)
    assert os.listdir(site.workspace / name) == []
    await sandbox.aclose()
    assert os.listdir(site.workspace) == ["other"]


async def test_a_repository_that_appears_later_is_protected_from_the_next_command_on(sandbox, site) -> None:
    await shell(sandbox, site, "true")
    repository(site.workspace)
    before = snapshot(site.workspace / ".git")
    await run(sandbox, site.command("bash", "-c", TAMPER, "tamper", ".git"))
    assert snapshot(site.workspace / ".git") == before


async def test_a_repository_made_anew_on_the_host_is_protected_again(sandbox, site) -> None:
    repository(site.workspace)
    await shell(sandbox, site, "true")
    shutil.rmtree(site.workspace / ".git")
    repository(site.workspace)
    before = snapshot(site.workspace / ".git")
    await run(sandbox, site.command("bash", "-c", TAMPER, "tamper", ".git"))
    assert snapshot(site.workspace / ".git") == before


async def test_a_root_swapped_for_a_link_is_no_root_any_more(site, monkeypatch) -> None:
    scratch = site.workspace / "scratch" / "tmp"
    scratch.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(scratch))
    sandbox = site.sandbox()
    await shell(sandbox, site, f"mv scratch aside && mkdir scratch && ln -s {site.outside} scratch/tmp")
    await shell(sandbox, site, "echo x > scratch/tmp/x")
    await sandbox.aclose()
    assert os.listdir(site.outside) == []


async def test_our_home_shows_skills_only(sandbox, site) -> None:
    (site.home / "skills").mkdir()
    (site.home / "skills" / "run.sh").write_text("echo skilled\n")
    (site.home / "config.toml").write_text("secret")
    result = await shell(
        sandbox, site, f"cd {site.home}; cat auth.json config.toml; sh skills/run.sh; ls -A; echo x > skills/x"
    )
    assert result.stdout == "skilled\nskills\n"
    assert os.listdir(site.home / "skills") == ["run.sh"]


async def test_keys_are_hidden(site, monkeypatch) -> None:
    home = site.folder / "user"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id").write_text("private")
    monkeypatch.setenv("HOME", str(home))
    sandbox = site.sandbox()
    result = await shell(sandbox, site, f"cat {home}/.ssh/id; ls {home}/.ssh; cat /proc/self/root{home}/.ssh/id")
    await sandbox.aclose()
    assert result.stdout == ""
    assert "Permission denied" in result.stderr


@pytest.mark.parametrize("policy", [READ, WRITE, NETWORK], ids=["read-only", "workspace-write", "network"])
async def test_denied_files_cannot_be_read_by_any_name(site, policy) -> None:
    site.settings = SandboxSettings(deny_read=("**/.env", "private"))
    (site.workspace / "sub").mkdir()
    (site.workspace / "sub" / ".env").write_text("TOP")
    (site.workspace / "private").mkdir()
    (site.workspace / "private" / "x").write_text("TOP")
    (site.workspace / "alias").symlink_to("sub/.env")
    sandbox = site.sandbox()
    script = (
        "cat sub/.env alias private/x /proc/self/cwd/sub/.env;"
        "for how in cp ln mv; do $how sub/.env $how; cat $how; done"
    )
    result = await shell(sandbox, site, script, policy=policy)
    assert "TOP" not in result.stdout
    (site.workspace / "late").mkdir()
    (site.workspace / "late" / ".env").write_text("TOP")
    result = await shell(sandbox, site, "cat late/.env", policy=policy)
    await sandbox.aclose()
    assert result.stdout == ""
    assert result.exit.denied is not None
    assert "hidden" in result.exit.denied


async def test_host_sockets_are_out_of_reach_and_own_ones_in(sandbox, site) -> None:
    where = str(site.workspace / "host.sock")
    program = (
        "import socket, sys\n"
        f"for address in ({where!r}, '\\0cdx-host', '/proc/self/cwd/host.sock'):\n"
        "    try: socket.socket(socket.AF_UNIX).connect(address); print('reached')\n"
        "    except OSError as error: print(error.errno)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('own.sock'); s.listen()\n"
        "socket.socket(socket.AF_UNIX).connect('own.sock'); s.accept(); print('own')\n"
    )
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        named.bind(where)
        named.listen()
        abstract.bind("\0cdx-host")
        abstract.listen()
        for policy in (READ, WRITE, NETWORK):
            cwd = site.workspace if policy != READ else Path("/dev/shm")
            result = await run(sandbox, site.command("python3", "-c", program, policy=policy, cwd=cwd))
            first, second, third, own = result.stdout.split()
            assert (first, second, own) == ("1", "111", "own")
            assert third in ("1", "2")
            (site.workspace / "own.sock").unlink(missing_ok=True)
        named.settimeout(0)
        with pytest.raises(BlockingIOError):
            named.accept()


async def test_the_hosts_loopback_is_another_one(sandbox, site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = (
            f"import socket\ntry: socket.create_connection(('127.0.0.1', {port}), 3); print('reached')\n"
            "except OSError as e: print(e.errno)"
        )
        assert (await run(sandbox, site.command("python3", "-c", program))).stdout == "111\n"
        assert (await run(sandbox, site.command("python3", "-c", program, policy=NETWORK))).stdout == "reached\n"


async def test_processes_of_the_host_cannot_be_seen_or_signalled(sandbox, site) -> None:
    me = os.getpid()
    result = await shell(
        sandbox, site, f"kill -0 {me} && echo seen; ls /proc | grep -c '^[0-9]'; cat /proc/{me}/environ"
    )
    assert result.stdout in ("3\n", "4\n", "5\n")


async def test_privileges_are_gone_for_good(sandbox, site) -> None:
    result = await shell(sandbox, site, "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status")
    values = dict(line.split() for line in result.stdout.splitlines())
    assert {values[f"Cap{name}:"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (values["NoNewPrivs:"], values["Seccomp:"]) == ("1", "2")


async def test_commits_work_when_allowed_and_nothing_git_runs_can_be_planted(site) -> None:
    repository(site.workspace)
    site.settings = SandboxSettings(git_writes=True)
    kept = snapshot(site.workspace / ".git" / "hooks"), (site.workspace / ".git" / "config").read_bytes()
    sandbox = site.sandbox()
    script = """
    echo x > f; git add f && git -c user.name=a -c user.email=a@b commit -qm one
    git checkout -qb topic && git log --oneline | wc -l
    git config core.fsmonitor evil; echo evil > .git/hooks/post-commit; echo x >> .git/info/attributes
    mkdir .git/modules/m; echo ../evil > .git/commondir; echo '[core]' > .git/config.worktree
    mv .git/hooks .git/h; rm -rf .git/config; mv .git g
    """
    result = await shell(sandbox, site, script)
    assert result.stdout.splitlines()[0].strip() == "1"
    assert (snapshot(site.workspace / ".git" / "hooks"), (site.workspace / ".git" / "config").read_bytes()) == kept
    await sandbox.aclose()
    assert not (site.workspace / ".git" / "commondir").exists()
    assert not (site.workspace / ".git" / "config.worktree").exists()
    assert status(site.workspace) == ""


async def test_no_placeholder_outlives_the_sandbox(site) -> None:
    sandbox = site.sandbox()
    await shell(sandbox, site, "true")
    assert set(os.listdir(site.workspace)) == {".git", ".codex", ".agents"}
    await sandbox.aclose()
    assert os.listdir(site.workspace) == []


async def test_a_workspace_in_shared_memory_works(site) -> None:
    import tempfile

    folder = tempfile.mkdtemp(dir="/dev/shm")
    try:
        inner = Site(Path(folder))
        sandbox = inner.sandbox()
        result = await shell(sandbox, inner, "echo x > f && cat f && ls -A .. && echo y > ../outside/z")
        await sandbox.aclose()
        assert result.stdout.startswith("x\n")
        assert (inner.workspace / "f").exists()
        assert os.listdir(inner.outside) == []
    finally:
        shutil.rmtree(folder)
