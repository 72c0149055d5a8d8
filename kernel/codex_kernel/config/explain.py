"""Why settings cannot be used, in one sentence: file, line, key, what is wrong, what is allowed.

Only imported once something is wrong.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import msgspec

from codex_kernel.config.layers import Layer
from codex_kernel.config.overrides import Tree, join_key, shown_key
from codex_kernel.config.schema import ConfigToml
from codex_protocol.errors import ConfigError

Path = tuple[str, ...]


def explain(layer: Layer) -> ConfigError:
    """What is wrong with a layer that does not fit `ConfigToml`."""
    fault = _fault((), layer.tree, ConfigToml)
    if fault is None:  # msgspec refused the whole but none of its parts; name the place at least
        return ConfigError(f"{layer.file or 'The command line'} holds settings that cannot be used.")
    path, value, expected = fault
    choices = _choices(expected)
    if choices and isinstance(value, str):
        what = f"is {value!r}, which is none of {choices}"
    else:
        what = f"must be {describe(expected)}, not {_kind(value)}"
    return at(layer, path, f"{shown_key(path)} {what}")


def at(layer: Layer, path: Path, sentence: str) -> ConfigError:
    """A ConfigError that says where in the layer `path` stands."""
    line = line_of(layer.text, path)
    return ConfigError(
        f"{place(layer, path)}: {sentence}.",
        file=None if layer.file is None else str(layer.file),
        line=line,
        key=join_key(path),
    )


def place(layer: Layer, path: Path) -> str:
    """Where `path` stands, for the beginning of a sentence."""
    if layer.file is None:
        return "On the command line"
    line = line_of(layer.text, path)
    return f"{layer.file}, line {line}" if line else str(layer.file)


def nearest(key: str, known: Sequence[str]) -> str | None:
    """The known key that resembles `key` most; None when none does."""
    import difflib

    found = difflib.get_close_matches(key, known, n=1)
    return found[0] if found else None


def line_of(text: str, path: Path) -> int | None:
    """The 1-based line of the statement that first brings `path` into being; None when it is not in `text`.

    Every beginning of a TOML file that ends with a statement is TOML itself, so the line is found by parsing
    beginnings: no second parser has to agree with the first.
    """
    import tomllib

    lines = text.splitlines(keepends=True)

    def found_after(count: int) -> tuple[int, bool]:
        """The shortest beginning of at least `count` lines that parses, and whether `path` is in it."""
        for length in range(count, len(lines) + 1):
            try:
                return length, holds(tomllib.loads("".join(lines[:length])), path)
            except ValueError:
                continue
        return len(lines), False

    if not text or not found_after(len(lines))[1]:
        return None
    low, high = 0, len(lines)  # not in the first `low` lines, in the first `high`
    while high - low > 1:
        middle = (low + high) // 2
        length, found = found_after(middle)
        if found:
            high = middle
        else:
            low = min(length, high - 1)
    return high


def describe(expected: Any) -> str:
    """A type as people say it."""
    if choices := _choices(expected):
        return f"one of {choices}"
    parts = [_describe_one(part) for part in _alternatives(expected)]
    return " or ".join(dict.fromkeys(parts))


def _describe_one(expected: Any) -> str:
    bare, minimum = _unwrap(expected)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
        return "a table"
    origin, inner = get_origin(bare), get_args(bare)
    if origin is dict:
        return "a table" if inner[1] is Any else f"a table of {_plural(inner[1])}"
    if origin is tuple:
        return f"a list of {_plural(inner[0])}"
    if bare is int and minimum is not None:
        return f"a whole number, {minimum} or more"
    if bare is float and minimum is not None:
        return f"a number, {minimum:g} or more"
    names: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    return names.get(bare) or "a value"


def _plural(expected: Any) -> str:
    bare, _ = _unwrap(expected)
    return {str: "strings", int: "whole numbers", bool: "true or false"}.get(bare, "tables")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value) if abs(value) < 1e15 or value != value else "that number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        parts = [_kind(part) for part in cast("list[Any]", value)]
        other = next((part for part in parts if part != "a string"), None)
        return f"a list with {other} in it" if other else "a list"
    return "a date or time"


def _choices(expected: Any) -> str:
    """The allowed words, when words are allowed and nothing else but tables."""
    words: list[str] = []
    for part in _alternatives(expected):
        if get_origin(part) is Literal:
            words += [str(word) for word in get_args(part)]
        elif isinstance(part, type) and issubclass(part, enum.Enum):
            words += [str(member.value) for member in part]
    return ", ".join(f'"{word}"' for word in words)


def _alternatives(expected: Any) -> list[Any]:
    """The members of a union but None."""
    if get_origin(expected) in (Union, types.UnionType):
        return [part for part in get_args(expected) if part is not type(None)]
    return [expected]


def _unwrap(expected: Any) -> tuple[Any, int | None]:
    """An annotated type's bare type, and its lower bound."""
    if get_origin(expected) is not Annotated:
        return expected, None
    bare, *metas = get_args(expected)
    bounds = [meta.ge for meta in metas if isinstance(meta, msgspec.Meta) and meta.ge is not None]
    return bare, int(bounds[0]) if bounds else None


def struct_in(expected: Any) -> type[msgspec.Struct] | None:
    """The struct among the alternatives of a type."""
    for part in _alternatives(expected):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def table_values(expected: Any) -> Any:
    """The type of the values where `expected` may be a table with free keys; None where it may not."""
    for part in _alternatives(expected):
        if get_origin(part) is dict:
            return get_args(part)[1]
    return None


def _fault(path: Path, value: Any, expected: Any) -> tuple[Path, Any, Any] | None:
    """The innermost place that does not fit its type."""
    try:
        msgspec.convert(value, expected)
    except msgspec.ValidationError:
        pass
    else:
        return None
    for key, inner, its_type in _children(value, expected):
        if (fault := _fault((*path, key), inner, its_type)) is not None:
            return fault
    return path, value, expected


def _children(value: Any, expected: Any) -> Iterator[tuple[str, Any, Any]]:
    if not isinstance(value, dict):
        return
    table = cast(Tree, value)
    if (struct := struct_in(expected)) is not None:
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
        yield from ((key, inner, fields[key]) for key, inner in table.items() if key in fields)
    elif (values := table_values(expected)) is not None:
        yield from ((key, inner, values) for key, inner in table.items())


def holds(tree: Any, path: Path) -> bool:
    """Whether `path` leads somewhere in `tree`."""
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return False
        tree = cast(Tree, tree)[key]
    return True
