import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codex_kernel.sandbox import git, git_guard, git_run
from codex_kernel.sandbox.git import ChangedFile, HeadInfo
from codex_kernel.sandbox.git_guard import GitError
from codex_kernel.sandbox.interface import Chunk, Command, Exit
from codex_protocol.errors import SandboxError
from codex_protocol.policy import ReadOnly


def plain_git(cwd: Path, *args: str, check: bool = True, stdin: bytes = b"") -> str:
    """Git as a person would run it."""
    done = subprocess.run(["git", *args], cwd=cwd, input=stdin, capture_output=True, check=False, timeout=30)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def commit(root: Path, message: str = "x") -> str:
    plain_git(root, "add", "-A")
    plain_git(root, "commit", "-q", "-m", message)
    return plain_git(root, "rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one commit on `main`."""
    root = tmp_path / "repo"
    root.mkdir()
    plain_git(root, "init", "-q", "-b", "main")
    (root / "a.txt").write_text("one\n")
    (root / "sub").mkdir()
    (root / "sub" / "b.txt").write_text("two\n")
    commit(root)
    return root


def test_root_is_found_from_below_and_outside_is_none(repo: Path, tmp_path: Path) -> None:
    assert git.git_root(repo / "sub") == repo
    assert git.git_root(tmp_path) is None


def test_an_empty_placeholder_is_no_repository(repo: Path) -> None:
    (repo / "sub" / ".git").mkdir()
    assert git.git_root(repo / "sub") == repo


def test_head_is_read_without_starting_git(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = plain_git(repo, "rev-parse", "HEAD")
    plain_git(repo, "remote", "add", "origin", "https://user:secret@example.org/x.git")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert git.head_info(repo / "sub") == HeadInfo(sha, "main", "https://example.org/x.git")


def test_head_is_what_git_says_in_every_state(repo: Path, tmp_path: Path) -> None:
    def facts(root: Path) -> tuple[str | None, str | None]:
        head = git.head_info(root)
        assert head is not None
        return head.commit, head.branch

    first = plain_git(repo, "rev-parse", "HEAD")
    plain_git(repo, "pack-refs", "--all")
    assert facts(repo) == (first, "main")
    plain_git(repo, "worktree", "add", "-q", "-b", "feature/x", str(tmp_path / "tree"))
    assert facts(tmp_path / "tree") == (first, "feature/x")
    plain_git(repo, "checkout", "-q", "--detach")
    assert facts(repo) == (first, None)
    plain_git(repo, "checkout", "-q", "--orphan", "new")
    assert facts(repo) == (None, "new")
    assert git.head_info(tmp_path) is None


def test_git_is_asked_where_references_are_no_files(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "read_head", lambda repository: None)
    assert git.head_info(repo) == HeadInfo(plain_git(repo, "rev-parse", "HEAD"), "main", None)


URLS = {
    "git@example.org:x/y.git": "git@example.org:x/y.git",
    "ssh://git:pw@example.org/x": "ssh://git@example.org/x",
    "https://token@example.org/x": "https://example.org/x",
    '"quoted # url"  # comment': "quoted # url",
    "/path ; comment": "/path",
    "bad\x1b[31m": None,
}


@pytest.mark.parametrize("value", URLS)
def test_remote_url_is_shown_without_credentials(value: str, repo: Path) -> None:
    config = repo / ".git" / "config"
    config.write_text(config.read_text() + f'[remote "other"]\n\turl = no\n[Remote "origin"] URL = {value}\n')
    head = git.head_info(repo)
    assert head is not None
    assert head.url == URLS[value]


HOSTILE_HEADS = {
    "outside": b"ref: refs/../../../../etc/passwd\n",
    "no reference": b"ref: config\n",
    "garbage": b"\0\xff\n",
    "empty": b"",
    "huge": b"a" * 100_000,
}


@pytest.mark.parametrize("name", HOSTILE_HEADS)
def test_a_malformed_head_names_no_commit(name: str, repo: Path) -> None:
    (repo / ".git" / "HEAD").write_bytes(HOSTILE_HEADS[name])
    head = git.head_info(repo)
    assert head is None or (head.commit, head.branch) == (None, None)


def test_a_pipe_in_the_repository_does_not_hold_us_up(repo: Path) -> None:
    for name in ("packed-refs", "commondir"):
        os.mkfifo(repo / ".git" / name)
    (repo / ".git" / "refs/heads/main").unlink()
    assert git.head_info(repo) == HeadInfo(None, "main", None)


async def test_files_are_listed_relative_to_the_directory(repo: Path) -> None:
    (repo / ".gitignore").write_text("*.log\n")
    for name in ("new\nline", "sub/n\u00e9w", "sub/x.log"):
        (repo / name).write_text("x")
    assert await git.ls_files(repo) == ["a.txt", "sub/b.txt"]
    assert await git.ls_files(repo / "sub") == ["b.txt"]
    assert await git.ls_files(repo, "untracked") == [".gitignore", "new\nline", "sub/n\u00e9w"]


async def test_changed_files_tell_staged_from_unstaged(repo: Path) -> None:
    (repo / "a.txt").write_text("changed\n")
    (repo / "new").write_text("x\n")
    (repo / "sub" / "b.txt").unlink()
    plain_git(repo, "add", "a.txt")
    assert await git.changed_files(repo / "sub") == [
        ChangedFile("a.txt", "M", " "),
        ChangedFile("sub/b.txt", " ", "D"),
        ChangedFile("new", "?", "?"),
    ]


async def test_uncommitted_diff_applied_to_head_gives_the_files(repo: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    plain_git(tmp_path, "clone", "-q", str(repo), str(clone))
    (repo / "a.txt").write_text("changed")
    (repo / "new").write_text("1\n2")
    (repo / "run").write_text("#!\n")
    (repo / "run").chmod(0o755)
    (repo / "empty").write_text("")
    (repo / "link").symlink_to("a.txt")
    (repo / "sub" / "b.txt").unlink()
    plain_git(repo, "add", "run")
    diff = await git.diff_uncommitted(repo / "sub")
    plain_git(clone, "apply", stdin=diff.encode())
    commit(clone)
    commit(repo)
    assert plain_git(clone, "rev-parse", "HEAD^{tree}") == plain_git(repo, "rev-parse", "HEAD^{tree}")


async def test_first_commit_is_diffed_against_nothing(tmp_path: Path) -> None:
    plain_git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("x\n")
    plain_git(tmp_path, "add", "a")
    (tmp_path / "a").write_text("y\n")
    assert (await git.diff_uncommitted(tmp_path)).endswith("+++ b/a\n@@ -0,0 +1 @@\n+y\n")


async def test_base_is_the_common_ancestor(repo: Path) -> None:
    base = plain_git(repo, "rev-parse", "HEAD")
    plain_git(repo, "checkout", "-q", "-b", "topic")
    (repo / "a.txt").write_text("topic\n")
    mine = commit(repo)
    plain_git(repo, "checkout", "-q", "main")
    (repo / "sub" / "b.txt").write_text("main\n")
    commit(repo)
    plain_git(repo, "checkout", "-q", "topic")
    assert await git.merge_base(repo, "main") == base
    diff = await git.diff_base(repo, "main")
    assert diff is not None
    assert "+topic" in diff
    assert "+main" not in diff
    assert diff == await git.diff_commit(repo, mine)


@pytest.mark.parametrize("name", ["nothing", "--output=/tmp/x", "", "main\0", "a b", ":/x"])
async def test_a_name_git_does_not_know_is_none(name: str, repo: Path) -> None:
    assert await git.merge_base(repo, name) is None
    assert await git.diff_base(repo, name) is None
    assert await git.diff_commit(repo, name) is None


async def test_outside_a_repository_git_says_so(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not a git repository"):
        await git.ls_files(tmp_path)


async def test_commands_that_write_are_refused(repo: Path) -> None:
    for args in (["commit"], ["config", "x.y", "z"], ["-c", "x=y", "status"], []):
        with pytest.raises(ValueError, match="not among"):
            await git.run_git(args, repo)


async def test_variables_that_redirect_git_are_not_handed_on(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.fsmonitor'='true'")
    assert await git.ls_files(repo) == ["a.txt", "sub/b.txt"]


async def test_a_git_inside_the_repository_or_a_relative_directory_is_not_started(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    for folder in (repo, repo / "bin"):
        folder.mkdir(exist_ok=True)
        (folder / "git").write_text(f"#!/bin/sh\ntouch {mark}\n")
        (folder / "git").chmod(0o755)
    monkeypatch.chdir(repo)
    monkeypatch.setenv("PATH", f".:{repo}/bin::{os.environ['PATH']}")
    plain_git(repo, "--version")
    assert mark.exists()  # the control: this is what a plain call starts
    mark.unlink()
    await git.ls_files(repo)
    assert not mark.exists()


async def test_a_repository_that_claims_files_elsewhere_is_refused(repo: Path, tmp_path: Path) -> None:
    plain_git(repo, "config", "core.worktree", str(tmp_path))
    (tmp_path / "private").write_text("x")
    assert "private" in plain_git(repo, "ls-files", "--others", str(tmp_path))
    with pytest.raises(GitError, match="claims the files of"):
        await git.ls_files(repo, "untracked")


async def test_a_submodules_own_worktree_setting_is_fine(repo: Path, tmp_path: Path) -> None:
    plain_git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(repo), "module")
    assert await git.ls_files(repo / "module") == ["a.txt", "sub/b.txt"]


async def test_a_bare_repository_inside_a_tree_is_not_taken_for_one(tmp_path: Path) -> None:
    plain_git(tmp_path, "init", "-q", "--bare", "bare")
    assert git.git_root(tmp_path / "bare") is None
    with pytest.raises(GitError):
        await git.ls_files(tmp_path / "bare")


async def test_an_old_git_is_refused(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nprintf 'core.bare\\nfalse\\0'\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="too old"):
        await git.ls_files(repo)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(GitError, match="not installed"):
        await git.ls_files(repo)


def slow_git(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A git that lists its settings as it should and then does `body`."""
    real = shutil.which("git")
    (folder / "git").write_text(f'#!/bin/sh\n[ "$1" = config ] && exec {real} "$@"\n{body}\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


async def ended(pid: int) -> None:
    """Return when the process is dead; init may take a moment to collect it."""
    async with asyncio.timeout(5):
        while alive(pid):  # noqa: ASYNC110 - another process's end is no event of ours
            await asyncio.sleep(0.01)


async def test_a_call_that_takes_too_long_is_ended_with_what_it_started(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "pid"
    slow_git(tmp_path, monkeypatch, f"sleep 60 & echo $! > {pid_file}; wait")
    with pytest.raises(GitError, match=r"took longer than 0\.5 s"):
        await git_run.run_git(["ls-files"], repo, timeout_s=0.5)
    await ended(int(pid_file.read_text()))
    with pytest.raises(GitError, match=r"took longer than 0\.5 s"):
        git_run.run_git_now(["ls-files"], repo, timeout_s=0.5)
    await ended(int(pid_file.read_text()))


async def test_a_cancelled_call_leaves_no_process(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    slow_git(tmp_path, monkeypatch, f"echo $$ > {pipe}; exec sleep 60")
    task = asyncio.ensure_future(git.ls_files(repo))
    async with asyncio.timeout(5):
        pid = int(await asyncio.to_thread(pipe.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)


async def test_output_without_end_is_cut_off(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_git(tmp_path, monkeypatch, "exec yes")
    with pytest.raises(GitError, match="more than 1000000 bytes"):
        await git_run.run_git(["ls-files"], repo, max_bytes=1_000_000)


async def test_a_pipe_that_is_full_when_enough_was_said_holds_nobody_up(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(tmp_path, monkeypatch, "exec yes")
    take = git_run._take

    async def take_until_full(stream: asyncio.StreamReader, max_bytes: int, *, keep_reading: bool) -> bytes:
        said = await take(stream, max_bytes, keep_reading=keep_reading)
        while len(said) == 1_000_001 and not stream._paused:  # noqa: ASYNC110 - asyncio tells nobody
            await asyncio.sleep(0)
        return said

    monkeypatch.setattr(git_run, "_take", take_until_full)
    with pytest.raises(GitError, match="more than 1000000 bytes"):
        await git_run.run_git(["ls-files"], repo, max_bytes=1_000_000)


async def test_errors_without_end_do_not_fill_memory_or_hang(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(tmp_path, monkeypatch, "yes | head -c 3000000 >&2; exit 1")
    with pytest.raises(GitError, match=r"failed in .*: y"):
        await git.ls_files(repo)


@pytest.mark.parametrize(
    ("stderr", "told"),
    [
        ("warning: x is odd\\nfatal: bad object 1", "fatal: bad object 1"),
        ("warning: lazy fetching disabled\\nfatal: bad object 1", "run git ls-files yourself once"),
        ("fatal: could not fetch 1 from promisor remote", "run git ls-files yourself once"),
    ],
)
async def test_of_what_git_complains_about_the_reason_is_told(
    stderr: str, told: str, repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(tmp_path, monkeypatch, f"printf '{stderr}\\n' >&2; exit 128")
    with pytest.raises(GitError, match=f"failed in .*: .*{told}"):
        await git.ls_files(repo)


class FakeProcess:
    confined = True

    def __init__(self, command: Command) -> None:
        self._command = command

    async def output(self) -> AsyncIterator[Chunk]:
        done = await asyncio.to_thread(
            subprocess.run,
            self._command.argv,
            cwd=self._command.cwd,
            env=self._command.env,
            capture_output=True,
            check=False,
        )
        yield Chunk("stdout", done.stdout)
        yield Chunk("stderr", done.stderr)

    async def wait(self) -> Exit:
        return Exit(code=0)

    async def aclose(self) -> None:
        pass


class FakeSandbox:
    def __init__(self, *, can_confine: bool) -> None:
        self.commands: list[Command] = []
        self._can_confine = can_confine

    async def start(self, command: Command) -> FakeProcess:
        self.commands.append(command)
        if not self._can_confine:
            raise SandboxError("cannot")
        return FakeProcess(command)


@pytest.mark.parametrize("can_confine", [True, False])
async def test_git_runs_confined_where_the_machine_can(can_confine: bool, repo: Path) -> None:
    sandbox = FakeSandbox(can_confine=can_confine)
    assert await git.ls_files(repo, sandbox=sandbox) == ["a.txt", "sub/b.txt"]  # type: ignore[arg-type] - a fake
    assert {type(command.policy) for command in sandbox.commands} == {ReadOnly}


def hostile(repo: Path, marks: Path) -> None:
    """Let the repository name a program for everything git runs programs for."""
    marks.mkdir()

    def program(name: str, body: str = "cat") -> str:
        path = marks.parent / f"{name}.sh"
        path.write_text(f"#!/bin/sh\ntouch {marks}/{name}\n{body}\n")
        path.chmod(0o755)
        return str(path)

    def config(key: str, value: str, root: Path = repo) -> None:
        plain_git(root, "config", key, value)

    names = ("plain", "drawn", "textual", "cleaned", "piped", "equal", "module")
    (repo / ".gitattributes").write_text(
        "drawn diff=drawn\ntextual diff=textual\ncleaned filter=cleaned\npiped filter=piped\nequal filter=a=b.c\n"
    )
    for name in names[:-1]:
        (repo / name).write_text("before\n")
    # A repository in the repository, as a submodule: git would look into it with its own config.
    plain_git(repo, "init", "-q", "module")
    (repo / "module" / "f").write_text("x\n")
    commit(repo / "module")
    commit(repo, "files")
    for name in names[:-1]:
        (repo / name).write_text("after\n")
    (repo / "module" / "f").write_text("y\n")

    config("core.fsmonitor", program("fsmonitor", "exit 1"), repo / "module")
    config("submodule.module.ignore", "none")
    config("diff.ignoreSubmodules", "none")
    config("diff.submodule", "diff")
    config("diff.external", program("diff.external"), repo / "module")
    os.rename(marks.parent / "diff.external.sh", marks.parent / "module-diff.sh")
    config("diff.external", program("module-diff"), repo / "module")

    config("core.fsmonitor", program("fsmonitor-own", "exit 1"))
    config("core.pager", program("pager"))
    config("pager.log", program("pager"))
    config("core.hooksPath", str(marks.parent / "hooks"))
    (marks.parent / "hooks").mkdir()
    hook = marks.parent / "hooks" / "post-index-change"
    hook.write_text(f"#!/bin/sh\ntouch {marks}/hook\n")
    hook.chmod(0o755)
    config("diff.drawn.command", program("diff-command"))
    config("diff.textual.textconv", program("textconv", 'cat "$1"'))
    config("filter.cleaned.clean", program("clean"))
    config("filter.cleaned.smudge", program("smudge"))
    config("filter.cleaned.required", "true")
    config("filter.a=b.c.clean", program("clean-equal"))
    config("filter.piped.process", program("process", "exit 1"))
    config("gpg.program", program("gpg", "exit 1"))
    config("log.showSignature", "true")
    config("merge.drawn.driver", program("merge-driver"))
    config("core.sshCommand", program("ssh", "exit 1"))
    config("alias.ls-files", f"!{program('alias')}")
    config("core.alternateRefsCommand", program("alternate"))
    config("credential.helper", program("credential", "exit 1"))
    config("core.askPass", program("askpass", "exit 1"))


def signed_commit(repo: Path) -> None:
    """A commit on HEAD that carries a signature, for git to have checked."""
    text = plain_git(repo, "cat-file", "commit", "HEAD")
    head, message = text.split("\n\n", 1)
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    signed = f"{head}\n{signature}\n\n{message}\n".encode()
    sha = plain_git(repo, "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed)
    plain_git(repo, "update-ref", "HEAD", sha)


async def everything_we_ask(root: Path) -> None:
    git.head_info(root)
    git_run.run_git_now(["rev-parse", "HEAD"], root)
    await git.ls_files(root)
    await git.ls_files(root, "untracked")
    await git.changed_files(root)
    await git.diff_uncommitted(root)
    assert await git.diff_base(root, "HEAD~1")
    assert await git.diff_commit(root, "HEAD")
    for args in (
        ["log", "-p"],
        ["show"],
        ["diff"],
        ["diff-files", "-p"],
        ["diff-index", "-p", "HEAD"],
        ["diff-tree", "-p", "HEAD~1", "HEAD"],
        ["ls-files", "-m", "-o"],
        ["cat-file", "--filters", "HEAD:cleaned"],
        ["cat-file", "--textconv", "HEAD:textual"],
        ["for-each-ref"],
        ["rev-list", "HEAD"],
        ["name-rev", "HEAD"],
    ):
        await git.run_git(args, root)


EXPECTED = {
    "fsmonitor-own": ["status"],
    "fsmonitor": ["status"],
    "hook": ["update-index", "--force-write-index", "--refresh"],
    "diff-command": ["diff", "--", "drawn"],
    "textconv": ["diff", "--", "textual"],
    "module-diff": ["diff", "--", "module"],
    "clean": ["diff", "--", "cleaned"],
    "clean-equal": ["diff", "--", "equal"],
    "process": ["diff", "--", "piped"],
    "smudge": ["cat-file", "--filters", "HEAD:cleaned"],
    "gpg": ["log", "-1"],
}
"""What a plain git does that starts each program."""


async def test_no_program_a_repository_names_is_started(repo: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    hostile(repo, marks)
    signed_commit(repo)
    shutil.rmtree(marks)  # making the repository started some already
    marks.mkdir()
    await everything_we_ask(repo)
    assert os.listdir(marks) == []
    # The control: the same repository and a plain git, which starts every one of them.
    for name, args in EXPECTED.items():
        (marks / name).unlink(missing_ok=True)
        plain_git(repo, *args, check=False)
        assert (marks / name).exists(), name


def on_a_terminal(argv: list[str], cwd: Path, env: dict[str, str]) -> None:
    terminal, output = os.openpty()
    try:
        subprocess.run(argv, cwd=cwd, stdout=output, stderr=output, check=False, timeout=30, env=env)
    finally:
        os.close(terminal)
        os.close(output)


def test_no_pager_is_started_even_on_a_terminal(repo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    plain_git(repo, "config", "core.pager", f"touch {mark}; cat")
    program, search_path = git_guard.git_program(None, os.environ)
    guarded = [program, *git_guard.arguments(["log"])]
    on_a_terminal(guarded, repo, git_guard.environment(os.environ, search_path))
    assert not mark.exists()
    on_a_terminal(["git", "log"], repo, dict(os.environ))
    assert mark.exists()


async def test_a_missing_object_is_never_fetched(repo: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    blob = plain_git(repo, "rev-parse", "HEAD:a.txt")
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.url", str(tmp_path)),
        ("remote.evil.uploadpack", f"touch {mark}; false"),
    ):
        plain_git(repo, "config", key, value)
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    (repo / "a.txt").write_text("changed\n")
    with pytest.raises(GitError):
        await git.diff_uncommitted(repo)
    assert not mark.exists()
    plain_git(repo, "diff", check=False)
    assert mark.exists()


def test_settings_of_a_name_with_any_character_are_overridden() -> None:
    keys = ["filter.a=b.clean", "filter.a\nb.process", "filter.A.B.smudge", "diff.x.textconv", "merge.x.driver"]
    env = git_guard.environment({}, "/bin", [git_guard.Setting(key, "evil") for key in keys])
    forced = {
        env[f"GIT_CONFIG_KEY_{number}"]: env[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(int(env["GIT_CONFIG_COUNT"]))
    }
    assert {forced[key] for key in keys} <= {"", "cat", "false"}


async def test_a_config_with_thousands_of_programs_is_refused(repo: Path) -> None:
    with (repo / ".git" / "config").open("a") as file:
        file.writelines(f'[filter "f{number}"]\nclean = evil\n' for number in range(5000))
    with pytest.raises(GitError, match="thousands of programs"):
        await git.ls_files(repo)


def test_reading_head_starts_no_program(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = git.head_info(repo / "sub")
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.setattr(os, "posix_spawn", None)
    monkeypatch.setattr(os, "fork", None)
    assert told
    assert git.head_info(repo / "sub") == told
