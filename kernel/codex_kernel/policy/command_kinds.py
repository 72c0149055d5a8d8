"""What one simple command is for, from its words. Source: spec/tools.md section 11, "Summaries"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from codex_kernel.policy.command_words import is_line_range, looks_like_path, operands, quoted, short_path
from codex_protocol.parsed_commands import (
    FormatCommand,
    LintCommand,
    ListFilesCommand,
    NoopCommand,
    ParsedCommand,
    ReadCommand,
    SearchCommand,
    TestCommand,
    UnknownCommand,
)

_Argv = tuple[str, ...]
_LS_VALUED = frozenset({"-I", "-w", "--block-size", "--format", "--time-style", "--color", "--quoting-style"})
_NL_VALUED = frozenset({"-s", "-w", "-v", "-i", "-b"})
_FD_VALUED = frozenset({"-t", "-e", "-E", "--type", "--extension", "--exclude", "--search-path"})
_SEARCH_VALUED = frozenset({"-A", "-B", "-C", "-g", "-m", "-t", "-T", "--glob", "--type", "--max-count", "--context"})
_TARGET_VALUED = frozenset(
    {"-p", "--package", "--features", "-C", "--config", "--config-path", "--out-dir", "-o", "--run", "--max-warnings"}
    | {"--format"}
)
_ESLINT_VALUED = frozenset(
    {"-c", "--config", "--parser", "--parser-options", "--rulesdir", "--plugin", "--max-warnings", "--format"}
)
_FIND_ACTS = ("-exec", "-ok", "-delete", "-fls", "-fprint")
_PREFIXES: tuple[tuple[_Argv, type[FormatCommand | LintCommand | TestCommand], str], ...] = (
    (("cargo", "fmt"), FormatCommand, "cargo fmt"),
    (("cargo", "clippy"), LintCommand, "cargo clippy"),
    (("cargo", "test"), TestCommand, ""),
    (("rustfmt",), FormatCommand, "rustfmt"),
    (("go", "fmt"), FormatCommand, "go fmt"),
    (("go", "test"), TestCommand, ""),
    (("prettier",), FormatCommand, "prettier"),
    (("npx", "prettier"), FormatCommand, "prettier"),
    (("black",), FormatCommand, "black"),
    (("ruff", "format"), FormatCommand, "ruff"),
    (("ruff", "check"), LintCommand, "ruff"),
    (("eslint",), LintCommand, "eslint"),
    (("npx", "eslint"), LintCommand, "eslint"),
    (("pytest",), TestCommand, ""),
    (("jest",), TestCommand, ""),
    (("vitest",), TestCommand, ""),
)


def kind_of(argv: _Argv) -> ParsedCommand:
    """What a simple command is for; `UnknownCommand` when nothing better is known."""
    command = quoted(argv)
    if argv == ("true",):
        return NoopCommand(command)
    for prefix, kind, tool in _PREFIXES:
        if argv[: len(prefix)] == prefix:
            if kind is TestCommand:
                return TestCommand(command)
            return _with_targets(kind, command, tool, argv[len(prefix) :])
    known = _KINDS.get(argv[0]) if argv else None
    return (known(argv[1:], command) if known else None) or UnknownCommand(command)


def _with_targets(
    kind: type[FormatCommand | LintCommand | TestCommand], command: str, tool: str, arguments: _Argv
) -> ParsedCommand:
    if tool == "eslint":
        targets = tuple(operands(arguments, _ESLINT_VALUED))
    else:
        end = arguments.index("--") if "--" in arguments else len(arguments)
        targets = tuple(operands(arguments[:end], _TARGET_VALUED))
    made = FormatCommand if kind is FormatCommand else LintCommand
    return made(command, tool, targets or None)


def _script_runner(manager: str) -> Callable[[_Argv, str], ParsedCommand | None]:
    """`npm run lint` and its like, by the script's name."""

    def kind(arguments: _Argv, command: str) -> ParsedCommand | None:
        if manager == "pnpm" and arguments[:1] == ("-r",):
            arguments = arguments[1:]
        match arguments:
            case ("run", name, *_):
                script = name
            case ("test", *_):
                script = "test"
            case ("t", *_) if manager == "npm":
                script = "test"
            case _:
                return None
        tool = f"{manager}-script:{script}"
        if script in {"test", "unit", "jest", "vitest"}:
            return TestCommand(command)
        if script in {"lint", "eslint"}:
            return LintCommand(command, tool, None)
        if script in {"format", "fmt", "prettier"}:
            return FormatCommand(command, tool, None)
        return None

    return kind


