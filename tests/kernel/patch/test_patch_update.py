import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.patch.diff import changed_ranges, unified
from codex_kernel.patch.parse import Chunk, UpdateFile, format_patch, parse_patch
from codex_kernel.patch.place import place_chunks
from codex_kernel.patch.text import FileText
from codex_kernel.patch.update import _rewrite, update_plainly, update_text
from codex_protocol.errors import PatchError
from tests.support.growth import assert_linear_in
from tests.support.patch_making import patch_between


def update(before: bytes, *lines: str) -> tuple[bytes, str]:
    """The file after the chunks in `lines`, and its diff with one line of context."""
    text = "\n".join(["*** Begin Patch", "*** Update File: f", *lines, "*** End Patch"])
    (hunk,) = parse_patch(text).hunks
    assert isinstance(hunk, UpdateFile)
    old = FileText.decode(before)
    updated = update_text(old, hunk.chunks)
    new = FileText.decode(updated.text.encode())
    return updated.text.encode(), unified(old.side(), new.side(), updated.ranges, context=1)


UPDATES = {
    "two chunks": (
        b"foo\nbar\nbaz\nqux\n",
        ["@@", " foo", "-bar", "+BAR", "@@", " baz", "-qux", "+QUX"],
        b"foo\nBAR\nbaz\nQUX\n",
        "@@ -1,4 +1,4 @@\n foo\n-bar\n+BAR\n baz\n-qux\n+QUX\n",
    ),
    "first line, blank line after": (
        b"foo\nbar\nbaz\n",
        ["@@", "-foo", "+FOO", " bar", ""],
        b"FOO\nbar\nbaz\n",
        "@@ -1,2 +1,2 @@\n-foo\n+FOO\n bar\n",
    ),
    "last line, blank line after": (
        b"foo\nbar\nbaz\n",
        ["@@", " foo", " bar", "-baz", "+BAZ", ""],
        b"foo\nbar\nBAZ\n",
        "@@ -2,2 +2,2 @@\n bar\n-baz\n+BAZ\n",
    ),
    "addition at the end of the file": (
        b"foo\nbar\nbaz\n",
        ["@@", "+quux", "*** End of File"],
        b"foo\nbar\nbaz\nquux\n",
        "@@ -3 +3,2 @@\n baz\n+quux\n",
    ),
    "three chunks": (
        b"a\nb\nc\nd\ne\nf\n",
        ["@@", " a", "-b", "+B", "@@", " d", "-e", "+E", "@@", " f", "+g", "*** End of File"],
        b"a\nB\nc\nd\nE\nf\ng\n",
        "@@ -1,6 +1,7 @@\n a\n-b\n+B\n c\n d\n-e\n+E\n f\n+g\n",
    ),
    "only line": (
        b"session directory content\n",
        ["-session directory content", "+x"],
        b"x\n",
        "@@ -1 +1 @@\n-session directory content\n+x\n",
    ),
    "every line removed": (b"a\nb\n", ["-a", "-b"], b"", "@@ -1,2 +0,0 @@\n-a\n-b\n"),
    "empty file": (b"", ["@@", "+a"], b"a\n", "@@ -0,0 +1 @@\n+a\n"),
    "same line twice": (
        b"x\na\nx\na\n",
        ["@@", "-a", "+1", "@@", "-a", "+2"],
        b"x\n1\nx\n2\n",
        "@@ -1,4 +1,4 @@\n x\n-a\n+1\n x\n-a\n+2\n",
    ),
}


@pytest.mark.parametrize("name", UPDATES)
def test_update_gives_text_and_diff_of_the_sheet(name: str) -> None:
    before, lines, after, diff = UPDATES[name]
    assert update(before, *lines) == (after, diff)


