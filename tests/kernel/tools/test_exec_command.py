"""exec_command with the real sandbox: where and how commands run, what is told of their end."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_kernel.model.scripted import calls, says
from codex_kernel.sandbox.launcher import make_sandbox
from codex_protocol.events import ExecCommandBegin
from codex_protocol.policy import DangerFullAccess, WorkspaceWrite
from tests.support.command_sessions import real, texts
from tests.support.threads import make_config, running


async def test_a_program_that_asks_where_its_cursor_is_need_not_wait(tmp_path: Path):
    ask = "stty raw -echo; printf '\\033[6n'; IFS= read -r -d R answer; stty sane; echo \"at ${answer#?}\""
    start = calls("exec_command", {"cmd": ask, "tty": True, "yield_time_ms": 30_000, "login": False})
    async with running(
        tmp_path, start, says("done"), sandbox=real(tmp_path), sandbox_policy=WorkspaceWrite()
    ) as watched:
        await watched.turn()
        assert "at [1;1" in texts(watched)[0]


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


async def test_a_script_that_is_too_long_for_the_system_is_told_with_what_to_do(tmp_path: Path):
    async with running(
        tmp_path, calls("exec_command", {"cmd": f"echo {'x' * 200_000}"}), says("done"), sandbox=real(tmp_path)
    ) as watched:
        await watched.turn()
        assert "too long for this system; put long text into a file." in texts(watched)[0]


@pytest.mark.parametrize(("most", "whole"), [("0", False), ("-5", False), ("1e300", True)])
async def test_any_number_of_tokens_may_be_asked_for(most: str, whole: bool, tmp_path: Path):
    arguments = f'{{"cmd": "seq 2000", "max_output_tokens": {most}}}'
    async with running(tmp_path, calls("exec_command", arguments), says("done")) as watched:
        await watched.turn()
        assert texts(watched)[0].endswith("1999\n2000\n") is whole


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
