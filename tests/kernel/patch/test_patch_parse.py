from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch.parse import (
    AddFile,
    Chunk,
    DeleteFile,
    Patch,
    PatchSyntaxError,
    UpdateFile,
    format_patch,
    parse_patch,
)


def wrapped(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


ACCEPTED = {
    "no hunks": (wrapped(), Patch(())),
    "three hunks": (
        wrapped(
            "*** Add File: path/add.py",
            "+abc",
            "+def",
            "*** Delete File: path/delete.py",
            "*** Update File: path/update.py",
            "*** Move to: path/update2.py",
            "@@ def f():",
            "-    pass",
            "+    return 123",
        ),
        Patch(
            (
                AddFile("path/add.py", ("abc", "def")),
                DeleteFile("path/delete.py"),
                UpdateFile(
                    "path/update.py", (Chunk(("-    pass", "+    return 123"), ("def f():",)),), "path/update2.py"
                ),
            )
        ),
    ),
    "update then add": (
        wrapped("*** Update File: file.py", "@@", "+line", "*** Add File: other.py", "+content"),
        Patch((UpdateFile("file.py", (Chunk(("+line",)),)), AddFile("other.py", ("content",)))),
    ),
    "first chunk without @@": (
        wrapped("*** Update File: file2.py", " import foo", "+bar"),
        Patch((UpdateFile("file2.py", (Chunk((" import foo", "+bar")),)),)),
    ),
    "empty line is context": (
        wrapped("*** Update File: f", "@@ change_context", "", " context", "-remove", "+add", " context2"),
        Patch((UpdateFile("f", (Chunk((" ", " context", "-remove", "+add", " context2"), ("change_context",)),)),)),
    ),
    "end of file": (
        wrapped("*** Update File: f", "@@", "+line", "*** End of File"),
        Patch((UpdateFile("f", (Chunk(("+line",), at_end=True),)),)),
    ),
    "nested scopes": (
        wrapped("*** Update File: f", "@@ class A", "@@ def f", "-x"),
        Patch((UpdateFile("f", (Chunk(("-x",), ("class A", "def f")),)),)),
    ),
    "move without changes": (
        wrapped("*** Update File: f", "*** Move to: g"),
        Patch((UpdateFile("f", (), "g"),)),
    ),
    "add of an empty file": (wrapped("*** Add File: f"), Patch((AddFile("f", ()),))),
    "add without last newline": (
        wrapped("*** Add File: f", "+x", "\\ No newline at end of file"),
        Patch((AddFile("f", ("x",), final_newline=False),)),
    ),
    "forgotten plus on an empty line": (
        wrapped("*** Add File: f", "+x", "", "+y", "", "*** Delete File: g"),
        Patch((AddFile("f", ("x", "", "y")), DeleteFile("g"))),
    ),
    "last new line without newline": (
        wrapped("*** Update File: f", "@@", "-x", "\\ No newline at end of file", "+y", "\\ No newline at end of file"),
        Patch((UpdateFile("f", (Chunk(("-x", "+y"), final_newline=False),)),)),
    ),
    "carriage returns": (
        "*** Begin Patch\r\n*** Add File: f\r\n+x\r\n*** End Patch\r\n",
        Patch((AddFile("f", ("x",)),)),
    ),
    "markers twice": (
        "*** Begin Patch\n" + wrapped("*** Delete File: f") + "\n\n*** End Patch",
        Patch((DeleteFile("f"),)),
    ),
    "two patches": (
        wrapped("*** Delete File: f") + "\n" + wrapped("*** Delete File: g"),
        Patch((DeleteFile("f"), DeleteFile("g"))),
    ),
    "an environment": (
        wrapped("*** Environment ID: e", "*** Delete File: f"),
        Patch((DeleteFile("f"),)),
    ),
    "headers in another case": (
        wrapped("*** update file:f", "*** Move To : g", "@@", "-x", "***  Delete File:  h"),
        Patch((UpdateFile("f", (Chunk(("-x",)),), "g"), DeleteFile("h"))),
    ),
    "a move behind the changes": (
        wrapped("*** Update File: f", "@@", "-x", "*** Move to: g"),
        Patch((UpdateFile("f", (Chunk(("-x",)),), "g"),)),
    ),
    "an end of file where it says nothing": (
        wrapped("*** Add File: f", "+x", "*** End of File", "*** Update File: g", "-x", *["*** End Of File"] * 2),
        Patch((AddFile("f", ("x",)), UpdateFile("g", (Chunk(("-x",), at_end=True),)))),
    ),
    "unified headers of the same file": (
        wrapped("*** Update File: f", "diff --git a/f b/f", "index 1..2", "--- a/f", "+++ b/f", "@@ -1 +1 @@", "-x"),
        Patch((UpdateFile("f", (Chunk(("-x",), ("-1 +1 @@",)),)),)),
    ),
    "an added file with a unified header": (
        wrapped("*** Add File: f", "--- /dev/null", "+++ b/f", "@@ -0,0 +1 @@", "+x"),
        Patch((AddFile("f", ("x",)),)),
    ),
    "content like unified headers": (
        wrapped("*** Add File: f", "+++ b/f", "*** Update File: f", "--- a/f", "+++ b/f", " x"),
        Patch((AddFile("f", ("++ b/f",)), UpdateFile("f", (Chunk(("--- a/f", "+++ b/f", " x")),)))),
    ),
    "@@ without a blank": (
        wrapped("*** Update File: f", "@@def f():", "-x"),
        Patch((UpdateFile("f", (Chunk(("-x",), ("def f():",)),)),)),
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_patch_text_means_its_hunks(name: str) -> None:
    text, patch = ACCEPTED[name]
    assert parse_patch(text) == patch


@pytest.mark.parametrize(
    "text",
    [
        "<<EOF\n{}\nEOF\n",
        "<<'EOF'\n{}\nEOF\n",
        '<<"EOF"\n{}\nEOF\n',
        "<<'PATCH'\n{}\nPATCH",
        "apply_patch <<'EOF'\n{}\nEOF",
        "\n  {}\n\n",
        "```\n{}\n```\n",
        "~~~diff\n{}\n~~~",
        "\ufeff{}",
    ],
)
def test_heredoc_fence_and_space_around_a_patch_are_forgiven(text: str) -> None:
    inner = wrapped("*** Add File: f", "+x")
    assert parse_patch(text.format(inner)) == parse_patch(inner)


@pytest.mark.parametrize("margin", ["  ", "\t"])
def test_a_patch_that_is_indented_as_a_whole_is_read_without_it(margin: str) -> None:
    inner = wrapped("*** Update File: f", "@@", "   x", "+y", "", " z")
    assert parse_patch(indent(inner, margin)) == parse_patch(inner)


def test_only_the_end_marker_indented_leaves_the_lines_as_they_are() -> None:
    text = "*** Begin Patch\n*** Update File: f\n@@\n  x\n*** End Patch"
    assert parse_patch(text.replace("*** End", " *** End")) == parse_patch(text)


FIRST = "The first line of the patch must be '*** Begin Patch'"
LAST = "The last line of the patch must be '*** End Patch'"
NO_LINES = "Update hunk does not contain any lines"
REFUSED = {
    "no patch": ("bad", f"{FIRST}, it is 'bad'", None),
    "no end": ("*** Begin Patch\nbad", f"{LAST}, it is 'bad': send the whole patch again", None),
    "line ends as text": (
        r"*** Begin Patch\n*** Delete File: f\n*** End Patch",
        rf"{FIRST}; this one is a single line, with \n in the place of its line ends: send real line ends",
        None,
    ),
    "empty": ("", LAST, None),
    "quotes do not match": (f"<<\"EOF'\n{wrapped()}\nEOF", f"{FIRST}, it is '<<\"EOF''", None),
    "heredoc without end": (
        "<<EOF\n*** Begin Patch\n*** Update File: f\nEOF",
        f"{LAST}, it is '*** Update File: f': send the whole patch again",
        None,
    ),
    "cut off": ("*** Begin Patch\n*** Add File: f\n+x", f"{LAST}, it is '+x': send the whole patch again", None),
    "update without chunks": (
        wrapped("*** Update File: test.py"),
        "Update file hunk for path 'test.py' is empty",
        2,
    ),
    "unknown header": (
        wrapped("*** Rename File: f"),
        "'*** Rename File: f' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', "
        "'*** Delete File: {path}', '*** Update File: {path}'",
        2,
    ),
    "nothing after @@": (wrapped("*** Update File: f", "@@"), NO_LINES, 4),
    "end of file first": (wrapped("*** Update File: f", "@@", "*** End of File"), NO_LINES, 4),
    "unsigned line": (
        wrapped("*** Update File: f", "@@", "bad"),
        "Unexpected line found in update hunk: 'bad'. Every line should start with ' ' (context line), "
        "'+' (added line), or '-' (removed line)",
        4,
    ),
    "second chunk without @@": (
        wrapped("*** Update File: f", "@@", "-a", "bad"),
        "Expected update hunk to start with a @@ context marker, got: 'bad'. "
        "If this is a line of context, put a space in front of it",
        5,
    ),
    "a line of context that begins with a backslash": (
        wrapped("*** Update File: f", "@@", "-a", "+b", r"\item"),
        r"Expected update hunk to start with a @@ context marker, got: '\item'. "
        "If this is a line of context, put a space in front of it",
        6,
    ),
    "added line without its sign": (
        wrapped("*** Add File: f", "+x", "y"),
        "'y' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', '*** Delete File: {path}', "
        "'*** Update File: {path}'. Every line of the added file f starts with '+'",
        4,
    ),
    "lines to delete": (
        wrapped("*** Delete File: f", "-x"),
        "'-x' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', '*** Delete File: {path}', "
        "'*** Update File: {path}'. No lines follow '*** Delete File: f': the whole file goes",
        3,
    ),
    "end in the middle": (
        wrapped("*** Delete File: f", "*** End Patch", "*** Delete File: g"),
        "'*** End Patch' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', "
        "'*** Delete File: {path}', '*** Update File: {path}'",
        3,
    ),
    "a patch in a file whose signs were forgotten": (
        wrapped("*** Add File: f", "+x", "*** Begin Patch", "*** Delete File: g"),
        "'*** Begin Patch' is not a valid hunk header. Valid hunk headers: '*** Add File: {path}', "
        "'*** Delete File: {path}', '*** Update File: {path}'",
        4,
    ),
    "a unified header of another file": (
        wrapped("*** Update File: f", "--- a/g", "+++ b/g", "@@", "bad"),
        "Unexpected line found in update hunk: 'bad'. Every line should start with ' ' (context line), "
        "'+' (added line), or '-' (removed line)",
        6,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_patch_is_refused_with_reason_and_line(name: str) -> None:
    text, reason, line = REFUSED[name]
    with pytest.raises(PatchSyntaxError) as caught:
        parse_patch(text)
    assert (caught.value.reason, caught.value.line) == (reason, line)
    expected = f"invalid patch: {reason}" if line is None else f"invalid hunk at line {line}, {reason}"
    assert str(caught.value) == expected


texts = st.text(
    st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), max_size=12
) | st.sampled_from(
    [
        "*** End Patch",
        "*** Begin Patch",
        "@@",
        "@@ x",
        "*** Update File: x",
        "\\ No newline",
        "EOF",
        " ",
        "\x0c",
        "\u2028",
    ]
)
paths = texts.map(str.strip).filter(bool)
bodies = st.lists(st.builds(lambda sign, text: sign + text, st.sampled_from(" +-"), texts), min_size=1, max_size=6)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    body = tuple(draw(bodies))
    new = [line[0] for line in body if line[0] != "-"]
    return Chunk(
        body,
        tuple(draw(st.lists(texts.filter(lambda text: bool(text.strip())), max_size=2))),
        draw(st.booleans()),
        draw(st.booleans()) or not new or new[-1] != "+",
    )


@st.composite
def additions(draw: st.DrawFn) -> AddFile:
    lines = tuple(draw(st.lists(texts, max_size=5)))
    return AddFile(draw(paths), lines, draw(st.booleans()) or not lines)


@st.composite
def updates(draw: st.DrawFn) -> UpdateFile:
    move_to = draw(st.none() | paths)
    return UpdateFile(draw(paths), tuple(draw(st.lists(chunks(), min_size=move_to is None, max_size=3))), move_to)


patches = st.lists(additions() | st.builds(DeleteFile, paths) | updates(), max_size=4).map(
    lambda hunks: Patch(tuple(hunks))
)


@settings(deadline=None)
@given(patches)
def test_a_printed_patch_is_read_as_the_same_patch(patch: Patch) -> None:
    assert parse_patch(format_patch(patch)) == patch


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "*** Begin Patch",
                "*** End Patch",
                "@@",
                "@@ a",
                "+a",
                "-b",
                " c",
                "",
                "\\ No newline",
                "*** Add File: f",
                "*** Delete File: f",
                "*** Update File: f",
                "*** Move to: g",
                "*** End of File",
                "x",
                "<<EOF",
                "EOF",
                "\r",
            ]
        ),
        max_size=14,
    )
)
def test_any_lines_are_a_patch_that_prints_the_same_or_a_syntax_error(lines: list[str]) -> None:
    try:
        patch = parse_patch("\n".join(["*** Begin Patch", *lines, "*** End Patch"]))
    except PatchSyntaxError:
        return
    assert parse_patch(format_patch(patch)) == patch
