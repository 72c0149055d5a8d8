from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import Config, ModelProvider, WireApi
from codex_kernel.model.catalogue import DEFAULT_MODEL, KNOWN_MODELS, model_info
from codex_kernel.model.demo import DemoModel
from codex_kernel.model.factory import make_client
from codex_kernel.model.interface import Completed, ItemDone
from codex_kernel.model.user_agent import terminal, user_agent
from codex_protocol.errors import CredentialError, ModelError, StreamClosed
from codex_protocol.items import assistant_message
from codex_protocol.policy import Effort, ReadOnly
from tests.support.http_client import PROMPT, Logins
from tests.support.model_server import ModelServer
from tests.support.replies import says


def config(provider: ModelProvider, provider_id: str = "p", **fields: Any) -> Config:
    basis: dict[str, Any] = {"codex_home": Path("/h"), "cwd": Path("/w"), "model": "m", "sandbox_policy": ReadOnly()}
    return Config(model_provider=provider_id, provider=provider, **basis, **fields)


async def events(client: Any) -> list[Any]:
    try:
        return [event async for event in client.stream(PROMPT)]
    finally:
        await client.aclose()


@pytest.mark.parametrize("wire", list(WireApi))
async def test_a_configured_provider_is_spoken_to_in_its_own_way(wire: WireApi) -> None:
    with ModelServer([says("hello", delta_chars=3)]) as server:
        provider = ModelProvider(name="P", base_url=server.url, wire_api=wire, query_params={"v": "1"})
        client = make_client(config(provider), Logins(), thread_id="t-1", originator="codex_exec", env={"TERM": "x"})
        found = await events(client)
        (request,) = server.requests
    assert isinstance(found[-1], Completed)
    assert "hello" in [event.item.text() for event in found if isinstance(event, ItemDone)]
    assert request.path == ("/v1/responses" if wire is WireApi.RESPONSES else "/v1/chat/completions")
    assert request.query == "v=1"
    assert request.headers["user-agent"].startswith("codex-workbench/")
    assert "authorization" not in request.headers
    ours = {key: request.headers.get(key) for key in ("originator", "session_id", "thread-id")}
    if wire is WireApi.RESPONSES:
        assert ours == {"originator": "codex_exec", "session_id": "t-1", "thread-id": "t-1"}
    else:
        assert set(ours.values()) == {None}


async def test_the_configured_originator_wins() -> None:
    with ModelServer([says("x")]) as server:
        provider = ModelProvider(name="P", base_url=server.url, wire_api=WireApi.RESPONSES)
        settings = config(provider, originator="mine")
        await events(make_client(settings, Logins(), thread_id="t", originator="codex_exec", env={}))
        assert server.requests[0].headers["originator"] == "mine"


async def test_without_any_credential_no_request_is_made() -> None:
    with ModelServer([says("x")]) as server:
        provider = ModelProvider(
            name="OpenAI", base_url=server.url, wire_api=WireApi.RESPONSES, requires_openai_auth=True
        )
        with pytest.raises(CredentialError, match="OPENAI_API_KEY"):
            await events(make_client(config(provider), Logins(None), thread_id="t", originator="o", env={}))
        assert server.requests == []


def test_the_demo_provider_is_the_demo_model() -> None:
    demo = ModelProvider(name="Demo", wire_api=WireApi.RESPONSES)
    assert isinstance(make_client(config(demo, "demo"), Logins(), thread_id="t", originator="o"), DemoModel)


