"""The diff of a task that ran in OpenAI's cloud. Source: spec/cli.md section 8."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from codex_protocol.errors import CodexError, CredentialError

if TYPE_CHECKING:
    from codex_kernel.config.credentials import Credential
    from codex_kernel.config.types import Config
    from codex_store.home import Home

_LONGEST_S = 60.0
_MAX_BYTES = 64 << 20
_SHOWN_CHARS = 300


class _Diff(msgspec.Struct, frozen=True):
    diff: str = ""


class _Output(msgspec.Struct, frozen=True):
    type: str = ""
    output_diff: _Diff | None = None


class _Turn(msgspec.Struct, frozen=True):
    output_items: tuple[_Output, ...] = ()


class _Task(msgspec.Struct, frozen=True):
    current_diff_task_turn: _Turn | None = None


def task_diff(task_id: str, config: Config, home: Home) -> str:
    """The diff of a task.

    Raises:
        CredentialError: There is no ChatGPT login.
        CodexError: The task cannot be fetched, or has no diff.
    """
    return diff_in(asyncio.run(_fetch(task_id, config, home)), task_id)


def diff_in(answer: bytes, task_id: str) -> str:
    """The diff in the service's answer.

    Raises:
        CodexError: There is none.
    """
    try:
        turn = msgspec.json.decode(answer, type=_Task).current_diff_task_turn
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CodexError(f"the answer about the task {task_id} cannot be read: {error}") from error
    if turn is None:
        raise CodexError(f"the task {task_id} has no turn with a diff")
    for item in turn.output_items:
        if item.type == "pr" and item.output_diff is not None:
            return item.output_diff.diff
    raise CodexError(f"the task {task_id} has made no diff")


async def _fetch(task_id: str, config: Config, home: Home) -> bytes:
    from codex_kernel.auth.manager import AuthManager
    from codex_kernel.model.http import uses_proxy
    from codex_kernel.model.through_httpx import import_httpx, make_httpx
    from codex_kernel.model.user_agent import user_agent

    url = f"{config.chatgpt_base_url.rstrip('/')}/wham/tasks/{quote(task_id, safe='')}"
    httpx = import_httpx()
    manager = AuthManager(home, config, env=os.environ)
    try:
        login = await manager.current()
    finally:
        await manager.aclose()
    headers = {**_authorised(login), "Content-Type": "application/json", "User-Agent": user_agent(os.environ)}
    try:
        async with asyncio.timeout(_LONGEST_S), make_httpx(proxies=uses_proxy(url)) as client:
            response = await client.get(url, headers=headers, timeout=_LONGEST_S)
    except TimeoutError:
        raise CodexError(f"the task {task_id} was not told of within {_LONGEST_S:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise CodexError(f"the task {task_id} cannot be fetched: {error or type(error).__name__}") from error
    if not response.is_success:
        said = " ".join(response.text.split())[:_SHOWN_CHARS]
        raise CodexError(f"the task {task_id} cannot be fetched: status {response.status_code}: {said}")
    if len(response.content) > _MAX_BYTES:
        raise CodexError(f"the answer about the task {task_id} is larger than {_MAX_BYTES >> 20} MiB")
    return response.content


def _authorised(login: Credential | None) -> dict[str, str]:
    if login is None or login.kind != "chatgpt":
        raise CredentialError("tasks in the cloud need a ChatGPT login; run `codex login`")
    if not login.account_id:
        raise CredentialError("the ChatGPT login names no account; run `codex login` again")
    return {"Authorization": f"Bearer {login.token}", "chatgpt-account-id": login.account_id}
