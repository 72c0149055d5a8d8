"""What a project says of itself in the file that describes it: its name, and which of its files people start with."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from typing import Any, cast

import msgspec

_Fields = dict[str, Any]


class Manifest(msgspec.Struct, frozen=True):
    """What one file says."""

    facts: dict[str, str]
    """Title and text, as `Project` and its name."""
    entries: tuple[str, ...]
    """Where its programs or its library may begin; which of these exist is not known here."""


def read_manifest(label: str, text: str) -> Manifest:
    """What a manifest says, whole or cut off somewhere.

    Args:
        label: As in `demo_commands.MANIFESTS`.
        text: As it was printed.
    """
    return _READERS[label](text)


def _pyproject(text: str) -> Manifest:
    whole = _toml(text)
    project = _table(whole.get("project")) or _table(_table(whole.get("tool")).get("poetry"))
    scripts = _table(project.get("scripts"))
    return Manifest(
        {**_described(project), **_listing("Commands it installs", scripts)},
        (*_modules(scripts.values()), *_package_files(project.get("name"))),
    )


def _setup_cfg(text: str) -> Manifest:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return Manifest({}, ())
    metadata = dict(parser.items("metadata")) if parser.has_section("metadata") else {}
    found = parser.get("options.entry_points", "console_scripts", fallback=None) or ""
    scripts = dict(re.findall(r"^\s*([\w.-]+)\s*=\s*([\w.:]+)", found, re.MULTILINE))
    return Manifest(
        {**_described(metadata), **_listing("Commands it installs", scripts)},
        (*_modules(scripts.values()), *_package_files(metadata.get("name"))),
    )


def _package(text: str) -> Manifest:
    try:
        package = _table(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        package = dict(re.findall(r'^\s{0,4}"(name|description|main|module)"\s*:\s*"([^"\n]+)"', text, re.MULTILINE))
    exported = package.get("exports")
    root = _table(exported).get(".", exported)
    commands = package.get("bin")
    entries: list[Any] = [root, _table(root).get("import"), _table(root).get("default"), package.get("module")]
    entries += [package.get("main"), commands, *_table(commands).values()]
    return Manifest(
        {**_described(package), **_listing("npm scripts", _table(package.get("scripts")))},
        tuple(dict.fromkeys(path for entry in entries if (path := _js_file(entry)))),
    )


def _cargo(text: str) -> Manifest:
    return Manifest(_described(_table(_toml(text).get("package"))), ("src/main.rs", "src/lib.rs"))


def _go_mod(text: str) -> Manifest:
    found = re.search(r"^module\s+(\S+)", text, re.MULTILINE)
    return Manifest({"Project": _clean(found[1])} if found else {}, ())


_READERS: dict[str, Callable[[str], Manifest]] = {
    "pyproject": _pyproject,
    "setupcfg": _setup_cfg,
    "package": _package,
    "cargo": _cargo,
    "gomod": _go_mod,
}


def _toml(text: str) -> _Fields:
    import tomllib

    while text:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError:  # cut in the middle: the last table is left out, then the one before
            text = text.rpartition("\n[")[0]
    return {}


def _described(fields: _Fields) -> dict[str, str]:
    described: dict[str, str] = {}
    for key, title in (("name", "Project"), ("description", "Description")):
        value = fields.get(key)
        if isinstance(value, str) and _clean(value):
            described[title] = _clean(value)
    return described


def _listing(title: str, named: _Fields) -> dict[str, str]:
    names = [f"`{_clean(name)}`" for name in named if _clean(name)]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return {title: ", ".join(names[:10]) + more} if names else {}


def _modules(scripts: Any) -> list[str]:
    """Files that may hold what scripts of the form `package.module:function` start."""
    paths: list[str] = []
    for script in scripts:
        if isinstance(script, str) and re.fullmatch(r"[\w.]+(:.*)?", script):
            path = script.partition(":")[0].replace(".", "/")
            paths += [f"{root}{path}{end}" for root in ("src/", "") for end in (".py", "/__init__.py")]
    return paths


def _package_files(name: Any) -> list[str]:
    """Files that may be the beginning of a package of that name."""
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]+", name):
        return []
    folder = name.lower().replace("-", "_").replace(".", "/")
    return [f"{root}{folder}/{end}" for end in ("__main__.py", "__init__.py") for root in ("src/", "")]


def _js_file(entry: Any) -> str | None:
    if not isinstance(entry, str) or ".." in entry or "*" in entry:
        return None
    path = entry.removeprefix("./")
    return path if re.search(r"\.[a-z]+$", path) else f"{path}.js"


def _table(value: Any) -> _Fields:
    return cast("_Fields", value) if isinstance(value, dict) else {}


def _clean(text: str) -> str:
    plain = "".join(" " if character in "`<>" or not character.isprintable() else character for character in text)
    return " ".join(plain.split())[:200]
