"""Arguments by which a program known for something else runs another program, or writes where it otherwise reads.

A rule that allows `git log`, `sort` or `rg` means what they are known for. Where an argument behind the words of the
rule opens a side door, the rule does not count as allowing the command; one that names the argument too does. In doubt
an argument is a side door: the command then runs as it would without the rule.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence

_LONG: Mapping[str, tuple[str, ...]] = {
    program: tuple(options.split())
    for program, options in {
        "ack": "--pager --ackrc --output",
        "ag": "--pager",
        "base64": "--output",
        "bat": "--pager",
        "cpio": "--rsh-command --file",
        "curl": "--output --remote-name --config --dump-header --cookie-jar --upload-file --trace "
        "--stderr --etag-save --libcurl --hsts --alt-svc",
        "delta": "--pager",
        "fd": "--exec",
        "fdfind": "--exec",
        "gpg": "--output --exec-path --photo-viewer --agent-program --gpg-agent-program",
        "iconv": "--output",
        "less": "--log-file --LOG-FILE --lesskey-file --lesskey-src --lesskey-content",
        "man": "--pager --html --config-file --preprocessor --troff-device --ditroff",
        "rg": "--pre --hostname-bin",
        "rsync": "--rsh --rsync-path --daemon --log-file --write-batch --partial-dir --config",
        "shuf": "--output",
        "sort": "--output --compress-program",
        "split": "--filter",
        "tar": "--use-compress-program --to-command --checkpoint-action --rsh-command "
        "--rmt-command --info-script --new-volume-script",
        "tree": "--output",
        "wget": "--output-document --output-file --append-output --execute --config --use-askpass "
        "--input-file --directory-prefix --post-file --body-file --warc-file "
        "--save-cookies",
        "zip": "--unzip-command --output-file",
    }.items()
}
_SHORT: Mapping[str, str] = {
    "base64": "o",
    "cpio": "FO",
    "curl": "oOKDcT",
    "fd": "xX",
    "fdfind": "xX",
    "gpg": "o",
    "iconv": "o",
    "less": "oOk",
    "man": "PHCpT",
    "rsync": "e",
    "scp": "SFo",
    "sftp": "SFobDs",
    "shuf": "o",
    "sort": "o",
    "tar": "IF",
    "tree": "o",
    "wget": "OoaeP",
    "zip": "O",
}
"""Letters, wherever they stand in a word of letters: which of them takes the rest as its value is not asked."""

RUNNERS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("npm", "pnpm", "yarn"), frozenset({"exec", "x", "dlx"})),
    **dict.fromkeys(("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "conda", "mamba"), frozenset({"run"})),
    **dict.fromkeys(("docker", "podman", "kubectl"), frozenset({"run", "exec"})),
    **dict.fromkeys(("mise", "direnv", "bundle"), frozenset({"exec", "x"})),
    "nix": frozenset({"run", "shell", "develop"}),
}
"""Subcommands that run whatever follows them."""

_GIT_LONG = (
    *("--output", "--ext-diff", "--textconv", "--open-files-in-pager", "--upload-pack", "--receive-pack"),
    *("--exec", "--extcmd", "--template", "--config", "--upload-archive", "--show-signature", "--tool"),
)
_GIT_SHORT: Mapping[str, str] = {
    "archive": "o",
    "clone": "uc",
    "difftool": "xt",
    "grep": "O",
    "rebase": "x",
}
_GIT_WORDS: Mapping[str, frozenset[str]] = {
    "submodule": frozenset({"foreach", "update"}),
    "bisect": frozenset({"run"}),
    "remote": frozenset({"add", "set-url"}),
}
_GIT_TOOLS = frozenset({"filter-branch", "mergetool", "difftool"})
_TRANSPORT = re.compile(r"[A-Za-z][\w+.-]*::")
"""`ext::COMMAND`: an address that names a program."""
_SHORTEST = len("--o")
"""Long options may be abbreviated by most of these programs."""


def side_doors(words: Sequence[str]) -> list[int]:
    """Places of the arguments that open one, as far as they are known."""
    if not words:
        return []
    program = os.path.basename(words[0])
    special = _SPECIAL.get(program)
    if special is not None:
        return special(words)
    if program in RUNNERS:
        return [index for index, word in enumerate(words) if index and word in RUNNERS[program]]
    if program not in _LONG and program not in _SHORT:
        return []
    long, letters = _LONG.get(program, ()), _SHORT.get(program, "")
    return [
        index
        for index, word in enumerate(words[: _end_of_options(words)])
        if index and (_opens(word, long, letters) or _of_its_own(program, index, word))
    ]


def may_have_side_doors(program: str) -> bool:
    """Whether arguments that are not known could open one."""
    name = os.path.basename(program)
    return name in _SPECIAL or name in RUNNERS or name in _LONG or name in _SHORT


def _end_of_options(words: Sequence[str]) -> int:
    """Where operands begin. A `--` behind an option may be its value: `rg -e -- --pre=PROGRAM`."""
    for index, word in enumerate(words):
        if word == "--" and not words[index - 1].startswith("-"):
            return index
    return len(words)


def _opens(word: str, long: tuple[str, ...], letters: str) -> bool:
    if word.startswith("--"):
        name = word.partition("=")[0]
        return name in long or (len(name) >= _SHORTEST and any(known.startswith(name) for known in long))
    return word.startswith("-") and any(letter in letters for letter in word[1:])


def _of_its_own(program: str, index: int, word: str) -> bool:
    match program:
        case "tar":  # `tar xIf PROGRAM FILE`; an archive on another host is fetched by a remote shell
            bundled = index == 1 and re.fullmatch(r"[A-Za-z]+", word) is not None and bool({"I", "F"} & set(word))
            return bundled or re.match(r"(?:--file=|-\w*f)?[\w.@-]+:", word) is not None
        case "zip":
            return word.startswith("-TT")
        case "less":
            return word.startswith("+")
        case _:
            return False


def _git(words: Sequence[str]) -> list[int]:
    """Of a subcommand; options before it are the business of `wrappers`."""
    subcommand = words[1] if len(words) > 1 else ""
    letters, inner = _GIT_SHORT.get(subcommand, ""), _GIT_WORDS.get(subcommand, frozenset[str]())
    # What stands behind `--` is still a command for these.
    end = len(words) if inner else _end_of_options(words)
    return [
        index
        for index, word in enumerate(words[:end])
        if (index == 1 and subcommand in _GIT_TOOLS)
        or (index > 1 and (_opens(word, _GIT_LONG, letters) or word in inner or _TRANSPORT.match(word)))
    ]


def _find(words: Sequence[str]) -> list[int]:
    """What removes and writes; what runs is the business of `wrappers`."""
    actions = ("-delete", "-fls", "-fprint")
    return [index for index, word in enumerate(words) if index and word.startswith(actions)]


_SED_ADDRESS = r"(?:[0-9]+|\$|/[^/\n\\]*/)"
_SED_SAFE = re.compile(
    rf"\s*(?:{_SED_ADDRESS}(?:,[+~]?{_SED_ADDRESS})?)?\s*!?\s*"
    r"(?:[pdqD=gGhHnNPx]|s([^\w\s\\;])(?:(?!\1)[^\n\\]|\\[^\n])*\1(?:(?!\1)[^\n\\]|\\[^\n])*\1[gpiI0-9]*)?\s*"
)


def _sed(words: Sequence[str]) -> list[int]:
    """Scripts with more than substitutions, printing and deleting: `e` runs, `w` and `r` touch files."""
    doors: list[int] = []
    scripts: list[tuple[int, str]] = []
    explicit = any(re.match(r"-[a-zA-Z]*[ef]|--e|--fi", word) for word in words[1:])
    index = 1
    while index < len(words):
        word = words[index]
        name, equals, value = word.partition("=")
        if len(name) > 4 and "--file".startswith(name):
            doors.append(index)
        elif len(name) > 2 and "--expression".startswith(name):
            index += not equals
            scripts.append((index, value if equals else _at(words, index)))
        elif re.match(r"-[nErsuz]*e", word):
            rest = word.partition("e")[2]
            index += not rest
            scripts.append((index, rest or _at(words, index)))
        elif re.match(r"-[a-zA-Z]*f", word):
            doors.append(index)
        elif not word.startswith("-") and not explicit and not scripts:
            scripts.append((index, word))
        index += 1
    for place, script in scripts:
        if not all(_SED_SAFE.fullmatch(part) for part in re.split(r"[;\n]", script)):
            doors.append(place)
    return doors


def _at(words: Sequence[str], index: int) -> str:
    return words[index] if index < len(words) else ""


_AWK_OPTION = re.compile(r"-[a-zA-Z]*[filEo]|--(?:file|include|load|exec|source|dump|pretty|profile)")
_AWK_PROGRAM = re.compile(r"system|[|>]|getline|close|@[A-Za-z_]")


def _awk(words: Sequence[str]) -> list[int]:
    """A program that runs others, reads from them or writes files; or one that stands in a file."""
    return [
        index for index, word in enumerate(words) if index and (_AWK_OPTION.match(word) or _AWK_PROGRAM.search(word))
    ]


_SPECIAL: Mapping[str, Callable[[Sequence[str]], list[int]]] = {
    "git": _git,
    "find": _find,
    "sed": _sed,
    "gsed": _sed,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "nawk": _awk,
}
