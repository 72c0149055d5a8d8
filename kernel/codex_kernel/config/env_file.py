"""`$CODEX_HOME/.env`: variables the user wants in every run.

Only the user's own file is read; one in a project never is, because it could name another server for the user's keys.
Source: spec/cli.md section 10, step 1.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from codex_kernel.config.text_file import read_text
from codex_protocol.errors import ConfigError
from codex_store.home import Home


def load_env_file(home: Home, env: MutableMapping[str, str]) -> None:
    """Put the file's variables into `env`, over what is there; names that begin with `CODEX_` are left out.

    Raises:
        ConfigError: The file cannot be read, or a line is no assignment.
    """
    text = read_text(home.env_file)
    if text is None:
        return
    for number, line in enumerate(text.splitlines(), 1):
        try:
            assignment = _assignment(line)
        except ValueError:
            raise ConfigError(
                f"{home.env_file}, line {number}: this is no assignment; write NAME=value.",
                file=str(home.env_file),
                line=number,
            ) from None
        if assignment is not None and not assignment[0].upper().startswith("CODEX_"):
            env[assignment[0]] = assignment[1]


def _assignment(line: str) -> tuple[str, str] | None:
    """Name and value of one line; None for a blank line or a comment."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name.isidentifier() or not name.isascii() or "\0" in value:
        raise ValueError(line)
    if value[:1] in {'"', "'"}:
        return name, _quoted(value)
    return name, value.partition(" #")[0].rstrip()


def _quoted(value: str) -> str:
    """The text between the quotes; in double quotes a backslash escapes what follows."""
    quote, rest = value[0], value[1:]
    if quote == "'":
        inner, end, after = rest.partition("'")
    else:
        inner, end, after, position = "", "", "", 0
        while position < len(rest):
            char = rest[position]
            if char == '"':
                end, after = char, rest[position + 1 :]
                break
            if char == "\\" and position + 1 < len(rest):
                position += 1
                char = {"n": "\n", "t": "\t", "r": "\r"}.get(rest[position], rest[position])
            inner += char
            position += 1
    if not end or (after.strip() and not after.strip().startswith("#")):
        raise ValueError(value)
    return inner
