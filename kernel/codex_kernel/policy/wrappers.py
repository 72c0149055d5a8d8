"""Commands that run other commands: `env`, `timeout`, `xargs`, `find -exec`, `sh -c`, `git -c`, `sudo` and the like.

What cannot be seen through is said so and never allowed automatically.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.shell_walk import Change, FoundCommand, all_commands
from codex_kernel.policy.wrapper_options import UNKNOWN, Inner, Options, Unwrapped, after_options, prefix

_MAX_DEPTH = 6


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


def _shell(command: FoundCommand) -> Unwrapped | None:
    """`bash -euo pipefail -c SCRIPT name…`; a shell that runs a file is no wrapper, one fed by a pipe hides."""
    words = command.words
    index = 1
    script_follows = reads_input = asks_only = False
    while index < len(words) and words[index].text.startswith(("-", "+")) and words[index].text not in {"-", "--"}:
        text = words[index].text
        if not words[index].known:
            return UNKNOWN
        if not text.startswith("--"):
            script_follows = script_follows or "c" in text[1:]
            reads_input = reads_input or "s" in text[1:]
            if text[-1] in "oO":
                index += 1
        elif text in {"--rcfile", "--init-file"}:
            return UNKNOWN
        asks_only = asks_only or text in {"--version", "--help"}
        index += 1
    if not script_follows:
        is_file = index < len(words) and words[index].text != "-" and not reads_input
        return None if is_file or asks_only else UNKNOWN
    if index < len(words) and words[index].text == "--":
        index += 1
    if index >= len(words) or not words[index].known:
        return UNKNOWN
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
                return UNKNOWN
            return Unwrapped((Inner(command._replace(words=rest), index + 1, faithful=False, more=True),), True)
        if word.text.startswith("--exec"):  # `--exec=CMD ARG…`
            first = Word(word.text.partition("=")[2], known=word.known)
            rest = (first, *command.words[index + 1 :])
            return Unwrapped((Inner(command._replace(words=rest), None, faithful=False, more=True),), True)
        if re.match(r"-[A-Za-z]+[xX]", word.text):  # `-Hx`, or the value of another letter
            return UNKNOWN
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
    return UNKNOWN


def _command_builtin(command: FoundCommand) -> Unwrapped | None:
    """`command -v x` only looks; `command x` runs."""
    if any(word.text in {"-v", "-V"} for word in command.words[1:2]):
        return None
    return after_options(command, Options(flags="p", unfaithful="p"))


_XARGS = Options(
    flags="0rtxpoi",
    valued="adEeILlnPsJRS",
    long_flags=frozenset({"--null", "--no-run-if-empty", "--verbose", "--exit", "--interactive", "--open-tty"}),
    long_valued=frozenset({"--arg-file", "--delimiter", "--max-args", "--max-procs", "--replace", "--max-lines"}),
    faithful=False,
    more=True,
)
_SUDO = Options(
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
    | {"at", "batch", "pkexec", "run0", "mosh", "autossh", "pdsh", "pssh", "tmux", "screen", "expect", "crontab"}
    | {"hyperfine", "valgrind", "perf", "rr", "xvfb-run", "fakeroot", "faketime", "eatmydata", "dbus-run-session"}
    | {"bwrap", "firejail", "proxychains", "proxychains4", "torsocks", "numactl", "cpulimit", "setarch", "cgexec"}
    | {"start-stop-daemon", "linux32", "linux64", "uclampset"}
    | {"runuser", "systemd-run", "setpriv", "taskset", "chrt", "prlimit", "coproc", "entr", "unbuffer", "caffeinate"}
)
_WRAPPERS: Mapping[str, Callable[[FoundCommand], Unwrapped | None]] = {
    **dict.fromkeys(_OPAQUE, _unknown),
    "env": prefix(
        Options(
            flags="iv0",
            valued="uC",
            long_flags=frozenset({"--ignore-environment", "--null", "--debug"}),
            long_valued=frozenset({"--unset", "--chdir"}),
            unfaithful="iuC",
            assignments=True,
            directory="C",
        )
    ),
    "nice": prefix(Options(flags="0", valued="n", long_valued=frozenset({"--adjustment"}))),
    "ionice": prefix(Options(flags="t", valued="cn")),
    "timeout": prefix(
        Options(
            flags="v",
            valued="sk",
            long_flags=frozenset({"--preserve-status", "--foreground", "--verbose"}),
            long_valued=frozenset({"--signal", "--kill-after"}),
            operands=1,
        )
    ),
    "nohup": prefix(Options(faithful=False)),
    "setsid": prefix(Options(flags="cfw", faithful=False)),
    "time": prefix(
        Options(
            flags="pvaq",
            valued="fo",
            long_flags=frozenset({"--portability", "--verbose", "--append", "--quiet"}),
            long_valued=frozenset({"--format", "--output"}),
            unfaithful="oa",
        )
    ),
    "stdbuf": prefix(Options(valued="ioe", long_valued=frozenset({"--input", "--output", "--error"}))),
    "xargs": prefix(_XARGS),
    "sudo": prefix(_SUDO),
    "doas": prefix(Options(flags="nLs", valued="uCa", faithful=False)),
    "busybox": prefix(Options(faithful=False)),
    "toybox": prefix(Options(faithful=False)),
    "exec": prefix(Options(flags="cl", valued="a", faithful=False)),
    "builtin": prefix(Options(faithful=False)),
    "noglob": prefix(Options(faithful=False)),
    "nocorrect": prefix(Options(faithful=False)),
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
