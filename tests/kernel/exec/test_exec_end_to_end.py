import json
import os
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import Reply, calls, fails, message, patches, reasoning, says

PATCH = "*** Begin Patch\n*** Add File: new.txt\n+alpha\n*** End Patch\n"


def kinds(events: list[dict]) -> list[str]:
    return [event["item"]["type"] if "item" in event else event["type"] for event in events]


# Channels


def test_stdout_is_the_answer_alone_and_stderr_the_rest(codex: OurCommand):
    done = codex.exec("do it")
    assert done.stdout == "the answer\n"
    assert "> do it" in done.stderr
    assert "tokens used: 80 (input 60 + 40 cached, output 20, of it reasoning 5)" in done.stderr


def test_a_whole_run_prints_the_events_of_the_contract(codex: OurCommand, server: ModelServer):
    server.script = [
        Reply(items=[reasoning("thinking"), *calls("exec_command", {"cmd": "echo hi; exit 3"}).items]),
        patches(PATCH),
        calls("update_plan", {"plan": [{"step": "one", "status": "in_progress"}]}),
        says("done"),
    ]
    events = codex.events("-s", "workspace-write", "do it")
    assert kinds(events) == [
        *("thread.started", "turn.started", "reasoning", "command_execution", "command_execution"),
        *("file_change", "file_change", "todo_list", "agent_message", "todo_list", "turn.completed"),
    ]
    command = events[4]["item"]
    assert (command["exit_code"], command["status"]) == (3, "failed")
    assert command["command"].endswith(" -lc 'echo hi; exit 3'")
    assert "hi\n" in command["aggregated_output"]
    assert events[6]["item"]["changes"] == [{"path": str(codex.work / "new.txt"), "kind": "add"}]
    assert (codex.work / "new.txt").read_text() == "alpha\n"
    assert events[-1]["usage"]["input_tokens"] == 400


def test_json_prints_nothing_but_json_even_when_it_fails(codex: OurCommand, server: ModelServer):
    server.script = [fails(400, {"error": {"message": "no such model"}})]
    done = codex.exec("--json", "do it", code=1)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["thread.started", "turn.started", "error", "turn.failed"]
    assert "no such model" in lines[-1]["error"]["message"]
    assert lines[-2]["message"] == lines[-1]["error"]["message"]
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_a_failed_turn_leaves_stdout_empty_and_says_why(codex: OurCommand, server: ModelServer):
    server.script = [fails(400, {"error": {"message": "no such model"}})]
    done = codex.exec("do it", code=1)
    assert done.stdout == ""
    assert "ERROR: " in done.stderr
    assert "no such model" in done.stderr


def test_a_broken_stream_is_announced_and_its_part_is_not_reported(codex: OurCommand, server: ModelServer):
    server.script = [says("half an answer", delta_chars=4, cut_after_bytes=900), says("whole")]
    events = codex.events("do it")
    assert kinds(events) == ["thread.started", "turn.started", "error", "agent_message", "turn.completed"]
    assert events[2]["message"].startswith("Reconnecting... 1/1 (")
    assert events[3]["item"]["text"] == "whole"


def test_both_streams_in_one_pipe_show_the_answer_once(codex: OurCommand):
    import subprocess

    done = codex.exec("do it", stderr=subprocess.STDOUT)
    assert done.stdout.count("the answer") == 1
    assert done.stdout.endswith("the answer\n")


