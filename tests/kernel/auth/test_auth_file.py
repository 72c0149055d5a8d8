"""auth.json, read and written in upstream's shape, and the choice among what is in it."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from codex_kernel.auth.auth_file import StoredLogin, Tokens, mask, read_auth, write_auth
from codex_kernel.auth.choice import Wishes, choose
from codex_kernel.config.credentials import Credential
from codex_protocol.errors import CredentialError
from tests.support.fake_issuer import id_token


def tokens(**claims: Any) -> dict[str, Any]:
    return {"id_token": id_token(**claims), "access_token": "at", "refresh_token": "rt", "account_id": "acc-1"}


KEY = {"OPENAI_API_KEY": "k"}
PRO = {"tokens": tokens()}


@pytest.mark.parametrize(
    ("content", "wishes", "env", "expected"),
    [
        (None, {}, {}, None),
        (None, {}, {"OPENAI_API_KEY": "e"}, ("api_key", "e")),
        (None, {}, {"OPENAI_API_KEY": "  "}, None),
        (KEY, {}, {"OPENAI_API_KEY": "e"}, ("api_key", "k")),
        ({"OPENAI_API_KEY": "k", "tokens": None, "last_refresh": None}, {}, {}, ("api_key", "k")),
        ({"auth_mode": "apikey", "OPENAI_API_KEY": "k"}, {}, {}, ("api_key", "k")),
        (PRO | {"OPENAI_API_KEY": None}, {}, {}, ("chatgpt", "at")),
        (PRO | KEY, {}, {}, ("chatgpt", "at")),
        (PRO | KEY, {"preferred": "apikey"}, {}, ("api_key", "k")),
        (PRO | KEY | {"auth_mode": "apikey"}, {}, {}, ("api_key", "k")),
        (KEY | {"tokens": tokens(plan="enterprise")}, {}, {}, ("api_key", "k")),
        (KEY | {"tokens": tokens(plan="enterprise"), "auth_mode": "chatgpt"}, {}, {}, ("chatgpt", "at")),
        (KEY | {"tokens": tokens(plan="business")}, {}, {}, ("api_key", "k")),
        (KEY | {"tokens": tokens(plan="edu")}, {}, {}, ("api_key", "k")),
        (KEY | {"tokens": tokens(plan=None)}, {}, {}, ("api_key", "k")),
        (KEY | {"tokens": tokens(plan="odd")}, {}, {}, ("api_key", "k")),
        *((KEY | {"tokens": tokens(plan=plan)}, {}, {}, ("chatgpt", "at")) for plan in ("free", "plus", "pro", "team")),
        (KEY | {"tokens": tokens(plan="enterprise", email="a@OpenAI.com")}, {}, {}, ("chatgpt", "at")),
        ({"tokens": tokens(plan="enterprise")}, {}, {}, ("chatgpt", "at")),
        (PRO, {}, {"CODEX_API_KEY": "c"}, ("api_key", "c")),
        (PRO, {"forced": "chatgpt"}, {"CODEX_API_KEY": "c"}, ("chatgpt", "at")),
        (None, {"forced": "chatgpt"}, {"OPENAI_API_KEY": "e"}, None),
        (PRO | KEY, {"forced": "api"}, {}, ("api_key", "k")),
        (PRO, {"workspace": "acc-1"}, {}, ("chatgpt", "at")),
        ({"OPENAI_API_KEY": None}, {}, {"OPENAI_API_KEY": "e"}, None),
    ],
)
def test_credential_is_chosen_as_the_sheet_says(
    auth_file: Path,
    content: dict[str, Any] | None,
    wishes: dict[str, Any],
    env: dict[str, str],
    expected: tuple[str, str] | None,
) -> None:
    if content is not None:
        auth_file.write_text(json.dumps(content))
    chosen = choose(read_auth(auth_file), Wishes(**wishes), env)
    assert (None if chosen is None else (chosen.kind, chosen.token)) == expected
    if chosen is not None and chosen.kind == "chatgpt":
        assert chosen.account_id == "acc-1"


@pytest.mark.parametrize(
    ("content", "wishes", "says"),
    [
        (PRO, {"forced": "api"}, "refuses the ChatGPT login"),
        (KEY, {"forced": "chatgpt"}, "refuses API keys"),
        (PRO, {"workspace": "acc-2"}, "another workspace"),
        ({"auth_mode": "agent_identity"}, {}, "not supported here"),
    ],
)
def test_login_the_settings_forbid_is_refused(
    auth_file: Path, content: dict[str, Any], wishes: dict[str, Any], says: str
) -> None:
    auth_file.write_text(json.dumps(content))
    with pytest.raises(CredentialError, match=says):
        choose(read_auth(auth_file), Wishes(**wishes), {})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"OPENAI_API_KEY": 3, "x": "SECRET"}',
        b'{"tokens": "SECRET"}',
        b'{"tokens": {"id_token": "SECRET", "access_token": "SECRET", "refresh_token": "SECRET"}}',
        b'{"tokens": {"id_token": "a.!.SECRET", "access_token": "SECRET", "refresh_token": "SECRET"}}',
        b'{"tokens": {"access_token": "SECRET"}}',
        b"[" * 100_000,
    ],
)
def test_malformed_file_is_an_error_without_what_stands_in_it(auth_file: Path, content: bytes) -> None:
    auth_file.write_bytes(content)
    with pytest.raises(CredentialError) as raised:
        read_auth(auth_file)
    assert str(auth_file) in str(raised.value)
    assert "SECRET" not in repr(raised.value) + repr(raised.value.__cause__)


def test_file_is_private_and_keeps_what_we_do_not_know(auth_file: Path) -> None:
    content = {"tokens": tokens() | {"new": 1}, "OPENAI_API_KEY": None, "future": {"a": [1]}, "auth_mode": "chatgpt"}
    auth_file.write_text(json.dumps(content))
    auth_file.chmod(0o644)
    stored = read_auth(auth_file)
    assert stored is not None
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    write_auth(auth_file, msgspec.structs.replace(stored, last_refresh=moment))
    assert json.loads(auth_file.read_text()) == content | {"last_refresh": "2026-01-02T03:04:05Z"}
    assert stat.S_IMODE(auth_file.stat().st_mode) == 0o600
    assert auth_file.read_text().startswith('{\n  "')
    assert [path.name for path in auth_file.parent.iterdir()] == ["auth.json"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-08-06T00:41:36.112233Z", datetime(2025, 8, 6, 0, 41, 36, 112233, tzinfo=UTC)),
        ("2025-08-06T00:41:36.112233445Z", datetime(2025, 8, 6, 0, 41, 36, 112233, tzinfo=UTC)),
        ("2025-08-06T00:41:36+00:00", datetime(2025, 8, 6, 0, 41, 36, tzinfo=UTC)),
        ("2025-08-06T00:41:36", datetime(2025, 8, 6, 0, 41, 36, tzinfo=UTC)),
        ("yesterday", None),
        (3, None),
    ],
)
def test_time_of_the_last_refresh_is_read(auth_file: Path, text: object, moment: datetime | None) -> None:
    auth_file.write_text(json.dumps(KEY | {"last_refresh": text}))
    stored = read_auth(auth_file)
    assert stored is not None
    assert stored.last_refresh == moment


def test_login_that_cannot_be_kept_gets_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialError, match="cannot be kept in"):
        write_auth(tmp_path / "file" / "auth.json", StoredLogin(api_key="k"))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("sk-proj-1234567890ABCDE", "sk-proj-***ABCDE"),
        ("sk-proj-12345", "***"),
        ("", "***"),
        ("a" * 14, "aaaaaaaa***aaaaa"),
    ],
)
def test_key_is_masked(key: str, shown: str) -> None:
    assert mask(key) == shown


def test_no_secret_is_in_a_repr() -> None:
    login_tokens = Tokens(id_token="SECRET", access_token="SECRET", refresh_token="SECRET")
    login = StoredLogin(api_key="SECRET", tokens=login_tokens, extra={"x": "SECRET"})
    credential = Credential(token="SECRET", kind="api_key")
    assert "SECRET" not in f"{login_tokens!r} {login!r} {credential!r} {login} {credential}"
