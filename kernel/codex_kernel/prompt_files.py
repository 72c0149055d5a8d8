"""Prompts kept as files beside the code that sends them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path


def prompt_loader(package_file: str) -> Callable[[str], str]:
    """A function that gives the text of a file beside `package_file`, without its last line end; read once."""
    folder = Path(package_file).parent

    @cache
    def prompt_text(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8").rstrip("\n")

    return prompt_text
