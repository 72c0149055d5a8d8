"""Completion scripts for bash, zsh and fish, made from the parser's tables."""

from __future__ import annotations

from collections.abc import Iterator

from codex_cli.commands.machine import SHELLS
from codex_cli.commands.root import ROOT
from codex_cli.options import Command, Option
from codex_cli.parser import options_of
from codex_protocol.errors import UsageError


def completion_script(shell: str) -> str:
    """The script for `shell`, to be sourced.

    Raises:
        UsageError: There is none for this shell.
    """
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    if shell not in makers:
        raise UsageError(f"there is no completion for '{shell}'; it is made for {', '.join(SHELLS)}")
    return makers[shell]()


def _chains(chain: tuple[Command, ...] = (ROOT,)) -> Iterator[tuple[Command, ...]]:
    """Every command that works, with the commands above it."""
    yield chain
    for command in chain[-1].subcommands:
        if command.summary:
            yield from _chains((*chain, command))


def _options(chain: tuple[Command, ...]) -> list[Option]:
    return [option for option in options_of(chain) if option.help]


def _names(chain: tuple[Command, ...]) -> list[str]:
    return [name for sub in chain[-1].subcommands if sub.summary for name in (sub.name, *sub.aliases)]


def _words(chain: tuple[Command, ...]) -> list[str]:
    """Plain words that may follow: subcommands, and the shells after `completion`."""
    if chain[-1].name == "completion":
        return list(SHELLS)
    if chain[-1].name == "help":
        return _names((ROOT,))
    return _names(chain)


def _path(chain: tuple[Command, ...]) -> str:
    return "/".join(command.name for command in chain[1:])


# bash: walk over the words to find the command, then offer its options, words or values.

_BASH = """\
_codex() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="" path="" word i
    COMPREPLY=()
    for (( i = 1; i < COMP_CWORD; i++ )); do
        word="${{COMP_WORDS[i]}}"
        case "$path:$word" in
{steps}
        esac
    done
    (( COMP_CWORD > 0 )) && previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    [[ "$current" == "=" ]] && current=""
    [[ "$previous" == "=" ]] && (( COMP_CWORD > 1 )) && previous="${{COMP_WORDS[COMP_CWORD-2]}}"
    case "$path:$previous" in
{values}
    esac
    case "$path" in
{commands}
    esac
}}
complete -F _codex codex
"""


def _bash() -> str:
    steps: list[str] = []
    values: list[str] = []
    commands: list[str] = []
    for chain in _chains():
        path = _path(chain)
        for sub in chain[-1].subcommands:
            if sub.summary:
                patterns = "|".join(f"{path}:{name}" for name in (sub.name, *sub.aliases))
                steps.append(f'            {patterns}) path="{_path((*chain, sub))}" ;;')
        for option in _options(chain):
            if option.metavar:
                patterns = "|".join(f"{path}:{name}" for name in option.names)
                values.append(f"        {patterns}) {_bash_values(option)}; return ;;")
        names = " ".join(name for option in _options(chain) for name in option.names)
        words = " ".join(_words(chain))
        commands.append(
            f'        "{path}") if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "{names}" -- "$current"));'
            f' else COMPREPLY=($(compgen -W "{words}" -- "$current")); fi ;;'
        )
    return _BASH.format(steps="\n".join(steps), values="\n".join(values), commands="\n".join(commands))


def _bash_values(option: Option) -> str:
    if option.choices:
        return f'COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$current"))'
    # Each name stands on a line of its own: mapfile keeps blanks inside it.
    if option.completes == "file":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current")'
    if option.completes == "dir":
        return 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current")'
    return "COMPREPLY=()"


# zsh: one function a command, each with `_arguments`.


def _zsh() -> str:
    functions = "\n\n".join(_zsh_function(chain) for chain in _chains())
    return f"#compdef codex\n\n{functions}\n\ncompdef _codex codex\n"


def _zsh_name(chain: tuple[Command, ...]) -> str:
    return "_" + "__".join(command.name.replace("-", "_") for command in chain)


def _zsh_function(chain: tuple[Command, ...]) -> str:
    lines = [f"{_zsh_name(chain)}() {{", "    local curcontext=$curcontext state line", "    _arguments -C \\"]
    lines.extend(f"        {_zsh_option(option, name)} \\" for option in _options(chain) for name in option.names)
    subcommands = [sub for sub in chain[-1].subcommands if sub.summary]
    if subcommands:
        lines.append("        '1: :->command' '*:: :->rest'")
        listed = " ".join(
            _zsh_quoted(f"{name}:{sub.summary}") for sub in subcommands for name in (sub.name, *sub.aliases)
        )
        lines.append(f"    local -a commands=({listed})")
        lines.append("    case $state in")
        lines.append("        command) _describe command commands ;;")
        lines.append("        rest) case $line[1] in")
        for sub in subcommands:
            lines.append(f"            {'|'.join((sub.name, *sub.aliases))}) {_zsh_name((*chain, sub))} ;;")
        lines.append("        esac ;;")
        lines.append("    esac")
    else:
        words = " ".join(_words(chain))
        lines.append(f"        '*: :({words})'" if words else "        '*: :_files'")
    lines.append("}")
    return "\n".join(lines)


def _zsh_option(option: Option, name: str) -> str:
    repeat = "*" if option.repeat else ""
    text = option.help.replace("[", "(").replace("]", ")").replace(":", ";")
    value = ""
    if option.metavar:
        if option.choices:
            value = f":{option.metavar}:({' '.join(option.choices)})"
        else:
            action = {"file": "_files", "dir": "_files -/"}.get(option.completes, " ")
            value = f":{option.metavar.replace(':', ';')}:{action}"
    return _zsh_quoted(f"{repeat}{name}[{text}]{value}")


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# fish: one `complete` a word, with a condition on the words before.

_FISH = """\
function __codex_path
    set -l words (commandline -opc)
    set -l path ""
    for word in $words[2..-1]
        switch "$path:$word"
{steps}
        end
    end
    echo $path
end

function __codex_at
    test (__codex_path) = "$argv[1]"
end

complete -c codex -f
"""


def _fish() -> str:
    steps: list[str] = []
    lines: list[str] = []
    for chain in _chains():
        path = _path(chain)
        at = f"__codex_at {_fish_quoted(path)}"
        for sub in chain[-1].subcommands:
            if sub.summary:
                patterns = " ".join(_fish_quoted(f"{path}:{name}") for name in (sub.name, *sub.aliases))
                steps.append(f"            case {patterns}\n                set path {_path((*chain, sub))}")
        for word in _words(chain):
            lines.append(f"complete -c codex -n {_fish_quoted(at)} -a {word}{_fish_about(chain, word)}")
        for option in _options(chain):
            names = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            lines.append(
                f"complete -c codex -n {_fish_quoted(at)} {names}{_fish_value(option)} -d {_fish_quoted(option.help)}"
            )
    return _FISH.format(steps="\n".join(steps)) + "\n".join(lines) + "\n"


def _fish_about(chain: tuple[Command, ...], word: str) -> str:
    command = chain[-1].find(word)
    return f" -d {_fish_quoted(command.summary)}" if command is not None else ""


def _fish_value(option: Option) -> str:
    if not option.metavar:
        return ""
    if option.choices:
        return f" -x -a {_fish_quoted(' '.join(option.choices))}"
    return {"file": " -r -F", "dir": ' -x -a "(__fish_complete_directories)"'}.get(option.completes, " -x")


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
