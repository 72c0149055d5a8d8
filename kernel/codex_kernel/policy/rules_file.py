"""One `.rules` file: what `prefix_rule`, `network_rule` and `host_executable` in it say, checked while it is read.

Source: spec/execpolicy-and-hooks.md section 1.2.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from codex_kernel.config.text_file import read_text
from codex_kernel.policy.starlark import run
from codex_kernel.policy.starlark_values import StarlarkError, Value, kind
from codex_protocol.errors import ConfigError

MAX_FILE_BYTES = 512 * 1024
MAX_RULES = 5_000
RuleDecision = Literal["allow", "prompt", "forbidden"]
_DECISIONS = ("allow", "prompt", "forbidden")
_PROTOCOLS = ("http", "https", "socks5_tcp", "socks5_udp")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:_-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


class PrefixRule(msgspec.Struct, frozen=True, kw_only=True):
    """What happens with commands that begin with certain words."""

    pattern: tuple[tuple[str, ...], ...]
    """For each word what it may be."""
    decision: RuleDecision
    justification: str | None = None
    path: str = ""
    """The file it stands in."""
    line: int = 0

    def matches(self, command: Sequence[str]) -> tuple[str, ...] | None:
        """The words of the command that the rule names; None when the command begins differently."""
        if len(command) < len(self.pattern):
            return None
        if all(word in allowed for word, allowed in zip(command, self.pattern, strict=False)):
            return tuple(command[: len(self.pattern)])
        return None

    @property
    def text(self) -> str:
        """The rule as one line of a rules file, its examples left out."""
        words = [list(allowed) if len(allowed) > 1 else "".join(allowed) for allowed in self.pattern]
        parts = [f"pattern={_shown(words)}", f"decision={_shown(self.decision)}"]
        if self.justification is not None:
            parts.append(f"justification={_shown(self.justification)}")
        return f"prefix_rule({', '.join(parts)})"

    @property
    def key(self) -> str:
        """What stays the same when the file is edited elsewhere: file, decision and pattern."""
        return json.dumps([self.path, self.decision, self.pattern], ensure_ascii=False)


class NetworkRule(msgspec.Struct, frozen=True, kw_only=True):
    """What upstream's network proxy is told; kept, without effect here."""

    host: str
    protocol: str
    decision: Literal["allow", "prompt", "deny"]
    justification: str | None = None
    path: str = ""
    line: int = 0


class HostExecutable(msgspec.Struct, frozen=True, kw_only=True):
    """Where a program may lie so that rules for its name also count for its path."""

    name: str
    paths: tuple[str, ...]


class RuleFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file says, in its order."""

    rules: tuple[PrefixRule, ...] = ()
    network: tuple[NetworkRule, ...] = ()
    executables: tuple[HostExecutable, ...] = ()


def read_rules(path: Path) -> RuleFile:
    """What a file says.

    Raises:
        ConfigError: It cannot be read or used; begins with path and line.
    """
    return parse_rules(read_source(path), str(path))


def read_source(path: Path) -> str:
    """The file's text.

    Raises:
        ConfigError: It cannot be read, is too long, or no UTF-8.
    """
    text = read_text(path, MAX_FILE_BYTES)
    if text is None:
        raise ConfigError(f"{path} cannot be read: there is no such file.", file=str(path))
    return text


def parse_rules(source: str, path: str) -> RuleFile:
    """What the text of a file says; `path` is named in errors and kept with each rule.

    Raises:
        ConfigError: It cannot be used; begins with path and line.
    """
    reader = _Reader(path)
    try:
        run(source, {"prefix_rule": reader.prefix, "network_rule": reader.net, "host_executable": reader.executable})
    except StarlarkError as error:
        where = f"{path}:{error.line}" if error.line else path
        raise ConfigError(f"{where}: {error}", file=path, line=error.line or None) from error
    return RuleFile(rules=tuple(reader.rules), network=tuple(reader.network), executables=tuple(reader.executables))


class _Reader:
    """The functions a rules file calls."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.rules: list[PrefixRule] = []
        self.network: list[NetworkRule] = []
        self.executables: list[HostExecutable] = []

    def prefix(self, line: int, args: list[Value], named: dict[str, Value]) -> Value:
        given = _arguments(
            "prefix_rule", ("pattern", "decision", "match", "not_match", "justification"), 1, args, named, line
        )
        rule = PrefixRule(
            pattern=_pattern(given["pattern"], line),
            decision=cast("RuleDecision", _one_of("decision", given.get("decision", "allow"), _DECISIONS, line)),
            justification=_justification(given.get("justification"), line),
            path=self._path,
            line=line,
        )
        for example in _examples("match", given.get("match"), line):
            if rule.matches(example) is None:
                raise StarlarkError(f"the rule does not match its example `{shlex.join(example)}`", line)
        for example in _examples("not_match", given.get("not_match"), line):
            if rule.matches(example) is not None:
                raise StarlarkError(f"the rule matches `{shlex.join(example)}`, which it should not", line)
        self._keep(self.rules, rule, line)

    def net(self, line: int, args: list[Value], named: dict[str, Value]) -> Value:
        given = _arguments("network_rule", ("host", "protocol", "decision", "justification"), 3, args, named, line)
        host = _text("host", given["host"], line)
        if not _HOST.fullmatch(host):
            raise StarlarkError(f"host has to be one concrete host, not {host!r}", line)
        decision = _one_of("decision", given["decision"], ("allow", "prompt", "deny", "forbidden"), line)
        rule = NetworkRule(
            host=host,
            protocol=_one_of("protocol", given["protocol"], _PROTOCOLS, line),
            decision=cast("Any", "deny" if decision == "forbidden" else decision),
            justification=_justification(given.get("justification"), line),
            path=self._path,
            line=line,
        )
        self._keep(self.network, rule, line)

    def executable(self, line: int, args: list[Value], named: dict[str, Value]) -> Value:
        given = _arguments("host_executable", ("name", "paths"), 2, args, named, line)
        name = _text("name", given["name"], line)
        if "/" in name or name in {".", ".."}:
            raise StarlarkError(f"name has to be a bare program name, not {name!r}", line)
        paths = tuple(_text("paths", path, line) for path in _sequence("paths", given["paths"], line))
        for path in paths:
            if not path.startswith("/") or path.rsplit("/", 1)[1] != name:
                raise StarlarkError(f"paths has to hold absolute paths that end with /{name}, not {path!r}", line)
        self._keep(self.executables, HostExecutable(name=name, paths=paths), line)

    def _keep(self, kept: list[Any], entry: Any, line: int) -> None:
        if len(kept) >= MAX_RULES:
            raise StarlarkError(f"there are more than {MAX_RULES} rules of a kind", line)
        kept.append(entry)


