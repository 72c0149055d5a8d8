"""Forms of MCP servers: what of a schema is shown, and what of an answer is taken."""

from __future__ import annotations

from typing import Any

import pytest

from codex_app.forms import fields_of, filled_in
from codex_protocol.errors import UsageError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["who", "many"],
    "properties": {
        "who": {"type": "string", "title": "Who\u202e", "minLength": 2, "maxLength": 5},
        "mail": {"type": "string", "format": "email"},
        "many": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "sure": {"type": "boolean", "default": True},
        "size": {"type": "string", "enum": ["s", "m"], "enumNames": ["Small", "Middle"]},
        "tags": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b"}]}},
        "odd": {"type": "object"},
    },
}


def test_every_kind_of_field_is_shown_with_what_it_takes() -> None:
    fields = {field["name"]: field for field in fields_of(SCHEMA)}
    assert [field["kind"] for field in fields.values()] == [
        "text",
        "text",
        "integer",
        "boolean",
        "choice",
        "several",
        "text",
    ]
    assert "\u202e" not in fields["who"]["label"]
    assert (fields["who"]["required"], fields["mail"]["required"]) == (True, False)
    assert fields["size"]["choices"] == [["s", "Small"], ["m", "Middle"]]
    assert fields["tags"]["choices"] == [["a", "A"], ["b", "b"]]
    assert (fields["many"]["default"], fields["sure"]["default"]) == (3, True)


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": {"x": 7}, "required": "x"}])
def test_a_schema_that_is_none_breaks_nothing(schema: dict[str, Any]) -> None:
    assert [field["kind"] for field in fields_of(schema)] in ([], ["text"])


def test_what_fits_is_taken_as_what_it_is() -> None:
    given = {"who": "Ann", "many": 4.0, "sure": False, "size": "m", "tags": ("a",), "mail": ""}
    assert filled_in(fields_of(SCHEMA), given) == {
        "who": "Ann",
        "many": 4,
        "sure": False,
        "size": "m",
        "tags": ["a"],
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"who": ""}, "must be filled in"),
        ({"who": "A"}, "at least 2"),
        ({"who": "Abcdef"}, "at most 5"),
        ({"mail": "nobody"}, "e-mail"),
        ({"many": 10}, "from 1 to 9"),
        ({"many": 1.5}, "whole number"),
        ({"many": True}, "number is wanted"),
        ({"size": "xl"}, "one of the list"),
        ({"tags": ("z",)}, "from the list"),
        ({"more": "x"}, "no field"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_fields_name(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        filled_in(fields_of(SCHEMA), {"who": "Ann", "many": 2, **change})
