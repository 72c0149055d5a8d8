"""`.git` in every form, `.codex` and `.agents`: what would run or rule outside the sandbox later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.kernel.sandbox.escapes.case import Case, Room


def made(*parts: str) -> Callable[[Room], bool]:
    """Whether one of these has come to be below the workspace; links count."""
    return lambda room: any((room.root / part).exists() or (room.root / part).is_symlink() for part in parts)


def holds(path: str, text: str = "evil") -> Callable[[Room], bool]:
    """Whether the file at a path below the workspace has this text now."""

    def look(room: Room) -> bool:
        try:
            return text in (room.root / path).read_text()
        except OSError:
            return False

    return look


def gone(path: str) -> Callable[[Room], bool]:
    return lambda room: not (room.root / path).exists()


def beside(path: str, text: str = "evil") -> Callable[[Room], bool]:
    """As `holds`, for a path beside the workspace."""
    return lambda room: holds(str(Path("..") / path), text)(room)


_HOOK = "hooks/post-checkout"
_EVIL_GIT = "mkdir -p .git/hooks && echo evil >.git/hooks/post-checkout && echo evil >.git/config"


def _in(directory: str, script: str) -> str:
    return f"cd $ROOT/{directory} && {{ {script}; }}"


CASES = (
    # A directory.
    Case("plant-a-hook", "N", _in("", f"echo evil >.git/{_HOOK}"), made(f".git/{_HOOK}"), tree="submodule"),
    Case("change-the-config", "N", _in("", "echo evil >>.git/config"), holds(".git/config"), tree="submodule"),
    Case(
        "config-by-git-itself", "N", _in("", "git config core.fsmonitor ./evil"), holds(".git/config"), tree="submodule"
    ),
    Case(
        "rename-a-file-over-the-config",
        "N",
        _in("", "echo evil >e; mv -f e .git/config"),
        holds(".git/config"),
        tree="submodule",
    ),
    Case(
        "hard-link-to-the-config",
        "N",
        _in("", "ln .git/config c && echo evil >>c"),
        holds(".git/config"),
        tree="submodule",
    ),
    Case(
        "hook-through-a-symlink",
        "N",
        _in("", "ln -s .git/hooks h && echo evil >h/post-checkout"),
        made(f".git/{_HOOK}"),
        tree="submodule",
    ),
    Case(
        "rename-a-directory-over-the-hooks",
        "N",
        _in("", "rm -rf .git/hooks; mkdir h; echo evil >h/post-checkout; mv h .git/hooks"),
        made(f".git/{_HOOK}"),
        tree="submodule",
    ),
    Case(
        "exchange-the-hooks",
        "N",
        """
        # python
        os.chdir(ROOT); os.makedirs("h"); write("h/post-checkout", "evil")
        call(316, AT_FDCWD, b"h", AT_FDCWD, b".git/hooks", 2)
        """,
        made(f".git/{_HOOK}"),
        tree="submodule",
    ),
    Case("move-git-away", "N", _in("", f"mv .git away; {_EVIL_GIT}"), holds(".git/config"), tree="submodule"),
    Case("remove-git", "N", _in("", f"rm -rf .git; {_EVIL_GIT}"), holds(".git/config"), tree="submodule"),
    Case(
        "redirect-the-common-directory",
        "N",
        _in("", "echo ../evil >.git/commondir"),
        made(".git/commondir"),
        tree="submodule",
    ),
    Case(
        "make-a-hook-executable",
        "N",
        _in("", "chmod 755 .git/hooks/pre-push"),
        lambda room: bool((room.root / ".git/hooks/pre-push").stat().st_mode & 0o100),
        tree="submodule",
    ),
    Case(
        "config-of-a-submodule",
        "N",
        _in("sub", "git config core.fsmonitor ./evil || echo evil >>../.git/modules/sub/config"),
        holds(".git/modules/sub/config"),
        tree="submodule",
    ),
    Case(
        "hook-of-a-submodule",
        "N",
        _in("", f"echo evil >.git/modules/sub/{_HOOK}"),
        made(f".git/modules/sub/{_HOOK}"),
        tree="submodule",
    ),
    Case(
        "pointer-of-a-submodule",
        "N",
        _in("sub", "rm -f .git; mkdir -p ../e && echo 'gitdir: ../e' >.git"),
        holds("sub/.git", "../e"),
        tree="submodule",
    ),
    Case(
        "a-submodules-directory-replaced",
        "N",
        _in("", f"mv sub away && mkdir sub && cd sub && {_EVIL_GIT}"),
        holds("sub/.git/config"),
        tree="submodule",
    ),
    # Inside another.
    Case(
        "hook-of-a-nested-repository",
        "N",
        _in("inner", f"echo evil >.git/{_HOOK}"),
        made(f"inner/.git/{_HOOK}"),
        tree="submodule",
    ),
    Case(
        "move-a-nested-git-away",
        "N",
        _in("inner", f"mv .git away; {_EVIL_GIT}"),
        holds("inner/.git/config"),
        tree="submodule",
    ),
    Case(
        "a-nested-repository-replaced",
        "N",
        _in("", f"mv inner away && mkdir inner && cd inner && {_EVIL_GIT}"),
        holds("inner/.git/config"),
        tree="submodule",
    ),
    Case(
        "hook-of-a-repository-deep-down",
        "N",
        _in("a/b/c/d/e", f"echo evil >.git/{_HOOK}"),
        made(f"a/b/c/d/e/.git/{_HOOK}"),
        tree="deep",
    ),
    Case(
        "a-directory-above-a-repository-replaced",
        "N",
        _in("", f"mv a away && mkdir -p a/b/c/d/e && cd a/b/c/d/e && {_EVIL_GIT}"),
        holds("a/b/c/d/e/.git/config"),
        tree="deep",
    ),
    Case(
        "hook-of-a-trusted-repository-that-is-not-searched-for",
        "N",
        _in("node_modules/theirs", f"echo evil >.git/{_HOOK}"),
        made(f"node_modules/theirs/.git/{_HOOK}"),
        tree="trusted_unsearched",
    ),
    Case(
        "settings-of-a-trusted-project-that-is-not-searched-for",
        "N",
        _in("node_modules", "mv theirs away; mkdir -p theirs/.codex && echo evil >theirs/.codex/config.toml"),
        holds("node_modules/theirs/.codex/config.toml"),
        tree="trusted_unsearched",
    ),
    # Absent.
    Case("make-git", "N", _in("", _EVIL_GIT), holds(".git/config"), tree="plain"),
    Case("make-git-as-a-file", "N", _in("", "rmdir .git; echo 'gitdir: evil' >.git"), holds(".git"), tree="plain"),
    Case(
        "make-git-as-a-link",
        "N",
        _in("", "rmdir .git; mkdir evil && ln -s evil .git"),
        lambda room: (room.root / ".git").is_symlink(),
        tree="plain",
    ),
    Case(
        "git-init", "N", _in("", "git init -q . && git config core.fsmonitor evil"), holds(".git/config"), tree="plain"
    ),
    Case(
        "rename-a-repository-to-git",
        "N",
        _in("", "git init -q e && cd e && git config core.fsmonitor evil && rmdir ../.git; mv -T .git ../.git"),
        holds(".git/config"),
        tree="plain",
    ),
    # A file.
    Case("rewrite-the-pointer", "N", _in("", "echo 'gitdir: evil' >.git"), holds(".git"), tree="separate"),
    Case(
        "rename-over-the-pointer", "N", _in("", "echo 'gitdir: evil' >e; mv -f e .git"), holds(".git"), tree="separate"
    ),
    Case(
        "hook-where-the-pointer-points",
        "N",
        _in("", f"echo evil >store/{_HOOK}"),
        made(f"store/{_HOOK}"),
        tree="separate",
    ),
    Case(
        "move-what-the-pointer-names",
        "N",
        _in("", "mv store away; mkdir -p store/hooks; echo evil >store/config"),
        holds("store/config"),
        tree="separate",
    ),
    Case(
        "worktree-config-of-a-worktree",
        "N",
        _in("../main/.git/worktrees/work", "echo evil >config.worktree"),
        beside("main/.git/worktrees/work/config.worktree"),
        tree="worktree",
    ),
    Case(
        "hook-in-the-common-directory",
        "N",
        _in("../main/.git", f"echo evil >{_HOOK}"),
        beside(f"main/.git/{_HOOK}"),
        tree="worktree",
    ),
    Case(
        "common-directory-of-a-worktree",
        "N",
        _in("../main/.git/worktrees/work", "echo /evil >commondir"),
        beside("main/.git/worktrees/work/commondir"),
        tree="worktree",
    ),
    # A symbolic link.
    Case(
        "replace-the-link",
        "N",
        _in("", f"rm -f .git; {_EVIL_GIT}"),
        holds(".git/config"),
        tree="linked",
        told_on_rung_2=True,
    ),
    Case(
        "rename-over-the-link",
        "N",
        _in("", "ln -s evil l; mkdir -p evil/hooks; mv -fT l .git"),
        lambda room: (room.root / ".git").readlink() == Path("evil"),
        tree="linked",
        told_on_rung_2=True,
    ),
    Case(
        "hook-where-the-link-points", "N", _in("", f"echo evil >store/{_HOOK}"), made(f"store/{_HOOK}"), tree="linked"
    ),
    Case("hook-through-the-link", "N", _in("", f"echo evil >.git/{_HOOK}"), made(f"store/{_HOOK}"), tree="linked"),
    # Commits are allowed.
    Case("committing-hook", "N", _in("", f"echo evil >.git/{_HOOK}"), made(f".git/{_HOOK}"), tree="committing"),
    Case(
        "committing-config",
        "N",
        _in("", "echo evil >>.git/config; echo evil >e; mv -f e .git/config"),
        holds(".git/config"),
        tree="committing",
    ),
    Case(
        "committing-move-git-away", "N", _in("", f"mv .git away; {_EVIL_GIT}"), holds(".git/config"), tree="committing"
    ),
    Case(
        "committing-nested-move-git-away",
        "N",
        _in("inner", f"mv .git away; {_EVIL_GIT}"),
        holds("inner/.git/config"),
        tree="committing",
    ),
    Case(
        "committing-common-directory",
        "N",
        _in("", "echo ../evil >.git/commondir"),
        holds(".git/commondir"),
        tree="committing",
    ),
    Case(
        "committing-common-directory-by-rename",
        "N",
        _in("", "echo ../evil >e; mv e .git/commondir; ln -s x .git/config.worktree"),
        holds(".git/commondir"),
        tree="committing",
    ),
    Case(
        "committing-config-of-a-worktree",
        "N",
        _in("", "echo evil >.git/config.worktree"),
        holds(".git/config.worktree"),
        tree="committing",
    ),
    Case(
        "committing-old-style-remote",
        "N",
        _in("", "mkdir -p .git/remotes; echo evil >.git/remotes/origin"),
        holds(".git/remotes/origin"),
        tree="committing",
    ),
    Case(
        "committing-hook-of-a-submodule",
        "N",
        _in("", f"echo evil >.git/modules/sub/{_HOOK}"),
        made(f".git/modules/sub/{_HOOK}"),
        tree="committing",
    ),
    Case(
        "committing-info",
        "N",
        _in("", "echo '* filter=evil' >.git/info/attributes"),
        made(".git/info/attributes"),
        tree="committing",
    ),
    Case(
        "committing-hooks-moved-away",
        "N",
        _in("", "mv .git/hooks .git/h; mkdir .git/hooks; echo evil >.git/hooks/post-checkout"),
        made(f".git/{_HOOK}"),
        tree="committing",
    ),
    Case(
        "committing-into-a-foreign-worktree",
        "NL",
        "echo evil >$ROOT/../outside/theirs/.git/worktrees/w/HEAD",
        beside("outside/theirs/.git/worktrees/w/HEAD"),
        tree="foreign_pointer",
    ),
    Case(
        "committing-into-a-foreign-repository",
        "NL",
        "echo evil >$ROOT/../outside/theirs/.git/refs/heads/main",
        beside("outside/theirs/.git/refs/heads/main"),
        tree="foreign_pointer",
    ),
    Case(
        "committing-hook-of-a-worktrees-repository",
        "NL",
        _in("../main/.git", f"echo evil >{_HOOK}; echo evil >>config"),
        beside(f"main/.git/{_HOOK}"),
        tree="worktree_committing",
    ),
    Case(
        "committing-worktree-config",
        "N",
        _in("../main/.git/worktrees/work", "echo evil >config.worktree; echo evil >commondir"),
        beside("main/.git/worktrees/work/commondir"),
        tree="worktree_committing",
    ),
    # The agent's own names.
    Case(
        "change-codex-config",
        "N",
        _in("", "echo evil >>.codex/config.toml"),
        holds(".codex/config.toml"),
        tree="submodule",
    ),
    Case(
        "move-codex-away",
        "N",
        _in("", "mv .codex away; mkdir .codex; echo evil >.codex/config.toml"),
        holds(".codex/config.toml"),
        tree="submodule",
    ),
    Case(
        "make-codex",
        "N",
        _in("", "mkdir -p .codex; echo evil >.codex/config.toml"),
        holds(".codex/config.toml"),
        tree="plain",
    ),
    Case(
        "make-agents",
        "N",
        _in("", "mkdir -p .agents/skills; echo evil >.agents/skills/SKILL.md"),
        holds(".agents/skills/SKILL.md"),
        tree="plain",
    ),
    Case(
        "plant-a-project-skill",
        "N",
        _in("", "mkdir -p .agents/skills/s; echo evil >.agents/skills/s/SKILL.md"),
        holds(".agents/skills/s/SKILL.md"),
        tree="submodule",
    ),
)