def _arguments(
    function: str, names: tuple[str, ...], required: int, args: list[Value], named: dict[str, Value], line: int
) -> dict[str, Value]:
    if len(args) > len(names):
        raise StarlarkError(f"{function}() takes {', '.join(names)}", line)
    given: dict[str, Value] = dict(zip(names, args, strict=False))
    for name, value in named.items():
        if name not in names or name in given:
            raise StarlarkError(f"{function}() has no free argument {name!r}; it takes {', '.join(names)}", line)
        given[name] = value
    missing = [name for name in names[:required] if name not in given]
    if missing:
        raise StarlarkError(f"{function}() lacks {', '.join(missing)}", line)
    return given


def _pattern(value: Value, line: int) -> tuple[tuple[str, ...], ...]:
    words: list[tuple[str, ...]] = []
    for entry in _sequence("pattern", value, line):
        alternatives = [entry] if isinstance(entry, str) else _sequence("pattern", entry, line)
        words.append(tuple(dict.fromkeys(_text("pattern", word, line) for word in alternatives)))
    return tuple(words)


def _sequence(name: str, value: Value, line: int) -> list[Value]:
    if not isinstance(value, list | tuple) or not value:
        raise StarlarkError(f"{name} has to be a list that is not empty, not {_shown_kind(value)}", line)
    return list(cast("list[Value]", value))


def _text(name: str, value: Value, line: int) -> str:
    if not isinstance(value, str) or not value:
        raise StarlarkError(f"{name} has to hold strings that are not empty, not {_shown_kind(value)}", line)
    return value


def _shown_kind(value: Value) -> str:
    return "an empty one" if isinstance(value, str | list | tuple) and not value else f"a {kind(value)}"


def _one_of(name: str, value: Value, choices: tuple[str, ...], line: int) -> str:
    if not isinstance(value, str) or value not in choices:
        given = repr(value[:40]) if isinstance(value, str) else f"a {kind(value)}"
        raise StarlarkError(f"{name} has to be one of {', '.join(choices)}, not {given}", line)
    return value


def _justification(value: Value, line: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise StarlarkError("justification has to be a text that is not blank", line)
    return value


def _examples(name: str, value: Value, line: int) -> Iterator[tuple[str, ...]]:
    if value is None:
        return
    if not isinstance(value, list | tuple):
        raise StarlarkError(f"{name} has to be a list of examples, not a {kind(value)}", line)
    for example in cast("list[Value]", value):
        if isinstance(example, str):
            try:
                words = shlex.split(example)
            except ValueError as error:
                raise StarlarkError(f"the example {example!r} cannot be split into words: {error}", line) from error
        else:
            words = [_text(name, word, line) for word in _sequence(name, example, line)]
        if not words:
            raise StarlarkError(f"{name} holds an empty example", line)
        yield tuple(words)


def _shown(value: Any) -> str:
    """As Starlark writes it: JSON, whose strings and lists are the same."""
    return json.dumps(value, ensure_ascii=False)
