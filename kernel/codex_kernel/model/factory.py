"""From settings to a model client."""

from __future__ import annotations

import os
from collections.abc import Mapping

from codex_kernel.config.credentials import CredentialSource
from codex_kernel.config.types import Config, WireApi
from codex_kernel.model.interface import ModelClient

DEMO = "demo"


def make_client(
    config: Config,
    credentials: CredentialSource,
    *,
    thread_id: str,
    originator: str,
    env: Mapping[str, str] = os.environ,
) -> ModelClient:
    """The client for the configured provider; nothing is connected, and httpx is not imported, before its first use.

    Args:
        config: Names the provider.
        credentials: Asked before each request to a provider that takes the login.
        thread_id: Sent as a header.
        originator: The front end's name, sent unless `config.originator` says otherwise.
        env: Where keys and headers of providers are looked up.
    """
    provider = config.provider
    if config.model_provider == DEMO:
        from codex_kernel.model.demo import DemoModel

        return DemoModel()
    recorded = env.get("CODEX_RS_SSE_FIXTURE")
    if recorded and provider.wire_api is WireApi.RESPONSES:
        from pathlib import Path

        from codex_kernel.model.fixture import FixtureModel

        return FixtureModel(Path(recorded))
    from codex_kernel.model.client import HttpModelClient
    from codex_kernel.model.http import HttpLease
    from codex_kernel.model.providers import OPENAI_URL
    from codex_kernel.model.sending import Sender
    from codex_kernel.model.user_agent import user_agent

    headers = {"User-Agent": user_agent(env), "Accept": "text/event-stream", "Content-Type": "application/json"}
    headers["Accept-Encoding"] = "identity"  # a compressed stream reaches us in lumps
    if provider.wire_api is WireApi.CHAT:
        from codex_kernel.model.chat import Chat

        wire = Chat()
    else:
        from codex_kernel.model.responses import Responses

        wire = Responses()
        headers |= {"originator": config.originator or originator, "session_id": thread_id, "thread-id": thread_id}
    sender = Sender(
        config.model_provider,
        provider,
        credentials,
        HttpLease(provider.base_url or OPENAI_URL, provider.ca_certificate),
        headers=headers,
        chatgpt_base_url=config.chatgpt_base_url,
        env=env,
    )
    return HttpModelClient(wire, sender, stream_max_retries=provider.stream_max_retries)
