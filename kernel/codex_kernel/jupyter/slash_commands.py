"""The `/` commands that mean something in a kernel, and the user's custom prompts.

Source: spec/interactive.md section 3. What belongs to a terminal or a page (`/mention`, `/quit`) is not here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from codex_kernel.jupyter.asking import ask
from codex_kernel.jupyter.cell_context import CellContext
from codex_kernel.jupyter.cell_text import SlashCommand
from codex_kernel.jupyter.setting_lines import SETTINGS, override, policy_of, set_approval, set_model, set_name
from codex_protocol.errors import UsageError
from codex_protocol.events import McpListToolsResponse
from codex_protocol.ops import Compact, ListMcpTools, Op, OverrideTurnContext, Review, TextInput, UserInput
from codex_protocol.policy import ApprovalPolicy, SandboxMode, mode_of
from codex_render import bundles
from codex_render.safe_text import one_line

if TYPE_CHECKING:
    from codex_kernel.jupyter.agent import Agent
    from codex_kernel.skills.custom_prompts import CustomPrompt

Run = Callable[[CellContext, str], Awaitable[None]]

INIT_PROMPT = """\
Write a file AGENTS.md in this repository: a short guide for whoever works on it next, person or program. Look around
first and put down only what you have seen to be true. Say what the project is and how its folders are laid out, the
exact commands to build, test, lint and run it, the conventions the code follows, how commits are written here, and the
traps a newcomer would fall into. Keep it under one page. If an AGENTS.md exists already, improve it instead."""

PRESETS = {
    "read-only": (ApprovalPolicy.ON_REQUEST, SandboxMode.READ_ONLY),
    "auto": (ApprovalPolicy.ON_REQUEST, SandboxMode.WORKSPACE_WRITE),
    "full-access": (ApprovalPolicy.NEVER, SandboxMode.DANGER_FULL_ACCESS),
}
"""Source: spec/interactive.md section 3, `/approvals`."""


def command_names(agent: Agent) -> frozenset[str]:
    """Everything that may follow a slash."""
    return frozenset(COMMANDS) | {prompt.name for prompt in prompts_of(agent)}


def expanded(prompt: CustomPrompt, argument: str) -> str:
    """The prompt with its arguments in their places; behind it where it has no places for them."""
    from codex_kernel.skills.prompt_arguments import described, expand

    text = expand(prompt.name, prompt.content, argument)
    if argument and text == described(prompt.content)[2]:
        text = f"{text}\n\n{argument}"
    return text.strip()


def prompts_of(agent: Agent) -> list[CustomPrompt]:
    """The user's custom prompts; one that is called like a command is not offered."""
    from codex_kernel.skills.custom_prompts import custom_prompts
    from codex_store.home import find_home

    return [prompt for prompt in custom_prompts(find_home().prompts) if prompt.name not in COMMANDS]


async def run_command(context: CellContext, command: SlashCommand) -> None:
    """Do it.

    Raises:
        CodexError: What went wrong.
    """
    entry = COMMANDS.get(command.name)
    if entry is not None:
        await entry[1](context, command.argument)
        return
    for prompt in prompts_of(context.agent):
        if prompt.name == command.name:
            text = expanded(prompt, command.argument)
            await _turn(context, UserInput(items=(TextInput(text),)))
            return
    raise UsageError(f"there is no command /{command.name}; /help lists them")


async def show_help(context: CellContext, argument: str) -> None:
    """`/help`."""
    rows = [("a prompt", "anything else: a message to the model; @path names a file")]
    rows.append(("!command", "run it in the sandbox and show it to the model"))
    rows += [(f"/{name}", about) for name, (about, _) in COMMANDS.items()]
    rows += [(f"/{prompt.name}", "your prompt") for prompt in prompts_of(context.agent)]
    rows += [(f"%{name}", about) for name, (about, _) in SETTINGS.items()]
    table = "\n".join(f"| `{name}` | {about} |" for name, about in rows)
    context.result(
        {
            "text/plain": "\n".join(f"{name:<12} {about}" for name, about in rows),
            "text/markdown": f"| cell | what it does |\n|---|---|\n{table}",
        }
    )


async def show_status(context: CellContext, argument: str) -> None:
    """`/status`: the thread, its settings, and what it has used."""
    thread = await context.thread()
    now, configured = thread.context, thread.configured
    facts = thread.sandbox.facts(now.sandbox_policy)
    effort = f", effort {now.effort.value}" if now.effort is not None else ""
    lines = [
        f"thread     {thread.id}",
        f"directory  {one_line(now.cwd)}",
        f"model      {now.model} ({configured.provider}{effort})",
        f"approval   {now.approval_policy.value}",
        f"sandbox    {facts.summary}, rung {facts.rung} of 5",
        f"rollout    {thread.rollout_path or 'none: the thread is ephemeral'}",
        f"clients    {len(context.kernel.clients)} attached besides this cell",
        bundles.tokens(thread.usage, thread.context_left),
    ]
    if facts.notice:
        lines.append(f"note: {one_line(facts.notice)}")
    context.result({"text/plain": "\n".join(lines)})


async def choose_model(context: CellContext, argument: str) -> None:
    """`/model [NAME [EFFORT]]`."""
    if argument:
        await set_model(context, argument)
        return
    now = (await context.thread()).context
    effort = f" {now.effort.value}" if now.effort is not None else ""
    context.result({"text/plain": f"{now.model}{effort}; another one: /model NAME [EFFORT]"})