RESULTS = {
    "addition below its scope, not at the end": (
        b"class A\n  x\nclass B\n  x\n",
        ["@@ class A", "+  new"],
        b"class A\n  new\n  x\nclass B\n  x\n",
    ),
    "addition before an edit in list order": (b"a\nb\n", ["@@", "+c", "@@", "-a", "+A"], b"A\nb\nc\n"),
    "scope decides between equal places": (
        b"class A\n  x\nclass B\n  x\n",
        ["@@ class B", "-  x", "+  y"],
        b"class A\n  x\nclass B\n  y\n",
    ),
    "nested scopes": (
        b"class A\n def f\n  x\nclass B\n def f\n  x\n",
        ["@@ class B", "@@ def f", "-  x", "+  y"],
        b"class A\n def f\n  x\nclass B\n def f\n  y\n",
    ),
    "scope repeated as context": (b"def f\n  x\n", ["@@ def f", " def f", "-  x", "+  y"], b"def f\n  y\n"),
    "same scope for two chunks": (
        b"class A\n  x\n  y\n",
        ["@@ class A", "-  x", "+  1", "@@ class A", "-  y", "+  2"],
        b"class A\n  1\n  2\n",
    ),
    "beginning of the scope's line": (
        b"a\nclass A(Base):\n  a\n",
        ["@@ class A", "-  a", "+  b"],
        b"a\nclass A(Base):\n  b\n",
    ),
    "wrong order, each to the letter at one place": (
        b"a\nb\nc\nd\n",
        ["@@", "-c", "+3", "@@", "-a", "+1", "@@", "-d", "+4"],
        b"1\nb\n3\n4\n",
    ),
    "lines at one place alone below a scope that is missing": (
        b"def g(a, b):\n  x\n  y\n",
        ["@@ def g(...):", "   x", "-  y", "+  z"],
        b"def g(a, b):\n  x\n  z\n",
    ),
    "a scope that says nothing": (b"a\nb\n", ["@@ ... @@", "-b", "+c"], b"a\nc\n"),
    "an added blank line before a blank line too many": (b"a\nc\n", ["-a", "+b", "+", ""], b"b\n\nc\n"),
    "a blank line too many before an added one": (b"a\nc\n", [" a", "", "+"], b"a\n\nc\n"),
    "blank lines too many, one of them there": (b"a\n\nb\n", [" a", *[""] * 5, "+c"], b"a\n\n\n\n\n\nc\nb\n"),
    "blank lines too many at the end": (b"a\n\n", ["-a", "+c", *[""] * 5, "*** End of File"], b"c\n\n"),
    "a blank line too many, with blanks": (b"a\nb\n", [" a", "-b", "+c", "   "], b"a\nc\n"),
    "beginning of the scope's line, whole words": (
        b"def get_all():\n  a\ndef get():\n  a\n",
        ["@@ def get", "-  a", "+  b"],
        b"def get_all():\n  a\ndef get():\n  b\n",
    ),
    "beginning of one scope, the lines below it twice": (
        b"class A(B):\n  a\nclass C(D):\n  a\n",
        ["@@ class A", "-  a", "+  b"],
        b"class A(B):\n  b\nclass C(D):\n  a\n",
    ),
    "line numbers of a unified diff": (b"a\nb\n", ["@@ -2,1 +2,1 @@", "-b", "+c"], b"a\nc\n"),
    "line numbers tell which of two": (
        b"x\na\nb\na\nb\n",
        ["@@ -4,2 +4,2 @@", " a", "-b", "+c"],
        b"x\na\nb\na\nc\n",
    ),
    "line numbers tell which of two, in another order than the file": (
        b"a\nx\na\ny\na\n",
        ["@@ -3 +3 @@", "-a", "+b", "@@ -1 +1 @@", "-a", "+c"],
        b"c\nx\nb\ny\na\n",
    ),
    "a scope's line tells more than a number": (
        b"a\nf\na\ng\n",
        ["@@ -1,1 +1,1 @@ f", "-a", "+b"],
        b"a\nf\nb\ng\n",
    ),
    "scope after line numbers": (b"f\nx\ng\nx\n", ["@@ -4,1 +4,1 @@ g", "-x", "+y"], b"f\nx\ng\ny\n"),
    "two empty lines at the end are kept": (b"a\n\n", ["-a", "+b"], b"b\n\n"),
    "context keeps the file's spelling": (
        b"a \xe2\x80\x93 b  \nc\n",
        [" a - b", "-c", "+d"],
        b"a \xe2\x80\x93 b  \nd\n",
    ),
    "typography in a removed line": (
        "import asyncio  # local import \u2013 avoids top\u2011level dep\n".encode(),
        ["-import asyncio  # local import - avoids top-level dep", "+# HELLO"],
        b"# HELLO\n",
    ),
    "bytes that are not UTF-8 survive": (b"caf\xe9\nx\n", [" caf\ufffd", "-x", "+y"], b"caf\xe9\ny\n"),
    "bytes that are not UTF-8 in a changed line": (
        b"caf\xe9 \xfc1\n",
        ["-caf\ufffd \ufffd1", "+a caf\ufffd \ufffd1 b", "+c"],
        b"a caf\xe9 \xfc1 b\nc\n",
    ),
    "bytes that are not UTF-8, lines of several": (
        b"\xe9a\n\xfcb\n\xe9c\n",
        ["-\ufffda", "-\ufffdb", "+\ufffdb", "+x", " \ufffdc"],
        b"\xfcb\nx\n\xe9c\n",
    ),
    "byte order mark": (b"\xef\xbb\xbfa\nb\n", ["-a", "+c"], b"\xef\xbb\xbfc\nb\n"),
    "byte order mark, also in the patch": (b"\xef\xbb\xbfa\nb\n", [" \ufeffa", "-b", "+c"], b"\xef\xbb\xbfa\nc\n"),
    "byte order mark in the new line": (b"\xef\xbb\xbfa\n", ["-a", "+\ufeffb"], b"\xef\xbb\xbfb\n"),
    "byte order mark on both sides": (b"\xef\xbb\xbfa\n", ["-\ufeffa", "+\ufeffb"], b"\xef\xbb\xbfb\n"),
    "byte order mark taken away": (b"\xef\xbb\xbfa\n", ["-\ufeffa", "+b"], b"b\n"),
    "byte order mark added": (b"a\n", ["-a", "+\ufeffb"], b"\xef\xbb\xbfb\n"),
    "a level off": (b"  f:\n    x\n", [" f:", "-  x", "+  y", "+    z"], b"  f:\n    y\n      z\n"),
    "blanks for tabs": (b"all:\n\ta\n", [" all:", "     a", "+    b"], b"all:\n\ta\n\tb\n"),
    "crlf": (b"a\r\nb\r\n", [" a", "+x", "-b", "+y"], b"a\r\nx\r\ny\r\n"),
    "crlf, appended": (b"a\r\nb\r\n", ["+c"], b"a\r\nb\r\nc\r\n"),
    "crlf, appended to a last line without newline": (b"a\r\nb", ["+c"], b"a\r\nb\r\nc\r\n"),
    "mixed ends: the neighbour decides": (
        b"a\r\nb\nc\n",
        [" a", "-b", "+B", "+B2", " c", "@@", "+d"],
        b"a\r\nB\nB2\nc\nd\n",
    ),
    "no newline at the end, elsewhere changed": (b"a\nb", ["-a", "+c"], b"c\nb"),
    "no newline at the end, last line changed": (b"a\nb", ["-b", "+c"], b"a\nc\n"),
    "no newline at the end, appended": (b"a", ["+b"], b"a\nb\n"),
    "no newline at the end, last line removed": (b"a\nb", ["-b"], b"a\n"),
    "newline at the end taken away": (b"a\nb\n", ["-b", "+b", "\\ No newline at end of file"], b"a\nb"),
    "no newline before and after": (
        b"a\nb",
        ["-b", "\\ No newline at end of file", "+c", "\\ No newline at end of file"],
        b"a\nc",
    ),
    "form feed and line separator are no line ends": (
        "a\x0cb\u2028c\x85d\n".encode(),
        ["-a\x0cb\u2028c\x85d", "+e"],
        b"e\n",
    ),
}


