"""Digests differ wherever what was approved differs."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.policy.digest import FileEdit, command_digest, patch_digest, sha256_of
from codex_protocol.policy import DangerFullAccess, ReadOnly, WorkspaceWrite

CWD = Path("/w")
BASE = (("rm", "a"), CWD, ReadOnly())


def test_every_part_of_a_command_counts():
    digests = {
        command_digest(*BASE),
        command_digest(("rm a",), CWD, ReadOnly()),
        command_digest(("rm", "a", ""), CWD, ReadOnly()),
        command_digest(("rm", "a"), Path("/w/x"), ReadOnly()),
        command_digest(("rm", "a"), CWD, DangerFullAccess()),
        command_digest(("rm", "a"), CWD, WorkspaceWrite()),
        command_digest(("rm", "a"), CWD, WorkspaceWrite(network_access=True)),
        command_digest(("rm", "a"), CWD, WorkspaceWrite(writable_roots=("/x",))),
        command_digest(*BASE, {"A": "1"}),
        command_digest(*BASE, {"A": "2"}),
        command_digest(*BASE, {"A": "1", "B": ""}),
    }
    assert len(digests) == 11
    assert all(len(digest) == 64 for digest in digests)


def test_the_order_of_variables_does_not_count():
    assert command_digest(*BASE, {"A": "1", "B": "2"}) == command_digest(*BASE, {"B": "2", "A": "1"})


def test_a_command_digest_is_stable_over_processes_and_versions():
    assert command_digest(*BASE) == "064b33c4ddea47f7f87bfbc856c9137e7c1b50bffd0e8f21074001ea7793b9c1"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_arguments_never_share_a_digest(one, other):
    same = command_digest(tuple(one), CWD, ReadOnly()) == command_digest(tuple(other), CWD, ReadOnly())
    assert same == (one == other)


def test_words_that_are_no_text_have_a_digest():
    assert command_digest(("a\udcff",), CWD, ReadOnly()) != command_digest(("a\udcfe",), CWD, ReadOnly())


def test_every_part_of_a_patch_counts():
    path, old = Path("/w/a"), sha256_of(b"x")
    digests = {
        patch_digest([]),
        patch_digest([FileEdit(path, old, b"new")]),
        patch_digest([FileEdit(path, None, b"new")]),
        patch_digest([FileEdit(path, old, b"new2")]),
        patch_digest([FileEdit(path, old, None)]),
        patch_digest([FileEdit(Path("/w/b"), old, b"new")]),
        patch_digest([FileEdit(path, old, b"new"), FileEdit(Path("/w/b"), None, b"")]),
    }
    assert len(digests) == 7


def test_the_order_of_a_patchs_files_does_not_count():
    one, other = FileEdit(Path("/w/a"), None, b"1"), FileEdit(Path("/w/b"), None, b"2")
    assert patch_digest([one, other]) == patch_digest([other, one])