async def test_a_recorded_stream_answers_instead_of_the_provider(tmp_path: Path) -> None:
    recorded = tmp_path / "stream.sse"
    item = '{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}'
    recorded.write_text(
        f'data: {{"type":"response.output_item.done","item":{item}}}\n'
        'data: {"type":"response.completed","response":{"id":"r"}}\n'
    )
    provider = ModelProvider(name="P", base_url="http://127.0.0.1:1", wire_api=WireApi.RESPONSES)

    def client(path: Path) -> Any:
        env = {"CODEX_RS_SSE_FIXTURE": str(path)}
        return make_client(config(provider), Logins(), thread_id="t", originator="o", env=env)

    assert await events(client(recorded)) == [ItemDone(assistant_message("hi")), Completed("r", None)]
    recorded.write_text("data: {}\n")
    with pytest.raises(StreamClosed):
        await events(client(recorded))
    with pytest.raises(ModelError, match="CODEX_RS_SSE_FIXTURE"):
        await events(client(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("slug", "window", "output", "reasoning", "shell"),
    [
        ("gpt-oss-20b", 96_000, 32_000, False, False),
        ("gpt-oss:20b", 96_000, 32_000, False, False),
        ("openai/gpt-oss-120b", 96_000, 32_000, False, False),
        ("o3", 200_000, 100_000, True, False),
        ("o4-mini", 200_000, 100_000, True, False),
        ("codex-mini-latest", 200_000, 100_000, True, True),
        ("codex-next", 400_000, 128_000, True, False),
        ("gpt-4.1", 1_047_576, 32_768, False, False),
        ("gpt-4o", 128_000, 16_384, False, False),
        ("gpt-4o-2024-05-13", 128_000, 4_096, False, False),
        ("gpt-3.5-turbo", 16_385, 4_096, False, False),
        ("gpt-5", 400_000, 128_000, True, False),
    ],
)
def test_models_have_the_facts_of_the_specification(
    slug: str, window: int, output: int, reasoning: bool, shell: bool
) -> None:
    info = model_info(slug)
    assert (info.context_window, info.max_output_tokens) == (window, output)
    assert (info.supports_reasoning_summaries, info.local_shell, info.known) == (reasoning, shell, True)
    assert info.slug == slug


def test_every_offered_model_is_known_and_the_default_is_among_them() -> None:
    assert DEFAULT_MODEL == "gpt-5.5"
    assert DEFAULT_MODEL in KNOWN_MODELS
    assert all(model_info(name).known and model_info(name).context_window for name in KNOWN_MODELS)
    assert model_info("gpt-6.1-sol").verbosity
    assert model_info("gpt-5.5").apply_patch == "freeform"
    assert model_info("gpt-5.5").default_effort is Effort.MEDIUM


def test_an_unknown_name_works_with_careful_guesses() -> None:
    info = model_info("qwen3-coder:30b")
    assert not info.known
    assert info.context_window is None
    assert not info.supports_reasoning
    assert info.apply_patch == "function"


def test_settings_win_over_the_catalogue() -> None:
    provider = ModelProvider(name="P")
    settings = config(
        provider, model_context_window=5, model_max_output_tokens=3, model_supports_reasoning_summaries=True
    )
    for slug in ("gpt-5", "whatever"):
        info = model_info(slug, settings)
        assert (info.context_window, info.max_output_tokens) == (5, 3)
    assert model_info("whatever", settings).supports_reasoning


@pytest.mark.parametrize(
    ("env", "token"),
    [
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5", "TERM": "xterm"}, "iTerm.app/3.5"),
        ({"TERM_PROGRAM": "vscode"}, "vscode"),
        ({"WEZTERM_VERSION": "2024"}, "WezTerm/2024"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"ALACRITTY_SOCKET": "/x"}, "Alacritty"),
        ({"KONSOLE_VERSION": ""}, "Konsole"),
        ({"VTE_VERSION": "7600"}, "VTE/7600"),
        ({"WT_SESSION": "1"}, "WindowsTerminal"),
        ({"TERM": "we ird\r\nX: 1"}, "we_ird__X__1"),
        ({}, "unknown"),
    ],
)
def test_the_terminal_is_named_in_safe_characters(env: dict[str, str], token: str) -> None:
    assert terminal(env) == token
    assert user_agent(env).endswith(f") {token}")
