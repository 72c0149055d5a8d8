"""Logging in: by key, in the browser, by code; what is said, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import socket
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.auth.auth_file import StoredLogin
from codex_kernel.auth.device import DeviceCode, device_login
from codex_kernel.auth.login import LoginKind, log_in_with_browser, read_key, run_login, run_logout, run_status
from codex_kernel.auth.login_server import LoginServer
from codex_protocol.errors import CredentialError
from tests.kernel.auth.conftest import MakeConfig
from tests.support.fake_issuer import FakeIssuer, id_token, visit


class Screen(list[str]):
    """What was said, line by line."""

    def __call__(self, line: str) -> None:
        self.append(line)


async def go(url: str, **how: Any) -> tuple[int, str, str]:
    return await asyncio.to_thread(visit, url, **how)


def test_login_with_a_key_replaces_the_file_and_is_reported(make_config: MakeConfig, auth_file: Path) -> None:
    auth_file.write_text('{"tokens": null, "old": 1}')
    config, said = make_config(), Screen()
    key = LoginKind(api_key=" sk-proj-1234567890ABCDE\n")
    assert run_login(config, key, said) == 0
    assert run_status(config, said, {"OPENAI_API_KEY": "sk-proj-1234567890ABCDE"}) == 0
    assert run_logout(config, said) == 0
    assert run_logout(config, said) == 0
    assert run_status(config, said, {}) == 1
    assert said == [
        "Successfully logged in",
        "Logged in using an API key - sk-proj-***ABCDE",
        "   The key is the one of the environment variable OPENAI_API_KEY.",
        "Successfully logged out",
        "Not logged in",
        "Not logged in",
    ]


def test_key_file_has_upstreams_shape(make_config: MakeConfig, auth_file: Path) -> None:
    run_login(make_config(), LoginKind(api_key="k"), Screen())
    assert json.loads(auth_file.read_text()) == {"auth_mode": "apikey", "OPENAI_API_KEY": "k"}
    assert stat.S_IMODE(auth_file.stat().st_mode) == 0o600


def test_chatgpt_login_and_broken_file_are_reported(make_config: MakeConfig, auth_file: Path) -> None:
    said = Screen()
    tokens = {"id_token": id_token(), "access_token": "SECRET", "refresh_token": "SECRET", "account_id": "a"}
    auth_file.write_text(json.dumps({"tokens": tokens}))
    assert run_status(make_config(), said, {}) == 0
    auth_file.write_text("SECRET")
    assert run_status(make_config(), said, {}) == 1
    assert said[0] == "Logged in using ChatGPT"
    assert said[1].startswith(f"Error checking login status: The login in {auth_file} cannot be understood")
    assert "SECRET" not in "".join(said)


@pytest.mark.parametrize("key", ["", "  \n", "a b", "ключ", "a\nb", "a\x00b"])
def test_text_that_is_no_key_is_refused(make_config: MakeConfig, auth_file: Path, key: str) -> None:
    said = Screen()
    assert run_login(make_config(), LoginKind(api_key=key), said) == 1
    assert said[0].startswith("Error logging in: ")
    assert not auth_file.exists()


def test_key_is_read_from_a_pipe_not_from_a_terminal() -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    assert read_key(io.BytesIO(b"sk-1\n")) == "sk-1"
    with pytest.raises(CredentialError, match="is empty"):
        read_key(io.BytesIO(b"\n"))
    with pytest.raises(CredentialError, match="pipe it in"):
        read_key(Terminal())


@pytest.mark.parametrize(
    ("forced", "kind"),
    [("chatgpt", LoginKind(api_key="k")), ("api", LoginKind()), ("api", LoginKind(device=True))],
)
def test_login_of_a_kind_the_settings_forbid_is_refused(
    make_config: MakeConfig, auth_file: Path, forced: str, kind: LoginKind
) -> None:
    said = Screen()
    assert run_login(make_config(forced_login_method=forced), kind, said) == 1
    assert "forced_login_method" in said[0]
    assert not auth_file.exists()


class Browser:
    """Stands for the user's browser, in a thread of its own."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self.issuer = issuer
        self.statuses: list[int] = []
        self.done = threading.Event()

    def __call__(self, url: str) -> None:
        status, location, _ = visit(self.issuer.browse(url))
        self.statuses.append(status)
        self.statuses.append(visit(location)[0])
        self.done.set()


