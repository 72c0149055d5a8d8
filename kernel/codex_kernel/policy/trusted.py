"""Commands known to change nothing and to run nothing else: they run without a question, inside the sandbox.

Source: spec/approvals-and-sandbox.md section 3 and spec/execpolicy-and-hooks.md section 1.5; where the sheets differ,
the stricter condition holds. Left out although a sheet lists it: `cargo check`, which runs build scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from codex_kernel.policy.shell_plain import plain_words
from codex_kernel.policy.shell_script import script_of
from codex_kernel.policy.shell_syntax import Word
from codex_kernel.policy.trusted_git import reads_only
from codex_kernel.policy.wrappers import command_of, unwrap

_Words = tuple[Word, ...]

_ANY_ARGUMENTS = frozenset(
    {"cat", "cd", "cut", "echo", "expr", "false", "grep", "head", "id", "ls", "nl", "numfmt", "paste", "pwd", "rev"}
    | {"seq", "stat", "tac", "tail", "tr", "true", "uname", "wc", "which", "whoami"}
)
_FIND_ACTIONS = ("-exec", "-ok", "-delete", "-fls", "-fprint")
"""Beginnings of what makes `find` run or write."""
_RG_VALUED = frozenset("ABCEMTdefgjmrt")
"""Short options of `rg` that take a value: what follows in the same word is not an option."""


def is_trusted(argv: tuple[str, ...], *, confined: bool = True) -> bool:
    """Whether a command, or every command of a plain script, is known to be harmless.

    Args:
        argv: As the model gave it.
        confined: Whether a sandbox holds it. Without one git is not trusted: its configuration names programs.
    """
    script = script_of(argv)
    if script is None:
        return is_trusted_command(command_of(argv).words, confined=confined)
    commands = plain_words(script)
    return commands is not None and all(is_trusted_command(words, confined=confined) for words in commands)


def is_trusted_command(words: _Words, *, confined: bool = True) -> bool:
    """As `is_trusted`, for one command whose wildcards may still be expanded by a shell."""
    if not words or not all(word.known for word in words):
        return False
    program = words[0].text
    if program in _ANY_ARGUMENTS:
        return True
    if any(_could_become_an_option(word) for word in words):
        return False
    if program == "git":
        return confined and reads_only(tuple(word.text for word in words[1:]))
    condition = _CONDITIONS.get(program)
    if condition is not None:
        return condition(tuple(word.text for word in words[1:]))
    return _runs_only_trusted(words, confined)


def _could_become_an_option(word: Word) -> bool:
    """`*` may stand for a file named `-delete`."""
    return word.pattern is not None and word.pattern[0] in "*?["


def _runs_only_trusted(words: _Words, confined: bool) -> bool:
    """`timeout 5 ls`: a wrapper that changes nothing about what it runs."""
    from codex_kernel.policy.shell_walk import FoundCommand

    unwrapped = unwrap(FoundCommand(words))
    return (
        unwrapped is not None
        and unwrapped.complete
        and bool(unwrapped.inner)
        and "/" not in words[0].text
        and all(
            inner.faithful and is_trusted_command(inner.command.words, confined=confined) for inner in unwrapped.inner
        )
    )


def _find(arguments: tuple[str, ...]) -> bool:
    return not any(argument.startswith(_FIND_ACTIONS) for argument in arguments)


def _rg(arguments: tuple[str, ...]) -> bool:
    before = ""
    for argument in arguments:
        if argument == "--" and not before.startswith("-"):  # else it may be an option's value: `-e -- --pre=x`
            return True
        before = argument
        name = argument.partition("=")[0]
        if name in {"--pre", "--hostname-bin", "--search-zip"}:
            return False
        if argument.startswith("-") and not argument.startswith("--"):
            before_value = re.split(f"[{''.join(_RG_VALUED)}]", argument[1:], maxsplit=1)[0]
            if "z" in before_value:
                return False
    return True


def _sed(arguments: tuple[str, ...]) -> bool:
    """`sed -n 1,5p [FILE]` and nothing else: other scripts write (`w`) or run (`e`)."""
    if len(arguments) not in (2, 3) or arguments[0] != "-n":
        return False
    if not re.fullmatch(r"[0-9]+(?:,[0-9]+)?p", arguments[1]):
        return False
    return len(arguments) == 2 or (arguments[2] != "" and not arguments[2].startswith("-"))


def _base64(arguments: tuple[str, ...]) -> bool:
    """Without an output file, which some versions take as `-o` or `--output`."""
    return not any(
        argument.startswith("--o") or (re.match(r"-[A-Za-z]*o", argument) is not None) for argument in arguments
    )


def _uniq(arguments: tuple[str, ...]) -> bool:
    """A second operand is the output file."""
    operands = [argument for argument in arguments if argument == "-" or not argument.startswith(("-", "+"))]
    known = all(re.fullmatch(r"-[cdDiuz]+|-[fsw][0-9]+|--[a-z-]+(?:=.*)?|-", a) for a in arguments if a[:1] == "-")
    return known and len(operands) <= 1 and "--" not in arguments


def _sort(arguments: tuple[str, ...]) -> bool:
    """Only options known to neither write nor run; long ones can be abbreviated."""
    options = [argument for argument in arguments if argument.startswith("-") and argument != "-"]
    harmless = (
        r"-[bcCdfghiMnRruVsz]+|-[bcCdfghiMnRruVsz]*[kt].*|--(?:key=.*|field-separator=.*|parallel=.*|[nru][a-z-]+)"
    )
    return all(re.fullmatch(harmless, option) for option in options)


_CONDITIONS: Mapping[str, Callable[[tuple[str, ...]], bool]] = {
    "find": _find,
    "rg": _rg,
    "sed": _sed,
    "base64": _base64,
    "uniq": _uniq,
    "sort": _sort,
}
