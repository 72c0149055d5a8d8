"""The providers a thread can choose from: built-in ones, and the user's entries laid over them.

Source: spec/model-api.md section 7. Unlike there, an entry with a built-in id changes the fields it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from codex_kernel.config.schema import Provider
from codex_kernel.config.types import ModelProvider, WireApi
from codex_protocol.errors import ConfigError

OSS_PROVIDERS = {"ollama": ("oss", "gpt-oss:20b"), "lmstudio": ("lmstudio", "openai/gpt-oss-20b")}
"""What `--oss` chooses: provider id and default model by the name of the local server."""

DEMO = "demo"
"""Provider id and model name of the offline demo model."""


def all_providers(
    entries: Mapping[str, Provider], openai_base_url: str | None, env: Mapping[str, str]
) -> dict[str, ModelProvider]:
    """Every provider by id."""
    providers = _built_in(env)
    for provider_id, entry in entries.items():
        providers[provider_id] = _laid_over(providers.get(provider_id), provider_id, entry)
    if openai_base_url:
        providers["openai"] = msgspec.structs.replace(providers["openai"], base_url=openai_base_url)
    return providers


_URL_VARIABLES = ("OPENAI_BASE_URL", "CODEX_OSS_BASE_URL")
_WEB_ADDRESS = r"https?://[^\s/?#]+([/?#]|$)"


def check_provider(provider_id: str, provider: ModelProvider, env: Mapping[str, str]) -> None:
    """Refuse what could never work, before the first request.

    Raises:
        ConfigError: The base URL is no web address.
    """
    url = provider.base_url
    if url is not None and not re.match(_WEB_ADDRESS, url):
        named = (f"The variable {name}" for name in _URL_VARIABLES if env.get(name, "").strip() == url)
        whose = next(named, f"The base URL of provider {provider_id!r}")
        raise ConfigError(
            f"{whose} is {url!r}; it must start with http:// or https:// and a host.",
            key=f"model_providers.{provider_id}.base_url",
        )
    if url is None and provider_id not in {"openai", DEMO} and not provider.requires_openai_auth:
        raise ConfigError(
            f"Provider {provider_id!r} has no base_url; add it to [model_providers.{provider_id}].",
            key=f"model_providers.{provider_id}.base_url",
        )


def _built_in(env: Mapping[str, str]) -> dict[str, ModelProvider]:
    port = env.get("CODEX_OSS_PORT", "").strip()
    oss_url = env.get("CODEX_OSS_BASE_URL", "").strip() or f"http://localhost:{port if port.isdigit() else 11434}/v1"
    return {
        "openai": ModelProvider(
            name="OpenAI",
            base_url=env.get("OPENAI_BASE_URL", "").strip() or None,
            wire_api=WireApi.RESPONSES,
            env_http_headers={"OpenAI-Organization": "OPENAI_ORGANIZATION", "OpenAI-Project": "OPENAI_PROJECT"},
            requires_openai_auth=True,
        ),
        "oss": ModelProvider(name="Ollama", base_url=oss_url, wire_api=WireApi.CHAT),
        "ollama": ModelProvider(name="Ollama", base_url=oss_url, wire_api=WireApi.CHAT),
        "lmstudio": ModelProvider(name="LM Studio", base_url="http://localhost:1234/v1", wire_api=WireApi.CHAT),
        DEMO: ModelProvider(name="Demo (offline)", wire_api=WireApi.RESPONSES),
    }


def _laid_over(below: ModelProvider | None, provider_id: str, entry: Provider) -> ModelProvider:
    if below is None:
        below = ModelProvider(name=entry.name or provider_id)
    named = {
        field: value
        for field in entry.__struct_fields__
        if (value := getattr(entry, field)) is not None and value != {}
    }
    return msgspec.structs.replace(below, **named)
