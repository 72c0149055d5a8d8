"""Accessibility by axe-core, run inside the page through the debugger, so that the page's own policy stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import Frame, Page

_AXE = Path(__file__).parents[1] / "tests" / "node_modules" / "axe-core" / "axe.min.js"
_GRAVE = ("serious", "critical")


def grave(page: Page | Frame) -> list[str]:
    """What axe calls serious or worse: the rule, and where."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_AXE.read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for one in found["violations"]
        if one["impact"] in _GRAVE
        for node in one["nodes"]
    ]
