"""Questions of rich clients beside the thread, by name: files, threads, the diff, the settings, the sandbox's facts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from codex_kernel.jupyter import around_patch, composing, first_run
from codex_kernel.jupyter.agent import Agent
from codex_kernel.jupyter.slash_commands import COMMANDS, prompts_of
from codex_protocol.attach import Query
from codex_protocol.errors import CodexError, UsageError
from codex_protocol.policy import mode_of

Answer = Callable[[Agent, dict[str, Any]], Awaitable[Any]]
_FILES = 50
_THREADS = 100


class Superseded(CodexError):
    """A newer question of the same name came from the same client."""


class Queries:
    """Answers questions; of one client's questions of one name only the newest is worked on."""

    def __init__(self, agent: Agent) -> None:
        """Answer for this agent."""
        self._agent = agent
        self._running: dict[tuple[str, str], asyncio.Task[Any]] = {}

    async def answer(self, query: Query) -> Any:
        """The value of a `Result`.

        Raises:
            UsageError: There is no such query, or it takes other arguments.
            Superseded: A newer one took its place.
        """
        entry = QUERIES.get(query.name)
        if entry is None:
            raise UsageError(f"there is no query {query.name!r}; there are {', '.join(QUERIES)}")
        key = (query.client, query.name)
        if (older := self._running.pop(key, None)) is not None:
            older.cancel()
        task = asyncio.ensure_future(entry(self._agent, query.arguments))
        self._running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            raise Superseded(f"a newer {query.name!r} took the place of this one") from None
        finally:
            if self._running.get(key) is task:
                del self._running[key]


async def files(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """`{query, limit}`: `[{path, score, indices, is_directory}]` below the thread's directory, the best first."""
    matches = await agent.paths.find(_text(arguments, "query"), _limit(arguments, _FILES))
    return [match._asdict() for match in matches]


async def threads(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """`{search, limit, cwd, archived}`: stored threads, as `codex_store.thread_info.ThreadInfo`."""
    from codex_store.home import find_home
    from codex_store.threads import list_threads

    infos = await asyncio.to_thread(
        list_threads,
        find_home(),
        cwd=arguments.get("cwd"),
        archived=bool(arguments.get("archived")),
        search=_text(arguments, "search") or None,
        limit=_limit(arguments, _THREADS),
    )
    return [msgspec.to_builtins({**msgspec.structs.asdict(info), "path": str(info.path)}) for info in infos]


async def diff(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """What is not committed: `{diff}`, or `{error}` outside a repository."""
    from codex_kernel.sandbox.git import diff_uncommitted, git_root

    cwd = agent.cwd
    if git_root(cwd) is None:
        return {"diff": "", "error": f"{cwd} is not inside a git repository"}
    thread = await agent.thread()
    return {"diff": await diff_uncommitted(cwd, sandbox=thread.sandbox)}


async def changes(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """`{turn}`: what a turn changed (0: the newest), or the thread, as `codex_protocol.changes.Changes`.

    `{since, until}`, in seconds since 1970: what those of its turns changed that began then.
    """
    turn = arguments.get("turn")
    if turn is not None and (not isinstance(turn, int) or isinstance(turn, bool) or turn < 0):
        raise UsageError("'turn' must be a number, or missing for the whole thread")
    since, until = arguments.get("since", 0), arguments.get("until", math.inf)
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in (since, until)):
        raise UsageError("'since' and 'until' must be numbers of seconds")
    return msgspec.to_builtins(await (await agent.thread()).changes(turn, since=since, until=until))


async def status(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """The thread's settings, sandbox, tokens and place on disk."""
    thread = await agent.thread()
    context = thread.context
    return {
        "thread_id": thread.id,
        "rollout_path": str(thread.rollout_path) if thread.rollout_path is not None else None,
        "settings": msgspec.to_builtins(context),
        "sandbox_mode": mode_of(context.sandbox_policy).value,
        "sandbox": msgspec.to_builtins(thread.sandbox.facts(context.sandbox_policy)),
        "usage": msgspec.to_builtins(thread.usage),
        "context_left": thread.context_left,
        "trust": agent.config.trust.value if agent.config is not None else None,
    }


async def prices(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """What tokens cost by the user's settings: model name to `codex_store.prices.Price`."""
    await agent.thread()
    return {} if agent.config is None else msgspec.to_builtins(agent.config.prices)


async def commands(agent: Agent, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """`/` commands and custom prompts: `[{name, about, prompt}]`."""
    own = [{"name": name, "about": about, "prompt": None} for name, (about, _) in COMMANDS.items()]
    return [
        *own,
        *({"name": prompt.name, "about": "your prompt", "prompt": prompt.content} for prompt in prompts_of(agent)),
    ]


QUERIES: dict[str, Answer] = {
    "files": files,
    "threads": threads,
    "diff": diff,
    "changes": changes,
    "lines_around": around_patch.lines,
    "status": status,
    "prices": prices,
    "commands": commands,
    "presets": composing.presets,
    "suggestions": composing.suggestions,
    "prompt": composing.prompt,
    "servers": composing.servers,
    "running": composing.running,
    "end_running": composing.end_running,
    "leash": composing.leash,
    "log_out": composing.log_out,
    "setup": first_run.setup,
    "log_in": first_run.log_in,
    "cancel_login": first_run.cancel_login,
    "trust": first_run.trust,
}


def _text(arguments: dict[str, Any], key: str) -> str:
    value = arguments.get(key, "")
    if not isinstance(value, str):
        raise UsageError(f"{key!r} must be text")
    return value


def _limit(arguments: dict[str, Any], most: int) -> int:
    value = arguments.get("limit", most)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("'limit' must be a number above 0")
    return min(value, 1000)
