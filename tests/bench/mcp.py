"""How `codex mcp` fares with clients that do not answer, do not read, or leave: `python -m tests.bench.mcp`.

Figures of one run each, with the machine's load beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.mcp_wire import WireClient
from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import Reply, calls, message

ELICITATIONS = 100
PINGS = 50
EVENTS = 200_000

Figures = dict[str, float]


def ping_while_questions_are_open(folder: Path) -> Figures:
    """Milliseconds a ping takes while 100 elicitations have no answer."""
    touch = calls("shell", {"command": ["touch", "x"]})
    with ModelServer(lambda request: touch) as model, _client(folder, model) as client:
        client.initialize()
        for number in range(ELICITATIONS):
            arguments = {"prompt": "go", "approval-policy": "untrusted"}
            client.request("tools/call", {"name": "codex", "arguments": arguments}, f"call {number}")
        for _ in range(ELICITATIONS):
            client.until(lambda m: m.get("method") == "elicitation/create", 60)
        times: list[float] = []
        for _ in range(PINGS):
            before = time.perf_counter()
            client.ask("ping")
            times.append((time.perf_counter() - before) * 1e3)
    return {"median, ms": statistics.median(times), "slowest, ms": max(times)}


def flood(folder: Path) -> Figures:
    """Seconds until 200,000 events are produced for a client that does not read, and until it has read them."""
    with ModelServer([Reply(items=[message("x" * EVENTS)], delta_chars=1)]) as model, _client(folder, model) as client:
        client.initialize()
        client.stop_reading()
        before = time.perf_counter()
        client.request("tools/call", {"name": "codex", "arguments": {"prompt": "go"}}, 5)
        model.wait_for(1)
        model.answered()
        produced = time.perf_counter() - before
        client.read_on()
        client.response(5, 120)
        return {"produced, s": produced, "read, s": time.perf_counter() - before - produced}


def end_of_input(folder: Path) -> Figures:
    """Milliseconds from the end of the input, in the middle of a command, to the end of the process."""
    with ModelServer([calls("shell", {"command": ["sleep", "60"]})]) as model, _client(folder, model) as client:
        client.initialize()
        arguments = {"prompt": "go", "sandbox": "danger-full-access"}
        client.request("tools/call", {"name": "codex", "arguments": arguments}, 5)
        client.event("exec_command_begin")
        assert client.process.stdin is not None
        before = time.perf_counter()
        client.process.stdin.close()
        client.process.wait(30)
        return {"ended after, ms": (time.perf_counter() - before) * 1e3}


class _client:
    """Our server on a throw-away home, ended at the end."""

    def __init__(self, folder: Path, model: ModelServer) -> None:
        codex = OurCommand(folder, model, settings='tools.shell = "shell"\n')
        self._client = WireClient(codex.start("mcp", text=False))

    def __enter__(self) -> WireClient:
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()


MEASURES: dict[str, Callable[[Path], Figures]] = {
    f"ping while {ELICITATIONS} elicitations are open": ping_while_questions_are_open,
    f"{EVENTS:,} events for a client that does not read": flood,
    "end of input in the middle of a command": end_of_input,
}


def main() -> int:
    """Print every figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mcp", description=__doc__)
    parser.add_argument("--only", choices=("ping", "flood", "end"), help="one of the three")
    chosen = {"ping": 0, "flood": 1, "end": 2}.get(parser.parse_args().only or "")
    for number, (name, measure) in enumerate(MEASURES.items()):
        if chosen in (None, number):
            with tempfile.TemporaryDirectory() as folder:
                figures = measure(Path(folder))
            shown = ", ".join(f"{key} {value:.1f}" for key, value in figures.items())
            print(f"{name}: {shown} (load {os.getloadavg()[0]:.1f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
