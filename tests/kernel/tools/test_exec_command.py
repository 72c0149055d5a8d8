"""exec_command and write_stdin with the real sandbox: terminals, sessions, limits of waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_kernel.model.scripted import calls, says
from codex_kernel.sandbox.launcher import make_sandbox
from codex_protocol.events import ExecCommandBegin, ExecCommandEnd, TerminalInteraction
from codex_protocol.policy import DangerFullAccess, WorkspaceWrite
from tests.support.threads import make_config, running


def real(folder: Path):
    config = make_config(folder, sandbox_policy=WorkspaceWrite())
    run = folder / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    return make_sandbox(config, folder / "home", run)


def session_of(prompt) -> int:
    texts = [item.text() for item in prompt.input if hasattr(item, "output")]
    return int(next(text for text in texts if "session ID" in text).split("session ID ")[1].split()[0])


def types(chars: str, **more):
    return lambda prompt: [calls("write_stdin", {"session_id": session_of(prompt), "chars": chars, **more})]


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


def texts(watched) -> list[str]:
    return [item.text() for item in watched.sent() if hasattr(item, "output")]


@pytest.mark.parametrize(
    ("key", "command", "code"),
    [("\x03", "trap 'exit 9' INT; while :; do sleep 0.1; done", 9), ("\x1c", "trap '' INT; sleep 1000", 137)],
    ids=["interrupted", "ended"],
)
async def test_a_command_without_a_terminal_is_interrupted_and_ended_by_keys(
    key: str, command: str, code: int, tmp_path: Path
):
    start = calls("exec_command", {"cmd": f"echo up; {command}", "yield_time_ms": 2000})
    async with running(
        tmp_path,
        start,
        types(key, yield_time_ms=30_000),
        types(key),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        _, stopped, after = texts(watched)
        assert f"exited with code {code}" in stopped
        assert f"has ended with exit code {code}" in after


async def test_two_calls_that_type_into_one_session_take_turns(tmp_path: Path):
    start = calls("exec_command", {"cmd": "stty -echo; cat", "tty": True, "yield_time_ms": 1500, "login": False})
    async with running(
        tmp_path,
        start,
        lambda prompt: [
            call for text in ("first\n", "second\n", "\x04") for call in types(text, yield_time_ms=1500)(prompt)
        ],
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        _, first, second, end = texts(watched)
        assert first.endswith("first\r\n")
        assert second.endswith("Output:\nsecond\r\n")
        assert "exited with code 0" in end


async def test_a_program_that_asks_where_its_cursor_is_need_not_wait(tmp_path: Path):
    ask = "stty raw -echo; printf '\\033[6n'; IFS= read -r -d R answer; stty sane; echo \"at ${answer#?}\""
    start = calls("exec_command", {"cmd": ask, "tty": True, "yield_time_ms": 30_000, "login": False})
    async with running(
        tmp_path, start, says("done"), sandbox=real(tmp_path), sandbox_policy=WorkspaceWrite()
    ) as watched:
        await watched.turn()
        assert "at [1;1" in texts(watched)[0]


async def test_typing_more_than_a_program_reads_does_not_hold_the_call(tmp_path: Path):
    start = calls("exec_command", {"cmd": "stty raw -echo; sleep 1000", "tty": True, "yield_time_ms": 1000})
    async with running(
        tmp_path,
        start,
        types("x" * 100_000, yield_time_ms=500),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        assert "Process running with session ID" in texts(watched)[1]


async def test_a_line_that_the_terminal_would_cut_is_not_typed(tmp_path: Path):
    start = calls("exec_command", {"cmd": "cat > heard", "tty": True, "yield_time_ms": 1500})
    async with running(
        tmp_path,
        start,
        types("short\n" + "x" * 5000 + "\n"),
        types("y" * 4095 + "\n\x04", yield_time_ms=30_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        _, refused, taken = texts(watched)
        assert "at most 4095 bytes from its terminal, and one has 5000" in refused
        assert "exited with code 0" in taken
        assert (tmp_path / "work" / "heard").read_text() == "y" * 4095 + "\n"


async def test_a_character_that_comes_in_two_pieces_is_shown_whole(tmp_path: Path):
    half = "printf 'caf\\303'; until test -e go; do sleep 0.05; done; printf '\\251\\n'"
    async with running(
        tmp_path,
        calls("exec_command", {"cmd": half, "yield_time_ms": 1000}),
        calls("exec_command", {"cmd": "touch go"}),
        types("", yield_time_ms=30_000),
        says("done"),
        sandbox=real(tmp_path),
        sandbox_policy=WorkspaceWrite(),
    ) as watched:
        await watched.turn()
        first, _, last = texts(watched)
        assert "\ufffd" not in first + last
        assert last.endswith("é\n")


@pytest.mark.parametrize("tty", [False, True], ids=["pipes", "terminal"])
@pytest.mark.parametrize("policy", [WorkspaceWrite(), DangerFullAccess()], ids=["confined", "full access"])
async def test_what_a_command_left_in_the_background_is_ended_with_it_and_the_model_told(
    policy, tty: bool, tmp_path: Path
):
    script = [
        calls("exec_command", {"cmd": "sleep 1000 & echo started", "tty": tty}),
        calls("exec_command", {"cmd": "echo alone", "tty": tty}),
    ]
    async with running(tmp_path, script, says("done"), sandbox=real(tmp_path), sandbox_policy=policy) as watched:
        await watched.turn()
        left, alone = texts(watched)
        assert "ended with it (" in left
        assert left.rstrip().endswith("started")
        assert "Note:" not in alone


async def test_what_ends_with_its_command_may_say_its_last_words(tmp_path: Path):
    start = calls("exec_command", {"cmd": "exec > >(cat); sleep 0.3; echo last words"})
    async with running(
        tmp_path, start, says("done"), sandbox=real(tmp_path), sandbox_policy=WorkspaceWrite()
    ) as watched:
        await watched.turn()
        assert texts(watched)[0].endswith("last words\n")


@pytest.mark.parametrize(
    ("workdir", "said"), [("file", "is not a directory"), ("none", "does not exist"), ("x" * 5000, "cannot be used")]
)
async def test_a_directory_that_cannot_be_worked_in_is_told_with_the_reason(workdir: str, said: str, tmp_path: Path):
    async with running(tmp_path, calls("exec_command", {"cmd": "true", "workdir": workdir}), says("done")) as watched:
        (tmp_path / "work" / "file").touch()
        await watched.turn()
        assert texts(watched)[0].startswith("execution error: ")
        assert said in texts(watched)[0]
        assert len(texts(watched)[0]) < 500


@pytest.mark.parametrize(("most", "whole"), [("0", False), ("-5", False), ("1e300", True)])
async def test_any_number_of_tokens_may_be_asked_for(most: str, whole: bool, tmp_path: Path):
    arguments = f'{{"cmd": "seq 2000", "max_output_tokens": {most}}}'
    async with running(tmp_path, calls("exec_command", arguments), says("done")) as watched:
        await watched.turn()
        assert texts(watched)[0].endswith("1999\n2000\n") is whole


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


async def test_a_confined_command_cannot_write_outside_and_is_told_so(tmp_path: Path):
    outside = tmp_path / "outside.txt"
    policy = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    config = make_config(tmp_path, sandbox_policy=policy)
    (tmp_path / "run").mkdir(mode=0o700)
    sandbox = make_sandbox(config, tmp_path / "home", tmp_path / "run")
    script = [
        calls("exec_command", {"cmd": f"echo x > {outside}"}),
        calls("exec_command", {"cmd": "echo x > inside.txt"}),
    ]
    async with running(tmp_path, script, says("done"), sandbox=sandbox, sandbox_policy=policy) as watched:
        await watched.turn()
        first, second = [item.text() for item in watched.sent() if hasattr(item, "output")]
        assert "exited with code 0" not in first
        assert "exited with code 0" in second
        assert not outside.exists()


async def test_numbers_may_be_written_with_a_point_or_make_no_sense(tmp_path: Path):
    script = [
        calls("exec_command", '{"cmd": "echo hi", "max_output_tokens": 50.0, "yield_time_ms": 1000.0}'),
        calls("write_stdin", '{"session_id": 7.0}'),
        calls("shell", '{"command": ["echo", "ho"], "timeout_ms": 5000.0}'),
        calls("shell", '{"command": ["echo", "hu"], "timeout_ms": -5}'),
    ]
    async with running(tmp_path, script, says("done")) as watched:
        await watched.turn()
        first, second, third, fourth = [item.text() for item in watched.sent() if hasattr(item, "output")]
        assert first.endswith("hi\n")
        assert second.startswith("unknown session id 7;")
        assert "ho" in third
        assert "hu" in fourth


def shells(watched) -> list[str]:
    return [event.command[1] for event in watched.all(ExecCommandBegin)]


async def test_commands_run_in_a_login_shell_unless_the_model_or_the_settings_say_otherwise(tmp_path: Path):
    lines = [
        calls("exec_command", {"cmd": "shopt -q login_shell && echo login || echo plain", **more})
        for more in ({}, {"login": False}, {"login": True})
    ]
    for allowed, wanted in ((True, ["-lc", "-c", "-lc"]), (False, ["-c", "-c"])):
        folder = tmp_path / str(allowed)
        folder.mkdir()
        async with running(folder, *lines, says("done"), allow_login_shell=allowed) as watched:
            await watched.turn()
            assert shells(watched) == wanted
            answers = [item.text() for item in watched.sent() if hasattr(item, "output")]
            said = [answer.split()[-1] for answer in answers]
            assert said[:2] == (["login", "plain"] if allowed else ["plain", "plain"])
            assert allowed or "switched off by allow_login_shell" in answers[2]
            (tool,) = [tool for tool in watched.model.prompts[0].tools if tool.name == "exec_command"]
            assert ("login" in tool.parameters["properties"]) == allowed
