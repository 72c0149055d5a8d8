"""Threads on disk for tests: homes, meta lines, short conversations, and files recorded from upstream's releases."""

from __future__ import annotations

import shutil
from pathlib import Path

from codex_protocol.events import TaskComplete, TaskStarted, TokenCount
from codex_protocol.items import FunctionCall, FunctionCallOutput, Item, assistant_message, user_message
from codex_protocol.token_usage import TokenUsage
from codex_store.home import Home
from codex_store.rollout_lines import GitFacts, ThreadMeta, now_stamp
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_ids import new_thread_id

FIXTURES = Path(__file__).parents[1] / "store" / "fixtures"


def home_at(folder: Path) -> Home:
    """A home in an existing folder."""
    return Home(root=folder)


def new_meta(cwd: str = "/home/u/project", *, thread_id: str | None = None, source: str = "exec") -> ThreadMeta:
    """How a new thread begins."""
    return ThreadMeta(
        id=thread_id or new_thread_id(),
        timestamp=now_stamp().decode(),
        cwd=cwd,
        originator="codex_exec",
        cli_version="0.1.0",
        source=source,
        model_provider="scripted",
        git=GitFacts(branch="main"),
    )


def call(call_id: str, name: str = "shell", arguments: str = "{}") -> FunctionCall:
    """A function call."""
    return FunctionCall(name=name, arguments=arguments, call_id=call_id)


def output(call_id: str, text: str = "ok") -> FunctionCallOutput:
    """Its output."""
    return FunctionCallOutput(call_id=call_id, output=text)


def write_turn(writer: RolloutWriter, prompt: str, *between: Item, answer: str = "done") -> None:
    """One whole turn."""
    writer.event(TaskStarted())
    writer.items(user_message(prompt))
    for item in between:
        writer.items(item)
    writer.items(assistant_message(answer))
    used = TokenUsage(input_tokens=100, output_tokens=20, total_tokens=120)
    writer.event(TokenCount(input_tokens=100, output_tokens=20, total_tokens=120, total=used))
    writer.event(TaskComplete(last_agent_message=answer))


def write_thread(home: Home, *prompts: str, cwd: str = "/home/u/project", source: str = "exec") -> Path:
    """A thread of whole turns, closed; its rollout."""
    with RolloutWriter.create(home, new_meta(cwd, source=source)) as writer:
        for prompt in prompts:
            write_turn(writer, prompt)
    return writer.path


def recorded(generation: str, folder: Path) -> tuple[Home, list[Path]]:
    """A home with what a release wrote (`august`: 0.27.0, `november`: 0.169.0), and its rollouts, oldest first."""
    shutil.copytree(FIXTURES / generation, folder, dirs_exist_ok=True)
    return Home(root=folder), sorted(folder.rglob("*.jsonl"))
