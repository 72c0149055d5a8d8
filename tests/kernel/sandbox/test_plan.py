from __future__ import annotations

import pytest

from codex_kernel.config.types import CommandLimits, SandboxSettings
from codex_kernel.sandbox.deny import DeniedPaths
from codex_kernel.sandbox.plan import Confinement, Mask, Places, plan
from codex_kernel.sandbox.roots import Roots
from codex_protocol.policy import DangerFullAccess, ReadOnly, WorkspaceWrite
from tests.support.fake_host import FakeHost

PLACES = Places(home="/home/u/.codex", private=("/run/u/codex",), code=("/opt/codex",))
HERE_ONLY = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
BASE: dict[str, str | None] = {
    "/w/f": "x",
    "/tmp": None,
    "/home/u/.codex/auth.json": "x",
    "/run/u/codex": None,
    "/opt/codex": None,
}


def planned(
    tree: dict[str, str | None],
    policy: ReadOnly | WorkspaceWrite = HERE_ONLY,
    *,
    workspace: str = "/w",
    settings: SandboxSettings | None = None,
    places: Places = PLACES,
    read_only: tuple[str, ...] = (),
) -> Confinement:
    host = FakeHost(BASE | tree, temp_dir="/scratch", read_only=read_only)
    chosen = settings or SandboxSettings()
    denied = DeniedPaths(chosen.deny_read, workspace, host).paths()
    roots = Roots(host).of(policy, workspace)
    return plan(policy, workspace, places, chosen, host, roots=roots, denied=denied)


@pytest.mark.parametrize(
    ("policy", "roots"),
    [
        (ReadOnly(), ()),
        (WorkspaceWrite(), ("/w", "/tmp", "/scratch")),
        (WorkspaceWrite(exclude_slash_tmp=True), ("/w", "/scratch")),
        (WorkspaceWrite(exclude_tmpdir_env_var=True), ("/w", "/tmp")),
        (HERE_ONLY, ("/w",)),
        (WorkspaceWrite(writable_roots=("/more", "/w", "/absent", "/w/f")), ("/w", "/more", "/tmp", "/scratch")),
        (WorkspaceWrite(writable_roots=("/link",)), ("/w", "/more", "/tmp", "/scratch")),
        (DangerFullAccess(), ("/",)),
    ],
)
def test_roots_are_those_the_policy_names_resolved_existing_and_once(policy, roots) -> None:
    host = FakeHost(BASE | {"/more": None, "/link": "-> /more", "/scratch": None}, temp_dir="/scratch")
    assert Roots(host).of(policy, "/w") == roots


def test_a_relative_temporary_directory_is_no_root() -> None:
    host = FakeHost(BASE | {"/w/scratch": None}, temp_dir="scratch")
    assert "/w/scratch" not in Roots(host).of(WorkspaceWrite(), "/w")


