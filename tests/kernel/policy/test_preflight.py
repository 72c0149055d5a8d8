"""What a command would destroy, sorted by what can be had back: with real repositories and real git."""

import os
import subprocess
import time

import msgspec
import pytest

from codex_kernel.policy.born import born_at
from codex_kernel.policy.decide import decide_command
from codex_kernel.policy.interface import Ask, CommandQuestion, Run, Standing
from codex_kernel.policy.preflight import CLEAR, survey
from codex_kernel.policy.worktree import Changed, GitWorkTree, parse_status
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess, ReadOnly, WorkspaceWrite

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
NO_TMP = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)


def git(directory, *args):
    env = {"PATH": os.environ["PATH"], "HOME": str(directory), "GIT_CONFIG_GLOBAL": "/dev/null", **IDENTITY}
    subprocess.run(["git", "-C", str(directory), *args], check=True, capture_output=True, env=env, timeout=20)


@pytest.fixture
def repository(tmp_path):
    """Tracked and clean, changed, staged, untracked, ignored files; a nested repository."""
    top = tmp_path / "repo"
    (top / "src").mkdir(parents=True)
    for name in ("clean.py", "changed.py", "staged.py", "src/clean.c", "src/changed.c"):
        (top / name).write_text("old\n")
    (top / ".gitignore").write_text("*.log\nbuild/\n")
    git(top.parent, "init", "-q", str(top))
    git(top, "add", ".")
    git(top, "commit", "-qm", "x")
    for name in ("changed.py", "staged.py", "src/changed.c"):
        (top / name).write_text("new\n")
    git(top, "add", "staged.py")
    (top / "notes.txt").write_text("mine\n")
    (top / "src" / "draft.c").write_text("mine\n")
    (top / "run.log").write_text("x\n")
    (top / "build").mkdir()
    (top / "build" / "o").write_text("x\n")
    (top / "ünï code\n.txt").write_text("mine\n")
    nested = top / "nested"
    nested.mkdir()
    git(top, "init", "-q", str(nested))
    (nested / "f").write_text("mine\n")
    return top


async def surveyed(top, script, *, sandbox=NO_TMP, worktree=True, cwd=None, **more):
    standing = Standing(
        approval_policy=ApprovalPolicy.ON_REQUEST,
        sandbox_policy=sandbox,
        rung=1,
        can_ask=True,
        workspace=top,
        **more,
    )
    argv = ("bash", "-lc", script) if isinstance(script, str) else script
    question = CommandQuestion(argv=argv, cwd=cwd or top)
    return await survey(question, standing, GitWorkTree() if worktree else None)


PRECIOUS = {
    "rm clean.py": [],
    "rm changed.py": ["changed.py"],
    "rm staged.py": ["staged.py"],
    "rm notes.txt": ["notes.txt"],
    "rm run.log": [],
    "rm -rf build": [],
    "rm -rf src": ["src/changed.c", "src/draft.c"],
    "rm -rf src/clean.c build run.log": [],
    "rm *.py": ["changed.py", "staged.py"],
    "rm ./ü*": ["ünï code\n.txt"],
    "rm nosuch": [],
    "rm src": [],
    "rm -rf nested": ["nested/.git", "nested/f"],
    "rm -rf nested/f": ["nested/f"],
    "rm -rf .": [
        ".git",
        "changed.py",
        "nested",
        "notes.txt",
        "src/changed.c",
        "src/draft.c",
        "staged.py",
        "ünï code\n.txt",
    ],
    "rm -rf .git": [".git"],
    "rm -rf .git/objects": [".git/objects"],
    "echo x > clean.py": [],
    "echo x > changed.py": ["changed.py"],
    "echo x > notes.txt": ["notes.txt"],
    "echo x > new.txt": [],
    "mv clean.py notes.txt": ["notes.txt"],
    "mv clean.py other.py": [],
    "cp notes.txt clean.py": [],
    "git checkout -- .": ["changed.py", "src/changed.c", "staged.py"],
    "git checkout -- src": ["src/changed.c"],
    "git checkout -- clean.py": [],
    "git reset --hard": ["changed.py", "src/changed.c", "staged.py"],
    "git clean -fd": ["nested", "notes.txt", "src/draft.c", "ünï code\n.txt"],
    "git clean -fdX": [],
    "git clean -fd src": ["src/draft.c"],
    "git stash clear": ["git stash entries (clear)"],
    "find . -name '*.c' -delete": ["src/changed.c", "src/draft.c"],
    "find . -name '*.log' -delete": [],
    "truncate -s 0 changed.py": ["changed.py"],
    "cd src && rm draft.c": ["src/draft.c"],
    "ls": [],
}