@pytest.mark.parametrize("name", RESULTS)
def test_update_leaves_what_it_does_not_name(name: str) -> None:
    before, lines, after = RESULTS[name]
    assert update(before, *lines)[0] == after


REFUSED = {
    "lines": (b"foo\n  bar(1)\n", [" foo", "-bar(2)", "+x"], ["its chunk", "    bar(2)", "    2|   bar(1)"]),
    "which chunk, from where": (
        b"a\nb\nc\n",
        ["-a", "+1", "@@", "-zzz", "+2"],
        ["chunk 2 of 2", "after line 2", "zzz"],
    ),
    "wrong order, two places": (
        b"a\na\nb\n",
        ["@@", "-b", "+1", "@@", "-a", "+2"],
        ["They are at line 1, above the chunk before"],
    ),
    "the same lines again": (
        b"a\nb\nc\n",
        ["@@", " a", "-b", "+1", "@@", " b", "-c", "+2"],
        ["They are at line 2, where a chunk before has lines as well"],
    ),
    "an addition between lines that change": (
        b"a\nb\nc\n",
        ["@@ b", "+x", "@@", "-a", "-b", "-c"],
        ["They are at line 1, where a chunk before has lines as well"],
    ),
    "an addition at a line number": (b"a\nb\n", ["@@ -2,0 +3 @@", "+x"], ["does not name the line above them"]),
    "an addition at a line number below a scope": (
        b"def f():\n  a\n  b\n",
        ["@@ -3,0 +4 @@ def f():", "+  c"],
        ["does not name the line above them"],
    ),
    "an addition somewhere below a scope": (
        b"class A\n  a\n  b\n",
        ["@@ class A", "@@ ...", "+  c"],
        ["'@@ ...' does not name the line above them"],
    ),
    "a blank line above the chunk before": (
        b"a\n\nb\n",
        ["@@", "-b", "+c", "@@", "", "+x"],
        ["They are at line 2, above the chunk before"],
    ),
    "a bracket above the chunk before": (
        b"a\n}\nb\n",
        ["@@", "-b", "+c", "@@", "-}", "+};"],
        ["They are at line 2, above the chunk before"],
    ),
    "an addition at one of two places": (b"a\nb\na\n", ["@@ a", "+x"], ["is at line 1 and again at line 3"]),
    "difference below what is shown": (
        b"".join(b"line %d\n" % number for number in range(30)),
        [*(f" line {number}" for number in range(28)), "-line x", "+y"],
        ["   29| line 28", "The first difference is at line 29; the patch has: line x"],
    ),
    "one line alone below a scope that is missing": (b"a\nb\n", ["@@ zz", "-b", "+c"], ["no line is 'zz'"]),
    "not at the end": (
        b"a\nb\n",
        ["-a", "+1", "*** End of File"],
        ["not the end of the file: leave '*** End of File'"],
    ),
    "scope is missing": (b"def g():\n  x\n", ["@@ def f():", "-  x"], ["no line is 'def f():'", "    1| def g():"]),
    "above its scope": (b"x\nf\n", ["@@ f", "-x"], ["They are at line 1, which is above '@@ f'"]),
    "done already": (b"one\ntwo\n", ["-1", "-2", "+one", "+two"], ["The new lines are at line 1 already"]),
    "a removed line that never was": (b"a\n", [" a", "-b"], ["The most similar place"]),
    "a removed line that is gone": (b"a\nc\n", [" a", "-b", " c"], ["The new lines are at line 1 already"]),
    "more blank lines alone than there are": (b"a\n\nb\n", ["@@", "", "", "+x", ""], ["does not fit"]),
    "empty file": (b"", ["-a"], ["the file is empty"]),
    "bytes that are not UTF-8 in another order": (
        b"\xe9a \xfcb\n",
        ["-\ufffda \ufffdb", "+\ufffdb \ufffda"],
        ["U+FFFD", "not UTF-8", "\ufffdb \ufffda"],
    ),
    "bytes that are not UTF-8, which of two": (
        b"\xe9a\n\xfca\n",
        ["-\ufffda", "-\ufffda", "+\ufffda"],
        ["U+FFFD where the file has bytes"],
    ),
    "bytes that are not UTF-8 in a new line": (b"\xe9a\n", ["+\ufffda"], ["U+FFFD where the file has bytes"]),
    "bytes that are not UTF-8 in a new line below one that fits": (
        b"\xe9a\nb\n",
        [" b", "+\ufffda"],
        ["U+FFFD where the file has bytes"],
    ),
    "line numbers that tell neither of two": (
        b"a\nx\na\n",
        ["@@ -2 +2 @@", "-a", "+b"],
        ["fits at line 1 and at line 3", "does not tell which"],
    ),
    "line numbers that tell neither of two below a scope": (
        b"f\na\nx\na\n",
        ["@@ -3 +3 @@ f", "-a", "+b"],
        ["fits at line 2 and at line 4", "does not tell which"],
    ),
    "dots that tell neither of two below a scope": (
        b"f\na\nx\na\n",
        ["@@ f", "@@ ...", "-a", "+b"],
        ["fits at line 2 and at line 4"],
    ),
    "beginning of two scopes' lines": (
        b"def f(a):\n  x\ndef f(b):\n  x\n",
        ["@@ def f", "-  x"],
        ["fits at line 2 and at line 4"],
    ),
    "dots that tell neither of two": (b"a\nx\na\n", ["@@ ...", "-a", "+b"], ["fits at line 1 and at line 3"]),
    "lines end with CR": (b"a\rb\r", ["-b"], ["end with CR alone"]),
    "nothing alike": (b"x\n", ["-completely different"], ["Read the file again"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_chunk_that_fits_nowhere_is_explained(name: str) -> None:
    before, lines, parts = REFUSED[name]
    with pytest.raises(PatchError) as caught:
        update(before, *lines)
    for part in parts:
        assert part in str(caught.value)


def test_explaining_a_miss_in_a_large_file_takes_linear_time() -> None:
    def explain(count: int) -> None:
        before = b"".join(b"line number %d of many\n" % number for number in range(count))
        with pytest.raises(PatchError, match=str(count - 1)):
            update(before, f" line number {count - 3} of many", "-line number ninety of many", "+x")
        with pytest.raises(PatchError):
            update(before, "-line numbr 4000 of many", "+x")

    assert_linear_in(explain, 100_000)


def test_chunks_that_are_found_the_long_way_take_linear_time() -> None:
    def change(count: int) -> None:
        before = "class A(Base):\n" + "".join(f"    caf\u00e9 {number}\n" for number in range(count))
        numbers = range(2, count, 40)
        off = [["@@ class A", f"-caf\u00e9 {number}", f"+caf\u00e9 {number}."] for number in numbers]
        lost = [["@@ nowhere", f"     caf\u00e9 {number}", f"-    caf\u00e9 {number + 1}"] for number in numbers]
        exact = [["@@", f"-    caf\u00e9 {number}"] for number in numbers]
        spun = [["@@", "-    caf\u00e9 0", *[""] * (count // 10)]]
        for wrong in (off, lost, exact[::-1], spun):
            update(before.encode(), *(line for chunk in wrong for line in chunk))
        update(before.encode("latin-1"), *(line.replace("\u00e9", "\ufffd") for chunk in off for line in chunk))

    assert_linear_in(change, 20_000)


line = st.sampled_from(
    ["", " ", "a", "b", "  a", "a ", "c\u2013d", "c-d", "é\u2028", "\x0c", "@@", "*** End Patch", "+a", "-b", "\\ x"]
)


@st.composite
def files(draw: st.DrawFn, newline: str) -> bytes:
    lines = draw(st.lists(line, max_size=14))
    text = newline.join(lines) + (newline if lines and draw(st.booleans()) else "")
    return text.encode()


@settings(deadline=None)
@given(st.sampled_from(["\n", "\r\n"]).flatmap(lambda newline: st.tuples(files(newline), files(newline))))
def test_a_patch_made_from_two_texts_turns_one_into_the_other(pair: tuple[bytes, bytes]) -> None:
    before, after = pair
    if (b"\r" in after) != (b"\r" in before):
        return  # line ends are the file's business: a patch does not change them
    patch = parse_patch(format_patch(patch_between("f", before, after)))
    text = FileText.decode(before)
    for hunk in patch.hunks:
        assert isinstance(hunk, UpdateFile)
        text = update_text(text, hunk.chunks).text
    assert text.encode() == after


@settings(deadline=None)
@given(st.tuples(files("\n"), files("\n")), st.booleans())
def test_chunks_that_stand_in_a_text_to_the_letter_come_to_the_same_the_short_way(
    pair: tuple[bytes, bytes], explicit: bool
) -> None:
    text = FileText.decode(pair[0])
    for hunk in patch_between("f", *pair).hunks:
        assert isinstance(hunk, UpdateFile)
        chunks = tuple(Chunk(chunk.body, final_newline=chunk.final_newline) for chunk in hunk.chunks)
        if explicit:  # each alone, too
            chunks = chunks[:1]
        try:
            wanted = _rewrite(text, place_chunks(text, chunks))
        except PatchError:
            assert text.plain is None or update_plainly(text.plain, chunks) is None
            continue
        found = None if text.plain is None else update_plainly(text.plain, chunks)
        if found is not None:
            assert (found.text.encode(), found.ranges) == (wanted.text.encode(), wanted.ranges)


def test_most_updates_go_the_short_way() -> None:
    (hunk,) = patch_between("f", b"a\nb\nc\nd\ne\n", b"a\nB\nc\nd\ne\nf\n").hunks
    assert isinstance(hunk, UpdateFile)
    chunks = tuple(Chunk(chunk.body) for chunk in hunk.chunks)
    found = update_plainly("a\nb\nc\nd\ne\n", chunks[:1])
    assert found is not None
    assert (found.text.encode(), found.text.raw) == (b"a\nB\nc\nd\ne\n", ["a", "B", "c", "d", "e"])


def with_ends(text: FileText) -> list[str]:
    return [
        line + "\n" if at or text.final_newline else line
        for at, line in zip(range(len(text.raw) - 1, -1, -1), text.raw, strict=True)
    ]


@settings(deadline=None)
@given(st.sampled_from(["\n", "\r\n"]).flatmap(lambda newline: st.tuples(files(newline), files(newline))))
def test_the_ranges_of_an_update_are_its_whole_difference(pair: tuple[bytes, bytes]) -> None:
    old = FileText.decode(pair[0])
    for hunk in patch_between("f", *pair).hunks:
        assert isinstance(hunk, UpdateFile)
        updated = update_text(old, hunk.chunks)
        rebuilt: list[str] = []
        at = 0
        before, after = with_ends(old), with_ends(updated.text)
        for part in updated.ranges:
            rebuilt += before[at : part.old_start] + after[part.new_start : part.new_end]
            at = part.old_end
        assert rebuilt + before[at:] == after


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.lists(st.sampled_from("abcdefgh"), max_size=30))
def test_changed_ranges_rebuild_the_new_text_and_do_not_touch(old: list[str], new: list[str]) -> None:
    rebuilt: list[str] = []
    at = -1
    for part in changed_ranges(old, new):
        assert part.old_start > at or not rebuilt
        rebuilt += old[max(at, 0) : part.old_start] + new[part.new_start : part.new_end]
        at = part.old_end
    assert rebuilt + old[max(at, 0) :] == new


def test_diff_of_large_files_takes_no_quadratic_time() -> None:
    def compare(count: int) -> None:
        old = [f"{number}\n" for number in range(count)]
        new = [line for number, line in enumerate(old) if number % 50] + ["end\n"] * 50
        assert len(changed_ranges(old, new)) == count // 50 + 1
        changed_ranges(["a\n", "b\n"] * (count // 2), ["b\n", "b\n", "a\n"] * (count // 3))

    assert_linear_in(compare, 100_000)
