"""Commands that run other commands: `env`, `timeout`, `xargs`, `find -exec`, `sh -c`, `git -c`, `sudo` and the like.

What cannot be seen through is said so and never allowed automatically.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import Change, FoundCommand, all_commands

_MAX_DEPTH = 6


class Inner(NamedTuple):
    """A command another one runs."""

    command: FoundCommand
    start: int | None
    """Where it begins in the outer argv; None when it stands inside an argument."""
    faithful: bool
    """It runs exactly as it would by itself: same environment, directory, rights and arguments."""
    more: bool = False
    """It gets further arguments that are not known, as from `xargs`."""


class Unwrapped(NamedTuple):
    """What a wrapper runs."""

    inner: tuple[Inner, ...]
    complete: bool
    """False: it may run more than `inner`."""


_UNKNOWN = Unwrapped((), complete=False)


def command_of(argv: tuple[str, ...]) -> FoundCommand:
    """An argument list as a command whose words are all known."""
    return FoundCommand(tuple(Word(text) for text in argv))


def unwrap(command: FoundCommand) -> Unwrapped | None:
    """What the command runs besides itself; None when it is no wrapper."""
    if not command.words or not command.words[0].known:
        return None
    see = _WRAPPERS.get(os.path.basename(command.words[0].text))
    return see(command) if see else None


def unwrap_all(command: FoundCommand) -> tuple[tuple[FoundCommand, ...], bool]:
    """The command and everything it runs through wrappers, and whether that is all."""
    found = [command]
    complete = True
    level = [command]
    for _ in range(_MAX_DEPTH):
        unwrapped = [seen for outer in level if (seen := unwrap(outer)) is not None]
        complete = complete and all(seen.complete for seen in unwrapped)
        level = [inner.command for seen in unwrapped for inner in seen.inner]
        if not level:
            return tuple(found), complete
        found += level
    return tuple(found), False


class _Options(NamedTuple):
    """Options a wrapper takes before the command."""

    flags: str = ""
    """Letters without a value."""
    valued: str = ""
    """Letters with a value."""
    long_flags: frozenset[str] = frozenset()
    long_valued: frozenset[str] = frozenset()
    unfaithful: str = ""
    """Letters that change how the command runs."""
    operands: int = 0
    """Operands before the command, as the duration of `timeout`."""
    faithful: bool = True
    assignments: bool = False
    more: bool = False
    directory: str = ""
    """The option that names the command's directory."""


def _prefix(options: _Options) -> Callable[[FoundCommand], Unwrapped]:
    return lambda command: _after_options(command, options)


def _after_options(command: FoundCommand, options: _Options) -> Unwrapped:
    """The command behind the wrapper's options; unknown when an option is not in the table."""
    words = command.words
    faithful = options.faithful and not command.redirects
    changes = command.changes
    operands = options.operands
    index = 1
    while index < len(words):
        word = words[index]
        text = word.text
        if not word.known:
            return _UNKNOWN
        if options.assignments and re.match(r"[A-Za-z_]\w*=", text):
            faithful = False
        elif text == "--":
            index += 1
            break
        elif text.startswith("--"):
            name, equals, value = text.partition("=")
            if name in options.long_valued:
                if not equals:
                    index += 1
                    value = words[index].text if index < len(words) else ""
                if name == "--chdir":
                    changes = (*changes, Change(Word(value), certain=True))
                    faithful = False
            elif name not in options.long_flags:
                return _UNKNOWN
            faithful = faithful and name not in _UNFAITHFUL_LONG
        elif text.startswith("-") and len(text) > 1:
            parsed = _cluster(text[1:], options)
            if parsed is None:
                return _UNKNOWN
            letters, value = parsed
            if value is None:
                index += 1
                value = words[index].text if index < len(words) else ""
            if options.directory and options.directory == letters[-1]:
                changes = (*changes, Change(Word(value), certain=True))
            faithful = faithful and not set(letters) & set(options.unfaithful)
        elif text == "-" and options.assignments:
            faithful = False
        else:
            break
        index += 1
    index += operands
    if index >= len(words):
        return Unwrapped((), complete=not options.more)
    inner = command._replace(words=words[index:], changes=changes)
    return Unwrapped((Inner(inner, index, faithful, options.more),), complete=True)


