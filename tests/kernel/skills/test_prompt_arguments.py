from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.skills.custom_prompts import custom_prompts
from codex_kernel.skills.prompt_arguments import described, expand, names_of
from codex_protocol.errors import UsageError


@pytest.mark.parametrize(
    ("content", "arguments", "sent"),
    [
        ("Review it.", "", "Review it."),
        ("Review it.", "x y", "Review it."),
        ("Review $1 and $2, not $3.", 'a.py "b c"', "Review a.py and b c, not ."),
        ("All: $ARGUMENTS", 'a  "b c"   d', "All: a b c d"),
        ("Costs $$1 and $10 and $0", "x", "Costs $$1 and $10 and $0"),
        ("$FILE: $TITLE ($FILE)", 'TITLE="x y" FILE=a.py', "a.py: x y (a.py)"),
        ("$FILE", "FILE=$1", "$1"),
        ("$FILE", "FILE=", ""),
        ("$1", r"a\"b", 'a"b'),
        ("$1", r"C:\dir", r"C:\dir"),
        ("$1|$2", 'a"b c"d e', "ab cd|e"),
        ("---\ndescription: d\nargument-hint: FILE\n---\nLook at $1", "x", "Look at x"),
        ("---\nnot front matter", "", "---\nnot front matter"),
        ("$lower $Mixed", "x", "$lower $Mixed"),
        ("$FILE $ARGUMENTS", "FILE=a", "a FILE=a"),
    ],
)
def test_arguments_take_their_places(content: str, arguments: str, sent: str) -> None:
    assert expand("p", content, arguments) == sent


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("$FILE $TITLE", "FILE=a", 'TITLE="…"'),
        ("$FILE", "a.py", "not written like that"),
        ("$FILE", "file=a", "not written like that"),
        ("$1", '"a b', "does not end"),
        ("$1", 'a b"', "does not end"),
        ("$1", "a\\", "does not end"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_that_says_how(content: str, arguments: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        expand("p", content, arguments)


def test_a_prompt_says_what_it_is_and_what_it_wants() -> None:
    assert described("---\ndescription: d\nargument-hint: '[FILE]'\n---\nx") == ("d", "[FILE]", "x")
    assert described("x") == (None, None, "x")
    assert names_of("$B $A $B $ARGUMENTS $1 $$C") == ("B", "A")


@given(st.text(alphabet='a1 $"\\=AB\n', max_size=40), st.text(alphabet='a1 $"\\=AB\n', max_size=40))
def test_any_prompt_and_arguments_are_sent_or_refused(content: str, arguments: str) -> None:
    try:
        assert isinstance(expand("p", content, arguments), str)
    except UsageError:
        return


def test_prompts_are_the_markdown_files_of_the_folder(tmp_path: Path) -> None:
    for name in ("b.md", "a.MD", "c.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "bad.md").write_bytes(b"\xff")
    (tmp_path / "folder.md").mkdir()
    assert [prompt.name for prompt in custom_prompts(tmp_path)] == ["a", "b"]
    assert custom_prompts(tmp_path / "none") == []
