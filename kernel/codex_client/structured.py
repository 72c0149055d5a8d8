"""Answers as validated objects: a strict JSON schema made from a type, and what is done when an answer does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from codex_client.errors import InvalidAnswer
from codex_client.results import TurnResult
from codex_protocol.errors import UsageError

if TYPE_CHECKING:
    from codex_client.approvals import Callback
    from codex_client.async_thread import AsyncThread
    from codex_client.async_turn import Progress

_WRAPPED = "value"
"""The key of an answer that is no JSON object; providers want an object at the top."""
_FENCE = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_UNSUPPORTED = ("default", "title", "examples")
_MAX_ERRORS = 10


def json_schema(schema: Any) -> dict[str, Any]:
    """The strict JSON schema of a type: every key required, no others allowed.

    Raises:
        UsageError: pydantic can make none of it.
    """
    made = _plain_schema(schema)
    if not _is_object(made):
        definitions = made.pop("$defs", None)
        made = {"type": "object", "properties": {_WRAPPED: made}}
        if definitions:
            made["$defs"] = definitions
    return cast("dict[str, Any]", _strict(made))


def validate(schema: Any, text: str) -> Any:
    """The object an answer stands for.

    Raises:
        ValueError: It does not fit; the message says where, for the model to mend it.
    """
    import pydantic

    found = _FENCE.match(text)
    body = found[1] if found else text
    adapter = _adapter(schema)
    try:
        if _is_object(_plain_schema(schema)):
            return adapter.validate_json(body)
        import json

        try:
            whole: Any = json.loads(body)
        except json.JSONDecodeError as error:
            raise ValueError(f"it is not valid JSON: {error}") from error
        if isinstance(whole, dict) and _WRAPPED in whole:
            whole = cast("dict[str, Any]", whole)[_WRAPPED]
        return adapter.validate_json(json.dumps(whole))
    except pydantic.ValidationError as error:
        found_errors = error.errors(include_url=False, include_input=False, include_context=False)
        lines = [_line(each) for each in found_errors[:_MAX_ERRORS]]
        if len(found_errors) > _MAX_ERRORS:
            lines.append(f"and {len(found_errors) - _MAX_ERRORS} more")
        raise ValueError("; ".join(lines)) from error


async def checked(
    thread: AsyncThread,
    schema: Any,
    result: TurnResult,
    approve: Callback | None,
    on_event: Progress | None,
    *,
    check: bool,
) -> TurnResult:
    """The result with its `parsed`; the model is told once what did not fit.

    Raises:
        InvalidAnswer: Its second answer does not fit either, and `check` is set.
    """
    from codex_client.async_turn import with_parsed

    try:
        return with_parsed(result, validate(schema, result.final_response or ""))
    except ValueError as error:
        problem = str(error)
    prompt = (
        f"Your last answer does not fit the JSON schema that was asked for: {problem}\n"
        "Answer again with the whole corrected JSON, and with nothing else."
    )
    turn = await thread.turn(prompt, approvals=approve or "deny", on_event=on_event, output_schema=json_schema(schema))
    again = await turn.result(check=check)
    try:
        return with_parsed(again, validate(schema, again.final_response or ""))
    except ValueError as error:
        if not check:
            return again
        name = getattr(schema, "__name__", str(schema))
        raise InvalidAnswer(f"the model's answer is no valid {name}, asked twice: {error}", again) from error


def _adapter(schema: Any) -> Any:
    import pydantic

    try:
        return pydantic.TypeAdapter(schema)
    except pydantic.PydanticUserError as error:
        reason = error.message.split("\n", 1)[0]
        raise UsageError(f"{schema!r} cannot be a schema: {reason}") from error


def _plain_schema(schema: Any) -> dict[str, Any]:
    import pydantic

    if isinstance(schema, dict | str | int):
        raise UsageError("a schema is a type: a pydantic model, dataclass or TypedDict, not a value")
    try:
        return _adapter(schema).json_schema()
    except pydantic.errors.PydanticInvalidForJsonSchema as error:
        raise UsageError(f"{schema!r} cannot be a schema: {error.message}") from error


def _is_object(schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        schema = schema.get("$defs", {}).get(name, {})
    return schema.get("type") == "object" and "properties" in schema


def _strict(node: Any) -> Any:
    """As providers want it: objects closed and all their keys required; what they refuse is left out."""
    if isinstance(node, list):
        return [_strict(each) for each in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    fields = cast("dict[str, Any]", node)
    made: dict[str, Any] = {}
    for key, value in fields.items():
        if key in ("properties", "$defs"):
            made[key] = {name: _strict(inner) for name, inner in value.items()}
        elif key == "const":
            made["enum"] = [value]
        elif key == "oneOf":
            made["anyOf"] = _strict(value)
        elif key not in (*_UNSUPPORTED, "discriminator"):
            made[key] = _strict(value)
    if isinstance(made.get("properties"), dict):
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    if "$ref" in made and len(made) > 1:  # nothing may stand beside a reference
        made = {"$ref": made["$ref"]}
    return made


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}" if where else str(error["msg"])