async def choose_approvals(context: CellContext, argument: str) -> None:
    """`/approvals [PRESET | POLICY]`."""
    if not argument:
        now = (await context.thread()).context
        held = (now.approval_policy, mode_of(now.sandbox_policy))
        lines = [
            f"{'▶' if preset == held else ' '} {name:<12} asks: {preset[0].value}; commands: {preset[1].value}"
            for name, preset in PRESETS.items()
        ]
        context.result({"text/plain": "\n".join(["choose one by /approvals NAME:", *lines])})
    elif (preset := PRESETS.get(argument)) is not None:
        policy = policy_of(context, preset[1])
        await override(context, OverrideTurnContext(approval_policy=preset[0], sandbox_policy=policy))
    elif argument in tuple(ApprovalPolicy):
        await set_approval(context, argument)
    else:
        raise UsageError(f"/approvals takes {', '.join(PRESETS)}, not {argument!r}")


async def new_thread(context: CellContext, argument: str) -> None:
    """`/new`: leave the thread as it is on disk and begin another one, with the settings the kernel started with."""
    await context.agent.replace()
    await context.thread()


async def clear(context: CellContext, argument: str) -> None:
    """`/clear`: `/new`, and the cell's outputs are taken away."""
    context.outputs.clear(wait=False)
    await new_thread(context, argument)


async def resume_thread(context: CellContext, argument: str) -> None:
    """`/resume ID|NAME`."""
    if not argument:
        raise UsageError("/resume takes a thread's id or name; /threads lists them")
    await context.agent.replace(resume=argument)
    await context.thread()


async def fork_thread(context: CellContext, argument: str) -> None:
    """`/fork [ID|NAME]`: go on in a copy, by default of this thread."""
    thread = await context.thread()
    source = argument or (str(thread.rollout_path) if thread.rollout_path is not None else "")
    if not source:
        raise UsageError("this thread is ephemeral, so there is nothing on disk to fork")
    await context.agent.replace(fork=source)
    await context.thread()


async def list_stored(context: CellContext, argument: str) -> None:
    """`/threads [WORDS]`: the newest threads, or those in which all words stand."""
    import asyncio

    from codex_store.home import find_home
    from codex_store.threads import list_threads

    infos = await asyncio.to_thread(list_threads, find_home(), search=argument or None, limit=20)
    lines = [f"{info.id}  {one_line(info.name or info.preview)[:70]}" for info in infos]
    context.result({"text/plain": "\n".join(lines) or "no threads yet"})


async def compact(context: CellContext, argument: str) -> None:
    """`/compact`."""
    await _turn(context, Compact())


async def show_diff(context: CellContext, argument: str) -> None:
    """`/diff`: what is not committed, untracked files included."""
    from codex_kernel.sandbox.git import diff_uncommitted, git_root

    cwd = context.agent.cwd
    if git_root(cwd) is None:
        raise UsageError(f"{cwd} is not inside a git repository, so there is nothing to compare with")
    thread = await context.thread()
    diff = await diff_uncommitted(cwd, sandbox=thread.sandbox)
    if diff.strip():
        context.page(bundles.unified_diff(diff))
    else:
        context.result({"text/plain": "nothing is changed"})


async def review(context: CellContext, argument: str) -> None:
    """`/review [WHAT]`: of what is not committed, or as the words say."""
    await _turn(context, Review(prompt=argument) if argument else Review(uncommitted=True))


async def show_plan(context: CellContext, argument: str) -> None:
    """`/plan`: the model's plan as it stands."""
    plan = (await context.thread()).plan
    context.result(bundles.plan(plan, None) if plan else {"text/plain": "the model has no plan"})


async def show_mcp(context: CellContext, argument: str) -> None:
    """`/mcp`: the configured servers and their tools. Values of variables are not shown."""
    thread = await context.thread()
    config = context.agent.config
    servers = config.mcp_servers if config is not None else {}
    if not servers:
        context.result({"text/plain": "no MCP servers are configured; [mcp_servers.NAME] in config.toml adds one"})
        return
    tools = (await ask(thread, ListMcpTools(), McpListToolsResponse)).tools
    lines: list[str] = []
    for name, server in servers.items():
        where = server.url or " ".join((server.command or "", *server.args))
        lines.append(f"{one_line(name)}: {one_line(where)}{'' if server.enabled else ' (disabled)'}")
        prefix = f"mcp__{name}__"
        own = [tool.removeprefix(prefix) for tool in sorted(tools) if tool.startswith(prefix)]
        lines.append(f"  tools: {', '.join(own) or 'none'}")
    context.result({"text/plain": "\n".join(lines)})


async def write_guide(context: CellContext, argument: str) -> None:
    """`/init`: have AGENTS.md written."""
    await _turn(context, UserInput(items=(TextInput(INIT_PROMPT),)))


COMMANDS: dict[str, tuple[str, Run]] = {
    "help": ("what a cell can hold", show_help),
    "status": ("the thread, its settings and tokens", show_status),
    "model": ("show or choose the model", choose_model),
    "approvals": ("show or choose what may be done without asking", choose_approvals),
    "new": ("begin another thread", new_thread),
    "clear": ("begin another thread, and clear the cell", clear),
    "resume": ("go on with a stored thread", resume_thread),
    "fork": ("go on in a copy of a thread", fork_thread),
    "threads": ("list or search stored threads", list_stored),
    "name": ("name the thread", set_name),
    "compact": ("replace the history by a summary of it", compact),
    "diff": ("what is not committed", show_diff),
    "review": ("have a change reviewed", review),
    "plan": ("the model's plan", show_plan),
    "mcp": ("MCP servers and their tools", show_mcp),
    "init": ("have AGENTS.md written", write_guide),
}
"""Name to what it is and what runs it."""


async def _turn(context: CellContext, op: Op) -> None:
    from codex_kernel.jupyter.cell_work import run_op

    await run_op(context, op)
