"""JSON that always comes to be: file names that are no UTF-8 arrive as lone surrogates, which UTF-8 cannot carry."""

from __future__ import annotations

from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def encode_json(value: Any) -> bytes:
    """The JSON of `value`, UTF-8; a half of a surrogate pair becomes `?`."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _encode(_sound(msgspec.to_builtins(value)))


def _sound(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {_sound(key): _sound(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_sound(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
