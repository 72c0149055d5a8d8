import os

import pytest

from codex_protocol.events import PlanStep
from codex_protocol.file_changes import AddedFile, FileChange
from codex_render.amounts import clock, duration
from codex_render.diff_rows import rows_of_change
from codex_render.excerpt import excerpt, shorten
from codex_render.terminal import Paint, colour_wanted, diff_lines, plan_lines, same_place


@pytest.mark.parametrize(
    ("choice", "terminal", "env", "wanted"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"FORCE_COLOR": "0"}, False),
        ("auto", False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_follows_the_flag_then_the_environment_then_the_terminal(choice, terminal, env, wanted):
    assert colour_wanted(choice, is_terminal=terminal, env=env) is wanted


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0ms"),
        (250, "250ms"),
        (999.7, "1.00s"),
        (1500, "1.50s"),
        (59999, "60.00s"),
        (60000, "1m00s"),
        (75000, "1m15s"),
        (3601000, "60m01s"),
    ],
)
def test_durations_read_as_upstreams(ms: float, text: str):
    assert duration(ms / 1000) == text


def test_a_clock_shows_whole_seconds():
    assert [clock(0.9), clock(59), clock(65)] == ["0s", "59s", "1m05s"]


def test_a_long_text_keeps_head_and_tail_and_counts_the_rest():
    shown = excerpt("".join(f"{n}\n" for n in range(100)), head=2, tail=3)
    assert (shown.head, shown.omitted, shown.tail) == (["0", "1"], 95, ["97", "98", "99"])


def test_one_line_too_many_is_shown_rather_than_marked():
    assert excerpt("1\n2\n3\n", head=1, tail=1).omitted == 0


@pytest.mark.parametrize("width", [0, 1, 2, 5, 10, 40])
def test_shortened_text_fits(width: int):
    assert len(shorten("/a/rather/long/path/to/some/file.py", width)) <= width


def test_the_plan_is_a_checklist():
    plan = [PlanStep("one", "completed"), PlanStep("two", "in_progress"), PlanStep("three\n\x1b[2J", "pending")]
    assert plan_lines(plan, Paint(False)) == ["  ✔ one", "  ▶ two", "  □ three⏎␛[2J"]


def test_a_long_diff_is_cut_and_the_cut_is_counted():
    rows = rows_of_change(FileChange(add=AddedFile("x\n" * 10)))
    lines = diff_lines(rows, Paint(False), limit=3)
    assert lines == ["     1 +x", "     2 +x", "     3 +x", "     ⋮ 7 more lines of this change"]


def test_paint_that_is_off_adds_nothing():
    assert Paint(False).bad("x") == "x"
    assert Paint(True).bad("x") == "\x1b[31mx\x1b[0m"


def test_two_ends_of_one_pipe_are_the_same_place_and_two_pipes_are_not():
    first, second = os.pipe(), os.pipe()
    copy = os.dup(first[1])
    try:
        assert same_place(first[1], copy)
        assert not same_place(first[1], second[1])
    finally:
        for descriptor in (*first, *second, copy):
            os.close(descriptor)
