"""What a first run asks a person, answered by the kernel: a login, whether a directory is trusted, a model here.

Rich clients ask by the queries of `queries.py`. The agent's home is written by the same functions that `codex login`
and `--trust` use; nothing is told back that is secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_kernel.config.confirmed import REMEDY
from codex_kernel.jupyter.agent import Agent
from codex_protocol.errors import CodexError, CredentialError, UsageError

if TYPE_CHECKING:
    from codex_kernel.auth.login_server import LoginServer
    from codex_kernel.config.types import Config

log = logging.getLogger(__name__)

_LOGIN_S = 15 * 60.0
_PROBE_S = 1.5
_LOCAL = ("ollama", "lmstudio")
_MAX_MODELS = 50
_LEASH_FLAGS = ("sandbox_mode", "approval_policy", "full_auto", "bypass")
_LEASH_SETTINGS = ("sandbox_mode", "approval_policy")


class BrowserLogin:
    """A ChatGPT login that waits for the person's browser; one at a time, until it is done or given up."""

    def __init__(self) -> None:
        """None runs."""
        self.problem: str | None = None
        """Why the last one failed."""
        self._task: asyncio.Task[None] | None = None

    async def begin(self, config: Config, *, issuer: str | None = None, port: int | None = None) -> str:
        """Listen for the browser; the issuer's page to open in it.

        Raises:
            CredentialError: ChatGPT logins are not allowed, or the port is taken.
        """
        from codex_kernel.auth.login import keep_login
        from codex_kernel.auth.login_server import PORT, LoginServer
        from codex_kernel.auth.oauth import ISSUER

        if config.forced_login_method == "api":
            raise CredentialError('The setting forced_login_method = "api" does not allow a ChatGPT login.')
        await self.cancel()
        self.problem = None
        server = LoginServer(
            lambda login: keep_login(config, login),
            issuer=issuer or ISSUER,
            port=PORT if port is None else port,
            workspace=config.forced_chatgpt_workspace_id,
        )
        await server.__aenter__()
        self._task = asyncio.create_task(self._wait(server))
        return server.url

    async def cancel(self) -> None:
        """Give it up; nothing happens when none runs."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def done(self) -> None:
        """Until it is kept, refused or given up."""
        if self._task is not None:
            await asyncio.wait({self._task})

    @property
    def waiting(self) -> bool:
        """Whether one waits for the browser."""
        return self._task is not None and not self._task.done()

    async def _wait(self, server: LoginServer) -> None:
        try:
            async with asyncio.timeout(_LOGIN_S):
                await server.wait()
        except TimeoutError:
            self.problem = "The login was not completed in time."
        except CredentialError as error:
            self.problem = str(error)
        finally:
            await server.__aexit__(None, None, None)


async def setup(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """What is missing before a first turn.

    `{needs_login, provider, waiting, problem, trust, asks_trust, changed, directory, repository, local}`. Whoever said
    what commands may do is not asked about trust; but all are about project files that `changed` since they were
    confirmed. `local` are servers on this machine that answer, looked for only while a login is missing:
    `[{provider, name, models}]`.
    """
    await agent.thread()
    config = _config(agent)
    needs = await _needs_login(config)
    changed = " ".join(notice for notice in config.warnings if REMEDY in notice)
    return {
        "needs_login": needs,
        "provider": config.provider.name or config.model_provider,
        "waiting": agent.login.waiting,
        "problem": agent.login.problem,
        "trust": config.trust.value,
        "asks_trust": bool(changed) or (config.trust.value == "unknown" and not _said_already(agent)),
        "changed": changed,
        "directory": str(_trusted_as(config)),
        "repository": _is_repository(config),
        "local": await _local_servers() if needs else [],
    }


async def log_in(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """`{key}`: keep an API key as the login. `{}`: `{url}` of the page on which to log in with ChatGPT."""
    await agent.thread()
    config = _config(agent)
    key = arguments.get("key")
    if key is None:
        return {"url": await agent.login.begin(config)}
    if not isinstance(key, str):
        raise UsageError("'key' must be text")
    from codex_kernel.auth.login import log_in_with_key

    await agent.login.cancel()
    await asyncio.to_thread(log_in_with_key, config, key)
    return {}


async def cancel_login(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """Stop waiting for the browser."""
    await agent.login.cancel()
    return {}


async def trust(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """`{trusted}`: write down whether the thread's directory is trusted, its files as they are now.

    It counts when the thread is opened again.
    """
    from codex_kernel.config.obeyed import trust_now
    from codex_kernel.config.trust import record_trust
    from codex_kernel.config.types import TrustLevel
    from codex_store.home import find_home

    trusted = arguments.get("trusted")
    if not isinstance(trusted, bool):
        raise UsageError("'trusted' must be true or false")
    await agent.thread()
    home, config = find_home(), _config(agent)
    if trusted:
        await asyncio.to_thread(trust_now, home, config.cwd, config.project_root)
    else:
        await asyncio.to_thread(record_trust, home, _trusted_as(config), TrustLevel.UNTRUSTED)
    return {}


def _said_already(agent: Agent) -> bool:
    """Whether who began the thread said what commands may do. Source: spec/interactive.md section 13."""
    options = agent.options
    flags = any(options.flags.get(name) for name in _LEASH_FLAGS)
    return flags or any(setting.split("=")[0].strip() in _LEASH_SETTINGS for setting in options.overrides)


def _config(agent: Agent) -> Config:
    if agent.config is None:
        raise UsageError("the thread is not open")
    return agent.config


def _trusted_as(config: Config) -> Path:
    from codex_kernel.config.trust import trust_target

    return trust_target(config.cwd, config.project_root)


def _is_repository(config: Config) -> bool:
    from codex_kernel.config.project import main_worktree

    return main_worktree(config.cwd) is not None


async def _needs_login(config: Config) -> bool:
    from codex_kernel.auth.manager import AuthManager
    from codex_kernel.model.providers import effective_credential
    from codex_store.home import find_home

    try:
        await effective_credential(config.model_provider, config.provider, AuthManager(find_home(), config))
    except CredentialError:
        return True
    return False


async def _local_servers() -> list[dict[str, Any]]:
    from codex_kernel.config.providers import all_providers
    from codex_kernel.model.http import is_loopback
    from codex_kernel.model.oss import list_models

    providers = all_providers({}, None, os.environ)

    async def look(name: str) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(_PROBE_S):
                models = await list_models(name, providers[name])
        except (CodexError, TimeoutError):
            return None
        return {"provider": name, "name": providers[name].name, "models": list(models)[:_MAX_MODELS]}

    here = [name for name in _LOCAL if is_loopback(providers[name].base_url or "")]
    return [found for found in await asyncio.gather(*map(look, here)) if found is not None]
