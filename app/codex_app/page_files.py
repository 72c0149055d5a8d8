"""The files that the page is made of, and how a browser loads them: all at once, and each version once.

A page names its modules by an address with their version in it, through an import map: what was loaded before is not
asked for again, and what imports what need not be found out one file after the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

_ASSETS = Path(__file__).with_name("assets")
_STYLES = (
    "page",
    "thread_list",
    "head",
    "conversation",
    "composer",
    "backtrack",
    "tree",
    "dialogs",
    "review",
    "search",
    "first_run",
    "inspector",
    "narrow",
)
"""Sent as one sheet, in this order; the colours and what is drawn in a message come before, from `codex_render`."""
_KINDS = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_imports = re.compile(r"^import .* from '(?:/assets|\.)/([a-z_]+\.js)'$", re.MULTILINE)


@lru_cache(maxsize=1)
def assets() -> dict[str, tuple[str, bytes]]:
    """Every file the page is made of, by name: kind and content."""
    from codex_render.styles import css

    found = {
        file.name: (_KINDS[file.suffix], file.read_bytes())
        for file in sorted(_ASSETS.iterdir())
        if file.suffix in _KINDS
    }
    sheet = css().encode() + b"".join(found.pop(f"{name}.css")[1] for name in _STYLES)
    found["page.css"] = (_KINDS[".css"], sheet)
    found["frame.css"] = (_KINDS[".css"], css().encode() + found["frame.css"][1])
    return found


@lru_cache(maxsize=1)
def version() -> str:
    """Of all files together."""
    digest = hashlib.sha256()
    for name, (_, data) in sorted(assets().items()):
        digest.update(name.encode() + b"\0" + data)
    return digest.hexdigest()[:16]


@lru_cache(maxsize=4)
def scripts_of(name: str) -> dict[str, str]:
    """A module and all that it imports: the address that imports say, to the one that is loaded."""
    found = [name]
    for module in found:
        imported = _imports.findall(assets()[module][1].decode())
        found += [other for other in dict.fromkeys(imported) if other not in found]
    return {f"/assets/{module}": f"/assets/{module}?v={version()}" for module in found}


def import_map(loaded: dict[str, str]) -> str:
    """That, as a page says it."""
    return json.dumps({"imports": loaded})
