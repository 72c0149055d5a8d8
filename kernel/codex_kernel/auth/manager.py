"""The login of a running agent: chosen, kept fresh, and shared with other processes that use the same file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from codex_kernel.auth.auth_file import StoredLogin, Tokens, jwt_payload, read_auth, write_auth
from codex_kernel.auth.choice import Wishes, choose
from codex_kernel.auth.oauth import ISSUER, LoginRefused, MakeHttp, default_http, refreshed
from codex_kernel.config.credentials import Credential
from codex_kernel.config.types import Config
from codex_protocol.errors import CredentialError

log = logging.getLogger(__name__)

REFRESH_AFTER = timedelta(days=28)
EXPIRES_SOON_S = 60.0
LOCK_WAIT_S = 90.0
_LOCK_POLL_S = 0.05


class _Seen(msgspec.Struct, frozen=True):
    """A state of the file, to notice another process's change."""

    mtime_ns: int
    inode: int
    size: int


class HomePaths(Protocol):
    """The places of a user's home that logins touch; `codex_store.home.Home` is one."""

    @property
    def auth_file(self) -> Path:
        """Where the login is kept."""
        ...

    @property
    def workbench(self) -> Path:
        """Our own folder."""
        ...


class AuthManager:
    """A `CredentialSource` over `auth.json` and the environment.

    The file is read again whenever it changed, so that `codex login` in another terminal takes effect at once. One
    refresh runs at a time, in this process and among all processes of the user; who waited for another's refresh takes
    its tokens.
    """

    def __init__(
        self,
        home: HomePaths,
        config: Config,
        *,
        env: Mapping[str, str] = os.environ,
        issuer: str = ISSUER,
        make_http: MakeHttp = default_http,
    ) -> None:
        """Nothing is read before the first question.

        Args:
            home: The user's state directory.
            config: A thread's settings; what they say about logins is taken.
            env: Where keys may stand.
            issuer: Base URL of the issuer.
            make_http: Makes the client that talks to the issuer, once per refresh.
        """
        self._file = home.auth_file
        self._lock = home.workbench / "auth.lock"
        self._wishes = wishes_of(config)
        self._env = env
        self._issuer = issuer.rstrip("/")
        self._make_http = make_http
        self._stored: StoredLogin | None = None
        self._seen: _Seen | None = None
        self._given: str | None = None
        self._refreshing: asyncio.Task[None] | None = None

    async def current(self) -> Credential | None:
        """The login as it is now, refreshed when it is about to run out; None when there is none.

        Raises:
            CredentialError: There is a login but it cannot be read, used or refreshed.
        """
        credential = self._choose()
        if credential is not None and credential.kind == "chatgpt" and (tokens := self._tokens()) is not None:
            age = _age(tokens, self._stored)
            if age != "fresh":
                try:
                    await self._refresh(tokens)
                except LoginRefused:
                    raise
                except CredentialError as error:
                    if age == "expired":
                        raise
                    log.warning("the ChatGPT login is old and was not refreshed: %s", error)
                credential = self._choose()
        self._given = credential.token if credential is not None else None
        return credential

    async def refresh(self) -> Credential | None:
        """Another credential than the one given last, after the provider refused that; None when there is none.

        Raises:
            CredentialError: The login cannot be refreshed.
        """
        refused = self._given
        credential = self._choose()
        if credential is not None and credential.token == refused:
            tokens = self._tokens()
            if credential.kind != "chatgpt" or tokens is None:
                return None
            await self._refresh(tokens)
            credential = self._choose()
        if credential is None or credential.token == refused:
            return None
        self._given = credential.token
        return credential

    async def aclose(self) -> None:
        """Wait for a refresh that is under way: a refresh token works once, so its answer must reach the file."""
        if self._refreshing is not None:
            with contextlib.suppress(CredentialError):
                await self._refreshing

    def _choose(self) -> Credential | None:
        if self._wishes.forced == "chatgpt" or not self._env.get("CODEX_API_KEY", "").strip():
            self._read()
        return choose(self._stored, self._wishes, self._env)

    def _tokens(self) -> Tokens | None:
        return self._stored.tokens if self._stored is not None else None

    def _read(self) -> None:
        seen = self._look()
        if seen is None or seen != self._seen:
            self._stored = read_auth(self._file)
            self._seen = seen

    def _look(self) -> _Seen | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return _Seen(found.st_mtime_ns, found.st_ino, found.st_size)

    async def _refresh(self, old: Tokens) -> None:
        """Replace `old` in the file; who is cancelled while waiting does not stop the refresh."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh_alone(old), name="refresh login")
            self._refreshing.add_done_callback(_noticed)
        await asyncio.shield(self._refreshing)

    async def _refresh_alone(self, old: Tokens) -> None:
        async with _exclusive(self._lock):
            self._seen = None
            self._read()
            stored = self._stored
            if stored is None or stored.tokens is None:
                raise CredentialError("You have been logged out; run `codex login`.")
            if stored.tokens.access_token != old.access_token:
                return  # another process was faster
            try:
                async with self._make_http() as http:
                    fresh = await refreshed(http, self._issuer, stored.tokens)
            except LoginRefused as error:
                self._seen = None
                self._read()
                if self._tokens() != stored.tokens:
                    return  # a program that does not know our lock was faster
                raise LoginRefused(f"The ChatGPT login has ended: {error} Run `codex login` again.") from None
            now_stored = read_auth(self._file)
            if now_stored is None or now_stored.tokens != stored.tokens:
                return  # logged out, or in again, while we waited: that is newer than what we got
            login = msgspec.structs.replace(stored, tokens=fresh, last_refresh=datetime.now(UTC))
            try:
                write_auth(self._file, login)
            except CredentialError as error:  # what it was refreshed with works no more: at least we go on
                log.warning("%s It is used until this program ends; then run `codex login` again.", error)
                self._stored, self._seen = login, self._look()


def wishes_of(config: Config) -> Wishes:
    """What a thread's settings say about logins."""
    return Wishes(
        preferred=config.preferred_auth_method,
        forced=config.forced_login_method,
        workspace=config.forced_chatgpt_workspace_id,
    )


def _noticed(task: asyncio.Task[None]) -> None:
    """Whoever waited has the error; when nobody does any more, it is no news."""
    if not task.cancelled():
        task.exception()


def _age(tokens: Tokens, stored: StoredLogin | None) -> str:
    """`fresh`, `old` (works, but should be renewed) or `expired`."""
    try:
        expires = jwt_payload(tokens.access_token).get("exp")
    except ValueError:
        expires = None
    if isinstance(expires, (int, float)) and expires < time.time() + EXPIRES_SOON_S:
        return "expired"
    last = stored.last_refresh if stored is not None else None
    if last is None or datetime.now(UTC) - last > REFRESH_AFTER:
        return "old"
    return "fresh"


@contextlib.asynccontextmanager
async def _exclusive(lock: Path) -> AsyncGenerator[None]:
    """Hold the lock that every process of ours takes before it refreshes.

    Raises:
        CredentialError: The lock cannot be made, or another process holds it for longer than a request takes.
    """
    import fcntl

    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CredentialError(f"The login cannot be refreshed: {lock}: {error.strerror or error}.") from error
    try:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CredentialError("Another process refreshes the login and does not end; try again.") from None
                await asyncio.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)
