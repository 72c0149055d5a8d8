"""The form of an MCP server: its flat JSON Schema becomes fields, and what was filled in is checked against them.

Source: MCP 2025-06-18, "Elicitation": strings (with formats), numbers, booleans, enumerations; newer servers may let
several be chosen. A property of any other kind is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from codex_protocol.errors import UsageError
from codex_render.safe_text import one_line, visible

Json = dict[str, Any]
_MAX_FIELDS = 100
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INPUTS = {"email": "email", "uri": "url", "date": "date", "date-time": "datetime-local"}


def fields_of(schema: Mapping[str, Any]) -> list[Json]:
    """The fields to show, in the schema's order."""
    properties = schema.get("properties")
    required = schema.get("required")
    wanted = set(cast("list[Any]", required)) if isinstance(required, list) and all(_texts(required)) else set()
    if not isinstance(properties, dict):
        return []
    found = list(cast("dict[str, Any]", properties).items())[:_MAX_FIELDS]
    return [_field(name, entry if isinstance(entry, dict) else {}, name in wanted) for name, entry in found]


def _texts(values: Any) -> list[bool]:
    return [isinstance(value, str) for value in values]


def _field(name: str, entry: Json, required: bool) -> Json:
    field: Json = {
        "name": name,
        "label": one_line(str(entry.get("title") or name)),
        "about": visible(str(entry.get("description") or "")),
        "required": required,
        "kind": "text",
        "default": None,
    }
    default = entry.get("default")
    choices = _choices(entry)
    match entry.get("type"):
        case "boolean":
            field |= {"kind": "boolean", "default": default is True}
        case "integer" | "number" as kind:
            number = isinstance(default, int | float) and not isinstance(default, bool)
            field |= {"kind": kind, "default": default if number else None}
            field |= {key: entry[key] for key in ("minimum", "maximum") if isinstance(entry.get(key), int | float)}
        case "array":
            items = entry.get("items")
            several = default if isinstance(default, list) and all(_texts(default)) else []
            field |= {"kind": "several", "choices": _choices(items if isinstance(items, dict) else {})}
            field["default"] = several
        case _ if choices:
            field |= {"kind": "choice", "choices": choices, "default": default if isinstance(default, str) else None}
        case _:
            field |= {"input": _INPUTS.get(str(entry.get("format")), "text")}
            field["default"] = default if isinstance(default, str) else None
            field |= {key: entry[key] for key in ("minLength", "maxLength") if isinstance(entry.get(key), int)}
    return field


def _choices(entry: Json) -> list[list[str]]:
    """Values and what is shown for them."""
    values, names = entry.get("enum"), entry.get("enumNames")
    titled = entry.get("oneOf") or entry.get("anyOf")
    if isinstance(titled, list):
        return [
            [str(each["const"]), one_line(str(each.get("title") or each["const"]))]
            for each in cast("list[Any]", titled)
            if isinstance(each, dict) and "const" in each
        ]
    if not isinstance(values, list):
        return []
    shown = cast("list[Any]", names) if isinstance(names, list) and len(names) == len(values) else values
    return [[str(value), one_line(str(name))] for value, name in zip(values, shown, strict=True)]


def filled_in(fields: list[Json], content: Mapping[str, Any]) -> Json:
    """What goes to the server.

    Raises:
        UsageError: Something required is missing, or a value does not fit; the sentence names the field.
    """
    unknown = set(content) - {field["name"] for field in fields}
    if unknown:
        raise UsageError(f"the form has no field {one_line(sorted(unknown)[0])!r}")
    kept: Json = {}
    for field in fields:
        value = content.get(field["name"])
        if value is None or value == "" or value == ():
            if field["required"] and field["kind"] != "boolean":
                raise UsageError(f"{field['label']}: this must be filled in")
            if field["kind"] != "boolean":
                continue
        kept[field["name"]] = _checked(field, value)
    return kept


def _checked(field: Json, value: Any) -> Any:
    label = field["label"]
    match field["kind"]:
        case "boolean":
            return value is True
        case "integer" | "number" as kind:
            return _number(field, kind, value)
        case "choice":
            if value not in [choice[0] for choice in field["choices"]]:
                raise UsageError(f"{label}: choose one of the list")
            return value
        case "several":
            known = [choice[0] for choice in field["choices"]]
            if not isinstance(value, list | tuple) or any(each not in known for each in value):
                raise UsageError(f"{label}: choose from the list")
            return list(value)
        case _:
            return _text(field, value)


def _number(field: Json, kind: str, value: Any) -> int | float:
    label = field["label"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{label}: a number is wanted")
    if kind == "integer" and value != int(value):
        raise UsageError(f"{label}: a whole number is wanted")
    if value < field.get("minimum", value) or value > field.get("maximum", value):
        low, high = field.get("minimum", "…"), field.get("maximum", "…")
        raise UsageError(f"{label}: a number from {low} to {high} is wanted")
    return int(value) if kind == "integer" else value


def _text(field: Json, value: Any) -> str:
    label = field["label"]
    if not isinstance(value, str):
        raise UsageError(f"{label}: text is wanted")
    if len(value) < field.get("minLength", 0):
        raise UsageError(f"{label}: at least {field['minLength']} characters are wanted")
    if len(value) > field.get("maxLength", len(value)):
        raise UsageError(f"{label}: at most {field['maxLength']} characters are wanted")
    match field.get("input"):
        case "email" if not _EMAIL.fullmatch(value):
            raise UsageError(f"{label}: this is no e-mail address")
        case "url" if "://" not in value:
            raise UsageError(f"{label}: this is no address; it begins with https:// or the like")
        case "date" if not _DATE.fullmatch(value):
            raise UsageError(f"{label}: a date like 2026-11-30 is wanted")
        case _:
            return value
