"""One table of questions through `codex exec`, the Jupyter kernel and the page's way in: the same decisions.

What a front end adds is who is asked, never what is allowed. `exec` asks nobody: it has to decide as the page does
under the approval policy `never`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_cli.main import main
from codex_kernel.core.thread import Thread
from codex_kernel.exec.request import ExecRequest
from codex_kernel.exec.run import run_exec
from codex_kernel.model.scripted import ScriptedModel, calls, says
from codex_protocol.events import ExecApprovalRequest, NumberedEvent, TaskComplete
from codex_protocol.items import FunctionCallOutput
from codex_protocol.ops import ExecApproval
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    ReadOnly,
    ReviewDecision,
    SandboxMode,
    WorkspaceWrite,
)
from tests.support.kernels import running_kernel
from tests.support.plain_sandbox import PlainSandbox

POLICIES = {
    SandboxMode.READ_ONLY: ReadOnly(),
    SandboxMode.WORKSPACE_WRITE: WorkspaceWrite(),
    SandboxMode.DANGER_FULL_ACCESS: DangerFullAccess(),
}
HOOK = """
[[hooks.PreToolUse]]
matcher = "Bash"
[[hooks.PreToolUse.hooks]]
type = "command"
command = "echo not today >&2; exit 2"
"""


class Row(NamedTuple):
    """A question, and what is brought to it."""

    command: str
    escalated: bool
    approval: ApprovalPolicy
    sandbox: SandboxMode
    rung: int
    rules: str
    """Decision of a rule for `touch`; empty for none."""
    hook: bool


class Seen(NamedTuple):
    """What became of the command."""

    asked: str | None
    """The question's reason."""
    ran: str
    """`confined`, `free`, or nothing."""
    told: str
    """What the model was told, where it did not run and nobody was asked."""


class Stage:
    """Whatever front end opens a thread gets this model and sandbox, and is watched."""

    def __init__(self, row: Row) -> None:
        arguments: dict[str, Any] = {"cmd": row.command}
        if row.escalated:
            arguments |= {"sandbox_permissions": "require_escalated", "justification": "because"}
        self.model = ScriptedModel([calls("exec_command", arguments, call_id="c1")], [says("done")])
        self.sandbox = PlainSandbox(rung=row.rung)
        self.asked: list[ExecApprovalRequest] = []
        self.ended = asyncio.Event()

    def watch(self, thread: Thread) -> None:
        def take(numbered: NumberedEvent) -> None:
            msg = numbered.event.msg
            if isinstance(msg, ExecApprovalRequest):
                self.asked.append(msg)
                refusal = ExecApproval(id=msg.approval_id or msg.call_id, decision=ReviewDecision.DENIED)
                asyncio.get_running_loop().call_soon(thread.submit, refusal)
            elif isinstance(msg, TaskComplete):
                self.ended.set()

        thread.subscribe(take)

    def seen(self) -> Seen:
        kinds = {"danger-full-access": "free"}
        from codex_protocol.policy import mode_of

        ran = [kinds.get(mode_of(command.policy).value, "confined") for command in self.sandbox.commands]
        outputs = [item for item in self.model.prompts[-1].input if isinstance(item, FunctionCallOutput)]
        told = "" if ran or self.asked else str(outputs[-1].output)
        return Seen(self.asked[0].reason if self.asked else None, " ".join(ran), told)


@contextmanager
def staged(row: Row) -> Iterator[tuple[Stage, Path]]:
    """A home with the row's rules and hooks, and the next thread on stage."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name).resolve()
        home, work = folder / "home", folder / "work"
        (home / "rules").mkdir(parents=True)
        work.mkdir()
        patch.setenv("CODEX_HOME", str(home))
        patch.chdir(work)
        if row.rules:
            (home / "rules" / "default.rules").write_text(f'prefix_rule(["touch"], "{row.rules}")\n')
        if row.hook:
            (home / "config.toml").write_text(HOOK)
            assert main(["hooks", "trust", "--all"]) == 0
        stage = Stage(row)
        start = Thread.start

        async def started(config: Any, **options: Any) -> Thread:
            thread = await start(config, **{**options, "model": stage.model, "sandbox": stage.sandbox})
            stage.watch(thread)
            return thread

        patch.setattr(Thread, "start", started)
        yield stage, folder


def by_exec(row: Row) -> Seen:
    with staged(row) as (stage, folder):
        request = ExecRequest(
            prompt="go",
            cwd=folder / "work",
            sandbox_mode=row.sandbox,
            skip_git_repo_check=True,
            overrides=('model_providers.s={name="s", base_url="http://127.0.0.1:9"}', 'model_provider="s"'),
        )
        assert run_exec(request) == 0
        return stage.seen()


def by_kernel(row: Row, begin: Callable[[Any], Any]) -> Seen:
    async def run() -> Seen:
        with staged(row) as (stage, folder):
            policies = {"approval_policy": row.approval, "sandbox_policy": POLICIES[row.sandbox]}
            async with running_kernel(folder, **policies) as bench:
                await begin(await bench.client())
                await asyncio.wait_for(stage.ended.wait(), 20)
                return stage.seen()

    return asyncio.run(run())


async def as_notebook(client: Any) -> None:
    await client.start("go")


async def as_page(client: Any) -> None:
    assert (await client.ask(type="attach", client="page-1"))["type"] == "attached"
    op = {"type": "user_input", "items": [{"type": "text", "text": "go"}]}
    assert (await client.ask(type="submit", op=op))["type"] == "accepted"


ROWS = st.builds(
    Row,
    command=st.sampled_from(["ls", "touch x", "ls && touch x", "cat a > x", "env touch x", "$SHELL -c 'touch x'"]),
    escalated=st.booleans(),
    approval=st.sampled_from(list(ApprovalPolicy)),
    sandbox=st.sampled_from(list(POLICIES)),
    rung=st.sampled_from([1, 4]),
    rules=st.sampled_from(["", "allow", "prompt", "forbidden"]),
    hook=st.booleans(),
)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS)
def test_every_front_end_comes_to_the_same_decision(row: Row) -> None:
    page = by_kernel(row, as_page)
    assert by_kernel(row, as_notebook) == page
    never = row._replace(approval=ApprovalPolicy.NEVER)
    assert by_exec(row) == (page if row == never else by_kernel(never, as_page))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row("ls", False, ApprovalPolicy.NEVER, SandboxMode.READ_ONLY, 1, "", False), "confined"),
        (Row("touch x", False, ApprovalPolicy.NEVER, SandboxMode.READ_ONLY, 1, "allow", False), "free"),
        (Row("touch x", False, ApprovalPolicy.NEVER, SandboxMode.READ_ONLY, 1, "forbidden", False), ""),
        (Row("touch x", False, ApprovalPolicy.NEVER, SandboxMode.READ_ONLY, 1, "allow", True), ""),
        (Row("touch x", False, ApprovalPolicy.NEVER, SandboxMode.READ_ONLY, 4, "", False), ""),
    ],
)
def test_the_stage_shows_what_was_decided(row: Row, expected: str) -> None:
    seen = by_exec(row)
    assert (seen.ran, seen.asked) == (expected, None)
    assert bool(seen.told) is not bool(expected)
    assert ("not today" in seen.told) is row.hook
