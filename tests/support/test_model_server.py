from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, fails, message, reply_from_object, says

ROOT = Path(__file__).parents[2]


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=10) as client:
        yield client


def events_of(response: httpx.Response) -> list[dict[str, object]]:
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


def test_request_n_is_answered_by_entry_n_and_each_lane_counts_for_itself(http: httpx.Client) -> None:
    with ModelServer([says("first"), says("second")]) as server:
        texts = [
            http.post(f"{base}/responses", json={"input": []}).text
            for base in (server.url, server.lane("a"), server.url, server.lane("a"))
        ]
    assert ["first" in text for text in texts] == [True, True, False, False]
    assert [request.number for request in server.requests] == [0, 0, 1, 1]
    assert [request.lane for request in server.requests] == ["", "a", "", "a"]


def test_a_script_that_has_run_out_says_so_with_a_status_nobody_retries(http: httpx.Client) -> None:
    with ModelServer([]) as server:
        response = http.post(f"{server.url}/responses", json={})
    assert response.status_code == 400
    assert "0 entries" in response.json()["error"]["message"]


def test_deltas_join_to_the_text_on_both_wires(http: httpx.Client) -> None:
    with ModelServer(lambda _: says("ein größeres Wort", delta_chars=3)) as server:
        responses = events_of(http.post(f"{server.url}/responses", json={}))
        chat = events_of(http.post(f"{server.url}/chat/completions", json={}))
    deltas = [event["delta"] for event in responses if event["type"] == "response.output_text.delta"]
    assert "".join(map(str, deltas)) == "ein größeres Wort"
    pieces = [choice["delta"].get("content", "") for event in chat for choice in event["choices"]]  # type: ignore[attr-defined]  # decoded JSON
    assert "".join(pieces) == "ein größeres Wort"


def test_what_a_call_answered_is_found_by_its_id(http: httpx.Client) -> None:
    with ModelServer(lambda _: calls("shell", {"command": ["ls"]}, call_id="c1")) as server:
        http.post(
            f"{server.url}/responses",
            json={"input": [{"type": "function_call_output", "call_id": "c1", "output": "x"}]},
        )
        http.post(
            f"{server.url}/chat/completions",
            json={"messages": [{"role": "tool", "tool_call_id": "c1", "content": "y"}]},
        )
    assert [request.outputs() for request in server.requests] == [{"c1": "x"}, {"c1": "y"}]


def test_errors_keep_their_status_headers_and_body(http: httpx.Client) -> None:
    with ModelServer([fails(429, {"error": {"type": "busy"}}, headers={"retry-after": "3"})]) as server:
        response = http.post(f"{server.url}/responses", json={})
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
    assert response.json() == {"error": {"type": "busy"}}


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_stream_is_an_error_to_the_client(http: httpx.Client, reset: bool) -> None:
    with (
        ModelServer([says("text", cut_after_bytes=40, reset=reset)]) as server,
        pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)),
    ):
        http.post(f"{server.url}/responses", json={})


def test_a_held_stream_goes_on_when_released(http: httpx.Client) -> None:
    reply = says("late", hold_after_events=1)
    with ModelServer([reply]) as server, http.stream("POST", f"{server.url}/responses", json={}) as response:
        pieces = response.iter_bytes()
        assert b"late" not in next(pieces)
        assert reply.held.wait(5)
        reply.release.set()
        assert b"late" in b"".join(pieces)


def test_leaving_the_server_ends_a_held_stream(http: httpx.Client) -> None:
    reply = says("never", hold_after_events=1)
    with ModelServer([reply]) as server:
        response = http.send(http.build_request("POST", f"{server.url}/responses", json={}), stream=True)
        assert reply.held.wait(5)
    with pytest.raises(httpx.TransportError):
        response.read()


def test_the_answer_may_be_a_function_of_the_request(http: httpx.Client) -> None:
    def echo(request: Request) -> Reply:
        return says(request.json["model"])

    with ModelServer(echo) as server:
        assert "some-model" in http.post(f"{server.url}/responses", json={"model": "some-model"}).text


def test_a_function_that_fails_is_answered_with_what_went_wrong(http: httpx.Client) -> None:
    with ModelServer(lambda request: says(request.json["missing"])) as server:
        response = http.post(f"{server.url}/responses", json={})
    assert response.status_code == 400
    assert "KeyError('missing')" in response.json()["error"]["message"]


def test_other_requests_are_recorded_apart_and_models_are_listed(http: httpx.Client) -> None:
    with ModelServer([]) as server:
        assert http.get(f"{server.url}/models?client_version=1").json()["data"] == []
        assert http.get(f"{server.url}/nothing").status_code == 404
    assert [request.path for request in server.other_requests] == ["/v1/models", "/v1/nothing"]
    assert server.requests == []


def test_a_script_file_reads_like_the_functions() -> None:
    reply = reply_from_object({"text": "hi", "delta_chars": 1, "headers": {"x": "y"}})
    assert [item["content"] for item in reply.items] == [message("hi")["content"]]
    assert reply_from_object({"status": 500, "body": {"a": 1}}).body == b'{"a": 1}'


def test_the_server_runs_as_a_program_until_its_stdin_closes(tmp_path: Path, http: httpx.Client) -> None:
    script, port_file, log = tmp_path / "script.json", tmp_path / "port", tmp_path / "log.jsonl"
    script.write_text('[{"text": "hi"}]', encoding="utf-8")
    argv = [sys.executable, "-m", "tests.support.model_server", str(script), "--port-file", str(port_file)]
    with subprocess.Popen(
        [*argv, "--log", str(log)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        assert port_file.read_text("utf-8") == url
        assert "hi" in http.post(f"{url}/responses", json={"model": "m"}).text
        while not log.read_text("utf-8").endswith("\n"):  # it is written when the whole answer is sent
            time.sleep(0.01)
        process.stdin.close()
        assert process.wait(10) == 0
    assert json.loads(log.read_text("utf-8"))["path"] == "/v1/responses"
