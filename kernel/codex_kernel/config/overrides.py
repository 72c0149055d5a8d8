"""`-c key=value`: what stands on a command line, as a tree of settings.

Source: spec/config.md section 3. One thing more: a segment of the key may be quoted, so that
`projects."/a.b".trust_level` can be addressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from codex_protocol.errors import ConfigError

Tree = dict[str, Any]
"""Settings as TOML gives them: tables are dicts, arrays are lists."""

_NOT_A_BARE_STRING = frozenset({"true", "false", "inf", "nan"})
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:")


def overrides_tree(overrides: Iterable[str]) -> Tree:
    """All overrides in one tree; a later one wins over an earlier one.

    Raises:
        ConfigError: One of them has no `=`, no key, or a key that cannot be split.
    """
    tree: Tree = {}
    for raw in overrides:
        path, value = parse_override(raw)
        set_path(tree, path, value)
    return tree


def mapping_tree(settings: Mapping[str, Any]) -> Tree:
    """The same for a JSON object whose keys may be dotted; null becomes the empty string.

    Raises:
        ConfigError: A key cannot be split.
    """
    tree: Tree = {}
    for key, value in settings.items():
        set_path(tree, split_key(key), _without_null(value))
    return tree


def parse_override(raw: str) -> tuple[tuple[str, ...], Any]:
    """The path and the value of one `key=value`.

    Raises:
        ConfigError: No `=`, no key, or a key that cannot be split.
    """
    end = _key_end(raw)
    if end < 0:
        raise ConfigError(f"The override {raw!r} has no '='; write -c key=value.")
    key = raw[:end].strip()
    if not key:
        raise ConfigError(f"The override {raw!r} has no key before '='; write -c key=value.")
    return split_key(key), parse_value(raw[end + 1 :].strip())


def parse_value(text: str) -> Any:
    """`text` as a TOML value; as a string without surrounding quotes where it is none."""
    # What nearly every caller sends is decided here, because importing tomllib costs more than loading all settings.
    if text in {"true", "false"}:
        return text == "true"
    if text and text[0].isalpha() and text not in _NOT_A_BARE_STRING and _BARE.issuperset(text):
        return text
    if len(text) >= 2 and text[0] == text[-1] == '"' and text.isprintable() and not {'"', "\\"} & set(text[1:-1]):
        return text[1:-1]
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) < 19:
        return int(text)
    import tomllib

    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        parsed = {}
    if len(parsed) == 1 and "value" in parsed:
        return parsed["value"]
    return text.strip("\"'")


def split_key(key: str) -> tuple[str, ...]:
    """The segments of a dotted key; a quoted segment may hold dots.

    Raises:
        ConfigError: A segment is empty or its quote does not end.
    """
    segments: list[str] = []
    rest = key.strip()
    while True:
        if rest[:1] in {'"', "'"}:
            segment, closing, rest = rest[1:].partition(rest[0])
            rest = rest.lstrip()
            if not closing or (rest and not rest.startswith(".")):
                raise ConfigError(f"The key {key!r} cannot be split: a quoted part ends at the next dot.", key=key)
            more, rest = rest.startswith("."), rest[1:]
        else:
            segment, dot, rest = rest.partition(".")
            segment, more = segment.strip(), bool(dot)
        if not segment:
            raise ConfigError(f"The key {key!r} has an empty part.", key=key)
        segments.append(segment)
        if not more:
            return tuple(segments)
        rest = rest.lstrip()


def set_path(tree: Tree, path: tuple[str, ...], value: Any) -> None:
    """Put `value` at `path`; tables on the way are made, and take the place of what is no table."""
    for segment in path[:-1]:
        child = tree.get(segment)
        if not isinstance(child, dict):
            child = {}
            tree[segment] = child
        tree = cast(Tree, child)
    tree[path[-1]] = value


def join_key(path: Iterable[str]) -> str:
    """The dotted form of `path`, quoted where TOML needs it."""
    plain = _BARE - set("./:")
    return ".".join(part if part and plain.issuperset(part) else f'"{part}"' for part in path)


def shown_key(path: Iterable[str]) -> str:
    """`join_key` for a sentence: control characters are escaped, so that it stays one line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in join_key(path))


def _key_end(raw: str) -> int:
    """Where the first `=` outside a quoted segment stands; -1 when there is none."""
    quote = ""
    segment_starts = True
    for index, char in enumerate(raw):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and segment_starts:
            quote = char
        elif char == "=":
            return index
        segment_starts = char == "." or (segment_starts and char.isspace())
    return raw.find("=") if quote else -1


def _without_null(value: Any) -> Any:
    match value:
        case None:
            return ""
        case dict():
            return {str(key): _without_null(inner) for key, inner in cast(Tree, value).items()}
        case list():
            return [_without_null(inner) for inner in cast("list[Any]", value)]
        case _:
            return value