_UNFAITHFUL_LONG = frozenset({"--ignore-environment", "--unset", "--chdir", "--output", "--append"})


def _cluster(letters: str, options: _Options) -> tuple[str, str | None] | None:
    """Letters of `-abc` and the value of the last one: "" without one, None when it is the next word."""
    if "0" in options.flags and letters.isdigit():  # nice -10
        return letters, ""
    for index, letter in enumerate(letters):
        if letter in options.valued:
            rest = letters[index + 1 :]
            return letters[: index + 1], rest or None
        if letter not in options.flags:
            return None
    return letters, ""


def _shell(command: FoundCommand) -> Unwrapped | None:
    """`bash -euo pipefail -c SCRIPT name…`; a shell that runs a file is no wrapper."""
    words = command.words
    index = 1
    script_follows = False
    while index < len(words) and words[index].text.startswith(("-", "+")) and words[index].text not in {"-", "--"}:
        text = words[index].text
        if not words[index].known:
            return _UNKNOWN
        if not text.startswith("--"):
            script_follows = script_follows or "c" in text[1:]
            if text[-1] in "oO":
                index += 1
        elif text in {"--rcfile", "--init-file"}:
            return _UNKNOWN
        index += 1
    if not script_follows:
        return None
    if index < len(words) and words[index].text == "--":
        index += 1
    if index >= len(words) or not words[index].known:
        return _UNKNOWN
    found = all_commands(words[index].text)
    inner = tuple(
        Inner(
            each._replace(changes=command.changes + each.changes, redirects=command.redirects + each.redirects),
            None,
            faithful=False,
        )
        for each in found.commands
    )
    return Unwrapped(inner, found.complete)


def _find(command: FoundCommand) -> Unwrapped | None:
    """`find … -exec CMD {} ;`: once for each action."""
    inner: list[Inner] = []
    words = command.words
    index = 1
    while index < len(words):
        if words[index].text in {"-exec", "-execdir", "-ok", "-okdir"}:
            start = index + 1
            while index < len(words) and words[index].text not in {";", "+"}:
                index += 1
            if words[start:index]:
                inner.append(Inner(command._replace(words=words[start:index]), start, faithful=False, more=True))
        index += 1
    return Unwrapped(tuple(inner), complete=True) if inner else None


def _fd(command: FoundCommand) -> Unwrapped | None:
    """`fd PATTERN -x CMD`: everything behind the option."""
    for index, word in enumerate(command.words):
        if word.text in {"-x", "-X", "--exec", "--exec-batch"}:
            rest = command.words[index + 1 :]
            if not rest:
                return _UNKNOWN
            return Unwrapped((Inner(command._replace(words=rest), index + 1, faithful=False, more=True),), True)
    return None


_GIT_VALUED = frozenset({"--git-dir", "--work-tree", "--namespace", "--super-prefix", "--attr-source"})
_GIT_HARMLESS = frozenset(
    {"--no-pager", "-P", "--no-optional-locks", "--literal-pathspecs", "--glob-pathspecs", "--noglob-pathspecs"}
)


def _git(command: FoundCommand) -> Unwrapped | None:
    """`git -C dir -c k=v SUB …` runs `git SUB …`; a setting can name any program, so `-c` is not seen through."""
    words = command.words
    changes = command.changes
    complete = True
    index = 1
    while index < len(words) and words[index].text.startswith("-"):
        name, _, value = words[index].text.partition("=")
        if name in {"-C", "-c"} or (name in _GIT_VALUED and not value):
            index += 1
            value = words[index].text if index < len(words) else ""
        if name == "-C":
            changes = (*changes, Change(words[min(index, len(words) - 1)], certain=True))
        elif name not in _GIT_VALUED | _GIT_HARMLESS:
            complete = False
        index += 1
    if index == 1:
        return None
    if index >= len(words):
        return Unwrapped((), complete)
    inner = command._replace(words=(words[0], *words[index:]), changes=changes)
    return Unwrapped((Inner(inner, None, faithful=False),), complete)


