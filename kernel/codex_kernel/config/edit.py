"""One key of a TOML file set or removed, everything else left as its owner wrote it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from codex_kernel.config.layers import parse_toml
from codex_kernel.config.overrides import Tree, join_key, set_path, shown_key
from codex_kernel.config.text_file import read_text
from codex_kernel.whole_files import locked, replace_file
from codex_protocol.errors import ConfigError

KeyPath = tuple[str, ...]


def set_value(file: Path, path: KeyPath, value: Any) -> None:
    """Set `path` in `file`; tables on the way are made, inline ones become `[tables]` of their own.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or cannot be written; or something on the way is no table.
    """

    def change(document: Any, tree: Tree) -> None:
        _refuse_what_is_no_table(tree, path, file)
        set_path(tree, path, value)
        _set(document, path, value)

    _edit(file, change)


def remove_value(file: Path, path: KeyPath) -> bool:
    """Remove `path` and the tables that are empty after it; False when there was nothing.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or cannot be written.
    """
    removed = False

    def change(document: Any, tree: Tree) -> None:
        nonlocal removed
        if not _has(tree, path):
            return
        removed = True
        for depth in range(len(path), 0, -1):
            _at(tree, path[: depth - 1]).pop(path[depth - 1])
            _at(document, path[: depth - 1]).pop(path[depth - 1])
            if _at(tree, path[: depth - 1]):
                return

    _edit(file, change)
    return removed


def _edit(file: Path, change: Callable[[Any, Tree], None]) -> None:
    """Change a document and, beside it, the plain tree it stands for; write the text when both agree.

    A symlink is followed and stays; the mode stays; a new file gets 0600. Editors beside us wait for each other; a
    reader sees the old or the new text, never a part.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    target = Path(os.path.realpath(file))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(target.parent):
            before = read_text(target) or ""
            tree = parse_toml(before, file)
            document = tomlkit.parse(before)
            change(document, tree)
            after = tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType] (tomlkit leaves Mapping bare)
            if "\r\n" in before:
                after = after.replace("\r\n", "\n").replace("\n", "\r\n")
            if parse_toml(after, file) != tree:
                raise ConfigError(f"{file} is not changed: it is written in a way that cannot be edited here.")
            if after != before:
                replace_file(target, after.encode())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror or error}.", file=str(file)) from error
    except (TOMLKitError, RecursionError) as error:
        raise _left_alone(file) from error


def _left_alone(file: Path) -> ConfigError:
    return ConfigError(
        f"{file} is not changed: it is written in a way that cannot be edited here; please edit it by hand.",
        file=str(file),
    )


def _set(document: Any, path: KeyPath, value: Any) -> None:
    """Set `path` in a tomlkit document."""
    import tomlkit
    from tomlkit.container import OutOfOrderTableProxy
    from tomlkit.items import InlineTable

    table = document
    for depth, segment in enumerate(path[:-1]):
        child = table.get(segment)
        if isinstance(child, InlineTable):
            fresh = tomlkit.table()
            for key, inner in cast("dict[str, Any]", child).items():
                fresh.append(key, inner)
            # Replaced in place, its `[header]` would stand in the middle of its parent's values.
            table.remove(segment)
            table.append(_key(segment), fresh)
        elif child is None and isinstance(table, OutOfOrderTableProxy):
            # The parent stands in several places of the file: a new header at the end is one more.
            document.append(_key(path[0]), _nested(path[1:], value))
            return
        elif child is None:
            table.append(_key(segment), _nested(path[depth + 1 :], value))
            return
        table = table[segment]
    if path[-1] in table:
        table[path[-1]] = value
    elif isinstance(table, OutOfOrderTableProxy):
        document.append(_key(path[0]), _nested(path[1:], value))
    else:
        table.append(_key(path[-1]), value)


def _nested(path: KeyPath, value: Any) -> Any:
    """A table that holds `value` at `path`; only the innermost gets a header of its own."""
    import tomlkit

    first, rest = path[0], path[1:]
    table = tomlkit.table(is_super_table=bool(rest) or isinstance(value, dict))
    table.append(_key(first), _nested(rest, value) if rest else value)
    return table


def _key(segment: str) -> Any:
    """A key as TOML writes it; single quotes where that saves escaping."""
    from tomlkit.items import KeyType, SingleKey

    if "\\" in segment and "'" not in segment and segment.isprintable():
        return SingleKey(segment, KeyType.Literal)
    return SingleKey(segment)


def _refuse_what_is_no_table(tree: Tree, path: KeyPath, file: Path) -> None:
    for depth in range(1, len(path)):
        if _has(tree, path[:depth]) and not isinstance(_at(tree, path[:depth]), dict):
            raise ConfigError(
                f"{file} is not changed: {shown_key(path[:depth])} is not a table.",
                file=str(file),
                key=join_key(path[:depth]),
            )


def _at(tree: Any, path: KeyPath) -> Any:
    for segment in path:
        tree = tree[segment]
    return tree


def _has(tree: Any, path: KeyPath) -> bool:
    for segment in path:
        if not isinstance(tree, dict) or segment not in tree:
            return False
        tree = _at(tree, (segment,))
    return True
