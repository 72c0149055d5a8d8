"""What a run takes besides its prompt: images and the schema of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from codex_kernel.regular_files import read_regular
from codex_protocol.errors import CodexError
from codex_protocol.ops import LocalImageInput, TextInput, UserInputItem

MAX_SCHEMA_BYTES = 4 << 20


def image_files(given: Sequence[str]) -> tuple[Path, ...]:
    """The files `-i` named: one, or several with commas between them. A file whose own name has a comma is one file."""
    files: list[Path] = []
    for value in given:
        if "," not in value or Path(value).exists():
            files.append(Path(value))
        else:
            files.extend(Path(part.strip()) for part in value.split(",") if part.strip())
    return tuple(files)


def image_inputs(files: Sequence[Path], say: Callable[[str], None]) -> list[UserInputItem]:
    """The images by absolute path; one that cannot be read becomes a text that says so, and the run goes on."""
    inputs: list[UserInputItem] = []
    for file in files:
        problem = _problem(file)
        if problem is None:
            inputs.append(LocalImageInput(str(file.absolute())))
        else:
            say(f"warning: the image {file} cannot be read: {problem}")
            inputs.append(TextInput(f"[The image {file} was attached but cannot be read: {problem}]"))
    return inputs


def read_schema(file: Path) -> dict[str, Any]:
    """The JSON Schema in `file`.

    Raises:
        CodexError: It cannot be read, is not JSON, or is no JSON object.
    """
    try:
        with file.open("rb") as stream:  # also a pipe, as the shell makes it of `<(command)`
            data = stream.read(MAX_SCHEMA_BYTES + 1)
    except OSError as error:
        raise CodexError(f"the output schema {file} cannot be read: {error.strerror}") from error
    if len(data) > MAX_SCHEMA_BYTES:
        raise CodexError(f"the output schema {file} is larger than {MAX_SCHEMA_BYTES >> 20} MiB")
    try:
        schema = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CodexError(f"the output schema {file} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise CodexError(f"the output schema {file} has to be a JSON object")
    return cast("dict[str, Any]", schema)


def _problem(file: Path) -> str | None:
    try:
        return None if read_regular(file, 1) else "it is empty"
    except OSError as error:
        return error.strerror or str(error)
