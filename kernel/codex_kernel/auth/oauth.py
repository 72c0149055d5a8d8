"""The requests of a ChatGPT login: exchange a code, refresh tokens. No token ever appears in an error.

Source: spec/cli.md section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_kernel.auth.auth_file import StoredLogin, Tokens, identity
from codex_protocol.errors import CredentialError

if TYPE_CHECKING:
    import httpx

ISSUER = "https://auth.openai.com"
CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
"""Public: it names the program, it does not authenticate it."""
SCOPE = "openid profile email"
REQUEST_TIMEOUT_S = 60.0

MakeHttp = Callable[[], "httpx.AsyncClient"]


class LoginRefused(CredentialError):
    """The issuer answered, and the answer is no: asking again does not help."""


class Pkce(msgspec.Struct, frozen=True):
    """The proof that who began a login also ends it (RFC 7636, S256)."""

    verifier: str
    challenge: str

    def __repr__(self) -> str:
        """Without the secret half."""
        return "Pkce()"


def new_pkce() -> Pkce:
    """A fresh pair from 64 random bytes."""
    import base64
    import hashlib
    import secrets

    verifier = secrets.token_urlsafe(64)
    digest = hashlib.sha256(verifier.encode()).digest()
    return Pkce(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def default_http() -> httpx.AsyncClient:
    """A client that follows no redirects, so that tokens go nowhere but to the issuer."""
    import httpx

    return httpx.AsyncClient(timeout=REQUEST_TIMEOUT_S, follow_redirects=False)


async def exchange_code(http: httpx.AsyncClient, issuer: str, *, code: str, redirect_uri: str, verifier: str) -> Tokens:
    """The tokens for an authorization code.

    Raises:
        LoginRefused: The issuer does not take the code.
        CredentialError: It could not be reached, or its answer is no answer.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": CLIENT_ID,
        "code_verifier": verifier,
    }
    answer = await post(http, f"{issuer}/oauth/token", form=form)
    return _tokens(answer, None)


async def refreshed(http: httpx.AsyncClient, issuer: str, tokens: Tokens) -> Tokens:
    """New tokens for old ones; what the issuer does not renew stays.

    Raises:
        LoginRefused: The login has ended.
        CredentialError: The issuer could not be reached, or its answer is no answer.
    """
    body = {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "scope": SCOPE,
    }
    answer = await post(http, f"{issuer}/oauth/token", json=body)
    return _tokens(answer, tokens)


async def api_key_for(http: httpx.AsyncClient, issuer: str, id_token: str) -> str | None:
    """An API key for a ChatGPT login; None where the account has none, which is no failure."""
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "client_id": CLIENT_ID,
        "requested_token": "openai-api-key",
        "subject_token": id_token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
    }
    try:
        answer = await post(http, f"{issuer}/oauth/token", form=form)
    except CredentialError:
        return None
    key = answer.get("access_token")
    return key if isinstance(key, str) and key else None


def new_login(tokens: Tokens, api_key: str | None) -> StoredLogin:
    """What is kept of a login that just succeeded."""
    return StoredLogin(auth_mode="chatgpt", api_key=api_key, tokens=tokens, last_refresh=datetime.now(UTC))


async def post(
    http: httpx.AsyncClient, url: str, *, form: Mapping[str, str] | None = None, json: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object a request is answered with.

    Raises:
        LoginRefused: Status 400 to 499, except 408 and 429.
        CredentialError: Any other failure.
    """
    import httpx

    try:
        response = await http.post(url, data=form, json=json, timeout=REQUEST_TIMEOUT_S)
    except httpx.HTTPError as error:
        words = str(error) or type(error).__name__
        unknown = "certificate verify failed" in words.lower()
        mend = "name your certificates with SSL_CERT_FILE" if unknown else "try again"
        raise CredentialError(f"{_host(url)} could not be reached: {words}; {mend}.") from None
    if response.status_code == 200:
        try:
            answer = msgspec.json.decode(response.content)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict):
            return cast("dict[str, Any]", answer)
        raise CredentialError(f"{_host(url)} gave an answer that cannot be understood; try again.")
    reason = f"HTTP {response.status_code}{_reason(response.content)}"
    if 400 <= response.status_code < 500 and response.status_code not in (408, 429):
        raise LoginRefused(f"{_host(url)} refused the request ({reason}).")
    raise CredentialError(f"{_host(url)} could not answer ({reason}); try again later.")


def _tokens(answer: Mapping[str, Any], old: Tokens | None) -> Tokens:
    def renewed(name: str) -> str:
        value = answer.get(name) or (getattr(old, name) if old is not None else None)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise CredentialError(f"The login server's answer has no usable {name}; try again.")
        return value

    if not answer.get("id_token") and not answer.get("access_token"):
        raise CredentialError("The login server's answer has no tokens; try again.")
    id_token = renewed("id_token")
    try:
        who = identity(id_token)
    except ValueError:
        raise CredentialError("The login server's answer has no usable id_token; try again.") from None
    return Tokens(
        id_token=id_token,
        access_token=renewed("access_token"),
        refresh_token=renewed("refresh_token"),
        account_id=who.account_id or (old.account_id if old is not None else None),
    )


def _reason(content: bytes) -> str:
    """The error's code, when the answer has one; its free text could repeat what was sent."""
    try:
        answer: Any = msgspec.json.decode(content)
    except (ValueError, RecursionError):
        return ""
    code: Any = cast("dict[str, Any]", answer).get("error") if isinstance(answer, dict) else None
    if isinstance(code, dict):
        code = cast("dict[str, Any]", code).get("code")
    safe = isinstance(code, str) and len(code) <= 40 and code.replace("_", "").isalnum() and code.islower()
    return f", {code}" if safe else ""


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
