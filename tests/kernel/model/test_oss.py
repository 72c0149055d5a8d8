import json
from typing import Any

import httpx
import pytest

from codex_kernel.config.types import ModelProvider
from codex_kernel.model.oss import PullProgress, host_root, list_models, prepare, pull
from codex_protocol.errors import ModelError

OLLAMA = ModelProvider(name="Ollama", base_url="http://localhost:11434/v1")
STUDIO = ModelProvider(name="LM Studio", base_url="http://localhost:1234/v1")


class Server:
    def __init__(self, *, models: Any = (), lines: list[Any] = [], status: int = 200) -> None:  # noqa: B006 (never changed)
        self.models, self.lines, self.status = models, lines, status
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.status != 200:
            return httpx.Response(self.status, json={"error": "broken"})
        match request.url.path:
            case "/api/tags":
                return httpx.Response(200, json={"models": [{"name": name} for name in self.models]})
            case "/v1/models":
                return httpx.Response(200, json={"data": [{"id": name} for name in self.models]})
            case "/api/pull":
                lines = [line if isinstance(line, str) else json.dumps(line) for line in self.lines]
                return httpx.Response(200, content="\n".join(lines))
            case _:
                return httpx.Response(404)

    @property
    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))

    def paths(self) -> list[str]:
        return [request.url.path for request in self.requests]


def nobody(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434"),
        ("http://localhost:11434/", "http://localhost:11434"),
        ("http://localhost:11434/v1/", "http://localhost:11434"),
    ],
)
def test_the_servers_root_is_the_base_without_its_version(base: str, root: str) -> None:
    assert host_root(base) == root


@pytest.mark.parametrize(
    ("provider_id", "provider", "words"),
    [
        ("oss", OLLAMA, ["No Ollama server answers at http://localhost:11434", "ollama serve", "CODEX_OSS_BASE_URL"]),
        ("lmstudio", STUDIO, ["No LM Studio server answers at http://localhost:1234", "lms server start"]),
    ],
)
async def test_when_none_runs_one_sentence_says_how_to_start_it(
    provider_id: str, provider: ModelProvider, words: list[str]
) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(nobody)) as http:
        with pytest.raises(ModelError) as caught:
            await prepare(provider_id, provider, "m", client=http)
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


async def test_a_model_that_is_there_is_not_fetched() -> None:
    for name in ("gpt-oss:20b", "llama3"):
        server = Server(models=["gpt-oss:20b", "llama3:latest"])
        await prepare("oss", OLLAMA, name, client=server.http)
        assert server.paths() == ["/api/tags"]


async def test_a_missing_model_is_fetched_with_its_progress_summed_up() -> None:
    lines = [
        {"status": "pulling manifest"},
        {"status": "pulling a", "digest": "sha256:a", "total": 100},
        {"status": "pulling a", "digest": "sha256:a", "total": 100, "completed": 60},
        "not json",
        "[]",
        {"status": "pulling b", "digest": "sha256:b", "total": 50, "completed": 50},
        {"status": "success"},
    ]
    server = Server(lines=lines)
    seen: list[PullProgress] = []
    await prepare("ollama", OLLAMA, "gpt-oss:20b", on_progress=seen.append, client=server.http)
    assert server.paths() == ["/api/tags", "/api/pull"]
    assert json.loads(server.requests[1].content) == {"model": "gpt-oss:20b", "stream": True}
    assert [(step.completed, step.total) for step in seen] == [(0, 0), (0, 100), (60, 100), (110, 150), (110, 150)]
    assert seen[-1].status == "success"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"error": "pull model manifest: file does not exist"}], "file does not exist"),
        ([{"status": "pulling manifest"}], "before it was complete"),
        ([], "before it was complete"),
    ],
)
async def test_a_fetch_that_fails_says_so(lines: list[Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        await pull(OLLAMA, "m", client=Server(lines=lines).http)


async def test_other_servers_are_asked_for_the_common_model_list_and_never_told_to_fetch() -> None:
    server = Server(models=["openai/gpt-oss-20b"])
    assert await list_models("lmstudio", STUDIO, client=server.http) == ("openai/gpt-oss-20b",)
    await prepare("lmstudio", STUDIO, "openai/gpt-oss-20b", client=server.http)
    with pytest.raises(ModelError, match="LM Studio has no model 'other'; it has openai/gpt-oss-20b"):
        await prepare("lmstudio", STUDIO, "other", client=server.http)
    assert set(server.paths()) == {"/v1/models"}


async def test_something_else_at_the_port_is_told_from_a_model_server() -> None:
    with pytest.raises(ModelError, match="does not answer like Ollama: 500 Internal Server Error: broken"):
        await list_models("oss", OLLAMA, client=Server(status=500).http)
    page = httpx.MockTransport(lambda _: httpx.Response(200, content=b"<html>"))
    async with httpx.AsyncClient(transport=page) as http:
        with pytest.raises(ModelError, match="does not answer like Ollama"):
            await list_models("oss", OLLAMA, client=http)


async def test_a_dead_port_is_found_out_without_a_client_of_the_callers() -> None:
    with pytest.raises(ModelError, match="No Ollama server answers"):
        await prepare("oss", ModelProvider(name="Ollama", base_url="http://127.0.0.1:1/v1"), "m")


async def test_the_error_names_another_local_server_that_does_run() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return Server(models=["m"])(request) if request.url.port == 1234 else nobody(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http:
        with pytest.raises(ModelError, match=r"No Ollama .*LM Studio does run at http://localhost:1234\."):
            await prepare("oss", OLLAMA, "m", others={"lmstudio": STUDIO}, client=http)
        with pytest.raises(ModelError, match=r"base_url\.$"):
            await prepare("oss", OLLAMA, "m", others={"ollama": OLLAMA}, client=http)
