from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import peers
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, fails, says

DRIVER = Path(__file__).with_name("sdk_turns.mjs")
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def last_words(request: Request) -> str:
    """The text of the last user message."""
    users = [item for item in request.input if item.get("role") == "user"]
    return "\n".join(part["text"] for part in users[-1]["content"] if part["type"] == "input_text")


def answer(request: Request) -> Reply:
    """A command, then its end, for `second`; an error for `fail`; silence for `hold`; an echo for everything else."""
    words = last_words(request)
    if "fail" in words:
        return fails(400, {"error": {"message": "no such thing"}})
    if "hold" in words:
        return says("never", hold_after_events=1)
    if "third" in words:
        return says('{"ok":true}')
    if "second" in words and "sdk-call" not in request.outputs():
        return calls("exec_command", {"cmd": "echo from the command"}, call_id="sdk-call")
    return says(f"heard: {words}")


@dataclass(frozen=True)
class Played:
    answer: dict[str, Any]
    requests: list[Request]


@pytest.fixture(scope="module", params=["ours", "upstream"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Every kind of call of the SDK, once with our command and once, as the control, with upstream's."""
    command = Path(sys.executable).with_name("codex") if request.param == "ours" else peers.november().command
    scratch = tmp_path_factory.mktemp("sdk")
    home, work, image = scratch / "home", scratch / "work", scratch / "pixel.png"
    home.mkdir()
    work.mkdir()
    image.write_bytes(PIXEL)
    with ModelServer(answer) as server:
        provider = {"name": "scripted", "base_url": server.url, "wire_api": "responses", "request_max_retries": 0}
        asked = {
            "sdk": (peers.sdk() / "dist" / "index.js").as_uri(),
            "codex": str(command),
            "env": {"PATH": os.environ["PATH"], "HOME": str(scratch), "CODEX_HOME": str(home)},
            "config": {"model_provider": "scripted", "model_providers": {"scripted": provider}, "model": "gpt-5.5"},
            "cwd": str(work),
            "image": str(image),
        }
        done = subprocess.run(
            ["node", str(DRIVER), json.dumps(asked)], cwd=work, capture_output=True, text=True, check=False, timeout=120
        )
        requests = list(server.requests)
    assert done.returncode == 0, done.stderr
    return Played(json.loads(done.stdout), requests)


def test_run_gives_the_answer_its_items_and_the_usage(played: Played) -> None:
    run = played.answer["run"]
    assert run["finalResponse"] == "heard: first"
    assert [item["type"] for item in run["items"]] == ["agent_message"]
    assert run["usage"]["input_tokens"] == 100
    assert run["usage"]["reasoning_output_tokens"] == 5


def test_run_streamed_gives_the_events_of_a_turn_in_order(played: Played) -> None:
    events = played.answer["streamed"]
    assert [event["type"] for event in events] == [
        "thread.started",
        "turn.started",
        "item.started",
        "item.completed",
        "item.completed",
        "turn.completed",
    ]
    command = events[3]["item"]
    assert (command["type"], command["status"], command["exit_code"]) == ("command_execution", "completed", 0)
    assert command["aggregated_output"] == "from the command\n"
    assert events[2]["item"]["id"] == command["id"]


def test_later_turns_go_on_with_the_same_thread(played: Played) -> None:
    started = [event for event in played.answer["streamed"] if event["type"] == "thread.started"]
    assert [event["thread_id"] for event in started] == [played.answer["id"]]
    assert played.answer["resumed"]["finalResponse"] == "heard: fifth"
    (fifth,) = [request for request in played.requests if last_words(request) == "fifth"]
    said = [part["text"] for item in fifth.input if item.get("role") == "assistant" for part in item["content"]]
    assert said[0] == "heard: first"
    assert "sdk-call" in fifth.outputs()


def test_an_output_schema_goes_to_the_model(played: Played) -> None:
    (third,) = [request for request in played.requests if last_words(request) == "third"]
    form = third.json["text"]["format"]
    assert (form["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"]["required"] == ["ok"]
    assert json.loads(played.answer["schema"]["finalResponse"]) == {"ok": True}


def test_an_image_goes_to_the_model_beside_the_text(played: Played) -> None:
    (fourth,) = [request for request in played.requests if "fourth" in last_words(request)]
    (content,) = [item["content"] for item in fourth.input if "fourth" in json.dumps(item) and item["role"] == "user"]
    assert "fourth\n\nwith a picture" in last_words(fourth)
    (image,) = [part["image_url"] for part in content if part["type"] == "input_image"]
    assert image.startswith("data:image/png;base64,")


def test_a_failing_turn_throws_what_the_provider_said(played: Played) -> None:
    assert "no such thing" in played.answer["failure"]


def test_an_aborted_turn_throws_abort_error(played: Played) -> None:
    assert played.answer["aborted"] == "AbortError"
