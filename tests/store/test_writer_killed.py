"""A writer killed at any moment: every acknowledged item is there, and the thread goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from codex_protocol.items import Message, user_message
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import home_at, write_thread

PROGRAM = """
    import os, sys
    from pathlib import Path
    from codex_protocol.events import TaskStarted
    from codex_protocol.items import user_message
    from codex_store.home import Home
    from codex_store.rollout_writer import RolloutWriter
    from tests.support.rollouts import new_meta

    writer = RolloutWriter.create(Home(root=Path(sys.argv[1])), new_meta())
    writer.event(TaskStarted())
    os.write(1, f"{writer.path}\\n".encode())
    for number in range(100_000):
        writer.items(user_message(f"{number} " + "x" * (number * 7919 % 20_000)))
        os.write(1, f"{number}\\n".encode())
        if number % 50 == 0:
            writer.sync()
"""


@pytest.mark.parametrize("seed", range(12))
def test_every_acknowledged_item_survives_kill_9_and_the_thread_goes_on(tmp_path: Path, seed: int) -> None:
    enough = random.Random(seed).randrange(1, 400)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)], stdout=subprocess.PIPE, bufsize=0
    )
    assert child.stdout is not None
    with child.stdout as acknowledged:
        said = b""
        while said.count(b"\n") < enough:
            said += os.read(acknowledged.fileno(), 512)
        child.send_signal(signal.SIGKILL)
        child.wait()
        said += acknowledged.read()
    path = Path(said.split(b"\n", 1)[0].decode())
    last = int(said.split(b"\n")[-2]) if said.count(b"\n") > 1 else -1
    with RolloutWriter.reopen(path) as writer:
        read = read_rollout(path)
        numbers = [int(item.text().split()[0]) for item in read.items if isinstance(item, Message)]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > last
        assert read.broken_off
        assert read.notices == ()
        writer.items(user_message("still here"))
    assert all(json.loads(line) for line in path.read_bytes().splitlines())
    after = read_rollout(path).history()[-1]
    assert isinstance(after, Message)
    assert after.text() == "still here"


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_thread_cut_in_the_middle_of_a_line_goes_on(tmp_path: Path, cut: int) -> None:
    path = write_thread(home_at(tmp_path), "first", "second")
    before = read_rollout(path).items
    path.write_bytes(path.read_bytes()[:-cut])
    with RolloutWriter.reopen(path) as writer:
        writer.items(user_message("still here"))
    read = read_rollout(path)
    assert read.items == (*before, user_message("still here"))
    assert read.notices == ()
