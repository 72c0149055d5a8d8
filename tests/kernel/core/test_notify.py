import asyncio
import json
import re
import shlex
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.core.notify import notify_turn_complete
from codex_kernel.model.scripted import says
from tests.support.threads import running

WAIT_S = 30


async def told(file: Path) -> dict[str, Any]:
    """What the program left in `file`, once it has."""

    def wait() -> dict[str, Any]:
        end = time.monotonic() + WAIT_S
        while not (file.exists() and (line := file.read_bytes()).endswith(b"}\n")):
            assert time.monotonic() < end, f"nothing whole came into {file}"
            time.sleep(0.01)
        return json.loads(line)

    return await asyncio.to_thread(wait)


def keeping(folder: Path) -> tuple[tuple[str, ...], Path]:
    """A notify program, and the file where it leaves its last argument."""
    file = folder / "told.json"
    return ("/bin/sh", "-c", f'printf "%s\\n" "$1" > {shlex.quote(str(file))}', "notify"), file


async def test_the_example_of_the_readme_keeps_what_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[3] / "kernel" / "README.md").read_text("utf-8")
    (example,) = re.findall(r"^notify = .*$", readme, re.MULTILINE)
    monkeypatch.setenv("HOME", str(tmp_path))
    async with running(tmp_path, says("done"), notify=tuple(tomllib.loads(example)["notify"])) as watched:
        await watched.turn("do it")
        fields = await told(tmp_path / "codex-turns.jsonl")
    assert (fields["input-messages"], fields["last-assistant-message"]) == (["do it"], "done")


async def test_the_program_is_told_of_a_turn_that_ended(tmp_path: Path) -> None:
    program, file = keeping(tmp_path)
    async with running(tmp_path, says("it is done"), notify=program) as watched:
        await watched.turn("do it")
        fields = await told(file)
    assert fields["type"] == "agent-turn-complete"
    assert (fields["thread-id"], fields["input-messages"]) == (watched.thread.id, ["do it"])
    assert (fields["last-assistant-message"], fields["cwd"]) == ("it is done", str(tmp_path / "work"))


@pytest.mark.parametrize("long", ["x" * 300_000, "\x01" * 300_000, "\U0001f600" * 300_000, "a\udcff"])
async def test_texts_too_long_for_an_argument_or_no_utf8_are_told_all_the_same(tmp_path: Path, long: str) -> None:
    program, file = keeping(tmp_path)
    said = [long] * 20
    notify_turn_complete(program, thread_id="t", turn_id="1", cwd="/", input_messages=said, last_assistant_message=long)
    fields = await told(file)
    assert fields["last-assistant-message"][0] == long[0]
    assert ("characters more]" in fields["last-assistant-message"]) == (len(long) > 2)


@pytest.mark.parametrize("program", [("/nowhere/program",), ("a\0b",), ("/",)])
def test_a_program_that_cannot_be_started_costs_a_warning(
    program: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    notify_turn_complete(program, thread_id="t", turn_id="1", cwd="/", input_messages=(), last_assistant_message=None)
    assert "could not be started" in caplog.text