async def test_whole_login_in_the_browser(make_config: MakeConfig, auth_file: Path, issuer: FakeIssuer) -> None:
    auth_file.write_text('{"OPENAI_API_KEY": "old", "future": 1}')
    said, browser = Screen(), Browser(issuer)
    async with asyncio.timeout(20):
        await log_in_with_browser(make_config(), said, issuer=issuer.url, port=0, open_browser=browser)
    assert await asyncio.to_thread(browser.done.wait, 10)
    assert browser.statuses == [302, 200]
    stored = json.loads(auth_file.read_text())
    assert stored["tokens"]["account_id"] == "acc-1"
    assert (stored["auth_mode"], stored["OPENAI_API_KEY"], stored["future"]) == ("chatgpt", "old", 1)
    assert stored["tokens"]["refresh_token"] == "refresh-2"
    assert any(line.startswith(f"{issuer.url}/oauth/authorize?response_type=code&client_id=app_") for line in said)


@pytest.fixture
def kept() -> list[StoredLogin]:
    return []


async def test_wrong_state_missing_code_and_failed_exchange_leave_the_login_open(
    issuer: FakeIssuer, kept: list[StoredLogin]
) -> None:
    issuer.gives_api_key = True
    async with asyncio.timeout(20), LoginServer(kept.append, issuer=issuer.url, port=0) as server:
        back = issuer.browse(server.url)
        state = back.partition("state=")[2]
        base = f"http://localhost:{server.port}/auth/callback"
        assert (await go(f"{base}?code=x&state=wrong"))[0] == 400
        assert (await go(f"{base}?code=x"))[0] == 400
        assert (await go(f"{base}?state={state}"))[0] == 400
        assert (await go(f"{base}?code=&state={state}"))[0] == 400
        assert (await go(f"http://localhost:{server.port}/success"))[0] == 404
        status, _, body = await go(f"{base}?code=never-given&state={state}")
        assert (status, "invalid_grant" in body) == (500, True)
        issuer.fail("authorization_code", 503)
        assert (await go(back))[0] == 500
        assert kept == []
        assert (await go(back))[0] == 302
        assert (await go(back))[0] == 200  # a reload does not spend another code
        await go(f"http://127.0.0.1:{server.port}/success")
        await server.wait()
    assert [login.api_key for login in kept] == ["sk-exchanged"]


