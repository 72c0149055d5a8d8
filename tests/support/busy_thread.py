"""A thread on disk with tokens, commands and patches in every turn, for what draws and counts them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_protocol.events import TaskComplete, TaskStarted, TokenCount
from codex_protocol.items import assistant_message, user_message
from codex_protocol.policy import ApprovalPolicy, WorkspaceWrite
from codex_protocol.token_usage import TokenUsage
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import call, new_meta, output

WINDOW = 100_000


def write_busy_thread(home: Home, cwd: Path, prompts: list[str], *, model: str = "demo") -> str:
    """A thread of the provider `demo`; its id. Turn N took N x 1,000 tokens in, half of them cached, and 100 out."""
    meta = msgspec.structs.replace(new_meta(str(cwd), source="page"), model_provider="demo")
    total = TokenUsage()
    with RolloutWriter.create(home, meta) as writer:
        for number, prompt in enumerate(prompts, 1):
            writer.event(TaskStarted(model_context_window=WINDOW))
            writer.turn_context(
                cwd=str(cwd), approval_policy=ApprovalPolicy.ON_REQUEST, sandbox_policy=WorkspaceWrite(), model=model
            )
            writer.items(user_message(prompt), call(f"c{number}", "exec_command", '{"cmd": "make"}'))
            used = TokenUsage(
                input_tokens=number * 1000,
                cached_input_tokens=number * 500,
                output_tokens=100,
                reasoning_output_tokens=40,
                total_tokens=number * 1000 + 100,
            )
            total += used
            fields = {name: getattr(used, name) for name in used.__struct_fields__}
            writer.event(TokenCount(**fields, total=total, model_context_window=WINDOW))
            writer.items(
                output(f"c{number}", "Wall time: 0.5000 seconds\nProcess exited with code 0\nOutput:\nmade\n"),
                call(f"p{number}", "apply_patch", '{"input": "*** Begin Patch"}'),
                output(
                    f"p{number}",
                    "Exit code: 0\nWall time: 0 seconds\nOutput:\n"
                    f"Success. Updated the following files:\nM both.py\nA only_{number}.py\n",
                ),
                assistant_message(f"Answer {number}"),
            )
            writer.event(TaskComplete(last_agent_message=f"Answer {number}"))
    return meta.id
