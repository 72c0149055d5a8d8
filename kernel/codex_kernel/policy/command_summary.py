"""What a command is for, in one word and its subject: read, list, search, format, lint, test. For display only.

Source: spec/tools.md section 11, whose rows hold. Where its rules would hide what a script does (`… | xargs rm`,
`sed -i`, `tee FILE`, `find -delete`) the command is shown instead; every shell of `script_of` is looked into.
"""

from __future__ import annotations

from codex_kernel.policy.command_kinds import kind_of
from codex_kernel.policy.command_words import is_line_range, split_words
from codex_kernel.policy.shell_plain import plain_commands
from codex_kernel.policy.shell_script import script_of
from codex_kernel.policy.trusted import is_trusted
from codex_protocol.parsed_commands import NoopCommand, ParsedCommand, ReadCommand, TestCommand, UnknownCommand

_Argv = tuple[str, ...]
_JOINTS = frozenset({"&&", "||", "|", ";"})
_ANSWERS = frozenset({"yes", "y", "no", "n"})
_SHAPERS = frozenset({"wc", "tr", "cut", "sort", "uniq", "column", "yes", "printf"})
"""Commands that only shape the output of another."""


def summarise(argv: _Argv) -> tuple[ParsedCommand, ...]:
    """What the command does, part by part; neighbours that say the same are one.

    Never raises; what is not understood is `UnknownCommand` with the whole script or the quoted argv.
    """
    script = script_of(argv)
    parts = _of_tokens(argv) if script is None else _of_script(script)
    return tuple(part for index, part in enumerate(parts) if index == 0 or part != parts[index - 1])


def _of_script(script: str) -> list[ParsedCommand]:
    commands = plain_commands(script)
    kept = [command for command in commands or () if not _only_shapes(command)]
    if not kept:
        return [UnknownCommand(script)]
    parts = [kind_of(command) for command in kept]
    if len(parts) > 1:
        telling: list[ParsedCommand] = [part for part in parts if not isinstance(part, NoopCommand)]
        parts = telling or parts[:1]
    return [_alone(parts[0], script)] if len(parts) == 1 else parts


def _alone(part: ParsedCommand, script: str) -> ParsedCommand:
    """The only part left of a script, shown with as much of the script as belongs to it."""
    match part:
        case UnknownCommand():
            return UnknownCommand(script)
        case NoopCommand():
            return NoopCommand(script)
        case ReadCommand(name=name) if "|" in script and "sed -n" in script:
            return ReadCommand(script, name)
        case _:
            return part


def _only_shapes(command: _Argv) -> bool:
    match command:
        case ("sort", *rest):
            return not any(argument.startswith(("-o", "--o")) for argument in rest)
        case (name, *_) if name in _SHAPERS:
            return True
        case ("xargs", *_):
            return _harmless_xargs(command)
        case ("tee",):
            return True
        case ("awk", *rest):
            return not any(sign in argument for argument in rest for sign in (">", "system", "|", "-i"))
        case ("head" | "tail", *rest):
            return len(rest) < 2
        case ("sed", *rest):
            prints = len(rest) >= 3 and rest[0] == "-n" and is_line_range(rest[1])
            return not prints and not any(argument.startswith(("-i", "--in-place")) for argument in rest)
        case _:
            return False


def _harmless_xargs(command: _Argv) -> bool:
    """Whether what `xargs` runs is trusted itself, with whatever arguments it gets."""
    inner = tuple(word for word in command[1:] if not word.startswith("-"))
    return not inner or (inner[0] not in {"find", "git", "sed"} and is_trusted(inner))


def _of_tokens(argv: _Argv) -> list[ParsedCommand]:
    if len(argv) > 2 and argv[0] in _ANSWERS and argv[1] == "|":
        argv = argv[2:]
    parts = [kind_of(segment) for segment in _segments(argv)]
    while (simpler := _simplified(parts)) is not None:
        parts = simpler
    return parts


def _segments(argv: _Argv) -> list[_Argv]:
    segments: list[_Argv] = []
    current: list[str] = []
    for token in (*argv, ";"):
        if token not in _JOINTS:
            current.append(token)
        elif current:
            segments.append(tuple(current))
            current = []
    return segments


def _simplified(parts: list[ParsedCommand]) -> list[ParsedCommand] | None:
    """The parts without one that only accompanies others; None when there is none."""
    if len(parts) < 2:
        return None
    for index, part in enumerate(parts):
        if _accompanies(part, first=index == 0, later=parts[index + 1 :]):
            return parts[:index] + parts[index + 1 :]
    return None


def _accompanies(part: ParsedCommand, *, first: bool, later: list[ParsedCommand]) -> bool:
    if isinstance(part, NoopCommand):
        return part.cmd == "true"
    if not isinstance(part, UnknownCommand):
        return False
    match split_words(part.cmd):
        case ("echo", *_):
            return first
        case ("cd", *_):
            return any(isinstance(each, TestCommand) for each in later)
        case ("nl", *rest):
            return all(argument.startswith("-") for argument in rest)
        case _:
            return False