def _unknown(_: FoundCommand) -> Unwrapped:
    return _UNKNOWN


def _command_builtin(command: FoundCommand) -> Unwrapped | None:
    """`command -v x` only looks; `command x` runs."""
    if any(word.text in {"-v", "-V"} for word in command.words[1:2]):
        return None
    return _after_options(command, _Options(flags="p", unfaithful="p"))


_XARGS = _Options(
    flags="0rtxpoi",
    valued="adEeILlnPsJRS",
    long_flags=frozenset({"--null", "--no-run-if-empty", "--verbose", "--exit", "--interactive", "--open-tty"}),
    long_valued=frozenset({"--arg-file", "--delimiter", "--max-args", "--max-procs", "--replace", "--max-lines"}),
    faithful=False,
    more=True,
)
_SUDO = _Options(
    flags="AbEHnPSkN",
    valued="CDghpRrtTuU",
    long_flags=frozenset({"--non-interactive", "--preserve-env", "--set-home", "--stdin", "--background"}),
    long_valued=frozenset({"--user", "--group", "--chdir", "--prompt", "--host"}),
    faithful=False,
    assignments=True,
    directory="D",
)
_OPAQUE = frozenset(
    {"su", "ssh", "watch", "parallel", "script", "strace", "ltrace", "gdb", "flock", "chroot", "unshare", "nsenter"}
    | {"runuser", "systemd-run", "setpriv", "taskset", "chrt", "prlimit", "coproc", "entr", "unbuffer", "caffeinate"}
)
_WRAPPERS: Mapping[str, Callable[[FoundCommand], Unwrapped | None]] = {
    **dict.fromkeys(_OPAQUE, _unknown),
    "env": _prefix(
        _Options(
            flags="iv0",
            valued="uC",
            long_flags=frozenset({"--ignore-environment", "--null", "--debug"}),
            long_valued=frozenset({"--unset", "--chdir"}),
            unfaithful="iuC",
            assignments=True,
            directory="C",
        )
    ),
    "nice": _prefix(_Options(flags="0", valued="n", long_valued=frozenset({"--adjustment"}))),
    "ionice": _prefix(_Options(flags="t", valued="cn")),
    "timeout": _prefix(
        _Options(
            flags="v",
            valued="sk",
            long_flags=frozenset({"--preserve-status", "--foreground", "--verbose"}),
            long_valued=frozenset({"--signal", "--kill-after"}),
            operands=1,
        )
    ),
    "nohup": _prefix(_Options(faithful=False)),
    "setsid": _prefix(_Options(flags="cfw", faithful=False)),
    "time": _prefix(
        _Options(
            flags="pvaq",
            valued="fo",
            long_flags=frozenset({"--portability", "--verbose", "--append", "--quiet"}),
            long_valued=frozenset({"--format", "--output"}),
            unfaithful="oa",
        )
    ),
    "stdbuf": _prefix(_Options(valued="ioe", long_valued=frozenset({"--input", "--output", "--error"}))),
    "xargs": _prefix(_XARGS),
    "sudo": _prefix(_SUDO),
    "doas": _prefix(_Options(flags="nLs", valued="uCa", faithful=False)),
    "busybox": _prefix(_Options(faithful=False)),
    "toybox": _prefix(_Options(faithful=False)),
    "exec": _prefix(_Options(flags="cl", valued="a", faithful=False)),
    "builtin": _prefix(_Options(faithful=False)),
    "noglob": _prefix(_Options(faithful=False)),
    "nocorrect": _prefix(_Options(faithful=False)),
    "command": _command_builtin,
    "bash": _shell,
    "sh": _shell,
    "zsh": _shell,
    "dash": _shell,
    "ksh": _shell,
    "find": _find,
    "fd": _fd,
    "fdfind": _fd,
    "git": _git,
}
