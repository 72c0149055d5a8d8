import pytest

from codex_kernel.config.credentials import Credential
from codex_kernel.config.types import ModelProvider, WireApi
from codex_kernel.model.providers import (
    authorisation,
    effective_credential,
    provider_headers,
    refused_credential,
    request_url,
)
from codex_protocol.errors import ConfigError, CredentialError

LOGIN = Credential(token="login-token", kind="chatgpt", account_id="acc")
OPENAI = ModelProvider(name="OpenAI", wire_api=WireApi.RESPONSES, requires_openai_auth=True)
PLAIN = ModelProvider(name="Local", base_url="http://localhost:1/v1")
KEYED = ModelProvider(
    name="Other", base_url="https://o.test/v1", env_key="O_KEY", env_key_instructions="Get one at o.test."
)


class Logins:
    def __init__(self, login: Credential | None = LOGIN) -> None:
        self.login = login
        self.asked = 0

    async def current(self) -> Credential | None:
        self.asked += 1
        return self.login

    async def refresh(self) -> Credential | None:
        return None


@pytest.mark.parametrize(
    ("provider", "env", "token"),
    [
        (KEYED, {"O_KEY": " k \n"}, "k"),
        (OPENAI, {}, "login-token"),
        (PLAIN, {}, None),
        (ModelProvider(name="x", env_key="O_KEY", requires_openai_auth=True), {"O_KEY": "k"}, "k"),
        (ModelProvider(name="x", env_key="O_KEY", requires_openai_auth=True), {"O_KEY": " "}, "login-token"),
    ],
)
async def test_the_credential_a_request_carries(
    provider: ModelProvider, env: dict[str, str], token: str | None
) -> None:
    credential = await effective_credential("p", provider, Logins(), env)
    assert (credential.token if credential else None) == token


async def test_the_login_is_never_sent_to_a_provider_that_did_not_ask_for_it() -> None:
    logins = Logins()
    assert await effective_credential("p", PLAIN, logins, {}) is None
    with pytest.raises(CredentialError):
        await effective_credential("p", KEYED, logins, {})
    assert logins.asked == 0


async def test_a_missing_login_names_every_way_to_get_one() -> None:
    with pytest.raises(CredentialError) as caught:
        await effective_credential("openai", OPENAI, Logins(None), {})
    for way in ("OPENAI_API_KEY", "codex login", "--oss", "--demo"):
        assert way in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_missing_key_names_its_variable_and_the_providers_instructions() -> None:
    with pytest.raises(CredentialError, match=r"Missing environment variable: `O_KEY`.*Get one at o\.test\."):
        await effective_credential("o", KEYED, Logins(), {})


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-“quoted”", "\u200bsk"])
async def test_a_key_that_no_header_takes_is_refused_before_it_is_sent(key: str) -> None:
    with pytest.raises(CredentialError, match="O_KEY") as caught:
        await effective_credential("o", KEYED, Logins(), {"O_KEY": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "query", "chatgpt", "url"),
    [
        (None, {}, None, "https://api.openai.com/v1/responses"),
        (None, {}, "https://chatgpt.com/backend-api/", "https://chatgpt.com/backend-api/codex/responses"),
        ("http://h/v1", {}, "https://chatgpt.com/backend-api/", "http://h/v1/responses"),
        ("http://h/v1/", {}, None, "http://h/v1/responses"),
        (
            "https://r.openai.azure.com/openai", {"api-version": "2025-04-01-preview"}, None,
            "https://r.openai.azure.com/openai/responses?api-version=2025-04-01-preview",
        ),
        ("https://h/v1?api-version=1", {}, None, "https://h/v1/responses?api-version=1"),
        ("https://h/v1/?a=1", {"b": "x y&z"}, None, "https://h/v1/responses?a=1&b=x+y%26z"),
        ("https://h/v1#top", {}, None, "https://h/v1/responses"),
    ],
)  # fmt: skip
def test_the_address_is_base_path_and_both_queries(
    base: str | None, query: dict[str, str], chatgpt: str | None, url: str
) -> None:
    provider = ModelProvider(name="x", base_url=base, query_params=query)
    assert request_url(provider, "/responses", chatgpt_base_url=chatgpt) == url


def test_headers_come_from_the_settings_and_from_set_variables() -> None:
    provider = ModelProvider(
        name="Azure",
        http_headers={"X-A": "1"},
        env_http_headers={"api-key": "AZURE_KEY", "X-Blank": "BLANK", "X-Unset": "UNSET"},
    )
    assert provider_headers(provider, {"AZURE_KEY": "k", "BLANK": "  "}) == {"X-A": "1", "api-key": "k"}


def test_a_header_that_cannot_be_sent_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigError, match="X-A"):
        provider_headers(ModelProvider(name="x", http_headers={"X-A": "a\r\nInjected: 1"}), {})
    with pytest.raises(ConfigError, match="VAR"):
        provider_headers(ModelProvider(name="x", env_http_headers={"X": "VAR"}), {"VAR": "ä"})


def test_a_chatgpt_login_carries_its_account() -> None:
    assert authorisation(LOGIN)["chatgpt-account-id"] == "acc"
    assert authorisation(Credential(token="k", kind="api_key")) == {"Authorization": "Bearer k"}
    assert authorisation(None) == {}


@pytest.mark.parametrize(("provider", "way"), [(OPENAI, "codex login"), (KEYED, "O_KEY"), (PLAIN, "env_key")])
def test_a_refused_credential_says_what_to_mend(provider: ModelProvider, way: str) -> None:
    assert way in str(refused_credential(provider, "401 Unauthorized: no"))
