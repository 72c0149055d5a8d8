import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import calls, says


def op(id: str, type: str, /, **fields: object) -> str:
    return json.dumps({"id": id, "op": {"type": type, **fields}}) + "\n"


def ask(id: str, text: str) -> str:
    return op(id, "user_input", items=[{"type": "text", "text": text}])


def spoken(codex: OurCommand, stdin: str, *arguments: str, **options) -> list[dict]:
    done = codex.run("proto", *arguments, stdin=stdin, **options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_conversation_in_lines(codex: OurCommand):
    lines = spoken(codex, ask("one", "hi") + op("end", "shutdown"))
    types = [line["msg"]["type"] for line in lines]
    assert (lines[0]["id"], types[0]) == ("", "session_configured")
    assert (lines[-1]["id"], types[-1]) == ("end", "shutdown_complete")


def test_the_end_of_stdin_lets_the_turn_finish_and_ends_the_agent(codex: OurCommand):
    lines = spoken(codex, ask("one", "hi"))
    assert [line["msg"]["type"] for line in lines][-2:] == ["task_complete", "shutdown_complete"]
    [complete] = [line for line in lines if line["msg"]["type"] == "task_complete"]
    assert (complete["id"], complete["msg"]["last_agent_message"]) == ("one", "the answer")


def test_the_setting_for_resuming_names_the_rollout_to_go_on_with(codex: OurCommand):
    first = spoken(codex, ask("one", "hi"))[0]["msg"]["session_id"]
    [rollout] = codex.rollouts()
    again = spoken(codex, "", "-c", f"experimental_resume={rollout}")[0]["msg"]
    assert (again["session_id"], again["resumed"]) == (first, True)


def test_stdin_may_be_a_file(codex: OurCommand, tmp_path: Path):
    (tmp_path / "ops").write_text(ask("one", "hi"))
    with (tmp_path / "ops").open() as ops:
        process = codex.start("proto", stdin=ops)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert '"shutdown_complete"' in out.splitlines()[-1]


def test_bad_lines_are_answered_and_skipped(codex: OurCommand):
    lines = spoken(codex, "nonsense\n" + ask("one", "hi"))
    assert [line["msg"]["type"] for line in lines if line["msg"]["type"] in ("error", "task_complete")] == [
        *("error", "task_complete")
    ]


def test_a_question_is_answered_over_the_protocol(codex: OurCommand, server: ModelServer):
    command = {"cmd": "echo made > made", "sandbox_permissions": "require_escalated", "justification": "please"}
    server.script = [calls("exec_command", command), says("done")]
    process = codex.start("proto", "-a", "on-request")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(ask("one", "go"))
    process.stdin.flush()
    for line in process.stdout:
        message = json.loads(line)["msg"]
        if message["type"] == "exec_approval_request":
            process.stdin.write(op("a", "exec_approval", id=message["approval_id"], decision="approved"))
            process.stdin.flush()
        if message["type"] == "task_complete":
            break
    process.communicate(timeout=60)
    assert (codex.work / "made").exists()


def test_a_terminal_is_refused(codex: OurCommand):
    ours, theirs = os.openpty()
    try:
        process = codex.start("proto", stdin=theirs)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        assert err.count("\n") == 1
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_shuts_it_down_in_order(codex: OurCommand, server: ModelServer, sent: signal.Signals, code: int):
    held = says("never", hold_after_events=1)
    server.script = [held]
    process = codex.start("proto")
    assert process.stdin is not None
    process.stdin.write(ask("one", "go"))
    process.stdin.flush()
    assert held.held.wait(30)
    process.send_signal(sent)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    types = [json.loads(line)["msg"]["type"] for line in out.splitlines()]
    assert types[-2:] == ["turn_aborted", "shutdown_complete"]


def test_a_reader_that_has_gone_is_one_sentence(codex: OurCommand):
    reader, writer = os.pipe()
    os.close(reader)
    process = codex.start("proto", stdout=writer)
    os.close(writer)
    _, err = process.communicate(ask("one", "hi"), timeout=60)
    assert process.returncode == 1
    assert "stdout was closed by its reader" in err
    assert "Traceback" not in err


def test_stdout_carries_lines_of_the_protocol_only(codex: OurCommand, server: ModelServer):
    server.script = [calls("exec_command", {"cmd": "echo to stdout; echo to stderr >&2"}), says("done")]
    done = codex.run("proto", stdin=ask("one", "go"), stderr=subprocess.PIPE)
    assert all(set(json.loads(line)) == {"id", "msg"} for line in done.stdout.splitlines())
