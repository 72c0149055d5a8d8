"""A client that does not read, does not answer, or goes away: the server works on, and loses nothing."""

import threading
import time
from pathlib import Path

from tests.kernel.mcp_server.test_mcp_served import serving, tool
from tests.support.replies import Reply, calls, message, says

EVENTS = 200_000


def test_a_client_that_stops_reading_while_200_000_events_come_gets_every_answer_and_event_in_order(tmp_path: Path):
    flood = Reply(items=[message("x" * EVENTS)], delta_chars=1)
    with serving(tmp_path, [flood]) as client:
        client.initialize()
        client.stop_reading()
        tool(client, {"prompt": "go"})
        for number in range(1000, 1200):
            client.request("ping", id=number)
        assert client.model.wait_for(1, 60)
        deadline = time.monotonic() + 60
        while "last_s" not in client.model.requests[0].sent and time.monotonic() < deadline:
            client.request("ping", id=int(time.monotonic() * 1e6))  # requests keep coming
            time.sleep(0.01)
        assert "last_s" in client.model.requests[0].sent, "the model's stream was held up by the client"
        client.read_on()
        answer = client.response(5, 60)
        assert answer["result"]["content"][0]["text"] == "x" * EVENTS
        deltas = [m for m in client.seen if m.get("params", {}).get("msg", {}).get("type") == "agent_message_delta"]
        assert len(deltas) == EVENTS
        assert [m["id"] for m in client.seen if 1000 <= m.get("id", 0) < 1200] == list(range(1000, 1200))
        complete = next(m for m in client.seen if m.get("params", {}).get("msg", {}).get("type") == "task_complete")
        assert client.seen.index(complete) < client.seen.index(answer)


def test_a_ping_is_answered_while_100_elicitations_are_open(tmp_path: Path):
    with serving(tmp_path, lambda request: calls("shell", {"command": ["touch", "x"]})) as client:
        client.initialize()
        for number in range(100):
            tool(client, {"prompt": "go", "approval-policy": "untrusted"}, id=f"call {number}")
        asked = [client.until(lambda m: m.get("method") == "elicitation/create", 60) for _ in range(100)]
        assert [one["id"] for one in asked] == list(range(100))
        for _ in range(20):
            assert client.ask("ping")["result"] == {}


def test_the_end_of_input_ends_the_server_though_nobody_reads_its_output(tmp_path: Path):
    flood = Reply(items=[message("x" * 20_000)], delta_chars=1, hold_after_events=20_000)
    with serving(tmp_path, [flood]) as client:
        client.initialize()
        client.stop_reading()
        tool(client, {"prompt": "go"})
        client.model.wait_for(1)
        flood.held.wait(30)
        client.process.stdin.close()  # type: ignore[union-attr]
        assert client.process.wait(60) == 0


def test_requests_in_one_burst_are_all_answered_in_order(tmp_path: Path):
    with serving(tmp_path, lambda request: says("done")) as client:
        client.initialize()
        burst = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n' % number for number in range(10_000))
        sender = threading.Thread(target=client.send_raw, args=(burst,))
        sender.start()
        for number in range(10_000):
            assert client.read()["id"] == number  # type: ignore[index]
        sender.join()
