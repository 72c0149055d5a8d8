"""Schemas that providers take, and answers that fit them or say where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from codex_client.structured import json_schema, validate
from codex_protocol.errors import UsageError


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    """Inside."""

    colour: Colour = Colour.RED
    note: str | None = None


class Strange:
    """Nothing pydantic knows."""


class Outer(BaseModel):
    inner: Inner = Field(default_factory=Inner, description="what is inside")
    many: list[Inner] = []
    kind: Literal["a"] = "a"
    table: dict[str, int] = {}


@dataclass
class Typed:
    n: int


def objects(node: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if isinstance(node, dict):
        found += [node] if "properties" in node else []
        for value in node.values():
            found += objects(value)
    elif isinstance(node, list):
        for value in node:
            found += objects(value)
    return found


@pytest.mark.parametrize("schema", [Outer, Inner, Typed, list[Inner], int, Colour, Inner | None])
def test_every_object_is_closed_and_all_its_keys_are_required(schema: Any) -> None:
    made = json_schema(schema)
    assert made["type"] == "object"
    for each in objects(made):
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
    text = str(made)
    assert "'default'" not in text
    assert "oneOf" not in text
    assert "'const'" not in text


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (Typed, '{"n": 1}', Typed(1)),
        (Typed, '\n```json\n{"n": 1}\n```\n', Typed(1)),
        (Typed, '```\n{"n": 1}```', Typed(1)),
        (list[int], '{"value": [1, 2]}', [1, 2]),
        (list[int], "[1, 2]", [1, 2]),
        (int, '{"value": 3}', 3),
        (Inner, '{"colour": "red", "note": null}', Inner()),
        (dict[str, int], '{"value": {"a": 1}}', {"a": 1}),
    ],
)
def test_answers_become_objects(schema: Any, text: str, value: Any) -> None:
    assert validate(schema, text) == value


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        (Typed, "", "Invalid JSON"),
        (Typed, "Sure! Here it is.", "Invalid JSON"),
        (Typed, "{}", "n: Field required"),
        (Outer, '{"inner": {"colour": "blue"}}', "inner.colour"),
        (list[int], "nope", "not valid JSON"),
        (list[int], '{"value": ["x"]}', "0: "),
    ],
)
def test_what_does_not_fit_says_where(schema: Any, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        validate(schema, text)


@pytest.mark.parametrize("schema", [{"type": "object"}, "Facts", 5, Strange])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(UsageError, match="schema"):
        json_schema(schema)
