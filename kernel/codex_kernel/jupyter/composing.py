"""What a rich client's composer offers and shows: prompts, skills, presets, MCP servers, commands that run on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.asking import ask
from codex_kernel.jupyter.setting_lines import policy_for
from codex_kernel.jupyter.slash_commands import INIT_PROMPT, PRESETS, expanded, prompts_of
from codex_protocol.errors import UsageError
from codex_protocol.events import McpListToolsResponse, RulesListed, SkillsListed
from codex_protocol.ops import ListMcpTools, ListRules, ListSkills
from codex_protocol.policy import mode_of

INIT = "init"


async def suggestions(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """What can follow `/` and `$` besides commands: `{prompts: [{name, about, argument}], skills: [{name, about}]}`."""
    skills = await ask(await agent.thread(), ListSkills(), SkillsListed)
    return {
        "prompts": [
            {"name": prompt.name, "about": prompt.description or "your prompt", "argument": prompt.argument_hint or ""}
            for prompt in prompts_of(agent)
        ],
        "skills": [{"name": skill.name, "about": skill.description} for skill in skills.skills],
        "problems": list(skills.problems),
    }


async def prompt(agent: Agent, arguments: dict[str, Any]) -> str:
    """`{name, argument}`: the text that a custom prompt, or `init`, stands for."""
    name, argument = arguments.get("name"), arguments.get("argument", "")
    if not isinstance(argument, str):
        raise UsageError("'argument' must be text")
    if name == INIT:
        return INIT_PROMPT
    for known in prompts_of(agent):
        if known.name == name:
            return expanded(known, argument)
    raise UsageError(f"there is no prompt {name!r}")


async def presets(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices of `/approvals`: `[{name, approval_policy, sandbox_mode, sandbox_policy}]`.

    A policy has the writable roots and the other details that the user's settings give to its mode.
    """
    await agent.thread()  # the settings are read when it opens
    return [
        {
            "name": name,
            "approval_policy": policy.value,
            "sandbox_mode": mode.value,
            "sandbox_policy": msgspec.to_builtins(policy_for(agent.config, mode)),
        }
        for name, (policy, mode) in PRESETS.items()
    ]


async def servers(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The configured MCP servers: `[{name, where, enabled, tools}]`; no value of a variable or header is told."""
    thread = await agent.thread()
    configured = agent.config.mcp_servers if agent.config is not None else {}
    if not configured:
        return []
    tools = (await ask(thread, ListMcpTools(), McpListToolsResponse)).tools
    return [
        {
            "name": name,
            "where": server.url or " ".join((server.command or "", *server.args)),
            "enabled": server.enabled,
            "tools": [
                tool.removeprefix(f"mcp__{name}__") for tool in sorted(tools) if tool.startswith(f"mcp__{name}__")
            ],
        }
        for name, server in configured.items()
    ]


async def running(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Commands that outlived the call that began them: `[{id, call_id, seconds}]`, oldest first."""
    thread = await agent.thread()
    now = time.monotonic()
    return [
        {"id": id, "call_id": command.call_id, "seconds": now - command.started}
        for id, command in thread.sessions.running().items()
    ]


async def end_running(agent: Agent, arguments: dict[str, Any]) -> int:
    """End those commands; how many there were."""
    return (await agent.thread()).sessions.stop_all()


async def log_out(agent: Agent, arguments: dict[str, Any]) -> str:
    """Forget the login; what came of it, in a sentence."""
    from codex_kernel.auth.login import run_logout

    await agent.thread()
    if agent.config is None:
        raise UsageError("the settings cannot be read, so that it is not known where the login is kept")
    said: list[str] = []
    await asyncio.to_thread(run_logout, agent.config, said.append)
    return said[-1]


async def leash(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """What else `status` tells: `{instructions: [path], rules: [{file, count}], account, servers}`."""
    from codex_kernel.auth.login import account
    from codex_kernel.core.instructions import instruction_documents
    from codex_store.home import find_home

    thread = await agent.thread()
    config = agent.config
    listed = await ask(thread, ListRules(), RulesListed)
    counts: dict[str, int] = {}
    for rule in listed.rules:
        counts[rule.file] = counts.get(rule.file, 0) + 1
    may_read = thread.sandbox.may_read
    documents = instruction_documents(config, find_home().root, may_read) if config is not None else []
    return {
        "instructions": [str(path) for path, _ in documents],
        "rules": [{"file": file, "count": count} for file, count in counts.items()],
        "account": account(config) if config is not None else None,
        "servers": await servers(agent, {}),
        "sandbox_mode": mode_of(thread.context.sandbox_policy).value,
    }
