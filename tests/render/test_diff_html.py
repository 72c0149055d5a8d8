from __future__ import annotations

import difflib

from hypothesis import given, settings
from hypothesis import strategies as st

from codex_render import word_marks
from codex_render.diff_files import parse_diff
from codex_render.diff_html import MAX_ROWS, to_html
from codex_render.plain import diff_text
from tests.support.growth import assert_linear_in
from tests.support.html_check import check_drawn


def diff_of(old: str, new: str, context: int = 3) -> str:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), "a/x.py", "b/x.py", n=context
    )
    return "".join(lines)


def test_a_file_has_a_head_with_counts_and_numbered_lines() -> None:
    html = to_html(parse_diff(diff_of("a\nold word here\nc\n", "a\nnew word here\nc\nd\n")))
    checked = check_drawn(html)
    assert checked.text.startswith("x.py+2 \u22121")
    assert '<span class="dn">2</span><span class="dn"></span><span class="ds">-</span>' in html
    assert '<span class="dt"><span class="dm">old</span> word here</span>' in html
    assert '<span class="dt"><span class="dm">new</span> word here</span>' in html


def test_unchanged_lines_between_hunks_are_counted() -> None:
    old = "".join(f"{n}\n" for n in range(100))
    html = to_html(parse_diff(diff_of(old, old.replace("10\n", "ten\n").replace("90\n", "ninety\n"))))
    assert "7 unchanged lines" in html
    assert "73 unchanged lines" in html


def test_long_unchanged_stretches_inside_a_hunk_are_folded() -> None:
    old = "".join(f"{n}\n" for n in range(60))
    new = old.replace("\n5\n", "\nfive\n").replace("\n50\n", "\nfifty\n")
    html = to_html(parse_diff(diff_of(old, new, context=60)))
    assert html.count('<details class="diff-fold">') == 2
    assert "<summary>38 unchanged lines</summary>" in html
    assert check_drawn(html).text.count("unchanged") == 3 - 1


def test_unchanged_lines_are_on_both_sides_only_where_the_view_can_be_switched() -> None:
    files = parse_diff(diff_of("same\nold\n", "same\nnew\n"))
    assert to_html(files).count("same") == 1
    switchable = to_html(files, switchable=True)
    check_drawn(switchable)
    assert switchable.count("same") == 2
    assert '<div class="new" aria-hidden="true">' in switchable


def test_names_and_lines_of_others_are_text() -> None:
    text = (
        'diff --git "a/<b>\\"\\302\\205.py" "b/<b>\\"\\302\\205.py"\n--- "a/<b>\\"\\302\\205.py"\n'
        '+++ "b/<b>\\"\\302\\205.py"\n@@ -1 +1 @@ <i>\n-<script>\u202e\n+</span><script>\x1b[0m\n'
    )
    checked = check_drawn(to_html(parse_diff(text)))
    assert '<b>"<U+0085>.py' in checked.text
    assert "<script><U+202E>" in checked.text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="ab<>&\"'\u202e\x07 +-@\\\t", max_size=8), max_size=12), st.data())
def test_any_two_texts_make_well_formed_html(old: list[str], data: st.DataObject) -> None:
    new = data.draw(st.lists(st.one_of(st.sampled_from(old or [""]), st.text(max_size=5)), max_size=12))
    text = diff_of("".join(line + "\n" for line in old), "".join(line.replace("\n", "") + "\n" for line in new))
    files = parse_diff(text.replace("\r", ""))
    for switchable in (False, True):
        check_drawn(to_html(files, switchable=switchable))
    diff_text(files)


def test_five_thousand_changed_lines_are_drawn_in_linear_time() -> None:
    def draw(count: int) -> None:
        lines = [f"    value_{n} = compute(value_{n - 1}, factor={n})  # a comment about it" for n in range(count)]
        changed = [line.replace("factor", "scale") for line in lines]
        body = "".join(f"-{old}\n+{new}\n" for old, new in zip(lines, changed, strict=True))
        html = to_html(parse_diff(f"--- a/x\n+++ b/x\n@@ -1,{count} +1,{count} @@\n{body}"))
        assert html.count('class="dm"') == 2 * count

    assert_linear_in(draw, 5000)


def test_one_block_of_many_changed_lines_is_drawn_in_linear_time() -> None:
    def draw(count: int) -> None:
        old = "".join(f"-{n} some words that were here before {n}\n" for n in range(count))
        new = "".join(f"+{n} other words that came here instead {n}\n" for n in range(count + 100))
        to_html(parse_diff(f"--- a/x\n+++ b/x\n@@ -1,{count} +1,{count + 100} @@\n{old}{new}"))

    assert_linear_in(draw, 5000)


def test_what_is_too_much_is_counted_not_drawn() -> None:
    count = MAX_ROWS + 7
    body = "".join(f"+{n}\n" for n in range(count))
    html = to_html(parse_diff(f"--- /dev/null\n+++ b/x\n@@ -0,0 +1,{count} @@\n{body}"))
    assert "7 more lines of this change" in html
    assert html.count('class="dl added"') == MAX_ROWS
    long = to_html(parse_diff(f"--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+{'x' * 5000}\n"))
    assert "3,000 more characters" in long


def test_marks_name_the_words_that_changed() -> None:
    def words(old: str, new: str) -> tuple[list[str], list[str]]:
        before, after = word_marks.marks(old, new)
        return [old[a:b] for a, b in before], [new[a:b] for a, b in after]

    assert words("return a + b", "return a - b") == (["+"], ["-"])
    assert words("foo(bar, baz)", "foo(bar, qux, baz)") == ([], ["qux,"])
    assert words("entirely different", "nothing in common here") == ([], [])
    assert words("same", "same") == ([], [])


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab c(),.", max_size=40), st.text(alphabet="ab c(),.", max_size=40))
def test_without_its_marks_a_line_is_part_of_the_other(old: str, new: str) -> None:
    before, after = word_marks.marks(old, new)
    if before or after:
        assert _without(old, before).replace(" ", "") == _without(new, after).replace(" ", "")


def _without(line: str, spans: word_marks.Spans) -> str:
    for start, end in reversed(spans):
        line = line[:start] + line[end:]
    return line


def test_lines_are_paired_by_what_they_say() -> None:
    old = ["alpha = one", "beta = two"]
    new = ["# a remark about it", "alpha = three", "something else", "beta = four"]
    assert word_marks.pair(old, new) == [(0, 1), (1, 3)] or word_marks.pair(old, new) == []


def test_a_diff_reads_well_as_text() -> None:
    assert diff_text(parse_diff(diff_of("a\nold\n", "a\nnew\n"))) == (
        "x.py (+1 -1)\n     1  a\n     2 -old\n     2 +new"
    )


def test_many_added_lines_come_in_blocks_of_one_height():
    diff = "--- /dev/null\n+++ b/x\n@@ -0,0 +1,450 @@\n" + "".join(f"+line {n}\n" for n in range(450))
    drawn = to_html(parse_diff(diff))
    assert drawn.count('class="dg long"') == 2
    assert drawn.count('class="dg"') == 1
    assert drawn.count('class="dl added"') == 450
