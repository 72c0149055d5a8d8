"""Workspaces of every shape that cases are tried in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from codex_kernel.config.types import SandboxSettings
from tests.kernel.sandbox.escapes.case import SECRET


@dataclass
class Tree:
    """A workspace and what must stay away from it, below one folder."""

    folder: Path
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    more_roots: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.root, self.outside, self.user_home = (self.folder / name for name in ("work", "outside", "user"))
        self.home = self.user_home / ".codex"
        self.code = self.folder / "code"

    @property
    def runtime(self) -> Path:
        return self.home / "workbench" / "run"

    def fill(self) -> None:
        """What every tree has."""
        for directory in (self.root, self.outside, self.runtime, self.code, self.user_home / ".ssh"):
            directory.mkdir(parents=True)
        (self.home / "sessions").mkdir()
        for secret in (self.home / "auth.json", self.user_home / ".ssh/id", self.runtime / "cookie"):
            secret.write_text(SECRET + "\n")
        (self.home / "config.toml").write_text('model = "x"\n')
        (self.home / "skills").mkdir()
        (self.code / "agent.py").write_text("# the agent itself\n")
        (self.user_home / ".bashrc").write_text("# of the user\n")


def git_directory(git: Path, *, common: bool = True) -> None:
    """What git takes for a repository's own directory."""
    git.mkdir(parents=True, exist_ok=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    if common:
        for name in ("hooks", "objects", "refs/heads", "info", "logs"):
            (git / name).mkdir(parents=True)
        (git / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = false\n")
        (git / "hooks/pre-push").write_text("#!/bin/sh\n")
        (git / "description").write_text("x\n")


def repository(tree: Tree) -> None:
    """A repository with one inside it, and the agent's own names."""
    git_directory(tree.root / ".git")
    git_directory(tree.root / "inner/.git")
    (tree.root / ".codex").mkdir()
    (tree.root / ".codex/config.toml").write_text("# of the project\n")
    (tree.root / ".agents/skills").mkdir(parents=True)
    (tree.root / ".env").write_text(SECRET + "\n")
    tree.settings = SandboxSettings(deny_read=("**/.env",))


def plain(tree: Tree) -> None:
    """No repository, no names of ours."""


def committing(tree: Tree) -> None:
    """A repository commands may commit to."""
    repository(tree)
    (tree.root / ".git/modules/sub/hooks").mkdir(parents=True)
    tree.settings = SandboxSettings(git_writes=True)


def worktree(tree: Tree) -> None:
    """A linked worktree whose repository lies in another root."""
    main = tree.folder / "main"
    git_directory(main / ".git")
    own = main / ".git/worktrees/work"
    git_directory(own, common=False)
    (own / "commondir").write_text("../..\n")
    (own / "gitdir").write_text(f"{tree.root}/.git\n")
    (tree.root / ".git").write_text(f"gitdir: {own}\n")
    tree.more_roots = (str(main),)


def worktree_committing(tree: Tree) -> None:
    """The same, its repository outside the roots, with commits allowed."""
    worktree(tree)
    tree.more_roots = ()
    tree.settings = SandboxSettings(git_writes=True)


def separate(tree: Tree) -> None:
    """`git init --separate-git-dir`: the directory lies inside the workspace."""
    git_directory(tree.root / "store")
    (tree.root / ".git").write_text("gitdir: store\n")


def submodule(tree: Tree) -> None:
    """A submodule: its directory stands in the outer repository's."""
    repository(tree)
    git_directory(tree.root / ".git/modules/sub")
    (tree.root / "sub").mkdir()
    (tree.root / "sub/.git").write_text("gitdir: ../.git/modules/sub\n")


def linked(tree: Tree) -> None:
    """`.git` is a symbolic link to a directory inside the workspace."""
    git_directory(tree.root / "store")
    os.symlink("store", tree.root / ".git")


def deep(tree: Tree) -> None:
    """Repositories deeper down, among many directories."""
    repository(tree)
    git_directory(tree.root / "a/b/c/d/e/.git")
    for number in range(60):
        (tree.root / f"many/{number:03}/more").mkdir(parents=True)
    git_directory(tree.root / "node_modules/thing/.git")


def trusted_unsearched(tree: Tree) -> None:
    """A repository that the user trusts, where none is looked for."""
    repository(tree)
    theirs = tree.root / "node_modules/theirs"
    git_directory(theirs / ".git")
    (theirs / ".codex").mkdir()
    (theirs / ".codex/config.toml").write_text("# of the project\n")
    tree.trusted = (str(theirs),)


def foreign_pointer(tree: Tree) -> None:
    """A command of an earlier day has left a `.git` file that names somebody else's repository; commits are allowed."""
    git_directory(tree.outside / "theirs/.git")
    own = tree.outside / "theirs/.git/worktrees/w"
    git_directory(own, common=False)
    (own / "commondir").write_text("../..\n")
    (own / "gitdir").write_text(f"{tree.outside}/w/.git\n")
    git_directory(tree.root / ".git")
    (tree.root / "trap").mkdir()
    (tree.root / "trap/.git").write_text(f"gitdir: {own}\n")
    tree.settings = SandboxSettings(git_writes=True)


def own_home_inside(tree: Tree) -> None:
    """The workspace holds the agent's home, its runtime directory and its code."""
    tree.root = tree.folder


def planted_root(tree: Tree) -> None:
    """A configured root that did not exist; a command of an earlier day has put a link in its place."""
    os.symlink(tree.outside, tree.root / "cache")
    tree.more_roots = (str(tree.root / "cache"),)


TREES: dict[str, Callable[[Tree], None]] = {
    make.__name__: make
    for make in (
        repository,
        plain,
        committing,
        worktree,
        worktree_committing,
        separate,
        submodule,
        linked,
        deep,
        trusted_unsearched,
        foreign_pointer,
        planted_root,
        own_home_inside,
    )
}


def grow(kind: str, folder: Path) -> Tree:
    """A fresh tree of this kind."""
    tree = Tree(folder)
    tree.fill()
    TREES[kind](tree)
    return tree
