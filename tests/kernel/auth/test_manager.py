"""A login is refreshed when it must be, once, whoever asks."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from codex_kernel.auth.manager import AuthManager
from codex_kernel.auth.oauth import post
from codex_kernel.config.credentials import Credential
from codex_protocol.errors import CredentialError
from codex_store.home import Home
from tests.kernel.auth.conftest import MakeConfig
from tests.support.fake_issuer import FakeIssuer, id_token, jwt


def write_login(file: Path, *, expires_in_s: float = 3600, age_days: float = 0, refresh: str = "refresh-0") -> str:
    access = jwt(n=0, exp=int(time.time() + expires_in_s))
    content = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {"id_token": id_token(), "access_token": access, "refresh_token": refresh, "account_id": "acc-1"},
        "last_refresh": (datetime.now(UTC) - timedelta(days=age_days)).isoformat(),
        "future": "kept",
    }
    file.write_text(json.dumps(content))
    return access


Manage = Callable[..., AuthManager]


@pytest.fixture
def manager(make_config: MakeConfig) -> Manage:
    config = make_config()

    def manager(file: Path, issuer: FakeIssuer, **env: str) -> AuthManager:
        return AuthManager(Home(root=file.parent), config, env=env, issuer=issuer.url)

    return manager


def token(credential: Credential | None) -> str:
    assert credential is not None
    return credential.token


async def test_fresh_login_is_used_without_a_request(manager: Manage, auth_file: Path, issuer: FakeIssuer) -> None:
    access = write_login(auth_file, age_days=27)
    credential = await manager(auth_file, issuer).current()
    assert credential == Credential(token=access, kind="chatgpt", account_id="acc-1", plan="pro")
    assert issuer.seen == []


@pytest.mark.parametrize(("age_days", "expires_in_s"), [(29, 3600), (0, -1), (0, 30)])
async def test_old_login_is_refreshed_first_and_kept(
    manager: Manage, auth_file: Path, issuer: FakeIssuer, age_days: float, expires_in_s: float
) -> None:
    before = write_login(auth_file, age_days=age_days, expires_in_s=expires_in_s)
    keeper = manager(auth_file, issuer)
    first = token(await keeper.current())
    assert first != before
    assert token(await keeper.current()) == first
    stored = json.loads(auth_file.read_text())
    assert stored["tokens"]["access_token"] == first
    assert stored["future"] == "kept"
    assert datetime.fromisoformat(stored["last_refresh"]) > datetime.now(UTC) - timedelta(minutes=1)
    assert issuer.seen == [
        (
            "refresh_token",
            {
                "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
                "grant_type": "refresh_token",
                "refresh_token": "refresh-0",
                "scope": "openid profile email",
            },
        )
    ]


async def test_many_who_ask_at_once_refresh_once(manager: Manage, auth_file: Path, issuer: FakeIssuer) -> None:
    write_login(auth_file, expires_in_s=-1)
    keeper, other = manager(auth_file, issuer), manager(auth_file, issuer)
    got = await asyncio.gather(*(who.current() for who in (keeper, other) * 8))
    assert len({token(credential) for credential in got}) == 1
    assert issuer.counts() == {"refresh_token": 1}


async def test_processes_side_by_side_refresh_once(auth_file: Path, issuer: FakeIssuer) -> None:
    write_login(auth_file, expires_in_s=-1)
    code = (
        "import asyncio, pathlib, sys\n"
        "from codex_kernel.auth.manager import AuthManager\n"
        "from codex_kernel.config.load import load_config\n"
        "from codex_store.home import Home\n"
        "home = Home(root=pathlib.Path(sys.argv[1]))\n"
        "config = load_config(home=home, cwd=home.root, env={})\n"
        "manager = AuthManager(home, config, env={}, issuer=sys.argv[2])\n"
        "print(asyncio.run(manager.current()).token)"
    )
    command = [sys.executable, "-c", code, str(auth_file.parent), issuer.url]
    started = [await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE) for _ in range(4)]
    async with asyncio.timeout(60):
        answers = [await process.communicate() for process in started]
    assert len({out for out, _ in answers}) == 1
    assert answers[0][0]
    assert issuer.counts() == {"refresh_token": 1}


async def test_refused_token_is_replaced_on_demand(manager: Manage, auth_file: Path, issuer: FakeIssuer) -> None:
    write_login(auth_file)
    keeper = manager(auth_file, issuer)
    first = token(await keeper.current())
    second = token(await keeper.refresh())
    assert second != first
    assert token(await keeper.refresh()) != second


async def test_token_another_process_renewed_is_taken_from_the_file(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    write_login(auth_file)
    keeper, other = manager(auth_file, issuer), manager(auth_file, issuer)
    await keeper.current()
    await other.current()
    renewed = token(await other.refresh())
    assert token(await keeper.refresh()) == renewed
    assert issuer.counts() == {"refresh_token": 1}


async def test_api_key_has_no_refresh_but_a_changed_file_is_noticed(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    auth_file.write_text('{"OPENAI_API_KEY": "one"}')
    keeper = manager(auth_file, issuer)
    assert token(await keeper.current()) == "one"
    assert await keeper.refresh() is None
    auth_file.write_text('{"OPENAI_API_KEY": "other"}')
    assert token(await keeper.refresh()) == "other"
    auth_file.unlink()
    assert await keeper.current() is None


async def test_environment_key_does_not_need_a_readable_file(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    auth_file.write_text("broken")
    assert token(await manager(auth_file, issuer, CODEX_API_KEY=" key ").current()) == "key"
    with pytest.raises(CredentialError, match="cannot be understood"):
        await manager(auth_file, issuer, OPENAI_API_KEY="key").current()


async def test_ended_login_is_told_without_its_tokens(
    manager: Manage, auth_file: Path, issuer: FakeIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    write_login(auth_file, expires_in_s=-1, refresh="SECRET-used")
    before = auth_file.read_text()
    with pytest.raises(CredentialError, match=r"The ChatGPT login has ended: .*refresh_token_reused") as raised:
        await manager(auth_file, issuer).current()
    assert "SECRET" not in str(raised.value) + caplog.text
    assert auth_file.read_text() == before


async def test_program_without_our_lock_that_was_faster_is_no_failure(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    write_login(auth_file, expires_in_s=-1)
    renewed: list[str] = []

    def be_faster() -> None:
        issuer.during_refresh = None
        issuer.refresh_tokens.clear()
        renewed.append(write_login(auth_file, refresh="refresh-theirs"))

    issuer.during_refresh = be_faster
    assert token(await manager(auth_file, issuer).current()) in renewed


async def test_old_but_valid_login_survives_a_failing_issuer_and_an_expired_one_does_not(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    issuer.fail("refresh_token", 503, times=2)
    access = write_login(auth_file, age_days=40)
    assert token(await manager(auth_file, issuer).current()) == access
    write_login(auth_file, expires_in_s=-1)
    with pytest.raises(CredentialError, match=r"could not answer \(HTTP 503\); try again later"):
        await manager(auth_file, issuer).current()


async def test_an_issuer_with_an_unknown_certificate_is_told_with_what_to_do() -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as http:
        with pytest.raises(CredentialError, match=r"i\.test could not be reached: .*; name .* with SSL_CERT_FILE"):
            await post(http, "https://i.test/token", form={})


async def test_unreachable_issuer_is_told(make_config: MakeConfig, auth_file: Path) -> None:
    write_login(auth_file, expires_in_s=-1)
    keeper = AuthManager(Home(root=auth_file.parent), make_config(), env={}, issuer="http://127.0.0.1:9")
    with pytest.raises(CredentialError, match=r"127\.0\.0\.1:9 could not be reached: All .* failed; try again"):
        await keeper.current()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id_token": 3}', b'{"id_token": "SECRET"}', b'{"access_token": "a\\nb"}']
)
async def test_answer_that_is_no_answer_changes_nothing(
    manager: Manage, auth_file: Path, issuer: FakeIssuer, body: bytes
) -> None:
    write_login(auth_file, expires_in_s=-1)
    before = json.loads(auth_file.read_text())["tokens"]["refresh_token"]
    issuer.fail("refresh_token", 200, body)
    with pytest.raises(CredentialError) as raised:
        await manager(auth_file, issuer).current()
    assert "SECRET" not in str(raised.value)
    assert json.loads(auth_file.read_text())["tokens"]["refresh_token"] == before


async def test_interrupt_does_not_lose_a_refresh_under_way(
    manager: Manage, auth_file: Path, issuer: FakeIssuer
) -> None:
    write_login(auth_file, expires_in_s=-1)
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    issuer.during_refresh = lambda: loop.call_soon_threadsafe(asked.set)
    keeper = manager(auth_file, issuer)
    waiting = asyncio.create_task(keeper.current())
    async with asyncio.timeout(10):
        await asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await keeper.aclose()
    assert json.loads(auth_file.read_text())["tokens"]["refresh_token"] == "refresh-1"


async def test_a_renewed_login_that_cannot_be_kept_is_used_while_the_program_runs(
    manager: Manage,
    auth_file: Path,
    issuer: FakeIssuer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = write_login(auth_file, expires_in_s=-5)

    def full(target: Path, content: bytes, *, private: bool = False) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codex_kernel.auth.auth_file.replace_file", full)
    keeper = manager(auth_file, issuer)
    first = token(await keeper.current())
    assert first != before
    assert token(await keeper.current()) == first
    assert "No space left on device" in caplog.text


async def test_logout_during_a_refresh_stays_a_logout(manager: Manage, auth_file: Path, issuer: FakeIssuer) -> None:
    write_login(auth_file, expires_in_s=-1)
    issuer.during_refresh = auth_file.unlink
    assert await manager(auth_file, issuer).current() is None
    assert not auth_file.exists()
