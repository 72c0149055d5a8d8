"""Login, logout and what clients ask about them and the config file. Source: spec/mcp.md B6."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.mcp_server.messages import INTERNAL_ERROR, INVALID_REQUEST, RequestId, RpcError
from codex_kernel.mcp_server.outgoing import Outgoing
from codex_kernel.mcp_server.settings import ServerSettings, file_config
from codex_kernel.mcp_server.threads import Spawn
from codex_protocol.errors import CodexError, CredentialError

if TYPE_CHECKING:
    from codex_kernel.auth.login_server import LoginServer

LOGIN_TIMEOUT_S = 600.0


class GetAuthStatus(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `getAuthStatus`."""

    include_token: bool | None = None
    refresh_token: bool | None = None


class CancelLogin(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `cancelLoginChatGpt`."""

    login_id: str


class Account:
    """Answers the account methods; slow ones in tasks of their own."""

    def __init__(self, out: Outgoing, settings: ServerSettings, spawn: Spawn) -> None:
        self._out = out
        self._settings = settings
        self._spawn = spawn
        self._login: tuple[str, LoginServer] | None = None

    def log_in(self, id: RequestId) -> None:
        """Start a login in the browser; the client opens the address."""
        self._spawn(self._log_in(id), id)

    async def _log_in(self, id: RequestId) -> None:
        from codex_kernel.auth.login_server import LoginServer

        if self._login is not None:
            self._login[1].cancel()
        login_id = str(uuid.uuid4())
        try:
            config = await self._config()
            if config.forced_login_method == "api":
                raise CredentialError('the setting forced_login_method = "api" does not allow a ChatGPT login')
            from codex_kernel.auth.login import keep_login

            server = LoginServer(lambda login: keep_login(config, login), workspace=config.forced_chatgpt_workspace_id)
            async with AsyncExitStack() as stack:
                try:
                    await stack.enter_async_context(server)
                except CodexError as error:
                    raise RpcError(INTERNAL_ERROR, f"failed to start login server: {error}") from error
                self._login = (login_id, server)
                self._out.result(id, {"loginId": login_id, "authUrl": server.url})
                await self._finish(login_id, server)
        except RpcError as error:
            self._out.error(id, error.code, str(error))
        except CodexError as error:
            self._out.error(id, INTERNAL_ERROR, f"failed to start login server: {error}")

    async def _finish(self, login_id: str, server: LoginServer) -> None:
        failure: str | None = None
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_S):
                await server.wait()
        except TimeoutError:
            failure = "Login timed out"
        except CodexError as error:
            failure = f"Login was not completed: {error}"
        finally:
            if self._login is not None and self._login[0] == login_id:
                self._login = None
        told: dict[str, Any] = {"loginId": login_id, "success": failure is None}
        self._out.notify(
            "codex/event/login_chat_gpt_complete", told | ({"error": failure} if failure is not None else {})
        )
        if failure is None:
            self._out.notify("codex/event/auth_status_change", {"authMethod": "chatgpt"})

    def cancel_login(self, params: CancelLogin) -> dict[str, Any]:
        """Give up a login that was started."""
        if self._login is None or self._login[0] != params.login_id:
            raise RpcError(INVALID_REQUEST, f"login id not found: {params.login_id}")
        self._login[1].cancel()
        return {}

    async def log_out(self) -> dict[str, Any]:
        """Forget the login."""
        from codex_kernel.auth.auth_file import delete_auth

        try:
            await asyncio.to_thread(delete_auth, self._settings.home.auth_file)
        except CodexError as error:
            raise RpcError(INTERNAL_ERROR, f"logout failed: {error}") from error
        self._spawn(self._tell_signed_out(), None)
        return {}

    async def _tell_signed_out(self) -> None:
        self._out.notify("codex/event/auth_status_change", {})

    async def auth_status(self, params: GetAuthStatus) -> dict[str, Any]:
        """How the user is logged in; never fails."""
        status: dict[str, Any] = {"preferredAuthMethod": "chatgpt"}
        try:
            config = await self._config()
            status["preferredAuthMethod"] = config.preferred_auth_method
            from codex_kernel.auth.manager import AuthManager

            manager = AuthManager(self._settings.home, config, env=os.environ)
            try:
                credential = await manager.current()
                if params.refresh_token and credential is not None and credential.kind == "chatgpt":
                    credential = await manager.refresh() or credential
            finally:
                await manager.aclose()
        except CodexError:
            return status
        if credential is not None and credential.token:
            status["authMethod"] = "apikey" if credential.kind == "api_key" else "chatgpt"
            if params.include_token:
                status["authToken"] = credential.token
        return status

    async def config_toml(self) -> dict[str, Any]:
        """What the config file says, as far as clients ask for it; read anew each time."""
        from codex_kernel.config.layers import parse_toml, read_text, table_at

        file = self._settings.home.config_file
        try:
            text = await asyncio.to_thread(read_text, file)
            tree = parse_toml(text or "", file)
        except CodexError as error:
            raise RpcError(INTERNAL_ERROR, f"failed to load config.toml: {error}") from error
        keys = {
            "approvalPolicy": "approval_policy",
            "sandboxMode": "sandbox_mode",
            "modelReasoningEffort": "model_reasoning_effort",
            "profile": "profile",
        }
        answer: dict[str, Any] = {name: tree[key] for name, key in keys.items() if key in tree}
        answer["profiles"] = {
            name: {
                "model": profile.get("model"),
                "approvalPolicy": profile.get("approval_policy"),
                "modelReasoningEffort": profile.get("model_reasoning_effort"),
            }
            for name, profile in table_at(tree, "profiles").items()
        }
        return answer

    async def _config(self) -> Any:
        settings = self._settings
        return await asyncio.to_thread(file_config, settings.overrides, settings.home, settings.cwd)