@pytest.mark.parametrize(
    ("links", "roots"),
    [
        ({"/w/later": "-> /victim"}, ("/w",)),
        ({"/w/a": "-> /victim", "/victim/later": None}, ("/w",)),
        ({"/elsewhere": "-> /victim"}, ("/w", "/victim")),
        ({"/w/later": None}, ("/w", "/w/later")),
    ],
)
def test_what_a_link_inside_a_root_leads_to_is_no_root(links, roots) -> None:
    host = FakeHost(BASE | {"/victim": None} | links)
    names = ("/w/later", "/w/a/later", "/elsewhere")
    policy = WorkspaceWrite(writable_roots=names, exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    assert Roots(host).of(policy, "/w") == roots


def test_what_is_trusted_is_protected_where_nobody_searches_and_only_what_is_there() -> None:
    tree: dict[str, str | None] = {f"/tmp/{name}/.git/HEAD": "x" for name in ("mine", "other")}
    tree |= {"/elsewhere/.git/HEAD": "x", "/tmp/mine/.codex/config.toml": "x"}
    places = Places(home="/home/u/.codex", private=(), trusted=("/tmp/mine", "/elsewhere", "/tmp/gone"))
    made = planned(tree, WorkspaceWrite(), places=places)
    assert made.read_only == ("/tmp/mine/.codex", "/tmp/mine/.git")
    assert not any("mine" in path for path in made.placeholders)
    assert made.anchors == ("/tmp/mine",)


def test_read_only_has_nothing_to_protect() -> None:
    made = planned({"/w/.git": None}, ReadOnly())
    assert (made.roots, made.read_only, made.placeholders) == ((), (), ())


@pytest.mark.parametrize(
    ("tree", "read_only", "placeholders"),
    [
        ({}, (), ("/w/.git", "/w/.codex", "/w/.agents")),
        ({"/w/.git/HEAD": "x"}, ("/w/.git",), ("/w/.codex", "/w/.agents")),
        ({"/w/.git": "gitdir: /elsewhere/g", "/elsewhere/g": None}, ("/w/.git",), ("/w/.codex", "/w/.agents")),
        ({"/w/.git": "gitdir: real", "/w/real": None}, ("/w/.git", "/w/real"), ("/w/.codex", "/w/.agents")),
        (
            {
                "/w/.git": "gitdir: main/.git/worktrees/a",
                "/w/main/.git/worktrees/a/commondir": "../..",
                "/w/.agents": None,
            },
            ("/w/.agents", "/w/.git", "/w/main/.git"),
            ("/w/.codex",),
        ),
        ({"/w/.git": "-> store", "/w/store": None}, ("/w/.git", "/w/store"), ("/w/.codex", "/w/.agents")),
        ({"/w/.git": "-> nowhere"}, ("/w/.git",), ("/w/.codex", "/w/.agents")),
        ({"/w/.codex": "a file", "/w/.git": None, "/w/.agents": None}, ("/w/.agents", "/w/.codex", "/w/.git"), ()),
        ({"/w/a/.git": None}, ("/w/a/.git",), ("/w/.git", "/w/.codex", "/w/.agents")),
        (
            {"/w/a/b/.git": "gitdir: ../../mod", "/w/mod": None},
            ("/w/mod", "/w/a/b/.git"),
            ("/w/.git", "/w/.codex", "/w/.agents"),
        ),
        ({"/w/a/.codex/config.toml": "x"}, ("/w/a/.codex",), ("/w/.git", "/w/.codex", "/w/.agents")),
        ({"/w/node_modules/p/.git": None}, (), ("/w/.git", "/w/.codex", "/w/.agents")),
    ],
)
def test_protected_names_are_found_in_every_form(tree, read_only, placeholders) -> None:
    made = planned(tree)
    assert (made.read_only, made.placeholders) == (read_only, placeholders)


def test_what_the_user_cannot_create_needs_no_placeholder() -> None:
    assert planned({}, read_only=("/w",)).placeholders == ()


def test_every_root_is_protected() -> None:
    made = planned({"/more/.git": None}, WorkspaceWrite(writable_roots=("/more",), exclude_tmpdir_env_var=True))
    assert "/more/.git" in made.read_only
    assert {"/tmp/.git", "/tmp/.codex", "/tmp/.agents", "/more/.codex"} <= set(made.placeholders)


def test_our_home_is_hidden_but_for_what_skills_need() -> None:
    made = planned({"/home/u/.codex/skills/s/SKILL.md": "x", "/home/u/.codex/config.toml": "x"})
    assert Mask("/home/u/.codex", ("/home/u/.codex/skills",)) in made.masks
    assert Mask("/run/u/codex") in made.masks


def test_keys_of_the_user_are_hidden() -> None:
    made = planned({"/home/u/.ssh/id": "x", "/home/u/.aws": "-> /secrets", "/secrets": None})
    assert {"/home/u/.ssh", "/secrets"} <= {mask.path for mask in made.masks}


def test_a_root_above_our_home_leaves_it_read_only_and_keys_uncreatable() -> None:
    made = planned({}, workspace="/home/u")
    assert "/home/u/.codex" in made.read_only
    assert "/home/u/.ssh" in made.placeholders


@pytest.mark.parametrize("workspace", ["/home/u/.codex", "/home/u/.codex/skills", "/run/u/codex", "/opt/codex/lib"])
def test_our_own_directories_are_never_roots(workspace) -> None:
    assert planned({"/home/u/.codex/skills": None, "/opt/codex/lib": None}, workspace=workspace).roots == ()


def test_a_thread_in_our_home_sees_it_but_not_the_login() -> None:
    made = planned({}, workspace="/home/u/.codex")
    assert Mask("/home/u/.codex/auth.json") in made.masks
    assert not any(mask.path == "/home/u/.codex" for mask in made.masks)


def test_a_root_inside_the_git_directory_of_another_stays_protected() -> None:
    made = planned({"/w/.git/sub": None}, WorkspaceWrite(writable_roots=("/w/.git/sub",), exclude_slash_tmp=True))
    assert "/w/.git" in made.read_only


def test_commits_open_the_repository_but_not_what_git_runs_or_follows() -> None:
    tree: dict[str, str | None] = {
        "/w/.git/HEAD": "ref: x", "/w/.git/config": "x", "/w/.git/hooks": None, "/w/.git/objects": None,
    }  # fmt: skip
    made = planned(tree, settings=SandboxSettings(git_writes=True))
    assert made.read_only == ("/w/.git/config", "/w/.git/hooks")
    assert {"/w/.git/info", "/w/.git/modules", "/w/.git/worktrees"} <= set(made.placeholders)
    assert {"/w/.git/config.worktree", "/w/.git/commondir"} <= set(made.placeholders)


def test_commits_in_a_linked_worktree_open_only_objects_refs_and_logs_of_the_main_one() -> None:
    tree: dict[str, str | None] = {
        "/w/.git": "gitdir: /main/.git/worktrees/a", "/main/.git/worktrees/a/commondir": "../..",
        "/main/.git/worktrees/a/HEAD": "x", "/main/.git/worktrees/a/gitdir": "/w/.git", "/main/.git/HEAD": "x",
        "/main/.git/objects": None, "/main/.git/refs": None, "/main/.git/config": "x",
    }  # fmt: skip
    made = planned(tree, settings=SandboxSettings(git_writes=True))
    assert set(made.roots) == {"/w", "/main/.git/worktrees/a", "/main/.git/objects", "/main/.git/refs"}
    assert {"/w/.git", "/main/.git/worktrees/a/commondir"} <= set(made.read_only)


@pytest.mark.parametrize(
    "planted",
    [
        {"/w/t/.git": "gitdir: /theirs/.git"},
        {"/w/t/.git": "gitdir: /theirs/.git/worktrees/b"},
        {"/w/t/.git": "-> /theirs/.git"},
        {
            "/w/t/.git": "gitdir: /w/fake",
            "/w/fake/HEAD": "x",
            "/w/fake/commondir": "/theirs/.git",
            "/w/fake/gitdir": "/w/t/.git",
        },
        {
            "/w/t/.git": "gitdir: /w/fake/worktrees/b",
            "/w/fake/worktrees/b/commondir": "/theirs/.git",
            "/w/fake/worktrees/b/gitdir": "/w/t/.git",
        },
    ],
)
def test_a_pointer_to_somebody_elses_repository_opens_nothing_of_it(planted: dict[str, str | None]) -> None:
    tree: dict[str, str | None] = {
        "/theirs/.git/HEAD": "x", "/theirs/.git/objects": None, "/theirs/.git/refs": None, "/theirs/.git/logs": None,
        "/theirs/.git/worktrees/b/HEAD": "x", "/theirs/.git/worktrees/b/commondir": "../..",
        "/theirs/.git/worktrees/b/gitdir": "/elsewhere/.git",
    }  # fmt: skip
    made = planned(tree | planted, settings=SandboxSettings(git_writes=True))
    assert [root for root in made.roots if root.startswith("/theirs")] == []
    assert "/w/t/.git" in made.read_only


@pytest.mark.parametrize(
    ("tree", "policy", "anchors"),
    [
        ({"/w/.git/HEAD": "x"}, HERE_ONLY, ()),
        ({"/w/a/b/.git/HEAD": "x"}, HERE_ONLY, ("/w/a", "/w/a/b")),
        ({"/w/.git/modules/m/x": "x", "/w/m/.git": "gitdir: ../.git/modules/m"}, HERE_ONLY, ("/w/m",)),
        ({"/w/x/y/z": None}, WorkspaceWrite(writable_roots=("/w/x/y",), exclude_slash_tmp=True), ("/w/x",)),
        ({"/home/u/f": "x"}, WorkspaceWrite(writable_roots=("/home",), exclude_slash_tmp=True), ("/home/u",)),
    ],
)
def test_directories_above_what_is_protected_cannot_be_moved_away(tree, policy, anchors) -> None:
    assert planned(tree, policy).anchors == anchors


def test_a_nested_repository_is_found_at_any_depth() -> None:
    assert "/w/a/b/c/d/e/f/g/.git" in planned({"/w/a/b/c/d/e/f/g/.git/HEAD": "x"}).read_only


def test_commits_open_nothing_where_there_is_no_repository() -> None:
    made = planned({"/w/.git": None}, settings=SandboxSettings(git_writes=True))
    assert made.read_only == ("/w/.git",)


def test_deny_read_patterns_hide_what_exists() -> None:
    settings = SandboxSettings(deny_read=("**/.env", "secret", "/abs/*.pem", "~/notes"))
    made = planned(
        {
            "/w/.env": "x",
            "/w/a/b/.env": "x",
            "/w/secret/k": "x",
            "/abs/a.pem": "x",
            "/abs/b": "x",
            "/home/u/notes": "x",
        },
        settings=settings,
    )
    hidden = {mask.path for mask in made.masks}
    assert {"/w/.env", "/w/a/b/.env", "/w/secret", "/abs/a.pem", "/home/u/notes"} <= hidden
    assert "/abs/b" not in hidden


@pytest.mark.parametrize("later", [{"/w/t": "-> /outside"}, {"/w/t": "a file"}, {}, {"/other": None, "/w/t": None}])
def test_a_root_that_became_another_directory_is_dropped(later) -> None:
    host = FakeHost(BASE | {"/w/t": None, "/outside": None}, temp_dir="/w/t")
    roots = Roots(host)
    policy = WorkspaceWrite(exclude_slash_tmp=True)
    assert roots.of(policy, "/w") == ("/w", "/w/t")
    host.become(BASE | {"/outside": None} | later)
    assert roots.of(policy, "/w") == ("/w",)


def test_memory_defaults_to_three_quarters_of_the_machine() -> None:
    assert planned({}).memory_bytes == 6 << 30
    assert planned({}, settings=SandboxSettings(limits=CommandLimits(max_memory_bytes=5))).memory_bytes == 5


def test_the_same_tree_gives_the_same_plan() -> None:
    tree: dict[str, str | None] = {"/w/.git": None, "/w/b/.git": None, "/w/a/.git": None}
    assert planned(tree) == planned(tree)
