"""Exports a stored thread: reads it, takes secrets out, and writes it in one of four forms."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from codex_protocol.errors import ThreadError, UsageError
from codex_render.redaction import Finding, Redactor
from codex_store.home import Home
from codex_store.thread_info import ThreadInfo

Format = Literal["md", "html", "ipynb", "jsonl"]
FORMATS: tuple[Format, ...] = get_args(Format)
MIME_TYPES: dict[Format, str] = {
    "md": "text/markdown",
    "html": "text/html",
    "ipynb": "application/x-ipynb+json",
    "jsonl": "application/jsonl",
}
_SECRET_NAME = re.compile(r"(?:key|secret|token|passw(?:or)?d|credentials?)\Z", re.IGNORECASE)
_MIN_KNOWN = 8
_MIN_LOGIN = 20


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A thread as text."""

    text: str
    format: Format
    file_name: str
    """What the file may be called; letters, digits and `-` alone."""
    found: tuple[Finding, ...]
    """The secrets that stand in the thread; taken out of the text unless that was not wanted."""
    redacted: bool

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        taken = f", {len(self.found)} secrets {'taken out' if self.redacted else 'left in'}" if self.found else ""
        return f"<{self.file_name}: {len(self.text):,} characters{taken}>"

    def save(self, path: Path | str, *, replace: bool = False) -> Path:
        """Write it to `path`, or under its own name into the directory `path`; the file.

        Raises:
            UsageError: There is such a file already, and `replace` is not set.
            ThreadError: It cannot be written.
        """
        file = Path(path)
        if file.is_dir():
            file /= self.file_name
        try:
            with file.open("w" if replace else "x", encoding="utf-8", newline="") as stream:
                stream.write(self.text)
        except FileExistsError:
            raise UsageError(
                f"{file} is there already; choose another name, or say that it is to be replaced"
            ) from None
        except OSError as error:
            raise ThreadError(f"{file} cannot be written: {error.strerror or error}") from error
        return file


def export_thread(
    home: Home, info: ThreadInfo, to: Format, *, redact: bool = True, env: Mapping[str, str] = os.environ
) -> Exported:
    """The thread in the form `to`.

    Args:
        home: Whose thread; the login kept there is taken out wherever it stands.
        info: Which.
        to: The form.
        redact: False: what is found is told and stays.
        env: Values of variables named like a key, token or password are taken out too.

    Raises:
        RolloutError: The thread cannot be read.
    """
    known = known_secrets(home, env)
    redactor = Redactor(known)

    def clean(text: str) -> str:
        cleaned = redactor.redact(text)
        return cleaned if redact else text

    if to == "jsonl":
        from codex_client.export.lines import to_lines

        text = to_lines(info.path, clean)
    else:
        from codex_client.export.document import read_document

        match to:
            case "md":
                from codex_client.export.markdown import to_markdown as write
            case "html":
                from codex_client.export.page import to_page as write
            case "ipynb":
                from codex_client.export.notebook import to_notebook as write
        text = write(read_document(info.path, clean))
    return Exported(
        text=text,
        format=to,
        file_name=f"{_slug(Redactor(known).redact(info.name or ''))}{info.id}.{to}",
        found=tuple(redactor.found),
        redacted=redact,
    )


def format_of(word: str) -> Format:
    """The form of that name.

    Raises:
        UsageError: There is none.
    """
    if word not in FORMATS:
        raise UsageError(f"a thread is exported to {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not to {word!r}")
    return word


def known_secrets(home: Home, env: Mapping[str, str]) -> set[str]:
    """What this user's environment and login hold: taken out whatever its shape."""
    found = {value for name, value in env.items() if _SECRET_NAME.search(name) and len(value) >= _MIN_KNOWN}
    try:
        login = msgspec.json.decode(home.auth_file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return found
    return found | {text for text in _strings(login) if len(text) >= _MIN_LOGIN}


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for inner in cast("dict[str, Any]", value).values():
                yield from _strings(inner)
        case list():
            for inner in cast("list[Any]", value):
                yield from _strings(inner)
        case _:
            return


def _slug(name: str) -> str:
    """The name as part of a file's; with a `-` behind it unless it is empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    return f"{slug}-" if slug else ""
