"""Layers of settings: read from files or the command line, checked one by one, laid over each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from codex_kernel.config.overrides import Tree, shown_key
from codex_kernel.config.schema import NOT_OURS, ConfigToml
from codex_kernel.config.text_file import read_text
from codex_protocol.errors import ConfigError


class UnknownKey(msgspec.Struct, frozen=True):
    """A key that means nothing here and is not one of upstream's either."""

    path: tuple[str, ...]
    known: tuple[str, ...]
    """Keys that could stand in its place."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """Settings from one place."""

    kind: Literal["user", "profile", "project", "command line"]
    tree: Tree
    file: Path | None = None
    """None: the command line."""
    text: str = ""
    """The file's text, to find lines in."""
    unknown: tuple[UnknownKey, ...] = ()
    """Noted by `checked`."""


def read_layer(file: Path, kind: Literal["user", "profile", "project"]) -> Layer | None:
    """The settings of `file`; None when there is no such file.

    Raises:
        ConfigError: It cannot be read, or is no TOML.
    """
    text = read_text(file)
    if text is None:
        return None
    return Layer(kind=kind, tree=parse_toml(text, file), file=file, text=text)


def parse_toml(text: str, file: Path) -> Tree:
    """The settings in `text`.

    Raises:
        ConfigError: It is no TOML; the message names `file` and the line.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{file} cannot be read: it is nested too deeply.", file=str(file)) from error
    except ValueError as error:
        line, what = _toml_error(str(error), text)
        raise ConfigError(f"{file}, line {line}: this is not valid TOML: {what}.", file=str(file), line=line) from error


def checked(layer: Layer) -> Layer:
    """The layer, with the keys nobody reads noted, when every key we know has a value of its type.

    Raises:
        ConfigError: It says where, which key, what is wrong and what is allowed.
    """
    if not layer.tree:
        return layer
    try:
        settings = msgspec.convert(layer.tree, ConfigToml)
    except msgspec.ValidationError as error:
        from codex_kernel.config.explain import explain

        raise explain(layer) from error
    if (path := _with_zero_byte((), layer.tree)) is not None:
        from codex_kernel.config.explain import at

        raise at(layer, path, f"{shown_key(path)} holds a zero byte, which no name and no text may have")
    unknown = tuple(found for found in _unknown((), layer.tree, settings) if not _is_upstreams(found.path))
    return msgspec.structs.replace(layer, unknown=unknown)


def _with_zero_byte(path: tuple[str, ...], value: Any) -> tuple[str, ...] | None:
    """The key whose name or text has one."""
    if isinstance(value, str):
        return path if "\0" in value else None
    parts: list[tuple[tuple[str, ...], Any]] = []
    if isinstance(value, dict):
        for key, inner in cast(Tree, value).items():
            parts += [((*path, key), key), ((*path, key), inner)]
    elif isinstance(value, list):
        parts = [(path, part) for part in cast("list[Any]", value)]
    return next((found for inner, part in parts if (found := _with_zero_byte(inner, part)) is not None), None)


def _is_upstreams(path: tuple[str, ...]) -> bool:
    return path[0] in NOT_OURS or (path[0] == "profiles" and path[2] in NOT_OURS)


def _unknown(path: tuple[str, ...], value: Any, read: Any) -> Iterator[UnknownKey]:
    """Keys of `value` that left no trace in `read`, which was made of it."""
    if not isinstance(value, dict):
        return
    table = cast(Tree, value)
    if isinstance(read, dict):
        for key, inner in table.items():
            yield from _unknown((*path, key), inner, cast(Tree, read).get(key))
    elif isinstance(read, msgspec.Struct):
        for key, inner in table.items():
            if key not in read.__struct_fields__:
                yield UnknownKey((*path, key), read.__struct_fields__)
            else:
                yield from _unknown((*path, key), inner, getattr(read, key))


def merge(below: Tree, above: Tree) -> Tree:
    """`above` laid over `below`: tables are merged key by key, anything else is replaced. Neither is changed."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = merge(cast(Tree, old), cast(Tree, value))
        else:
            merged[key] = value
    return merged


def canonical(tree: Tree, base: Path) -> Tree:
    """The tree with older names replaced by today's and relative paths counted from `base`.

    Done before layers are merged, so that an older name in a higher layer wins over today's name in a lower one.
    """
    tree = dict(tree)
    if (older := tree.pop("experimental_instructions_file", None)) is not None:
        tree.setdefault("model_instructions_file", older)
    tools = dict(table_at(tree, "tools"))
    features = table_at(tree, "features")
    searches = [tools.pop(name, None) for name in ("web_search", "web_search_request")]
    for asked in searches:
        if asked is not None:
            tree.setdefault("web_search", "live" if asked is not False else "disabled")
    for feature, mode in (("web_search_request", "live"), ("web_search_cached", "cached")):
        if features.get(feature) is True:
            tree.setdefault("web_search", mode)
    if tree.pop("experimental_use_exec_command_tool", False):
        tools.setdefault("shell", "exec_command")
    if isinstance(features.get("view_image"), bool):
        tools.setdefault("view_image", features["view_image"])
    if isinstance(features.get("unified_exec"), bool):
        tools.setdefault("shell", "exec_command" if features["unified_exec"] else "shell")
    if isinstance(tools.get("update_plan"), bool):
        tools["update_plan"] = {"enabled": tools["update_plan"]}
    if tools:
        tree["tools"] = tools
    for name in ("model_instructions_file", "experimental_resume"):
        if name in tree:
            tree[name] = absolute(tree[name], base)
    workspace_write = table_at(tree, "sandbox_workspace_write")
    if "writable_roots" in workspace_write:
        roots = [absolute(root, base) for root in workspace_write["writable_roots"]]
        tree["sandbox_workspace_write"] = workspace_write | {"writable_roots": roots}
    if profiles := table_at(tree, "profiles"):
        tree["profiles"] = {name: canonical(profile, base) for name, profile in profiles.items()}
    return tree


def absolute(path: str, base: Path) -> str:
    """`path` made absolute against `base`, `~` meaning the user's home; symlinks stay."""
    return os.path.normpath(base / os.path.expanduser(path))


def _toml_error(message: str, text: str) -> tuple[int, str]:
    """Line and reason out of tomllib's message, which ends with the place in brackets."""
    reason, _, place = message.rpartition(" (at ")
    line = text.count("\n") + 1
    if not reason:
        return line, message.rstrip(".")
    digits = place.partition("line ")[2].partition(",")[0]
    if digits.isdigit():
        line = int(digits)
    return line, reason[0].lower() + reason[1:]


def table_at(tree: Tree, *path: str) -> Tree:
    """The table at `path`; empty when there is none."""
    for key in path:
        found = tree.get(key)
        if not isinstance(found, dict):
            return {}
        tree = cast(Tree, found)
    return tree
