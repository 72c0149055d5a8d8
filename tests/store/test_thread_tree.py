"""Forks of a thread as a tree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from codex_protocol.items import user_message
from codex_store.home import Home
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_lines import now_stamp
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_tree import Branch, own_prompts, tree_of
from tests.support.rollouts import home_at, new_meta, write_thread, write_turn


def tick() -> None:
    now = now_stamp()
    while now_stamp() == now:
        pass


def fork(home: Home, source: Path, prompts: int, *said: str) -> Path:
    """As in life, some time after what it copies and before what is said in it."""
    tick()
    meta = msgspec.structs.replace(new_meta(), timestamp=now_stamp().decode())
    path = copy_for_fork(source, home, meta, prompts=prompts)
    tick()
    with RolloutWriter.reopen(path) as writer:
        for text in said:
            write_turn(writer, text)
    return path


def shape(branch: Branch) -> list[object]:
    """`[branches before the first message, [message, branches behind it], …]`."""
    return [
        [shape(child) for child in branch.before],
        *([prompt.text, *(shape(child) for child in prompt.branches)] for prompt in branch.prompts),
    ]


def test_branches_hang_behind_the_last_message_they_share(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    root = write_thread(home, "u1", "u2", "u3")
    left = fork(home, root, 1, "left", "more left")
    fork(home, root, 0, "from the start")
    fork(home, left, 2, "leaf")
    fork(home, left, 1, "beside left")
    whole = shape(tree_of(home, read_rollout(left).meta.id))
    assert whole[0] == [[[], ["from the start"]]]
    assert whole[1] == ["u1", [[[[], ["beside left"]]], ["left", [[], ["leaf"]]], ["more left"]]]
    assert whole[2:] == [["u2"], ["u3"]]


@pytest.mark.parametrize("stamp", ["2025-08-07T10:00:00.000Z", ""])
def test_what_a_fork_copied_from_august_2025_is_not_its_own(tmp_path: Path, stamp: str) -> None:
    home = home_at(tmp_path)
    root = write_thread(home, "u1", "u2")
    first = msgspec.json.decode(root.read_bytes().split(b"\n")[0])["payload"]
    bare = [{"id": first["id"], "timestamp": stamp, "instructions": None, "git": None}, {"record_type": "state"}]
    for text in ("old 1", "old 2"):
        said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]}
        bare += [said, answer]
    root.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in bare))
    left = fork(home, root, 1, "left")
    assert shape(tree_of(home, read_rollout(left).meta.id)) == [[], ["old 1", [[], ["left"]]], ["old 2"]]
    assert [prompt.text for prompt in own_prompts(left)] == ["left"]


def test_messages_keep_the_number_by_which_a_fork_can_begin_before_them(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    root = write_thread(home, "u1", "u2")
    left = fork(home, root, 1, "left")
    (child,) = tree_of(home, read_rollout(root).meta.id).prompts[0].branches
    assert [(prompt.number, prompt.text) for prompt in child.prompts] == [(1, "left")]
    again = read_rollout(fork(home, left, child.prompts[0].number))
    assert [turn.prompt for turn in again.turns] == ["u1"]


def test_a_fork_whose_source_is_gone_is_a_tree_of_its_own(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    root = write_thread(home, "u1")
    left = fork(home, root, 1, "left")
    root.unlink()
    tree = tree_of(home, read_rollout(left).meta.id)
    assert [prompt.text for prompt in tree.prompts] == ["left"]
    assert user_message("u1") in read_rollout(left).items
