"""Threads driven from Python, blocking, against real kernels and a scripted model server."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from codex_client import Codex, InvalidAnswer, KernelLost, TurnFailed
from codex_protocol.errors import CodexError, ThreadError, UsageError
from codex_protocol.events import AgentMessage, ExecApprovalRequest, TaskComplete, TaskStarted
from codex_protocol.policy import ReviewDecision
from tests.support.codex_clients import end_servers, kernel_of, make_home
from tests.support.model_server import ModelServer
from tests.support.replies import Reply, calls, fails, patches, says

PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
ESCALATED = {"cmd": "true", "sandbox_permissions": "require_escalated", "justification": "must"}


class Facts(BaseModel):
    """An answer."""

    name: str
    count: int


@pytest.fixture
def settings(tmp_path: Path, server: ModelServer) -> dict[str, Any]:
    return make_home(tmp_path, server)


def script(server: ModelServer, *replies: Reply) -> None:
    server.script = list(replies)


def test_a_turn_comes_to_its_answer_items_diff_and_tokens(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, calls("exec_command", {"cmd": "echo from the command"}), patches(PATCH), says("all done"))
    with Codex(**settings, sandbox="danger-full-access", approval_policy="never") as codex:
        thread = codex.thread_start()
        result = thread.run("work")
        found = thread.changes()
        assert [(file.path, file.status) for file in found.files] == [("new.txt", "added")]
        assert thread.changes(0).turn == 1
        with pytest.raises(ThreadError, match="no turn 9"):
            thread.changes(9)
    assert (result.status, result.final_response, result.thread_id) == ("completed", "all done", thread.id)
    assert [(run.script, run.exit_code, run.output.strip()) for run in result.commands] == [
        ("echo from the command", 0, "from the command")
    ]
    assert [Path(path).name for path in result.changes] == ["new.txt"]
    assert "+hello" in result.diff
    assert result.usage.total_tokens > 0
    assert "hello" in result._repr_mimebundle_()["text/html"]  # pyright: ignore[reportPrivateUsage]
    assert "$ echo from the command" in str(result)
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_stream_tells_every_event_to_the_end(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("one"), says("two"))
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        turn = thread.turn("go")
        events = list(turn.stream())
        assert isinstance(events[0], TaskStarted)
        assert isinstance(events[-1], TaskComplete)
        assert [event.message for event in events if isinstance(event, AgentMessage)] == ["one"]
        assert turn.result().final_response == "one"
        assert thread.run("again").final_response == "two"


def test_a_failed_turn_raises_its_sentence_with_what_it_had_come_to(
    server: ModelServer, settings: dict[str, Any]
) -> None:
    script(server, fails(400, {"error": {"message": "no such thing"}}), says("fine"))
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        with pytest.raises(TurnFailed, match="no such thing") as caught:
            thread.run("go")
        assert caught.value.result.status == "failed"
        assert pickle.loads(pickle.dumps(caught.value)).result == caught.value.result
        assert thread.run("again").final_response == "fine"


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        (True, ReviewDecision.APPROVED),
        (False, ReviewDecision.DENIED),
        ("approved_for_session", ReviewDecision.APPROVED_FOR_SESSION),
    ],
)
def test_a_callback_answers_approvals_in_the_callers_thread(
    server: ModelServer, settings: dict[str, Any], answer: Any, decision: ReviewDecision
) -> None:
    script(server, calls("exec_command", ESCALATED), says("done"))
    asked: list[tuple[Any, int]] = []

    def approve(question: Any) -> Any:
        asked.append((question, threading.get_ident()))
        return answer

    with Codex(**settings, approvals=approve) as codex:
        result = codex.thread_start().run("go")
    [(question, where)] = asked
    assert isinstance(question, ExecApprovalRequest)
    assert where == threading.get_ident()
    assert [(each.decision, each.by) for each in result.approvals] == [(decision, "python")]
    assert result.final_response == "done"


def test_nobody_to_ask_is_denied_at_once(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, calls("exec_command", ESCALATED), says("done"))
    with Codex(**settings, approvals="deny") as codex:
        result = codex.thread_start().run("go")
    assert result.status == "completed"
    assert not any(each.decision is ReviewDecision.APPROVED for each in result.approvals)


def test_each_turn_may_have_somebody_else_to_answer(server: ModelServer, settings: dict[str, Any]) -> None:
    asks = [calls("exec_command", ESCALATED), says("done")]
    script(server, *asks, *asks, *asks)
    with Codex(**settings, approvals="deny") as codex:
        thread = codex.thread_start()
        decided = [thread.run("go", approvals=who).approvals for who in ("deny", lambda question: True, "deny")]
    assert [(each.decision, each.by) for [each] in decided] == [
        (ReviewDecision.DENIED, "nobody"),
        (ReviewDecision.APPROVED, "python"),
        (ReviewDecision.DENIED, "python"),
    ]


def test_a_callback_that_fails_stops_the_turn_and_is_raised(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, calls("exec_command", ESCALATED), says("next"))

    def approve(question: Any) -> Any:
        raise LookupError("my own mistake")

    with Codex(**settings, approvals=approve) as codex:
        thread = codex.thread_start()
        with pytest.raises(LookupError, match="my own mistake"):
            thread.run("go")
        assert thread.run("go on", approvals="deny").final_response == "next"


def test_a_person_answers_at_input(
    server: ModelServer, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    script(server, calls("exec_command", ESCALATED), says("done"))
    prompts: list[str] = []
    answers = iter(["perhaps", "y"])

    def type_in(prompt: str = "") -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr("builtins.input", type_in)
    with Codex(**settings, approvals="ask") as codex:
        result = codex.thread_start().run("go")
    assert "$ true" in prompts[0]
    assert "reason: must" in prompts[0]
    assert prompts[1].startswith("Please answer")
    assert result.approvals[0].decision is ReviewDecision.APPROVED


def test_a_turn_can_be_steered_and_interrupted(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, calls("exec_command", {"cmd": "sleep 60"}), says("never"))
    with Codex(**settings, sandbox="danger-full-access", approval_policy="never") as codex:
        thread = codex.thread_start()
        turn = thread.turn("go")
        for event in turn.stream():
            if type(event).__name__ == "ExecCommandBegin":
                turn.steer("and this too")
                turn.interrupt()
        assert turn.result().status == "interrupted"
        with pytest.raises(ThreadError, match="has ended"):
            turn.steer("more")


def test_ctrl_c_interrupts_the_turn_and_the_thread_goes_on(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, calls("exec_command", {"cmd": "sleep 60"}), says("after"))

    def press(event: Any, record: Any) -> None:
        if type(event).__name__ == "ExecCommandBegin":
            os.kill(os.getpid(), signal.SIGINT)

    with Codex(**settings, sandbox="danger-full-access", approval_policy="never") as codex:
        thread = codex.thread_start()
        with pytest.raises(KeyboardInterrupt):
            thread.run("go", on_event=press)
        assert thread.run("again").final_response == "after"
    assert [turn["status"] for turn in Codex(**settings).turns(thread.id)] == ["interrupted", "completed"]


def test_an_answer_is_an_object_of_the_schema(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says('{"name": "a", "count": 2}'))
    with Codex(**settings) as codex:
        assert codex.thread_start().run("go", schema=Facts) == Facts(name="a", count=2)
    sent = server.requests[0].json["text"]["format"]
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["required"] == ["name", "count"]


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_reason(
    server: ModelServer, settings: dict[str, Any]
) -> None:
    script(server, says('{"name": "a"}'), says('```json\n{"name": "a", "count": 3}\n```'))
    with Codex(**settings) as codex:
        assert codex.thread_start().run("go", schema=Facts).count == 3
    assert "count: Field required" in str(server.requests[1].input[-1])


def test_an_answer_that_never_fits_is_an_error_that_has_it(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("no"), says("still no"))
    with Codex(**settings) as codex, pytest.raises(InvalidAnswer, match="no valid Facts") as caught:
        codex.thread_start().run("go", schema=Facts)
    assert caught.value.result.final_response == "still no"


def test_context_is_sent_along_and_shown(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("ok"))
    with Codex(**settings) as codex:
        result = codex.thread_start().run("sum it", context={"numbers": [1, 2]})
    assert '<data name=\\"numbers\\" type=\\"list\\">' in server.requests[0].body.decode()
    assert [passed.name for passed in result.context] == ["numbers"]
    assert "sent along: numbers" in result._repr_mimebundle_()["text/html"]  # pyright: ignore[reportPrivateUsage]


def test_a_thread_is_resumed_forked_named_and_listed(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("one"), says("two"), says("three"))
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        thread.run("first")
        thread.set_name("my work")
        thread.close()
        again = codex.thread_resume("my work")
        assert again.id == thread.id
        assert again.run("second").final_response == "two"
        assert codex.thread_resume(thread.id).id == again.id
        fork = codex.thread_fork(thread.id)
        assert fork.id != thread.id
        assert fork.run("third").final_response == "three"
        assert {info.id for info in codex.thread_list()} == {thread.id, fork.id}
        texts = str(server.requests[2].input)
        assert "first" in texts
        assert "second" in texts
    with pytest.raises(ThreadError, match="closed"):
        thread.run("more")
    with pytest.raises(CodexError, match="nowhere"):
        Codex(**settings).thread_resume("nowhere")


def test_a_thread_that_runs_elsewhere_is_joined(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("one"), says("two"), says("three"))
    with Codex(**settings) as theirs, Codex(**settings) as ours:
        first = theirs.thread_start()
        first.run("first")
        joined = ours.thread_resume(first.id)
        assert joined.id == first.id
        assert joined.connection_file is None
        assert joined.run("second").final_response == "two"
        with pytest.raises(ThreadError, match="settings count where an agent starts"):
            ours.thread_resume(first.id, model="another")
        first.close()
        assert joined.run("third").final_response == "three"  # in an agent of its own, which resumed it
        assert "second" in str(server.requests[-1].input)


def test_a_resumed_thread_whose_agent_dies_before_its_first_turn_is_resumed_again(
    server: ModelServer, settings: dict[str, Any]
) -> None:
    script(server, says("one"), says("two"))
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        thread.run("first")
        thread.close()
        again = codex.thread_resume(thread.id)
        os.kill(kernel_of(again).pid, signal.SIGKILL)
        while again._thread.connection.lost is None:  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.02)
        assert again.run("second").final_response == "two"
        assert again.id == thread.id


def test_a_killed_agent_is_resumed_by_the_next_turn(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("one"), calls("exec_command", {"cmd": "sleep 60"}), says("three"))
    with Codex(**settings, sandbox="danger-full-access", approval_policy="never") as codex:
        thread = codex.thread_start()
        thread.run("first")
        turn = thread.turn("second")
        assert any(type(event).__name__ == "ExecCommandBegin" for event in turn.stream())
        os.kill(kernel_of(thread).pid, signal.SIGKILL)
        with pytest.raises(KernelLost, match="next turn resumes it"):
            turn.result()
        assert thread.run("third").final_response == "three"
        texts = str(server.requests[-1].input)
        assert "first" in texts
        assert "second" in texts


def test_a_forked_agent_works_and_its_end_is_noticed(
    server: ModelServer, settings: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: end_servers(settings["env"]["CODEX_HOME"]))
    script(server, says("one"), calls("exec_command", {"cmd": "sleep 60"}), says("three"))
    full = {"sandbox": "danger-full-access", "approval_policy": "never", "approvals": "deny"}
    with Codex(**{**settings, "fork": True, **full}) as codex:
        thread = codex.thread_start()
        assert thread.run("first").final_response == "one"
        turn = thread.turn("second")
        assert any(type(event).__name__ == "ExecCommandBegin" for event in turn.stream())
        os.kill(kernel_of(thread).pid, signal.SIGKILL)
        with pytest.raises(KernelLost):
            turn.result()
        assert thread.run("third").final_response == "three"


def test_settings_of_one_turn_leave_the_thread_as_it_was(server: ModelServer, settings: dict[str, Any]) -> None:
    script(server, says("one"), says("two"))
    with Codex(**settings) as codex:
        thread = codex.thread_start()
        thread.run("first", model="gpt-5.5-mini", effort="low")
        thread.run("second")
        assert [request.json["model"] for request in server.requests] == ["gpt-5.5-mini", "gpt-5.5"]
        thread.configure(model="other", approval_policy="never")
        assert (thread.model, thread.settings.approval_policy) == ("other", "never")


@pytest.mark.parametrize(
    ("settings_given", "said"),
    [
        ({"sandbox": "open"}, "sandbox must be one of"),
        ({"approval_policy": "sometimes"}, "approval_policy must be one of"),
        ({"cwd": "/nowhere/at/all"}, "does not exist"),
        ({"colour": "red"}, "no setting colour"),
        ({"model": 5}, "cannot be used"),
        ({"approvals": "maybe"}, "approvals must be"),
        ({"config": {"model_provider": "absent"}}, "absent"),
    ],
)
def test_bad_settings_are_one_sentence(tmp_path: Path, settings_given: dict[str, Any], said: str) -> None:
    with pytest.raises(CodexError, match=said), Codex(**{**make_home(tmp_path), **settings_given}) as codex:
        codex.thread_start()


def test_an_empty_prompt_is_refused(server: ModelServer, settings: dict[str, Any]) -> None:
    with Codex(**settings) as codex, pytest.raises(UsageError, match="empty"):
        codex.thread_start().run("  ")


def test_closing_leaves_no_process_and_no_file(server: ModelServer, settings: dict[str, Any], tmp_path: Path) -> None:
    script(server, says("one"))
    codex = Codex(**settings)
    thread = codex.thread_start()
    thread.run("go")
    pid = kernel_of(thread).pid
    assert thread.connection_file is not None
    assert thread.connection_file.exists()
    codex.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    left = [path.name for path in (tmp_path / "home" / "workbench" / "run").iterdir() if path.name.startswith("k-")]
    assert left == []


SCRIPT = """
import json, os, sys, threading
from codex_client import Codex

def refuse(thread):
    raise RuntimeError("can't create new thread at interpreter shutdown")  # as some Pythons say then

codex = Codex(**json.loads(sys.argv[1]))
if sys.argv[2:]:
    thread = codex.thread_start()
    print(thread.run("go").final_response, thread.connection_file)
if not os.fork():
    sys.exit()  # takes nothing with it
os.wait()
if sys.argv[2:]:
    print(thread.run("again").final_response)
threading.Thread.start = refuse
"""


@pytest.mark.parametrize("used", [[], ["used"]], ids=["never used", "used"])
def test_a_script_ends_what_it_began_without_a_word(
    server: ModelServer, settings: dict[str, Any], used: list[str]
) -> None:
    script(server, says("one"), says("two"))
    quiet = ("-W", "ignore::DeprecationWarning")  # Python 3.12 and newer warn of each fork beside threads
    command = [sys.executable, *quiet, "-P", "-c", SCRIPT, json.dumps(settings), *used]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert (done.returncode, done.stderr) == (0, "")
    if used:
        (first, file), (second,) = map(str.split, done.stdout.splitlines())
        assert (first, second) == ("one", "two")
        assert not Path(file).exists()