@pytest.mark.parametrize("script", PRECIOUS)
async def test_only_what_cannot_be_had_back_is_precious(repository, script):
    lost = await surveyed(repository, script)
    expected = [path if path.startswith("git stash") else str(repository / path) for path in PRECIOUS[script]]
    assert sorted(lost.precious) == sorted(expected)
    assert set(lost.precious) <= set(lost.touched)


async def test_what_the_thread_made_is_no_loss(repository):
    made = frozenset(
        {str(repository / "notes.txt"), str(repository / "src/draft.c"), str(repository / "src/changed.c")}
    )
    assert (await surveyed(repository, "rm -rf src notes.txt", made_here=made)).precious == ()


async def test_without_git_everything_older_is_precious(repository):
    lost = await surveyed(repository, "rm clean.py && rm -rf src", worktree=False)
    assert set(lost.precious) == {str(repository / "clean.py")} | {
        str(repository / "src" / name) for name in ("clean.c", "changed.c", "draft.c")
    }


async def test_a_directory_that_is_no_repository_has_only_precious_files(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "b").write_text("x")
    lost = await surveyed(tmp_path, "rm -rf a d; git clean -fd; git reset --hard")
    assert lost.precious == (str(tmp_path / "a"), str(tmp_path / "d" / "b"))


async def test_outside_the_roots_nothing_is_precious(repository):
    outside = repository.parent / "outside.txt"
    outside.write_text("x")
    lost = await surveyed(repository, "rm ../outside.txt")
    assert (lost.precious, lost.outside, lost.touched) == ((), (str(outside),), (str(outside),))


async def test_a_directory_that_holds_the_workspace_counts_as_inside(repository):
    assert (await surveyed(repository, "rm -rf ..")).precious


async def test_under_read_only_the_sandbox_decides(repository):
    lost = await surveyed(repository, "rm -rf . $X", sandbox=ReadOnly())
    assert (lost.precious, lost.unresolved) == ((), ())
    assert lost.outside == (str(repository),)


async def test_a_redirection_through_a_symlink_loses_the_target(repository):
    (repository / "link").symlink_to("notes.txt")
    assert (await surveyed(repository, "echo x > link")).precious == (str(repository / "notes.txt"),)
    assert (await surveyed(repository, "rm link")).precious == (str(repository / "link"),)


async def test_a_symlink_out_of_the_roots_is_outside(repository):
    outside = repository.parent / "outside.txt"
    outside.write_text("x")
    (repository / "link").symlink_to(outside)
    lost = await surveyed(repository, "echo x > link")
    assert (lost.precious, lost.outside) == ((), (str(outside),))


async def test_a_directory_behind_a_symlink_is_seen_where_it_is(repository):
    (repository / "to-src").symlink_to("src")
    assert (await surveyed(repository, "rm to-src/draft.c")).precious == (str(repository / "src/draft.c"),)


async def test_targets_that_cannot_be_told_are_named(repository):
    assert (await surveyed(repository, "rm -rf $X")).unresolved == ("$X",)
    assert (await surveyed(repository, "rm -rf /etc/$X /usr/lib/$Y")).unresolved == ()
    assert (await surveyed(repository, f"rm -rf {repository}/$X")).unresolved == (f"{repository}/$X",)
    assert (await surveyed(repository, "rm -rf /etc/../$X")).unresolved == ("/etc/../$X",)


async def test_files_a_command_makes_are_told(repository):
    lost = await surveyed(repository, "cat > new.txt; echo x > clean.py; echo y > notes.txt; cp a b > ../out")
    assert lost.makes == tuple(sorted(str(repository / name) for name in ("b", "clean.py", "new.txt")))


async def test_what_was_born_in_a_temporary_directory_since_the_start_is_the_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "work").mkdir()
    scratch = tmp_path / "tmp" / "scratch"
    scratch.write_text("x")
    if born_at(scratch) is None:
        pytest.skip("this file system does not keep when a file was born")
    sandbox = WorkspaceWrite(exclude_slash_tmp=True)
    after, before = time.time() + 60, time.time() - 60
    lost = await surveyed(tmp_path / "work", "rm ../tmp/scratch", sandbox=sandbox, started_at=before)
    assert lost.precious == ()
    lost = await surveyed(tmp_path / "work", "rm ../tmp/scratch", sandbox=sandbox, started_at=after)
    assert lost.precious == (str(scratch),)