def test_colour_is_left_out_of_pipes_unless_it_is_asked_for(codex: OurCommand):
    assert "\x1b" not in codex.exec("do it").stderr
    assert "\x1b[1m" in codex.exec("--color", "always", "do it").stderr
    assert "\x1b[1m" in codex.exec("do it", env={"FORCE_COLOR": "1"}).stderr
    assert "\x1b" not in codex.exec("do it", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stderr


# The prompt


def test_the_prompt_comes_from_stdin_and_keeps_its_line_end(codex: OurCommand, server: ModelServer):
    done = codex.exec(stdin="from stdin\n")
    assert done.stderr.startswith("Reading prompt from stdin...\n")
    assert server.requests[0].input[-1]["content"] == [{"type": "input_text", "text": "from stdin\n"}]


def test_piped_text_is_put_below_the_prompt(codex: OurCommand, server: ModelServer):
    codex.exec("explain", stdin="line\n")
    assert server.requests[0].input[-1]["content"][0]["text"] == "explain\n\n<stdin>\nline\n</stdin>"


@pytest.mark.parametrize("stdin", ["", "  \n"])
def test_no_prompt_is_one_sentence_and_no_request(codex: OurCommand, server: ModelServer, stdin: str):
    done = codex.exec(code=1, stdin=stdin)
    assert done.stderr.splitlines()[-1] == "Error: No prompt provided via stdin."
    assert server.requests == []


def test_an_open_silent_stdin_does_not_hang_the_run(codex: OurCommand):
    process = codex.start("exec", "do it")  # its stdin stays open and nothing is written
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.wait(timeout=30) == 0
    assert process.stdout.read() == "the answer\n"
    assert "nothing on stdin after 1 s" in process.stderr.read()
    process.communicate()


# Options


def test_the_last_message_is_written_byte_for_byte(codex: OurCommand):
    codex.exec("-o", "last.txt", "do it")
    assert (codex.work / "last.txt").read_bytes() == b"the answer"


def test_a_failed_run_writes_no_last_message(codex: OurCommand, server: ModelServer):
    server.script = [fails(400, "no")]
    codex.exec("-o", "last.txt", "do it", code=1)
    assert not (codex.work / "last.txt").exists()


def test_a_turn_without_a_message_leaves_an_empty_file_and_a_warning(codex: OurCommand, server: ModelServer):
    server.script = [Reply(items=[reasoning("only thoughts")])]
    done = codex.exec("-o", "last.txt", "do it")
    assert (codex.work / "last.txt").read_bytes() == b""
    assert "Warning: the model ended without a message" in done.stderr


@pytest.mark.parametrize("name", [".", "missing/last.txt"])
def test_a_last_message_file_that_cannot_be_written_is_refused_before_the_run(
    codex: OurCommand, server: ModelServer, name: str
):
    assert codex.exec("-o", name, "do it", code=1).stderr.startswith("Error: ")
    assert server.requests == []


def test_the_output_schema_goes_to_the_model(codex: OurCommand, server: ModelServer):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "additionalProperties": False}
    (codex.work / "schema.json").write_text(json.dumps(schema))
    codex.exec("--output-schema", "schema.json", "do it")
    sent = server.requests[0].json["text"]["format"]
    assert sent == {"type": "json_schema", "strict": True, "schema": schema, "name": "codex_output_schema"}


@pytest.mark.parametrize("name", ["missing.json", "broken.json"])
def test_a_schema_that_cannot_be_used_is_one_sentence(codex: OurCommand, server: ModelServer, name: str):
    (codex.work / "broken.json").write_text("{")
    done = codex.exec("--output-schema", name, "do it", code=1)
    assert name in done.stderr
    assert (done.stdout, done.stderr.count("\n"), server.requests) == ("", 1, [])


def test_an_image_goes_before_the_prompt_and_leaves_it_alone(codex: OurCommand, server: ModelServer):
    (codex.work / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    codex.exec("-i", "a.png", "what is this?")
    content = server.requests[0].input[-1]["content"]
    assert [part["type"] for part in content].count("input_image") == 1
    assert content[-1] == {"type": "input_text", "text": "what is this?"}


def test_an_image_that_cannot_be_read_is_said_to_the_model_and_the_run_goes_on(codex: OurCommand, server: ModelServer):
    done = codex.exec("-i", "missing.png", "what is this?")
    assert "warning: the image missing.png cannot be read" in done.stderr
    assert "missing.png" in server.requests[0].input[-1]["content"][0]["text"]


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_names_that_are_not_utf8_do_not_keep_a_turn_from_running(tmp_path: Path, server: ModelServer, wire: str):
    codex = OurCommand(tmp_path, server, wire_api=wire)
    folder = tmp_path / os.fsdecode(b"f\xff")
    folder.mkdir()
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    given = (
        "-s",
        "workspace-write",
        "--add-dir",
        str(folder),
        "-m",
        os.fsdecode(b"m\xff"),
        "-i",
        str(folder / "a.png"),
    )
    assert codex.exec(*given, "hi").stdout == "the answer\n"
    assert codex.events(*given, "hi")[-1]["type"] == "turn.completed"


def test_settings_are_taken_from_the_command_line(codex: OurCommand, server: ModelServer):
    codex.run("-c", "model=first", "exec", "-c", "model=second", "do it")
    codex.exec("-m", "third", "-c", "model=second", "do it")
    assert [request.json["model"] for request in server.requests] == ["second", "third"]


def test_exec_never_asks_whatever_the_settings_say(codex: OurCommand):
    assert "approval: never" in codex.exec("-c", 'approval_policy="on-request"', "do it").stderr.replace("  ", " ")


def test_the_originator_can_be_overridden_and_the_key_comes_from_the_environment(tmp_path: Path, server: ModelServer):
    codex = OurCommand(tmp_path, server)
    config = codex.home / "config.toml"
    config.write_text(config.read_text().replace("scripted", "openai2") + "requires_openai_auth = true\n")
    codex.exec("do it", env={"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "codex_sdk_ts", "CODEX_API_KEY": "sk-test"})
    assert server.requests[0].headers["originator"] == "codex_sdk_ts"
    assert server.requests[0].headers["authorization"] == "Bearer sk-test"


def test_a_directory_without_git_is_refused_unless_that_is_wanted(
    codex: OurCommand, server: ModelServer, tmp_path: Path
):
    (tmp_path / "plain").mkdir()
    done = codex.exec("-C", str(tmp_path / "plain"), "do it", code=1)
    assert "--skip-git-repo-check" in done.stderr
    assert (done.stdout, server.requests) == ("", [])
    codex.exec("-C", str(tmp_path / "plain"), "--skip-git-repo-check", "do it")
    codex.exec("-C", str(tmp_path / "plain"), "--trust", "do it")
    codex.exec("-C", str(tmp_path / "plain"), "do it")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-C", "/no/such/directory", "x"],
        ["-c", "nonsense", "x"],
        ["-c", "approval_policy=sometimes", "x"],
        ["-c", "model_provider=nobody", "x"],
        ["-p", "nobody", "x"],
        ["resume", "no-such-name", "x"],
        ["resume", "0199aaaa-0000-7000-8000-000000000000", "x"],
        ["resume", "--last", "x"],
    ],
)
def test_a_run_that_cannot_be_set_up_is_one_sentence_and_exit_1(
    codex: OurCommand, server: ModelServer, arguments: list[str]
):
    done = codex.exec("--json", *arguments, code=1, stdin="")
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not line.startswith("Reading additional input")]
    assert len(said) == 1
    assert said[0].startswith("Error")
    assert server.requests == []


