"""write_stdin with the real sandbox: what is typed, what is waited for, what is told of sessions that have gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_kernel.model.scripted import calls, says
from codex_protocol.events import ExecCommandBegin, ExecCommandEnd, TerminalInteraction
from codex_protocol.policy import WorkspaceWrite
from tests.support.command_sessions import WHEN_UP, real, texts, types
from tests.support.threads import running


async def test_a_terminal_session_is_one_command_that_is_typed_into(tmp_path: Path):
    start = calls(
        "exec_command", {"cmd": "bash --norc --noprofile -i", "tty": True, "yield_time_ms": 400, "login": False}
    )
    script = [
        start,
        types("echo $((6*7)); test -t 0 && echo tty\n", yield_time_ms=800),
        types("exit 3\n", yield_time_ms=5000),
    ]
    async with running(
        tmp_path, *script, says("done"), sandbox=real(tmp_path), sandbox_policy=WorkspaceWrite()
    ) as watched:
        await watched.turn()
        answers = [item.text() for item in watched.sent() if hasattr(item, "output")]
        assert "42" in answers[1]
        assert "tty" in answers[1]
        assert "exited with code 3" in answers[2]
        assert len(watched.all(ExecCommandBegin)) == len(watched.all(ExecCommandEnd)) == 1
        assert [event.stdin for event in watched.all(TerminalInteraction)] == [
            "echo $((6*7)); test -t 0 && echo tty\n",
            "exit 3\n",
        ]


async def test_ctrl_c_interrupts_what_runs_on_a_terminal(tmp_path: Path):
    start = calls("exec_command", {"cmd": "sleep 60", "tty": True, "yield_time_ms": 300})
    async with running(
        tmp_path,
        start,
        types("\x03", yield_time_ms=5000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        assert "exited with code 130" in [item.text() for item in watched.sent() if hasattr(item, "output")][-1]


async def test_typing_into_a_session_without_a_terminal_says_what_to_do(tmp_path: Path):
    start = calls("exec_command", {"cmd": "sleep 5", "yield_time_ms": 250})
    async with running(
        tmp_path, start, types("x"), says("done"), sandbox=real(tmp_path), sandbox_policy=WorkspaceWrite()
    ) as watched:
        await watched.turn()
        assert "tty=true" in [item.text() for item in watched.sent() if hasattr(item, "output")][-1]


@pytest.mark.parametrize(
    ("key", "command", "code"),
    [
        ("\x03", "trap 'exit 9' INT; touch up; while :; do sleep 0.1; done", 9),
        ("\x1c", "trap '' INT; touch up; sleep 1000", 137),
    ],
    ids=["interrupted", "ended"],
)
async def test_a_command_without_a_terminal_is_interrupted_and_ended_by_keys(
    key: str, command: str, code: int, tmp_path: Path
):
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": command, "yield_time_ms": 250}),
        WHEN_UP,
        types(key, yield_time_ms=30_000),
        types(key),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        *_, stopped, after = texts(watched)
        assert f"exited with code {code}" in stopped
        assert f"has ended with exit code {code}" in after


async def test_calls_that_type_into_one_session_take_turns(tmp_path: Path):
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": "touch up; cat > heard", "tty": True, "yield_time_ms": 250, "login": False}),
        WHEN_UP,
        lambda prompt: [
            *types("first\n")(prompt),
            *types("second\n")(prompt),
            *types("\x04", yield_time_ms=30_000)(prompt),
        ],
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        assert (tmp_path / "work" / "heard").read_text() == "first\nsecond\n"
        assert "exited with code 0" in texts(watched)[-1]


async def test_typing_more_than_a_program_reads_does_not_hold_the_call(tmp_path: Path):
    deaf = "stty raw -echo; touch up; sleep 1000"
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": deaf, "tty": True, "yield_time_ms": 250, "login": False}),
        WHEN_UP,
        types("x" * 100_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        assert "Process running with session ID" in texts(watched)[-1]


async def test_a_line_that_the_terminal_would_cut_is_not_typed(tmp_path: Path):
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": "touch up; cat > heard", "tty": True, "yield_time_ms": 250, "login": False}),
        WHEN_UP,
        types("short\n" + "x" * 5000 + "\n"),
        types("y" * 4095 + "\n\x04", yield_time_ms=30_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        *_, refused, taken = texts(watched)
        assert "at most 4095 bytes from its terminal, and one has 5000" in refused
        assert "exited with code 0" in taken
        assert (tmp_path / "work" / "heard").read_text() == "y" * 4095 + "\n"


async def test_a_character_that_comes_in_two_pieces_is_shown_whole(tmp_path: Path):
    half = "printf 'caf\\303'; touch up; until test -e go; do sleep 0.02; done; printf '\\251\\n'"
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": half, "yield_time_ms": 250}),
        WHEN_UP,
        types("", yield_time_ms=250),
        calls("exec_command", {"cmd": "touch go"}),
        types("", yield_time_ms=30_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        first, _, second, _, last = texts(watched)
        assert "caf" in first + second
        assert "\ufffd" not in first + second + last
        assert last.endswith("é\n")


async def test_waiting_for_a_session_ends_at_the_longest_time_that_the_settings_allow(tmp_path: Path):
    start = calls("exec_command", {"cmd": "sleep 1000", "yield_time_ms": 250})
    async with running(
        tmp_path,
        start,
        types("", yield_time_ms=200_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
        background_terminal_max_timeout_ms=300,
    ) as watched:
        await watched.turn()
        assert "Process running with session ID" in [i.text() for i in watched.sent() if hasattr(i, "output")][-1]


async def test_an_unknown_session_is_told_to_the_model(tmp_path: Path):
    async with running(tmp_path, calls("write_stdin", {"session_id": 7}), says("done")) as watched:
        await watched.turn()
        assert watched.sent()[-1].text() == "unknown session id 7; sessions that run: none"


async def test_a_session_that_ends_between_calls_is_told_of_once(tmp_path: Path):
    start = calls("exec_command", {"cmd": "sleep 0.4; echo late", "yield_time_ms": 250})
    async with running(
        tmp_path,
        [start],
        [calls("exec_command", {"cmd": "sleep 0.6"})],
        types(""),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        last = [item.text() for item in watched.sent() if hasattr(item, "output")][-1]
        assert "exited with code 0" in last
        assert last.endswith("late\n")
        assert len([end for end in watched.all(ExecCommandEnd) if end.call_id == "call_1"]) == 1
