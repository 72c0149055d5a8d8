import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_render.shell_words import join_words, quote_word


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("plain-1.2_3/4:5@6]", "plain-1.2_3/4:5@6]"),
        ("", "''"),
        ("é", "'é'"),
        ("a=b", "'a=b'"),
        ("it's", '"it\'s"'),
        ("a!b'c", "'a!b'\"'c\""),
        ("a]", "a]"),
        ("a^b", "a'^b'"),
        ("echo hi", "'echo hi'"),
        ('say "x"', "'say \"x\"'"),
        ("'$HOME'", "\"'\"'$HOME'\"'\""),
        ("back\\slash", '"back\\\\slash"'),
    ],
)
def test_words_are_quoted_as_upstream_quotes_them(word: str, quoted: str):
    assert quote_word(word) == quoted


def test_a_shell_script_reads_as_in_the_contract():
    assert join_words(["/bin/bash", "-lc", "echo hi; exit 3"]) == "/bin/bash -lc 'echo hi; exit 3'"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_quoted_words_are_read_back_as_they_were(words: list[str]):
    assert shlex.split(join_words(words)) == words


@pytest.mark.parametrize("word", ["a^b", "^a", "!x'y", "`id`", "$(id)'", "\\", "\\'", "a\nb", '"', "^'^'!"])
def test_bash_reads_the_word_back(word: str):
    script = f"printf %s {quote_word(word)}"
    assert subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout.decode() == word


def test_a_nul_byte_is_not_quoted_away():
    assert join_words(["a", "b\0c"]) == "a b\0c"
