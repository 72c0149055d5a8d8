"""How git is called so that nothing a repository says is obeyed: arguments, environment, settings overridden.

A repository's config and attributes can name programs for a dozen occasions, under names of its own choosing. Known
keys are overridden always; keys with chosen names are listed first and overridden one by one. What git would run in a
submodule, under that one's config, is switched off, since overrides do not reach there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from codex_kernel.sandbox.git_files import Repository
from codex_protocol.errors import CodexError


class GitError(CodexError):
    """Git could not answer.

    Attributes:
        code: Its exit status; None when it did not come to one.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Setting(NamedTuple):
    """One entry of git's effective config."""

    key: str
    value: str | None


_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")

_DIFF_OPTIONS = ("--no-ext-diff", "--no-textconv")
_SUBMODULES = "--ignore-submodules=dirty"
_FORCED_OPTIONS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("diff", "diff-index", "diff-files"), (*_DIFF_OPTIONS, _SUBMODULES)),
    **dict.fromkeys(("diff-tree", "log", "show"), _DIFF_OPTIONS),
    "status": (_SUBMODULES,),
}
_OTHERS = frozenset(
    ("cat-file", "for-each-ref", "ls-files", "ls-tree", "merge-base", "name-rev", "rev-list", "rev-parse", "show-ref")
)
COMMANDS = frozenset((*_FORCED_OPTIONS, *_OTHERS))
"""What may be asked: commands that only read, and for which everything they could start is known here."""

_SENTINEL = "codex.guarded"
_OVERRIDES: Mapping[str, str] = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.editor": "false",
    "core.askPass": "false",
    "core.sshCommand": "false",
    "core.gitProxy": "false",
    "core.quotePath": "false",
    "color.ui": "false",
    "credential.helper": "",
    "diff.external": "true",
    "diff.ignoreSubmodules": "dirty",
    "diff.submodule": "short",
    "gc.auto": "0",
    "gpg.program": "false",
    "gpg.openpgp.program": "false",
    "gpg.ssh.program": "false",
    "gpg.ssh.defaultKeyCommand": "",
    "gpg.x509.program": "false",
    "interactive.diffFilter": "",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "safe.bareRepository": "explicit",
    "sequence.editor": "false",
    "status.submoduleSummary": "false",
    "submodule.recurse": "false",
    _SENTINEL: "true",
}
_NAMED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"filter\..*\.(?:clean|smudge|process)", re.DOTALL), ""),
    (re.compile(r"filter\..*\.required", re.DOTALL), "false"),
    (re.compile(r"diff\..*\.textconv", re.DOTALL), "cat"),
    (re.compile(r"diff\..*\.command", re.DOTALL), "true"),
    (re.compile(r"merge\..*\.driver", re.DOTALL), "false"),
    (re.compile(r"remote\..*\.(?:uploadpack|receivepack)", re.DOTALL), "false"),
    (re.compile(r"credential\..*\.helper", re.DOTALL), ""),
)
_MAX_OVERRIDES = 2000

_KEPT_VARIABLES = frozenset(
    (
        *("HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "XDG_CONFIG_HOME"),
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_CEILING_DIRECTORIES"),
    )
)
"""The user's own: where their config is, and how far up a repository may be looked for."""
_SET_VARIABLES: Mapping[str, str] = {
    "GIT_ALLOW_PROTOCOL": "",  # no transport at all: a missing object is an error, never a fetch
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "false",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS": "false",
    "LC_ALL": "C.UTF-8",
}
LIST_SETTINGS = ("config", "--list", "-z", "--includes")
"""Asked before a command that names may matter to; runs nothing."""


def git_program(repository: Repository | None, env: Mapping[str, str]) -> tuple[str, str]:
    """Git's absolute path, and the search path to give it: without relative directories and the repository's own.

    Raises:
        GitError: It is not installed.
    """
    directories = [entry for entry in env.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(entry)]
    if repository is not None:
        root = Path(os.path.realpath(repository.root))
        directories = [entry for entry in directories if not Path(os.path.realpath(entry)).is_relative_to(root)]
    search_path = os.pathsep.join(directories)
    import shutil  # 2 ms that a thread without commands need not wait for

    program = shutil.which("git", path=search_path)
    if program is None:
        raise GitError("git is not installed, or not on the PATH outside this repository")
    return program, search_path


def arguments(args: Sequence[str]) -> list[str]:
    """Git's arguments, with the options that keep `args` from starting anything.

    Raises:
        ValueError: The command is not one of `COMMANDS`.
    """
    if not args or args[0] not in COMMANDS:
        raise ValueError(f"git {args[0] if args else ''} is not among the commands that are known to be safe")
    return [*_OPTIONS, args[0], *_FORCED_OPTIONS.get(args[0], ()), *args[1:]]


def environment(env: Mapping[str, str], search_path: str, settings: Iterable[Setting] = ()) -> dict[str, str]:
    """The whole environment of a call.

    Args:
        env: Ours.
        search_path: As `git_program` gives it.
        settings: The effective config; empty for the call that lists it.

    Raises:
        GitError: The config names more programs than can be overridden.
    """
    # As variables, not as `-c`: there a name that holds `=` would be cut in two.
    overrides = {**_OVERRIDES, **_named_overrides(settings)}
    if len(overrides) > _MAX_OVERRIDES:
        raise GitError("this repository's git config names thousands of programs, so git is not asked about it")
    out = {name: value for name, value in env.items() if name in _KEPT_VARIABLES}
    out |= _SET_VARIABLES
    out["PATH"] = search_path
    out["GIT_CONFIG_COUNT"] = str(len(overrides))
    for number, (key, value) in enumerate(overrides.items()):
        out[f"GIT_CONFIG_KEY_{number}"] = key
        out[f"GIT_CONFIG_VALUE_{number}"] = value
    return out


def _named_overrides(settings: Iterable[Setting]) -> dict[str, str]:
    return {setting.key: value for setting in settings for pattern, value in _NAMED if pattern.fullmatch(setting.key)}


def parse_settings(output: bytes) -> list[Setting]:
    """The output of `LIST_SETTINGS`.

    Raises:
        GitError: This git does not take settings from the environment (before 2.31).
    """
    settings: list[Setting] = []
    for entry in os.fsdecode(output).split("\0")[:-1]:
        key, newline, value = entry.partition("\n")
        settings.append(Setting(key, value if newline else None))
    if not any(setting.key == _SENTINEL for setting in settings):
        raise GitError("this git is too old to be called safely; version 2.31 or newer is needed")
    return settings


def check_worktree(settings: Iterable[Setting], repository: Repository | None) -> None:
    """Refuse a repository whose config claims files outside of it.

    Raises:
        GitError: `core.worktree` is another directory than the one that holds `.git`.
    """
    for setting in settings:
        if setting.key != "core.worktree" or repository is None:
            continue
        claimed = os.path.realpath(os.path.join(repository.git_dir, setting.value or ""))
        if claimed != os.path.realpath(repository.root):
            raise GitError(f"the git config of {repository.root} claims the files of {claimed}, so git is not asked")
