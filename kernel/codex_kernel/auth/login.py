"""What `codex login`, `codex login status` and `codex logout` do and say.

Every function takes `say`, which gets whole lines for stderr, and returns the exit code. Source: spec/cli.md section 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from codex_kernel.auth.auth_file import AUTH_FILE_NAME, StoredLogin, delete_auth, identity, mask, read_auth, write_auth
from codex_kernel.auth.choice import choose, env_key
from codex_kernel.auth.device import DeviceCode, device_login
from codex_kernel.auth.login_server import PORT, LoginServer
from codex_kernel.auth.manager import wishes_of
from codex_kernel.auth.oauth import ISSUER, MakeHttp, default_http
from codex_kernel.config.types import Config
from codex_protocol.errors import CredentialError

Say = Callable[[str], None]

_MAX_KEY_BYTES = 16 * 1024


class LoginKind(msgspec.Struct, frozen=True, kw_only=True):
    """How to log in; nothing set: with ChatGPT in the browser."""

    api_key: str | None = None
    device: bool = False

    def __repr__(self) -> str:
        """Without the key."""
        return f"LoginKind(api_key={self.api_key is not None}, device={self.device})"


def run_login(
    config: Config,
    kind: LoginKind,
    say: Say,
    *,
    issuer: str = ISSUER,
    port: int = PORT,
    make_http: MakeHttp = default_http,
) -> int:
    """Log in and return the exit code: 0, 1, or 130 when the user gave up."""
    try:
        if kind.api_key is not None:
            log_in_with_key(config, kind.api_key)
        elif kind.device:
            asyncio.run(log_in_with_device(config, say, issuer=issuer, make_http=make_http))
        else:
            asyncio.run(log_in_with_browser(config, say, issuer=issuer, port=port, make_http=make_http))
    except CredentialError as error:
        say(f"Error logging in: {error}")
        return 1
    except KeyboardInterrupt:
        say("Error logging in: The login was not completed.")
        return 130
    say("Successfully logged in")
    return 0


def run_status(config: Config, say: Say, env: Mapping[str, str] = os.environ) -> int:
    """Say how the user is logged in; 1 when not at all."""
    try:
        credential = choose(read_auth(_file(config)), wishes_of(config), env)
    except CredentialError as error:
        say(f"Error checking login status: {error}")
        return 1
    if credential is None:
        say("Not logged in")
        return 1
    if credential.kind == "chatgpt":
        say("Logged in using ChatGPT")
        return 0
    say(f"Logged in using an API key - {mask(credential.token)}")
    for name in ("CODEX_API_KEY", "OPENAI_API_KEY"):
        if env_key(env, name) == credential.token:
            say(f"   The key is the one of the environment variable {name}.")
            break
    return 0


def account(config: Config, env: Mapping[str, str] = os.environ) -> str | None:
    """Whose login threads use, without anything secret; None when there is none, or it cannot be read."""
    try:
        stored = read_auth(_file(config))
        credential = choose(stored, wishes_of(config), env)
    except CredentialError:
        return None
    if credential is None:
        return None
    if credential.kind == "api_key":
        return f"API key {mask(credential.token)}"
    who = identity(stored.tokens.id_token) if stored is not None and stored.tokens is not None else None
    details = [part for part in (who.email if who else None, credential.plan and credential.plan.title()) if part]
    return f"ChatGPT ({', '.join(details)})" if details else "ChatGPT"


def run_logout(config: Config, say: Say) -> int:
    """Forget the login; it is no failure when there is none."""
    try:
        removed = delete_auth(_file(config))
    except CredentialError as error:
        say(f"Error logging out: {error}")
        return 1
    say("Successfully logged out" if removed else "Not logged in")
    return 0


def read_key(stream: BinaryIO) -> str:
    """The API key piped into `codex login --with-api-key`.

    Raises:
        CredentialError: Nothing was piped, or it is no key.
    """
    if stream.isatty():
        raise CredentialError(
            "The API key is read from stdin; pipe it in, as in `printenv OPENAI_API_KEY | codex login --with-api-key`."
        )
    return _usable(stream.read(_MAX_KEY_BYTES).decode("utf-8", "replace"))


def log_in_with_key(config: Config, key: str) -> None:
    """Make `key` the login; the file's old content goes.

    Raises:
        CredentialError: It is no key, keys are not allowed, or it cannot be kept.
    """
    key = _usable(key)
    if config.forced_login_method == "chatgpt":
        raise CredentialError('The setting forced_login_method = "chatgpt" does not allow API keys.')
    write_auth(_file(config), StoredLogin(auth_mode="apikey", api_key=key))


async def log_in_with_browser(
    config: Config,
    say: Say,
    *,
    issuer: str = ISSUER,
    port: int = PORT,
    make_http: MakeHttp = default_http,
    open_browser: Callable[[str], object] | None = None,
) -> None:
    """Log in with ChatGPT: show the address, open it where there is a browser, wait for the user.

    Raises:
        CredentialError: It was refused, cancelled, or cannot be kept.
    """
    _refuse_chatgpt(config)
    workspace = config.forced_chatgpt_workspace_id
    server = LoginServer(
        lambda login: _keep(_file(config), login), issuer=issuer, port=port, workspace=workspace, make_http=make_http
    )
    async with server:
        say(f"A login server listens on http://localhost:{server.port}.")
        say("If no browser opens, go to this address to log in:")
        say("")
        say(server.url)
        say("")
        say("On a machine without a browser, use `codex login --device-auth` instead.")
        # A thread of its own: a browser that stays in the foreground must not hold up the end of the login.
        threading.Thread(target=open_browser or _open_browser, args=(server.url,), daemon=True).start()
        await server.wait()


async def log_in_with_device(
    config: Config, say: Say, *, issuer: str = ISSUER, make_http: MakeHttp = default_http
) -> None:
    """Log in with a code the user types on another device.

    Raises:
        CredentialError: It was refused, took too long, or cannot be kept.
    """
    _refuse_chatgpt(config)

    def show(code: DeviceCode) -> None:
        say(f"Open {code.url} on any device, log in, and type this code within 15 minutes:")
        say("")
        say(f"    {code.code}")
        say("")
        say("Never type a code that somebody else sent you.")

    login = await device_login(show, issuer=issuer, workspace=config.forced_chatgpt_workspace_id, make_http=make_http)
    await asyncio.to_thread(_keep, _file(config), login)


def keep_login(config: Config, login: StoredLogin) -> None:
    """Make a ChatGPT login the user's; a key that was there stays when the login brings none.

    Raises:
        CredentialError: It cannot be kept.
    """
    _keep(_file(config), login)


def _file(config: Config) -> Path:
    return config.codex_home / AUTH_FILE_NAME


def _keep(file: Path, login: StoredLogin) -> None:
    """Write a ChatGPT login; a key that was there stays when the login brings none."""
    try:
        old = read_auth(file)
    except CredentialError:
        old = None
    if old is not None:
        login = msgspec.structs.replace(login, api_key=login.api_key or old.api_key, extra=old.extra)
    write_auth(file, login)


def _usable(key: str) -> str:
    key = key.strip()
    if not key:
        raise CredentialError("The API key is empty.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise CredentialError("This is not an API key: it has characters that no key has.")
    return key


def _refuse_chatgpt(config: Config) -> None:
    if config.forced_login_method == "api":
        raise CredentialError(
            'The setting forced_login_method = "api" does not allow a ChatGPT login; use `codex login --with-api-key`.'
        )


def _open_browser(url: str) -> None:
    """Open the system's browser, but none in the terminal: it would take the keyboard."""
    has_screen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if not has_screen and not os.environ.get("BROWSER"):
        return
    import webbrowser

    with contextlib.suppress(webbrowser.Error, OSError):  # the address was shown
        webbrowser.open(url)
