import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_render.safe_text import one_line, output_text, safe_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]0;title\x07", "␛]0;title␇"),
        ("a\x00b\x7fc\x85d\x9bm", "a␀b␡c<U+0085>d<U+009B>m"),
        ("user\u202eexe.txt", "user<U+202E>exe.txt"),
        ("pass\u200bword", "pass<U+200B>word"),
        ("\u2066isolated\u2069", "<U+2066>isolated<U+2069>"),
        ("\ufeffbom", "<U+FEFF>bom"),
        ("tag\U000e0041", "tag<U+E0041>"),
        ("family 👩\u200d👧 stays", "family 👩\u200d👧 stays"),
        ("heart ❤️\u200d🔥", "heart ❤️\u200d🔥"),
        ("x\u200dy", "x<U+200D>y"),
        ("\u3164", "<U+3164>"),
        ("\u2028next", "<U+2028>next"),
        ("lone \ud800", "lone <U+D800>"),
        ("übermäßig 日本", "übermäßig 日本"),
    ],
)
def test_hidden_characters_are_written_out(text: str, shown: str):
    assert visible(text) == shown


@given(st.text())
def test_nothing_a_terminal_would_obey_is_left(text: str):
    for character in visible(text):
        if character in "\n\t\u200d":
            continue
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


@given(st.text())
def test_shown_text_is_shown_the_same_again(text: str):
    assert visible(visible(text)) == visible(text)


@given(st.text())
def test_one_line_is_one_line(text: str):
    assert len(one_line(text).splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;32mok\x1b[0m\n", "ok\n"),
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("10%\r50%\r100%\nnext", "␍100%\nnext"),
        ("done\r", "done"),
    ],
)
def test_output_loses_colours_and_keeps_the_last_state_of_a_line(text: str, shown: str):
    assert output_text(text) == shown


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_for_a_screen_has_the_same_value_and_nothing_hidden(text: str):
    shown = safe_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert visible(shown) == shown.replace("\u200d", "<U+200D>")
