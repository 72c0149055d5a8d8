"""The reference of all keys of `config.toml`, made from the types and their docstrings.

`python -m codex_kernel.config.reference kernel/README.md` puts it between the markers of that file.
"""

from __future__ import annotations

import ast
import enum
import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from codex_kernel.config import schema, types
from codex_kernel.config.explain import describe, struct_in, table_values
from codex_kernel.config.from_project import ALLOWED, ALLOWED_TOOLS, REFUSED_OF_A_SERVER
from codex_kernel.config.schema import NOT_OURS, ConfigToml
from codex_store import prices

BEGIN = "<!-- settings: begin -->"
END = "<!-- settings: end -->"


_INTRODUCTION = """\
Settings stand in `$CODEX_HOME/config.toml` (`~/.codex/config.toml`). Where several places set a key, the last of these
wins: the default, `config.toml`, the profile chosen with `-p NAME` or `profile` (the table `[profiles.NAME]`, then the
file `NAME.config.toml` beside `config.toml`), `.codex/config.toml` of a trusted project from its root down to the
working directory, `-c key=value` in the order given, options of their own such as `--model`. Tables are merged key by
key. Unlike upstream's releases of August 2025, `-c` is stronger than a profile.

`-c` takes a TOML value; what is none is taken as text. A part of the key that holds a dot is quoted:
`-c 'projects."/a.b".trust_level=trusted'`. A key nobody knows gets a warning, or stops the run with `--strict-config`.

A project's file counts only when you trust the directory (`--trust`), and with the content it had then: once it is new
or changed, a warning names it, and it counts again after one start with `--trust`. Even then keys, addresses, sandbox,
approvals, web search, notifications and the environment of commands are yours alone. It may set: {allowed}. Of `tools`
it may set {tools}; of `sandbox` only `deny_read`, which adds to yours; of its MCP servers not {server}. A server of
yours it cannot change.
"""


class Key(NamedTuple):
    """One key of the reference."""

    path: str
    type: str
    default: str
    """As TOML; empty when there is none, or when `doc` tells it."""
    doc: str


def all_keys() -> list[Key]:
    """Every key, tables before what is in them, in the order of the schema."""
    return list(_keys("", ConfigToml, _field_docs()))


def reference() -> str:
    """The reference as Markdown."""
    names = {
        "allowed": ALLOWED,
        "tools": ALLOWED_TOOLS,
        "server": REFUSED_OF_A_SERVER,
    }
    introduction = _INTRODUCTION.format(**{name: _listed(keys) for name, keys in names.items()})
    lines = [introduction, "| key | type | default | what it does |", "|---|---|---|---|"]
    for key in all_keys():
        default = f"`{key.default}`" if key.default else ""
        cells = (f"`{key.path}`", key.type, default, key.doc)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", f"Keys of upstream's programs that are accepted and have no effect here: {_listed(NOT_OURS)}."]
    return "\n".join(lines)


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" for key in sorted(keys))


def with_reference(text: str) -> str:
    """`text` with the reference between its markers; a section for it is added where there is none."""
    if BEGIN not in text or END not in text:
        text = f"{text.rstrip()}\n\n## Settings\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _keys(prefix: str, struct: type[msgspec.Struct], docs: dict[tuple[str, str], str]) -> Iterator[Key]:
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.encode_name}"
        doc = docs.get((struct.__name__, field.name), "")
        inner = struct_in(field.type)
        values = table_values(field.type)
        entries = None if values is None else struct_in(values)
        if entries is not None:
            yield Key(f"{path}.<name>", "table", "", doc)
            if entries is not ConfigToml:
                yield from _keys(f"{path}.<name>.", entries, docs)
        elif inner is not None:
            if describe(field.type) != "a table":
                yield Key(path, describe(field.type), _toml(field.default), doc)
            yield from _keys(f"{path}.", inner, docs)
        else:
            yield Key(path, describe(field.type), _toml(field.default), doc)


def _toml(value: Any) -> str:
    match value:
        case None | msgspec.NODEFAULT:
            return ""
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return f'"{value.value}"'
        case str():
            return f'"{value}"'
        case int() | float():
            return str(value)
        case tuple():
            items: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType] (a default of any tuple field)
            return f"[{', '.join(_toml(item) for item in items)}]"
        case _:
            return ""


def _field_docs() -> dict[tuple[str, str], str]:
    """The string under each field, by class and field name."""
    docs: dict[tuple[str, str], str] = {}
    for module in (types, schema, prices):
        for node in ast.parse(inspect.getsource(module)).body:
            if not isinstance(node, ast.ClassDef):
                continue
            for field, string in zip(node.body, node.body[1:], strict=False):
                match field, string:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(doc))):
                        docs[node.name, name] = " ".join(doc.split())
                    case _:
                        pass
    return docs


if __name__ == "__main__":
    readme = Path(sys.argv[1])
    found = readme.read_text("utf-8") if readme.exists() else "# The agent and its parts\n"
    readme.write_text(with_reference(found), "utf-8")