def _ls(arguments: _Argv, command: str) -> ParsedCommand:
    first = next(operands(arguments, _LS_VALUED), None)
    return ListFilesCommand(command, None if first is None else short_path(first))


def _searcher(arguments: _Argv, command: str) -> ParsedCommand:
    """`rg` and `grep`: pattern, then path; with `--files` or `-e` there is no pattern among the operands."""
    found = list(operands(arguments, _SEARCH_VALUED | {"-e", "--regexp", "-f", "--file"}))
    given = next((arguments[i + 1] for i, a in enumerate(arguments[:-1]) if a in {"-e", "--regexp"}), None)
    if "--files" not in arguments and given is None and not {"-f", "--file"} & set(arguments):
        given, found = (found[0] if found else None), found[1:]
    return SearchCommand(command, given, short_path(found[0]) if found else None)


def _fd(arguments: _Argv, command: str) -> ParsedCommand | None:
    if {"-x", "-X", "--exec", "--exec-batch"} & set(arguments):
        return None
    words = list(operands(arguments, _FD_VALUED))
    if len(words) == 1 and looks_like_path(words[0]):
        return SearchCommand(command, None, short_path(words[0]))
    return SearchCommand(command, words[0] if words else None, short_path(words[1]) if len(words) > 1 else None)


def _find(arguments: _Argv, command: str) -> ParsedCommand | None:
    """One that runs or deletes is no search, whatever the sheet's rows say of the others."""
    if any(argument.startswith(_FIND_ACTS) for argument in arguments):
        return None
    path = next((argument for argument in arguments if argument[:1] not in {"-", "!", "("}), None)
    names = {"-name", "-iname", "-path", "-regex"}
    query = next((arguments[i + 1] for i, a in enumerate(arguments[:-1]) if a in names), None)
    if path is not None and arguments[0].startswith("-"):
        path = None if path == query else path
    return SearchCommand(command, query, None if path is None else short_path(path))


def _cat(arguments: _Argv, command: str) -> ParsedCommand | None:
    files = arguments[1:] if arguments[:1] == ("--",) else arguments
    if len(files) != 1 or (files is arguments and files[0].startswith("-")):
        return None
    return ReadCommand(command, short_path(files[0]))


def _part_of_file(number: str) -> Callable[[_Argv, str], ParsedCommand | None]:
    """`head -n 5 FILE` and `head -n5 FILE`."""

    def kind(arguments: _Argv, command: str) -> ParsedCommand | None:
        match arguments:
            case ("-n", lines, file) if re.fullmatch(number, lines) and not file.startswith("-"):
                return ReadCommand(command, short_path(file))
            case (lines, file) if re.fullmatch("-n" + number, lines) and not file.startswith("-"):
                return ReadCommand(command, short_path(file))
            case _:
                return None

    return kind


def _nl(arguments: _Argv, command: str) -> ParsedCommand | None:
    file = next(operands(arguments, _NL_VALUED), None)
    return None if file is None else ReadCommand(command, short_path(file))


def _sed(arguments: _Argv, command: str) -> ParsedCommand | None:
    match arguments:
        case ("-n", lines, file, *_) if is_line_range(lines) and not file.startswith("-"):
            return ReadCommand(command, short_path(file))
        case _:
            return None


_KINDS: Mapping[str, Callable[[_Argv, str], ParsedCommand | None]] = {
    "npm": _script_runner("npm"),
    "pnpm": _script_runner("pnpm"),
    "yarn": _script_runner("yarn"),
    "ls": _ls,
    "rg": _searcher,
    "grep": _searcher,
    "fd": _fd,
    "find": _find,
    "cat": _cat,
    "head": _part_of_file("[0-9]+"),
    "tail": _part_of_file("[+]?[0-9]+"),
    "nl": _nl,
    "sed": _sed,
}
