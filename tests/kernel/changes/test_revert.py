"""Hunks taken back out of a text that somebody else has edited: theirs stays, the agent's goes, or it is refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.changes.listing import parse_listing
from codex_kernel.changes.revert import _spans, without
from codex_protocol.errors import PatchError

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d\r", ""]), max_size=12).map(lambda lines: "\n".join(lines).encode())
NUMBERED = st.integers(0, 40)


@settings(max_examples=300, deadline=None)
@given(TEXTS, TEXTS)
def test_all_hunks_without_any_edit_give_the_old_text(old: bytes, new: bytes):
    assert without(old, new, new, _spans(old, new)) == old
    assert without(old, new, new, []) == new


@settings(max_examples=300, deadline=None)
@given(NUMBERED, NUMBERED, st.sampled_from([b"", b"mine\n", b"mine\nmine\n"]))
def test_an_edit_away_from_the_hunk_stays_and_one_at_it_is_refused(agents: int, users: int, text: bytes):
    lines = [b"line %d\n" % n for n in range(41)]
    old = b"".join(lines)
    new = b"".join([*lines[:agents], b"the agent's\n", *lines[agents + 1 :]])
    edited = new.split(b"\n")[:-1]
    now = b"".join(line + b"\n" if at != users else text for at, line in enumerate(edited))
    if abs(users - agents) > 1:
        expected = b"".join(line if at != users else text for at, line in enumerate(lines))
        assert without(old, new, now, _spans(old, new)) == expected
    elif users == agents:
        try:
            without(old, new, now, _spans(old, new))
        except PatchError:
            pass
        else:
            raise AssertionError("the user's edit was overwritten")


def test_a_listing_tells_which_texts_git_has():
    told = b"H 100644 aa 0\tclean\0H 100644 bb 0\tdirty\0C 100644 bb 0\tdirty\0? new\0? repo/\0H 160000 cc 0\tsub\0"
    assert parse_listing(told) == {"clean": "aa", "dirty": "", "new": ""}
    assert parse_listing(b"C 100644 bb 0\tdirty\0H 100644 bb 0\tdirty\0") == {"dirty": ""}
