"""Login on a machine without a browser: the user types a code on another device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.auth.auth_file import StoredLogin
from codex_kernel.auth.oauth import (
    CLIENT_ID,
    ISSUER,
    LoginRefused,
    MakeHttp,
    default_http,
    exchange_code,
    new_login,
    post,
)
from codex_protocol.errors import CredentialError

if TYPE_CHECKING:
    import httpx

VALID_S = 15 * 60.0
"""How long the issuer takes the code."""
_INTERVAL_S = 5.0
_PENDING = (403, 404)
"""What the issuer answers while the code was not typed yet."""


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """What the user needs to know."""

    url: str
    """The page to open, on any device."""
    code: str
    """What to type there."""


async def device_login(
    show: Callable[[DeviceCode], None],
    *,
    issuer: str = ISSUER,
    workspace: str | None = None,
    make_http: MakeHttp = default_http,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> StoredLogin:
    """The login, once the user has typed the code that `show` was called with.

    Raises:
        CredentialError: The issuer does not offer this, refused, or nobody typed the code in time.
    """
    issuer = issuer.rstrip("/")
    async with make_http() as http:
        begun = await _begin(http, issuer)
        show(DeviceCode(url=f"{issuer}/codex/device", code=begun.code))
        granted = await _granted(http, issuer, begun, sleep, clock)
        tokens = await exchange_code(
            http,
            issuer,
            code=granted.authorization_code,
            redirect_uri=f"{issuer}/deviceauth/callback",
            verifier=granted.code_verifier,
        )
    if workspace and tokens.account_id != workspace:
        raise CredentialError("The login belongs to another workspace than the settings allow.")
    return new_login(tokens, None)


class _Granted(msgspec.Struct, frozen=True):
    authorization_code: str
    code_verifier: str


class _Begun(msgspec.Struct, frozen=True):
    device_id: str
    code: str
    interval_s: float


async def _begin(http: httpx.AsyncClient, issuer: str) -> _Begun:
    try:
        answer = await post(http, f"{issuer}/api/accounts/deviceauth/usercode", json={"client_id": CLIENT_ID})
    except LoginRefused as error:
        raise CredentialError(f"Login with a code is not offered for you: {error} Run `codex login` instead.") from None
    device_id, code = answer.get("device_auth_id"), answer.get("user_code") or answer.get("usercode")
    if not isinstance(device_id, str) or not isinstance(code, str) or not code.isprintable() or len(code) > 40:
        raise CredentialError("The login server's answer has no code; try again.")
    return _Begun(device_id, code, _seconds(answer.get("interval")))


async def _granted(
    http: httpx.AsyncClient,
    issuer: str,
    begun: _Begun,
    sleep: Callable[[float], Awaitable[object]],
    clock: Callable[[], float],
) -> _Granted:
    """Ask until the user has typed the code."""
    import httpx

    ends = clock() + VALID_S
    body = {"device_auth_id": begun.device_id, "user_code": begun.code}
    while clock() < ends:
        await sleep(begun.interval_s)
        try:
            response = await http.post(f"{issuer}/api/accounts/deviceauth/token", json=body)
        except httpx.TransportError:
            continue  # a short gap in the network must not cost the user the code
        if response.status_code in _PENDING or response.status_code >= 500 or response.status_code == 429:
            continue
        if response.status_code != 200:
            raise CredentialError(f"The login was refused (HTTP {response.status_code}); run `codex login` again.")
        try:
            return msgspec.json.decode(response.content, type=_Granted)
        except (ValueError, RecursionError):
            raise CredentialError("The login server gave an answer that cannot be understood; try again.") from None
    raise CredentialError("Nobody typed the code within 15 minutes; run `codex login --device-auth` again.")


def _seconds(value: Any) -> float:
    """The pause the issuer asks for; it sends a number or a string."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return _INTERVAL_S
    return min(max(seconds, 1.0), 60.0)