async def test_login_ends_though_the_browser_never_asks_for_the_success_page(
    issuer: FakeIssuer, kept: list[StoredLogin], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_kernel.auth.login_server._GRACE_S", 0.01)
    async with asyncio.timeout(20), LoginServer(kept.append, issuer=issuer.url, port=0) as server:
        await go(issuer.browse(server.url))
        await server.wait()
    assert len(kept) == 1


async def test_refusal_at_the_issuer_ends_the_login(issuer: FakeIssuer, kept: list[StoredLogin]) -> None:
    async with asyncio.timeout(20), LoginServer(kept.append, issuer=issuer.url, port=0) as server:
        state = issuer.browse(server.url).partition("state=")[2]
        base = f"http://localhost:{server.port}/auth/callback"
        assert (await go(f"{base}?error=access_denied&state=wrong"))[0] == 400
        status, _, body = await go(f"{base}?error=<b>&state={state}")
        assert (status, "<b>" in body) == (403, False)
        with pytest.raises(CredentialError, match=r"The login was refused: no reason given\."):
            await server.wait()
    assert kept == []


async def test_cancel_ends_the_login_but_not_from_another_site(issuer: FakeIssuer, kept: list[StoredLogin]) -> None:
    async with asyncio.timeout(20), LoginServer(kept.append, issuer=issuer.url, port=0) as server:
        url = f"http://localhost:{server.port}/cancel"
        assert (await go(url, Sec_Fetch_Site="cross-site"))[0] == 404
        assert (await go(url))[0] == 200
        with pytest.raises(CredentialError, match=r"The login was not completed\."):
            await server.wait()


async def test_login_of_another_workspace_is_not_kept(issuer: FakeIssuer, kept: list[StoredLogin]) -> None:
    async with (
        asyncio.timeout(20),
        LoginServer(kept.append, issuer=issuer.url, port=0, workspace="acc-2") as server,
    ):
        assert "allowed_workspace_id=acc-2" in server.url
        assert (await go(issuer.browse(server.url)))[0] == 403
        with pytest.raises(CredentialError, match="another workspace"):
            await server.wait()
    assert kept == []


async def test_login_that_cannot_be_kept_is_an_error(issuer: FakeIssuer) -> None:
    def refuse(_: StoredLogin) -> None:
        raise CredentialError("The disk is full.")

    async with asyncio.timeout(20), LoginServer(refuse, issuer=issuer.url, port=0) as server:
        assert (await go(issuer.browse(server.url)))[0] == 500
        with pytest.raises(CredentialError, match=r"The disk is full\."):
            await server.wait()


async def test_server_answers_localhost_get_and_its_own_paths_only(issuer: FakeIssuer) -> None:
    async with asyncio.timeout(20), LoginServer(lambda _: None, issuer=issuer.url, port=0) as server:
        base = f"http://localhost:{server.port}"
        assert (await go(f"{base}/cancel", host="evil.example"))[0] == 403
        assert (await go(f"{base}/cancel", host=f"localhost:{server.port + 1}"))[0] == 403
        assert (await go(f"{base}/cancel", method="POST"))[0] == 405
        assert (await go(f"{base}/"))[0] == 404
        assert (await go(f"{base}/auth/callback/"))[0] == 404


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"\xff\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a" * 40_000,
        b"GET",
        b"GET //[?x HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n",
    ],
)
async def test_garbage_is_survived(issuer: FakeIssuer, sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(20), LoginServer(lambda _: None, issuer=issuer.url, port=0) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent.replace(b"PORT", str(server.port).encode()))
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        assert (await go(f"http://localhost:{server.port}/"))[0] == 404
    assert [record.levelname for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_busy_port_is_told_in_one_sentence(issuer: FakeIssuer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.listen()
        port = taken.getsockname()[1]

        def hang_up() -> None:
            connection, _ = taken.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(CredentialError, match=rf"Port {port} on this machine is in use"):
            await LoginServer(lambda _: None, issuer=issuer.url, port=port).__aenter__()
        thread.join(10)


async def test_forgotten_login_in_another_terminal_makes_room(issuer: FakeIssuer) -> None:
    async def wait_and_leave() -> None:
        async with forgotten:
            ready.set()
            await forgotten.wait()

    ready = asyncio.Event()
    forgotten = LoginServer(lambda _: None, issuer=issuer.url, port=0)
    waiting = asyncio.create_task(wait_and_leave())
    async with asyncio.timeout(20):
        await ready.wait()
        async with LoginServer(lambda _: None, issuer=issuer.url, port=forgotten.port) as server:
            assert server.port > 0
        with pytest.raises(CredentialError, match="not completed"):
            await waiting


async def test_leaving_while_an_exchange_hangs_ends_at_once(issuer: FakeIssuer) -> None:
    hold, asked = threading.Event(), threading.Event()
    original = issuer.answer

    def hang(path: str, fields: dict[str, str]) -> tuple[int, Any]:
        asked.set()
        hold.wait(20)
        return original(path, fields)

    issuer.answer = hang  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        async with LoginServer(lambda _: None, issuer=issuer.url, port=0) as server:
            going = asyncio.create_task(go(issuer.browse(server.url)))
            await asyncio.to_thread(asked.wait, 5)
        hold.set()
        with pytest.raises((OSError, http.client.HTTPException)):
            await going


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps.append(seconds)

    def __call__(self) -> float:
        return self.now


async def test_login_by_code_waits_until_it_was_typed(issuer: FakeIssuer) -> None:
    issuer.pending_polls = 3
    issuer.fail("/api/accounts/deviceauth/token", 503)
    shown: list[DeviceCode] = []
    clock = Clock()
    login = await device_login(shown.append, issuer=issuer.url, sleep=clock.sleep, clock=clock)
    assert shown == [DeviceCode(url=f"{issuer.url}/codex/device", code="ABCD-EFGH")]
    assert clock.sleeps == [2.0] * 5
    assert login.tokens is not None
    assert (login.auth_mode, login.tokens.account_id) == ("chatgpt", "acc-1")


@pytest.mark.parametrize(
    ("path", "status", "body", "says"),
    [
        ("usercode", 404, b"", "Login with a code is not offered for you"),
        ("usercode", 200, b"{}", "has no code"),
        ("usercode", 200, b'{"device_auth_id": "d", "user_code": "\\u001b[2J"}', "has no code"),
        ("token", 400, b"", "was refused"),
        ("token", 200, b'{"authorization_code": "x"}', "cannot be understood"),
    ],
)
async def test_login_by_code_that_fails_is_told(
    issuer: FakeIssuer, path: str, status: int, body: bytes, says: str
) -> None:
    issuer.fail(f"/api/accounts/deviceauth/{path}", status, body)
    clock = Clock()
    with pytest.raises(CredentialError, match=says):
        await device_login(lambda _: None, issuer=issuer.url, sleep=clock.sleep, clock=clock)


async def test_code_nobody_types_runs_out(issuer: FakeIssuer) -> None:
    issuer.pending_polls = 10_000
    clock = Clock()
    clock.now = 0.0

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds * 60)

    with pytest.raises(CredentialError, match="Nobody typed the code within 15 minutes"):
        await device_login(lambda _: None, issuer=issuer.url, sleep=sleep, clock=clock)


def test_login_by_code_as_the_command_does_it(make_config: MakeConfig, auth_file: Path, issuer: FakeIssuer) -> None:
    said = Screen()
    assert run_login(make_config(), LoginKind(device=True), said, issuer=issuer.url) == 0
    assert "    ABCD-EFGH" in said
    assert said[-1] == "Successfully logged in"
    assert json.loads(auth_file.read_text())["auth_mode"] == "chatgpt"
