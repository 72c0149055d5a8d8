"""Custom prompts called by name in a cell."""

from __future__ import annotations

import pytest

from codex_kernel.jupyter.slash_commands import expanded
from codex_kernel.skills.custom_prompts import CustomPrompt


@pytest.mark.parametrize(
    ("content", "argument", "sent"),
    [
        ("Do $1 now", "x", "Do x now"),
        ("Do it", "x y", "Do it\n\nx y"),
        ("Look at $FILE", "FILE=a.py", "Look at a.py"),
        ("---\ndescription: d\n---\nBody", "", "Body"),
    ],
)
def test_arguments_go_to_their_places_or_behind_the_prompt(content: str, argument: str, sent: str):
    assert expanded(CustomPrompt("p", "", content), argument) == sent
