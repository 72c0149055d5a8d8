"""References to files in prose: `src/app.py:12`, `【F:src/app.py†L3-L9】`, `[the parser](src/parse.py#L40)`.

Source of the citation form and the addresses of editors: spec/interactive.md section 12.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from codex_render.html_policy import EDITOR_SCHEMES, WEB_SCHEMES

OpenFile = Callable[[str, int | None], str | None]
"""Given a path as it was written and a line, the address that opens it; None: there is none, the text stays plain."""


class FileReference(NamedTuple):
    """A file, and a place in it."""

    path: str
    """As written: relative to wherever the author was."""
    line: int | None


class Found(NamedTuple):
    """A stretch of prose that names something to open: exactly one of `file` and `url` is set."""

    start: int
    end: int
    label: str
    file: FileReference | None
    url: str | None


# A path is bounded in length and never backtracked over: what follows it cannot be part of it. It has a slash or a
# short ending that begins with a letter, so that times, ratios and `host:port` are left alone.
_PATH = r"(?:~?/|\.{1,2}/)?(?:[\w@+.\-]{1,120}/){0,40}[\w@+.\-]{1,120}"
_found = re.compile(
    r"(?P<cite>【F:(?P<cited>[^†】\n]{1,1000})†L(?P<from>\d{1,9})[^】\n]{0,40}】)"
    r"|(?P<url>\bhttps?://[^\s<>\"'`\\^{|}【】]{1,2000})"
    rf"|(?<![\w/.@+\-:~])(?P<path>{_PATH}):(?P<line>[1-9]\d{{0,8}})(?:(?::\d{{1,6}})|(?:-\d{{1,9}}))?(?![\w:/])"
)
_suffix = re.compile(r"(?:#L(?P<hash>[1-9]\d{0,8})(?:C\d+)?(?:-L?\d+(?:C\d+)?)?|:(?P<line>[1-9]\d{0,8})(?:[:-]\d+)?)\Z")
_ending = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}\Z")
_scheme = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?!\d+(?:[:-]\d+)?\Z)")
_HOST_ENDINGS = frozenset({".com", ".org", ".net", ".io", ".dev", ".local", ".internal", ".localhost", ".test"})


def find(text: str) -> Iterator[Found]:
    """The citations, `path:line` references and web addresses in prose, in order."""
    for match in _found.finditer(text):
        start, end = match.span()
        if match["cite"] is not None:
            reference = FileReference(match["cited"], int(match["from"]))
            yield Found(start, end, f"{reference.path}:{reference.line}", reference, None)
        elif match["url"] is not None:
            url = _without_punctuation(match["url"])
            yield Found(start, start + len(url), url, None, url)
        elif _looks_like_path(match["path"]):
            yield Found(start, end, match.group(), FileReference(match["path"], int(match["line"])), None)


def whole(text: str) -> FileReference | None:
    """The reference when `text` is one and nothing else; for code between backticks."""
    match = _found.fullmatch(text)
    if match is None or match["path"] is None or not _looks_like_path(match["path"]):
        return None
    return FileReference(match["path"], int(match["line"]))


def target(address: str) -> FileReference | None:
    """What a link without a web address points at; None when it is no file (`#section`, `//host/path`)."""
    path = unquote(address)
    if path.lower().startswith("file://"):
        path = path[7:]
        if not path.startswith("/"):
            return None  # another host's file
    line = None
    if (match := _suffix.search(path)) is not None:
        line = int(match["hash"] or match["line"])
        path = path[: match.start()]
    if not path or path.startswith(("#", "?", "//", "\\")) or "\0" in path:
        return None
    return FileReference(path, line)


def scheme_of(address: str) -> str | None:
    """The address's scheme in lower case; None for a path, `app.py:12` among them."""
    match = _scheme.match(address)
    return match[1].lower() if match is not None else None


def may_link(url: str) -> bool:
    """Whether a link written by somebody else is made at all: to the web, mail and files, never to programs."""
    address = url.strip()
    if any(character <= " " or character == "\x7f" for character in address):
        return False
    scheme = scheme_of(address)
    if scheme is None or scheme == "file":
        return target(address) is not None
    return scheme in WEB_SCHEMES


def editor_links(opener: str, cwd: str | Path, *, exists: Callable[[str], bool] | None = os.path.exists) -> OpenFile:
    """Addresses that open files in an editor.

    Args:
        opener: The setting `file_opener`: `vscode`, `vscode-insiders`, `windsurf`, `cursor`; `none` makes no links.
        cwd: What relative paths mean.
        exists: Asked for every path, so that text that only looks like one stays text; None: every path is linked.
    """

    def address(path: str, line: int | None) -> str | None:
        if opener not in EDITOR_SCHEMES:
            return None
        absolute = os.path.normpath(os.path.join(cwd, os.path.expanduser(path)))
        if "\0" in absolute or (exists is not None and not exists(absolute)):
            return None
        return f"{opener}://file{quote(absolute)}" + (f":{line}" if line else "")

    return address


def _looks_like_path(path: str) -> bool:
    ending = _ending.search(path)
    if ending is None:
        return "/" in path and not path.startswith("//") and not path.endswith("/")
    return "/" in path or ending.group().lower() not in _HOST_ENDINGS


def _without_punctuation(url: str) -> str:
    """The address without what ends a sentence; a closing bracket stays where it was opened inside."""
    while url and (url[-1] in ".,;:!?*_~" or _closes_nothing(url, "()") or _closes_nothing(url, "[]")):
        url = url[:-1]
    return url


def _closes_nothing(url: str, pair: str) -> bool:
    return url[-1] == pair[1] and url.count(pair[0]) < url.count(pair[1])
