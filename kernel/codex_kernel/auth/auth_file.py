"""`auth.json`: the login on disk, in upstream's shape of both generations.

Source: spec/cli.md section 4 and spec/modern-features.md (auth). What we do not know in it is kept.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from codex_kernel.config.layers import read_text
from codex_kernel.whole_files import replace_file
from codex_protocol.errors import ConfigError, CredentialError

AUTH_FILE_NAME = "auth.json"
_CLAIMS = "https://api.openai.com/auth"


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a ChatGPT login gives."""

    id_token: str
    """A JWT that says who the user is."""
    access_token: str
    """Sent as bearer."""
    refresh_token: str
    account_id: str | None = None

    def __repr__(self) -> str:
        """Without any token."""
        return f"Tokens(account_id={self.account_id!r})"


class Identity(msgspec.Struct, frozen=True):
    """What the id token says."""

    email: str | None = None
    plan: str | None = None
    account_id: str | None = None


class StoredLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `auth.json`."""

    auth_mode: str | None = None
    """`apikey` or `chatgpt`; None in files of August 2025."""
    api_key: str | None = None
    tokens: Tokens | None = None
    last_refresh: datetime | None = None
    """UTC."""
    extra: dict[str, Any] = {}
    """Everything else in the file."""

    def __repr__(self) -> str:
        """Without any secret."""
        return f"StoredLogin(auth_mode={self.auth_mode!r}, api_key={bool(self.api_key)}, tokens={bool(self.tokens)})"


def read_auth(file: Path) -> StoredLogin | None:
    """The login in `file`; None when there is no file.

    Raises:
        CredentialError: It cannot be read or understood.
    """
    try:
        text = read_text(file)
    except ConfigError as error:
        raise CredentialError(str(error)) from error
    if text is None:
        return None
    try:
        content = msgspec.json.decode(text)
        if not isinstance(content, dict):
            raise ValueError
        return _stored(cast("dict[str, Any]", content))
    except (ValueError, KeyError, RecursionError):
        # The reason is left out and the cause cut off: both could quote what stands in the file.
        raise CredentialError(
            f"The login in {file} cannot be understood; run `codex logout`, then `codex login`."
        ) from None


def write_auth(file: Path, login: StoredLogin) -> None:
    """Put the login in place at once, readable for the user alone.

    Raises:
        CredentialError: It cannot be written.
    """
    content: dict[str, Any] = dict(login.extra)
    if login.auth_mode is not None:
        content["auth_mode"] = login.auth_mode
    content["OPENAI_API_KEY"] = login.api_key
    if login.tokens is not None:
        old = content.get("tokens")
        content["tokens"] = (dict(cast("dict[str, Any]", old)) if isinstance(old, dict) else {}) | msgspec.to_builtins(
            login.tokens
        )
    else:
        content.pop("tokens", None)
    if login.last_refresh is not None:
        content["last_refresh"] = login.last_refresh.astimezone(UTC).isoformat().replace("+00:00", "Z")
    else:
        content.pop("last_refresh", None)
    try:
        target = Path(os.path.realpath(file))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, msgspec.json.format(msgspec.json.encode(content), indent=2), private=True)
    except OSError as error:
        raise CredentialError(f"The login cannot be kept in {file}: {error.strerror or error}.") from error


def delete_auth(file: Path) -> bool:
    """Remove the login; False when there was none.

    Raises:
        CredentialError: It cannot be removed.
    """
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CredentialError(f"The login in {file} cannot be removed: {error.strerror or error}.") from error
    return True


def identity(id_token: str) -> Identity:
    """What an id token says; its signature is the issuer's business, we got it from the issuer.

    Raises:
        ValueError: It is no JWT.
    """
    payload = jwt_payload(id_token)
    auth = payload.get(_CLAIMS)
    claims = cast("dict[str, Any]", auth) if isinstance(auth, dict) else {}
    return Identity(
        email=_text(payload.get("email")),
        plan=_text(claims.get("chatgpt_plan_type")),
        account_id=_text(claims.get("chatgpt_account_id")),
    )


def jwt_payload(token: str) -> dict[str, Any]:
    """The claims of a JWT.

    Raises:
        ValueError: It is none.
    """
    import base64

    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        raise ValueError("not a JWT")
    payload = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not isinstance(payload, dict):
        raise ValueError("not a JWT")
    return cast("dict[str, Any]", payload)


def mask(key: str) -> str:
    """An API key as it may be shown."""
    return "***" if len(key) <= 13 else f"{key[:8]}***{key[-5:]}"


def _stored(content: dict[str, Any]) -> StoredLogin:
    tokens = None
    if content.get("tokens") is not None:
        tokens = msgspec.convert(content["tokens"], Tokens)
        identity(tokens.id_token)
    known = {"auth_mode", "OPENAI_API_KEY", "last_refresh"}
    return StoredLogin(
        auth_mode=msgspec.convert(content.get("auth_mode"), str | None),
        api_key=msgspec.convert(content.get("OPENAI_API_KEY"), str | None) or None,
        tokens=tokens,
        last_refresh=_time(content.get("last_refresh")),
        extra={key: value for key, value in content.items() if key not in known},
    )


def _time(value: Any) -> datetime | None:
    """A time of RFC 3339; an unreadable one counts as long ago."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
