from __future__ import annotations

import pytest

from codex_kernel.model.demo_titles import first_words, licence_kind, title


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# Kettle\n\nText", "“Kettle”"),
        ("[![logo](a.png)](b)\n\n<h2 align='center'>The Formatter</h2>\n> “Any color.”", "“The Formatter”"),
        ("=====\nDjango\n=====\nText", "“Django”"),
        ("A quick *start* at [redis.io](https://redis.io).\n\n### What is it?", "“What is it?”"),
        ("A quick **start** at [redis.io](https://redis.io", "“A quick start at redis.io”"),
        (".. image:: x.png\n\nsnake_case_name does it\n", "“snake_case_name does it”"),
        ("# Hello `World`!", "“Hello World !”"),
        ("> “Any color you like.”", "“Any color you like.”"),
        ("caf\ufffd", "“caf?”"),
        (f"{'word ' * 30}", "“" + "word " * 19 + "…”"),
        ("----\n\n<p>\n", None),
        ("# " + "y" * 300, "“" + "y" * 98 + " …”"),
        ("# a\u202eb \x1b[1m", "“a b [1m”"),
        ("", None),
    ],
)
def test_the_title_is_the_first_heading_in_words(text: str, told: str | None) -> None:
    assert title(text.splitlines()) == told


def test_without_headings_the_first_line_of_words_counts() -> None:
    assert first_words(["", "   ***", "/* Copyright */", "more"]) == "“Copyright */”"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Permission is hereby granted,\n free of charge, to any", "the MIT licence"),
        ("                  Apache License\n", "the Apache licence"),
        ("GNU LESSER GENERAL PUBLIC LICENSE\nbased on the GNU General Public License", "the GNU LGPL"),
        ("Redistribution and use in source and\nbinary forms", "a BSD licence"),
        ("Permission to use, copy, modify, and distribute this software for any", "the ISC licence"),
        ("The author disclaims copyright", None),
    ],
)
def test_a_well_known_licence_is_known_by_its_words(text: str, kind: str | None) -> None:
    assert licence_kind(text) == kind
