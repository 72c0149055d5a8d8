"""A server's input schema as every provider takes it: plain types, nothing that refers to elsewhere.

Source: spec/mcp.md A6. Kept beyond it: the values of an `enum`, what a local `$ref` stands for, and the first real
alternative of an `anyOf`; without them a model cannot know how to call tools of typed servers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from codex_kernel.mcp_client.server_words import seen_by_people

Schema = dict[str, Any]

_SUPPORTED = ("object", "array", "string", "number", "integer", "boolean")
_HINTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("object", ("properties", "required", "additionalProperties")),
    ("array", ("items", "prefixItems")),
    ("string", ("enum", "const", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
_MAX_DEPTH = 16
_MAX_PROPERTIES = 200
_MAX_ENUM = 100
_MAX_DESCRIPTION = 2_000


def sanitised(schema: Any) -> Schema:
    """The schema of a tool's arguments; always an object. Nothing is raised, whatever a server sends."""
    root = cast("Schema", schema) if isinstance(schema, dict) else {}
    clean = _Cleaner(root).clean({**root, "type": "object"}, 0)
    return {key: clean[key] for key in ("type", "properties", "required", "additionalProperties") if key in clean}


class _Cleaner:
    def __init__(self, root: Schema) -> None:
        self._root = root
        self._left = 5_000
        """Schemas that may still be looked at: references can make a small text endless."""

    def clean(self, raw: Any, depth: int) -> Schema:
        self._left -= 1
        if not isinstance(raw, dict) or depth > _MAX_DEPTH or self._left < 0:
            return {"type": "string"}
        schema = self._resolved(cast("Schema", raw), depth)
        kind = _kind(schema)
        clean: Schema = {"type": "number" if kind == "integer" else kind}
        description = schema.get("description")
        if isinstance(description, str):
            clean["description"] = seen_by_people(description, _MAX_DESCRIPTION)
        if kind == "object":
            self._object(schema, clean, depth)
        elif kind == "array":
            items = schema.get("items")
            clean["items"] = self.clean(items, depth + 1) if isinstance(items, dict) else {"type": "string"}
        elif kind == "string" and (values := _enum(schema)):
            clean["enum"] = values
        return clean

    def _object(self, schema: Schema, clean: Schema, depth: int) -> None:
        raw = schema.get("properties")
        properties = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
        clean["properties"] = {
            name: self.clean(inner, depth + 1) for name, inner in list(properties.items())[:_MAX_PROPERTIES]
        }
        required = schema.get("required")
        if isinstance(required, list):
            names = [name for name in cast("list[Any]", required) if isinstance(name, str)]
            if kept := [name for name in names if name in clean["properties"]]:
                clean["required"] = kept
        additional = schema.get("additionalProperties")
        if depth and additional is not None:
            clean["additionalProperties"] = additional is not False

    def _resolved(self, schema: Schema, depth: int) -> Schema:
        """With a local reference replaced by what it names, and alternatives by the first real one."""
        for _ in range(_MAX_DEPTH):
            target = self._target(schema.get("$ref"))
            if target is None:
                target = _alternative(schema) if "type" not in schema else None
            if target is None:
                return schema
            own = {key: value for key, value in schema.items() if key in ("description", "default")}
            schema = {**target, **own}
        return {}

    def _target(self, reference: Any) -> Schema | None:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return None
        found: Any = self._root
        for step in reference[2:].split("/"):
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, Any]", found).get(step.replace("~1", "/").replace("~0", "~"))
        return cast("Schema", found) if isinstance(found, dict) else None


def _alternative(schema: Mapping[str, Any]) -> Schema | None:
    for key in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(key)
        if not isinstance(choices, list):
            continue
        for choice in cast("list[Any]", choices):
            if isinstance(choice, dict) and cast("Schema", choice).get("type") != "null":
                return cast("Schema", choice)
    return None


def _kind(schema: Mapping[str, Any]) -> str:
    given = schema.get("type")
    if isinstance(given, list):
        given = next((kind for kind in cast("list[Any]", given) if kind in _SUPPORTED), None)
    if isinstance(given, str) and given in _SUPPORTED:
        return given
    for kind, hints in _HINTS:
        if any(hint in schema for hint in hints):
            return kind
    return "string"


def _enum(schema: Mapping[str, Any]) -> list[str]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if not isinstance(values, list):
        return []
    listed = cast("list[Any]", values)
    if len(listed) > _MAX_ENUM or not all(isinstance(value, str) for value in listed):
        return []
    return cast("list[str]", listed)
