"""What a server's tool is called towards the model: qualified, in characters every provider takes, at most 64 bytes.

Source: spec/mcp.md A5. Other than upstream of August 2025, characters that providers refuse are replaced, and a name
that is taken already is shortened to one that is not rather than left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MAX_BYTES = 64
_DIGEST_HEX = 40
_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")

NAMESPACE = "mcp__"
"""Before the server's name, where a model's calls carry a namespace."""


def qualified_name(server: str, tool: str) -> str:
    """`server__tool`; what is longer than 64 bytes keeps its start and ends in the digest of the whole."""
    raw = f"{server}__{tool}"
    name = _REFUSED.sub("_", raw)
    return name if len(name) <= MAX_BYTES else _shortened(raw)


def name_tools(tools: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """A name for each `(server, tool)`, in the order given; of an exact duplicate the first one counts."""
    named: dict[str, tuple[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    for server, tool in tools:
        if (server, tool) in seen:
            continue
        seen.add((server, tool))
        name = qualified_name(server, tool)
        if name in named:  # another pair that looks the same once it is written like this
            name = _shortened(f"{server}__{tool}\0{server}")
        named[name] = (server, tool)
    return named


def _shortened(raw: str) -> str:
    digest = hashlib.sha1(raw.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
    return _REFUSED.sub("_", raw)[: MAX_BYTES - _DIGEST_HEX] + digest
