"""How long an interrupt takes: `codex proto` runs a command, is told to stop, and says that the turn is aborted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tests.bench.contestants import Contestant
from tests.bench.measure import Bench, FailedRunError, environment
from tests.support.replies import Reply

ENDLESS = "sleep 300 & sleep 300"


def interrupt_ms(bench: Bench, contestant: Contestant) -> float:
    """From the op being written to `turn_aborted` being read, a command with a child of its own running.

    Raises:
        FailedRunError: The turn ended otherwise.
    """
    home, work = bench.home(contestant, "interrupt"), bench.workspace(contestant, "interrupt")
    bench.server.script = [Reply(items=[contestant.shell_call(ENDLESS)])]
    base_url = bench.server.lane(f"interrupt-{time.monotonic_ns()}")
    (home / "config.toml").write_text(contestant.config(base_url), encoding="utf-8")
    unconfined = ["-c", 'sandbox_mode="danger-full-access"', "-c", 'approval_policy="never"']
    with subprocess.Popen(
        [contestant.command, "proto", *unconfined],
        cwd=work,
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            messages = _messages(process.stdout)
            _submit(process.stdin, "1", {"type": "user_input", "items": [{"type": "text", "text": "go"}]})
            _await(messages, "exec_command_begin")
            start = time.monotonic()
            _submit(process.stdin, "2", {"type": "interrupt"})
            _await(messages, "turn_aborted")
            return (time.monotonic() - start) * 1e3
        finally:
            process.kill()
            _end_what_is_left(work)


def _submit(stdin: IO[bytes], id: str, op: dict[str, Any]) -> None:
    stdin.write(json.dumps({"id": id, "op": op}).encode() + b"\n")
    stdin.flush()


def _messages(stdout: IO[bytes]) -> Iterator[str]:
    for line in stdout:
        yield json.loads(line)["msg"]["type"]


def _await(messages: Iterator[str], wanted: str) -> None:
    seen: list[str] = []
    for kind in messages:
        seen.append(kind)
        if kind == wanted:
            return
        if kind in {"task_complete", "error"}:
            break
    raise FailedRunError(f"waited for {wanted}, got {seen}")


def _end_what_is_left(work: Path) -> None:
    """End the commands of a program that was killed, by their working directory."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == work and (process / "comm").read_text().strip() == "sleep":
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue
