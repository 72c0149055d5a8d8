"""Every case with its category, which is the name of its module."""

from __future__ import annotations

import importlib

from tests.kernel.sandbox.escapes.case import Case

CATEGORIES = (
    "files",
    "links",
    "metadata",
    "git",
    "processes",
    "descriptors",
    "sockets",
    "kernel_extras",
    "namespaces",
    "foreign",
    "terminals",
    "environment",
    "ending",
)


def all_cases() -> list[tuple[str, Case]]:
    """Category and case, in order."""
    found: list[tuple[str, Case]] = []
    for category in CATEGORIES:
        module = importlib.import_module(f"tests.kernel.sandbox.escapes.cases.{category}")
        cases: tuple[Case, ...] = module.CASES
        found += [(category, case) for case in cases]
    return found
