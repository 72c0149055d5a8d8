"""Where a provider's requests go, with which headers, and what authorises them. Source: spec/model-api.md section 7."""

from __future__ import annotations

import os
from collections.abc import Mapping

from codex_kernel.config.credentials import Credential, CredentialSource
from codex_kernel.config.types import ModelProvider
from codex_protocol.errors import ConfigError, CredentialError

OPENAI_URL = "https://api.openai.com/v1"
CHATGPT_PATH = "codex"
"""Below `chatgpt_base_url`."""


async def effective_credential(
    provider_id: str,
    provider: ModelProvider,
    source: CredentialSource,
    env: Mapping[str, str] = os.environ,
) -> Credential | None:
    """What authorises a request to the provider; None when it is asked without.

    The provider's own key first. The login is for OpenAI and for providers that say they take it
    (`requires_openai_auth`): it is never sent to anyone else.

    Raises:
        CredentialError: The provider wants one and there is none.
    """
    key = env.get(provider.env_key, "").strip() if provider.env_key else ""
    if key:
        _check_sendable(key, f"The key in {provider.env_key}")
        return Credential(token=key, kind="api_key")
    if provider.requires_openai_auth:
        login = await source.current()
        if login is not None:
            _check_sendable(login.token, "The stored login")
            return login
        raise missing_credential(provider_id, provider)
    if provider.env_key:
        raise missing_credential(provider_id, provider)
    return None


def missing_credential(provider_id: str, provider: ModelProvider) -> CredentialError:
    """The error that names the ways to get a credential."""
    if provider.env_key:
        text = f"Missing environment variable: `{provider.env_key}`, which holds the API key of {provider.name}."
        return CredentialError(f"{text} {provider.env_key_instructions or ''}".rstrip())
    return CredentialError(
        f"No credential for {provider.name or provider_id}: set OPENAI_API_KEY or run `codex login`, "
        "or use `--oss` for a model on this machine or `--demo` for the built-in demo."
    )


def refused_credential(provider: ModelProvider, reason: str) -> CredentialError:
    """The error for a credential that the provider does not take.

    Args:
        provider: Who refused it.
        reason: Status and the provider's own words.
    """
    if provider.env_key:
        mend = f"check the key in {provider.env_key}"
    elif provider.requires_openai_auth:
        mend = "run `codex login` again or set another OPENAI_API_KEY"
    else:
        mend = "name the variable that holds the provider's key with `env_key`"
    return CredentialError(f"{provider.name} refused the credential ({reason}); {mend}.")


def request_url(provider: ModelProvider, path: str, *, chatgpt_base_url: str | None = None) -> str:
    """The address of a request: base URL, path, and the query of both the base URL and `query_params`.

    Args:
        provider: Whose `base_url` and `query_params` are used.
        path: Begins with a slash.
        chatgpt_base_url: Given for a ChatGPT login; stands in for a missing base URL.
    """
    from urllib.parse import urlencode

    base = provider.base_url
    if not base:
        base = f"{chatgpt_base_url.rstrip('/')}/{CHATGPT_PATH}" if chatgpt_base_url else OPENAI_URL
    address, _, own_query = base.partition("#")[0].partition("?")
    query = "&".join(part for part in (own_query, urlencode(provider.query_params)) if part)
    return address.rstrip("/") + path + (f"?{query}" if query else "")


def provider_headers(provider: ModelProvider, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The provider's own headers; those from the environment are left out when their variable is unset or blank.

    Raises:
        ConfigError: A value cannot stand in a header.
    """
    from_env = {name: env.get(variable, "").strip() for name, variable in provider.env_http_headers.items()}
    headers = {**provider.http_headers, **{name: value for name, value in from_env.items() if value}}
    for name, value in headers.items():
        if not _is_sendable(name + value):
            variable = provider.env_http_headers.get(name)
            where = f"environment variable {variable}" if variable else "config.toml"
            raise ConfigError(
                f"The value of header {name!r} of {provider.name} (from {where}) has characters no header takes."
            )
    return headers


def authorisation(credential: Credential | None) -> dict[str, str]:
    """The headers that carry a credential."""
    if credential is None:
        return {}
    headers = {"Authorization": f"Bearer {credential.token}"}
    if credential.kind == "chatgpt":
        headers["OpenAI-Beta"] = "responses=experimental"
        if credential.account_id:
            headers["chatgpt-account-id"] = credential.account_id
    return headers


def _check_sendable(token: str, what: str) -> None:
    if not _is_sendable(token):
        raise CredentialError(f"{what} has characters that no key has (a line end, a quotation mark?); set it again.")


def _is_sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()
