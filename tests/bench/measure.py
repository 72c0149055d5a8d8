"""One measured run: a private home, a lane of the scripted server, the launcher, and what came out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.bench.contestants import Contestant
from tests.support.model_server import ModelServer, Request, Script

LAUNCHER = Path(__file__).with_name("launcher.py")
SCRATCH = Path("/var/tmp")
"""Not /tmp: the newer release refuses part of its work there. Must be a disk: bytes written are counted."""


@dataclass(frozen=True)
class Run:
    """What one start of a contestant (or of several copies at once) cost and did."""

    start_s: float
    end_s: float
    cpu_ms: float
    """Of the whole process tree, processes left behind included."""
    rss_mb: float
    """Peak of the largest process; summed over copies started at once."""
    written_mb: float
    """Sent to the storage layer."""
    left: int
    """Processes still there after the main one had ended; the launcher ended them."""
    requests: list[Request]
    stdout: str

    @property
    def wall_ms(self) -> float:
        """From the start of the first copy to the end of the last."""
        return (self.end_s - self.start_s) * 1e3

    @property
    def first_request_ms(self) -> float:
        """From the start to the first line of the first request."""
        return (self.requests[0].at_s - self.start_s) * 1e3

    @property
    def tail_ms(self) -> float:
        """From the last byte of the last answer to the end."""
        return (self.end_s - self.requests[-1].sent["last_s"]) * 1e3

    @property
    def from_first_byte_ms(self) -> float:
        """From the first byte of the first answer to the end."""
        return (self.end_s - self.requests[0].sent["first_s"]) * 1e3

    def gaps_ms(self) -> list[float]:
        """From each answer's last byte to the next request."""
        pairs = zip(self.requests, self.requests[1:], strict=False)
        return [(after.at_s - before.sent["last_s"]) * 1e3 for before, after in pairs]


class FailedRunError(RuntimeError):
    """A contestant did not do what the scenario asked."""


def environment(home: Path) -> dict[str, str]:
    """What a contestant finds in its environment: little, and the same for all."""
    places = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home.parent), "CODEX_HOME": str(home)}
    return {**places, "LANG": "C.UTF-8", "TERM": "dumb", "SHELL": "/bin/bash"}


class Bench:
    """The server, the launcher and the scratch directory of a whole benchmark; a context manager."""

    def __init__(self, below: Path = SCRATCH) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="codex-bench-", dir=below))
        self.server = ModelServer()
        command = [sys.executable, "-I", "-S", str(LAUNCHER)]
        self._launcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lanes = 0

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._launcher.kill()
        self._launcher.communicate()
        self.server.__exit__(kind, error, trace)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def home(self, contestant: Contestant, purpose: str) -> Path:
        """An empty home for a contestant; asking again gives the same one."""
        home = self.scratch / purpose / contestant.name / "home"
        home.mkdir(parents=True, exist_ok=True)
        return home

    def workspace(self, contestant: Contestant, purpose: str) -> Path:
        """A directory to work in, a git repository with one commit."""
        work = self.scratch / purpose / contestant.name / "work"
        if not work.exists():
            work.mkdir(parents=True)
            (work / "README.md").write_text("# A repository to measure in\n", encoding="utf-8")
            git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org"]
            for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Start"]):
                subprocess.run([*git, *arguments], cwd=work, check=True)
        return work

    def run(
        self,
        contestant: Contestant,
        argvs: Sequence[Sequence[str]],
        script: Script,
        *,
        home: Path,
        work: Path,
        requests: int,
    ) -> Run:
        """Start the command lines at once and wait for all.

        Raises:
            FailedRunError: One ended with another exit code than 0, or not with so many requests in all.
        """
        self._lanes += 1
        lane = f"{contestant.name}-{self._lanes}"
        (home / "config.toml").write_text(contestant.config(self.server.lane(lane)), encoding="utf-8")
        self.server.script = script
        self.server.requests.clear()
        out = self.scratch / "stdout"
        answer = self._ask({"argvs": argvs, "env": environment(home), "cwd": str(work), "stdout": str(out)})
        runs = answer["runs"]
        errors = Path(f"{out}.0.err").read_text("utf-8", "replace")
        seen = self.server.answered(lane)
        if any(run["exit"] for run in runs) or len(seen) != requests:
            exits = [run["exit"] for run in runs]
            raise FailedRunError(
                f"{contestant.name}: exit {exits}, {len(seen)} of {requests} requests; stderr ends: {errors[-600:]}"
            )
        costs = [*runs, *answer["strays"]]
        return Run(
            start_s=answer["start_s"],
            end_s=max(run["end_s"] for run in runs),
            cpu_ms=sum(cost["cpu_s"] for cost in costs) * 1e3,
            rss_mb=sum(run["rss_kb"] for run in runs) / 1024,
            written_mb=sum(cost["written"] for cost in costs) / 1e6,
            left=answer["left"],
            requests=seen,
            stdout=Path(f"{out}.0").read_text("utf-8", "replace"),
        )

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._launcher.stdin is not None
        assert self._launcher.stdout is not None
        self._launcher.stdin.write(json.dumps(request) + "\n")
        self._launcher.stdin.flush()
        if not (line := self._launcher.stdout.readline()):
            raise FailedRunError("the launcher has ended")
        return json.loads(line)