# Threads


def test_resume_goes_on_with_the_same_thread_and_its_totals(codex: OurCommand, server: ModelServer):
    first = codex.events("remember 7")
    thread = first[0]["thread_id"]
    for how in (["resume", thread], ["resume", "--last"]):
        events = codex.events(*how, "what was it?")
        assert events[0]["thread_id"] == thread
    texts = [part["text"] for item in server.requests[-1].input for part in item.get("content", ())]
    assert texts.count("remember 7") == 1
    assert texts.count("what was it?") == 2
    assert events[-1]["usage"]["input_tokens"] == 300
    assert len(codex.rollouts()) == 1


def test_the_setting_for_resuming_names_the_rollout_to_go_on_with(codex: OurCommand, server: ModelServer):
    thread = codex.events("remember 7")[0]["thread_id"]
    [rollout] = codex.rollouts()
    setting = ("-c", f"experimental_resume={rollout}")
    assert codex.events(*setting, "what was it?")[0]["thread_id"] == thread
    assert "remember 7" in str(server.requests[-1].input)
    gone = codex.exec("-c", "experimental_resume=/nowhere/rollout.jsonl", "x", code=1)
    assert "/nowhere/rollout.jsonl" in gone.stderr


def test_resume_takes_its_prompt_from_stdin(codex: OurCommand, server: ModelServer):
    thread = codex.events("first")[0]["thread_id"]
    codex.events("resume", thread, stdin="second")
    assert server.requests[-1].input[-1]["content"][-1]["text"] == "second"


def test_fork_gets_an_id_of_its_own_and_leaves_the_source_alone(codex: OurCommand, server: ModelServer):
    source = codex.events("first")[0]["thread_id"]
    [rollout] = codex.rollouts()
    before = rollout.read_bytes()
    forked = codex.events("fork", source, "second")
    assert forked[0]["thread_id"] != source
    assert rollout.read_bytes() == before
    assert len(codex.rollouts()) == 2
    texts = [part["text"] for item in server.requests[-1].input for part in item.get("content", ())]
    assert texts.count("first") == 1


def test_an_ephemeral_thread_leaves_nothing_behind(codex: OurCommand):
    thread = codex.events("--ephemeral", "do it")[0]["thread_id"]
    assert codex.rollouts() == []
    codex.exec("resume", thread, "again", code=1)


def test_a_review_answers_with_the_rendered_findings(codex: OurCommand, server: ModelServer):
    finding = {
        "title": "Off by one",
        "body": "The loop ends early.",
        "code_location": {"absolute_file_path": str(codex.work / "a.py"), "line_range": {"start": 1, "end": 2}},
    }
    server.script = [says(json.dumps({"findings": [finding], "overall_explanation": "Nearly."}))]
    done = codex.exec("review", "look at a.py")
    assert done.stdout.startswith("Nearly.")
    assert "Off by one" in done.stdout


def test_commentary_and_answer_are_both_items_and_the_last_is_the_answer(codex: OurCommand, server: ModelServer):
    server.script = [
        Reply(items=[message("on it"), *calls("exec_command", {"cmd": "true"}).items]),
        says("done"),
    ]
    done = codex.exec("do it")
    assert done.stdout == "done\n"
    assert "on it" in done.stderr