async def test_thousands_of_losses_are_counted_not_listed(repository):
    for n in range(1_500):
        (repository / f"f{n}.txt").write_text("x")
    lost = await surveyed(repository, "git clean -fd")
    assert len(lost.precious) == 1_000
    assert lost.more == 504


async def test_a_harmless_command_costs_nothing(tmp_path):
    assert await surveyed(tmp_path / "nonexistent", "make && pytest") is CLEAR


async def test_the_decision_asks_with_the_list_and_runs_what_can_be_had_back(repository):
    async def decided(script, sandbox=NO_TMP):
        standing = Standing(
            approval_policy=ApprovalPolicy.ON_REQUEST,
            sandbox_policy=sandbox,
            rung=1,
            can_ask=True,
            workspace=repository,
        )
        question = CommandQuestion(argv=("bash", "-lc", script), cwd=repository)
        return await decide_command(question, standing, worktree=GitWorkTree())

    asked = await decided("rm notes.txt clean.py")
    assert isinstance(asked, Ask)
    assert (asked.by, asked.confined) == ("preflight", True)
    assert asked.would_touch == (str(repository / "clean.py"), str(repository / "notes.txt"))
    assert await decided("rm clean.py") == Run(confined=True, would_touch=(str(repository / "clean.py"),))
    free = await decided("rm notes.txt", DangerFullAccess())
    assert free == Run(confined=False, would_touch=(str(repository / "notes.txt"),))


def test_status_output_is_read(tmp_path):
    output = b" M a b\0?? new\0!! ignored\0A  staged\0?? dir/\0"
    assert parse_status(output, tmp_path) == Changed(
        (tmp_path / "a b", tmp_path / "staged"), (tmp_path / "new", tmp_path / "dir")
    )


async def test_a_git_that_cannot_tell_leaves_everything_precious(repository):
    (repository / ".git" / "index").write_bytes(b"no index")
    assert await GitWorkTree().changed(repository, [repository / "clean.py"]) is None
    assert (await surveyed(repository, "rm clean.py")).precious == (str(repository / "clean.py"),)


async def test_a_submodule_is_asked_itself(repository):
    module = repository / "module"
    git(repository, "-c", "protocol.file.allow=always", "clone", "-q", str(repository), str(module))
    (module / "clean.py").write_text("changed")
    assert (await surveyed(repository, "rm -rf module")).precious == (str(module / ".git"), str(module / "clean.py"))


async def test_programs_a_repository_names_do_not_run(repository):
    for key in ("core.fsmonitor", "filter.f.clean", "diff.external"):
        git(repository, "config", key, f"touch {repository}/ran")
    (repository / ".gitattributes").write_text("* filter=f\n")
    await surveyed(repository, "rm -rf src changed.py")
    assert not (repository / "ran").exists()


async def test_dots_behind_a_symlink_are_resolved_as_the_kernel_does(repository):
    elsewhere = repository.parent / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "notes.txt").write_text("x")
    (repository / "link").symlink_to(elsewhere / "deep")
    lost = await surveyed(repository, "rm link/../notes.txt")
    assert (lost.precious, lost.outside) == ((), (str(elsewhere / "notes.txt"),))


async def test_names_that_are_no_text_can_be_sent(repository):
    (repository / os.fsdecode(b"bad\xff.txt")).write_text("x")
    lost = await surveyed(repository, "rm bad*")
    assert lost.precious == (f"{repository}/bad\\xff.txt",)
    msgspec.json.encode((await surveyed(repository, ("xargs", "rm", "\ud800\udcff"))).unresolved)
    msgspec.json.encode(lost.touched)


async def test_thousands_of_targets_over_thousands_of_changes_are_all_counted(repository):
    for n in range(3_000):
        (repository / "src" / f"f{n}.txt").write_text("x")
    lost = await surveyed(repository, "rm src/*.txt; rm -rf src")
    assert len(lost.precious) + lost.more == 3_002


async def test_names_no_disk_takes_are_no_error(repository):
    long = "x" * 5_000
    for script in (
        f"rm {long}",
        f"echo > {long}/{long}",
        f"mv clean.py {long}",
        f"cd {long}; rm *",
        f"git checkout {long}",
    ):
        lost = await surveyed(repository, script)
        assert bool(lost.precious) is ("*" in script)


async def test_the_directory_itself_may_be_missing(repository):
    assert (await surveyed(repository, "rm -rf x *", cwd=repository / "missing")).precious == ()
