import json
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from codex_kernel.model.direct import DirectClient
from codex_kernel.model.exchange import HttpClient
from codex_kernel.model.interface import Completed, ItemDone, Retrying
from codex_kernel.model.through_httpx import HttpxClient
from codex_protocol.errors import (
    ContextWindowExceeded,
    CredentialError,
    ModelError,
    RetryableModelError,
    StreamClosed,
    UsageLimitReached,
)
from codex_protocol.items import assistant_message
from tests.support.http_client import PROMPT, Logins, Pauses, collect, make

ANSWER = b"".join(
    b"data: " + json.dumps(event).encode() + b"\n\n"
    for event in (
        {"type": "response.created", "response": {}},
        {
            "type": "response.output_item.done",
            "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]},
        },
        {"type": "response.completed", "response": {"id": "r"}},
    )
)
SSE = {"content-type": "text/event-stream"}


def ok() -> httpx.Response:
    return httpx.Response(200, headers=SSE, content=ANSWER)


class Plays:
    """Answers requests one after another, the last one for ever."""

    def __init__(self, *answers: httpx.Response | Exception | Callable[[], httpx.Response]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return (
            answer()
            if callable(answer)
            else httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        )


def refuses(status: int, error: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, headers={key.replace("_", "-"): value for key, value in headers.items()}, json=error or {}
    )


async def test_a_request_goes_to_the_providers_address_with_its_headers_and_credential() -> None:
    plays = Plays(ok())
    client = make(plays, env_key="KEY", env={"KEY": "k"}, query_params={"v": "1"}, http_headers={"X-A": "b"})
    await collect(client)
    (request,) = plays.requests
    assert str(request.url) == "http://provider.test/v1/responses?v=1"
    assert request.headers["authorization"] == "Bearer k"
    assert request.headers["x-a"] == "b"
    assert json.loads(request.content)["model"] == "m"


async def test_a_providers_own_authorisation_header_stands_alone() -> None:
    plays = Plays(ok())
    await collect(make(plays, env_key="KEY", env={"KEY": "k"}, http_headers={"authorization": "Basic x"}))
    assert plays.requests[0].headers.get_list("authorization") == ["Basic x"]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_a_status_that_may_pass_is_tried_again_and_told_of(status: int) -> None:
    plays, pauses = Plays(refuses(status, {"error": {"message": "later"}}), ok()), Pauses()
    events = await collect(make(plays, sleep=pauses))
    assert isinstance(events[0], Retrying)
    assert "later" in events[0].message
    assert str(status) in events[0].message
    assert (events[0].attempt, events[0].max_attempts) == (1, 4)
    assert isinstance(events[-1], Completed)
    assert pauses.taken == [events[0].delay_s]
    assert 0.18 <= pauses.taken[0] <= 0.22


async def test_retries_end_and_the_last_word_is_the_providers() -> None:
    plays, pauses = Plays(refuses(503, {"error": {"message": "all busy"}})), Pauses()
    with pytest.raises(ModelError) as caught:
        await collect(make(plays, sleep=pauses, request_max_retries=2))
    assert str(caught.value) == "exceeded retry limit, last status: 503 Service Unavailable: all busy"
    assert caught.value.status == 503
    assert not isinstance(caught.value, RetryableModelError)  # the caller would begin all over again
    assert len(plays.requests) == 3


@pytest.mark.parametrize(
    ("status", "error", "kind", "words"),
    [
        (400, {"message": "bad tool"}, ModelError, "unexpected status 400 Bad Request: bad tool"),
        (403, {"message": "no"}, ModelError, "403 Forbidden: no"),
        (404, {"message": "no model"}, ModelError, "404 Not Found: no model"),
        (422, {"message": "odd"}, ModelError, "odd"),
        (501, {}, ModelError, "501"),
        (400, {"code": "context_length_exceeded", "message": "long"}, ContextWindowExceeded, "long"),
        (413, {"message": "big"}, ContextWindowExceeded, "big"),
        (429, {"type": "usage_limit_reached", "resets_in_seconds": 300}, UsageLimitReached, "5 minutes"),
        (429, {"code": "insufficient_quota", "message": "pay"}, UsageLimitReached, "pay"),
    ],
)
async def test_what_cannot_succeed_is_not_tried_again(
    status: int, error: dict[str, Any], kind: type[ModelError], words: str
) -> None:
    plays = Plays(refuses(status, {"error": error}))
    with pytest.raises(ModelError, match=words) as caught:
        await collect(make(plays))
    assert type(caught.value) is kind
    assert len(plays.requests) == 1


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (refuses(429, retry_after="7"), 7),
        (refuses(503, retry_after_ms="1500"), 1.5),
        (refuses(429, {"error": {"message": "Please try again in 11.054s."}}), 11.054),
        (refuses(429, {"error": {"message": "try again in 3s"}}, retry_after="0"), 0),
    ],
)
async def test_the_pause_the_provider_asks_for_is_taken(answer: httpx.Response, pause: float) -> None:
    pauses = Pauses()
    await collect(make(Plays(answer, ok()), sleep=pauses))
    assert pauses.taken == [pause]


async def test_a_pause_of_an_hour_is_left_to_the_user() -> None:
    pauses = Pauses()
    with pytest.raises(ModelError, match=r"429 Too Many Requests: P asks to wait 1 hour: slow") as caught:
        await collect(make(Plays(refuses(429, {"error": {"message": "slow"}}, retry_after="3600")), sleep=pauses))
    assert pauses.taken == []
    assert not isinstance(caught.value, RetryableModelError)


async def test_no_answer_is_tried_again_and_then_explained() -> None:
    plays = Plays(httpx.ConnectError("Connection refused"), httpx.ReadError("reset"), ok())
    events = await collect(make(plays))
    assert [event.message for event in events if isinstance(event, Retrying)] == [
        "No answer from provider.test: Connection refused",
        "No answer from provider.test: reset",
    ]
    with pytest.raises(
        ModelError, match=r"No answer from provider\.test: Connection refused \(4 retries did not help\)"
    ):
        await collect(make(Plays(httpx.ConnectError("Connection refused"))))


async def test_a_certificate_that_cannot_be_verified_is_not_tried_again() -> None:
    plays = Plays(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed"))
    with pytest.raises(ModelError, match=r"SSL_CERT_FILE"):
        await collect(make(plays))
    assert len(plays.requests) == 1


async def test_silence_before_the_answer_is_the_callers_to_ask_again() -> None:
    with pytest.raises(StreamClosed, match="sent nothing"):
        await collect(make(Plays(httpx.ReadTimeout("")), stream_idle_timeout_ms=1500))


async def test_a_refused_login_is_refreshed_once_and_used_at_once() -> None:
    plays, pauses, logins = Plays(refuses(401), ok()), Pauses(), Logins("old", "new")
    await collect(make(plays, sleep=pauses, logins=logins, requires_openai_auth=True))
    assert [request.headers["authorization"] for request in plays.requests] == ["Bearer old", "Bearer new"]
    assert pauses.taken == []


@pytest.mark.parametrize("second", ["new", "old", None])
async def test_a_login_that_stays_refused_is_a_credential_error(second: str | None) -> None:
    plays, logins = Plays(refuses(401, {"error": {"message": "bad key"}})), Logins("old", second)
    with pytest.raises(
        CredentialError, match=r"refused the credential \(401 Unauthorized: bad key\); run `codex login`"
    ):
        await collect(make(plays, logins=logins, requires_openai_auth=True))
    assert len(plays.requests) == (2 if second == "new" else 1)


async def test_a_refused_key_of_the_environment_is_not_refreshed() -> None:
    logins = Logins("old", "new")
    with pytest.raises(CredentialError, match="KEY"):
        await collect(
            make(Plays(refuses(401)), logins=logins, env_key="KEY", env={"KEY": "k"}, requires_openai_auth=True)
        )
    assert logins.refreshes == 0


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_on_the_same_server_is_followed(status: int) -> None:
    plays = Plays(httpx.Response(status, headers={"location": "/v2/responses"}), ok())
    await collect(make(plays, env_key="KEY", env={"KEY": "k"}))
    assert str(plays.requests[1].url) == "http://provider.test/v2/responses"
    assert plays.requests[1].method == "POST"
    assert plays.requests[1].content == plays.requests[0].content


async def test_a_redirect_to_tls_on_the_same_host_is_followed() -> None:
    plays = Plays(httpx.Response(301, headers={"location": "https://provider.test/v1/responses"}), ok())
    await collect(make(plays))
    assert plays.requests[1].url.scheme == "https"


@pytest.mark.parametrize(
    "target", ["http://evil.test/v1", "http://provider.test:81/v1", "//evil.test/", "https://provider.test.evil.test/"]
)
async def test_the_credential_never_follows_a_redirect_to_another_server(target: str) -> None:
    plays = Plays(httpx.Response(307, headers={"location": target}), ok())
    with pytest.raises(ModelError, match="set base_url"):
        await collect(make(plays, env_key="KEY", env={"KEY": "k"}))
    assert len(plays.requests) == 1


async def test_a_redirect_away_from_tls_is_not_followed() -> None:
    plays = Plays(httpx.Response(307, headers={"location": "http://provider.test/v1"}), ok())
    with pytest.raises(ModelError):
        await collect(make(plays, base_url="https://provider.test/v1"))


async def test_redirects_in_a_circle_end() -> None:
    with pytest.raises(ModelError, match="again and again"):
        await collect(make(Plays(httpx.Response(307, headers={"location": "/a"}))))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, content=b"<p>Sign in"), "web page"),
        (httpx.Response(204), "answered with nothing"),
        (httpx.Response(302), "does not say where to"),
        (httpx.Response(404, content=b"<html><title>404 Not Found</title></html>"), "404 Not Found from"),
    ],
)
async def test_what_is_no_providers_answer_is_told_with_its_address_and_without_the_key(
    answer: httpx.Response, words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        await collect(make(Plays(answer), base_url="http://me:secret@provider.test/v1?key=secret"))
    assert "http://provider.test/v1/responses" in str(caught.value)
    assert "base_url" in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_the_page_of_a_gateway_says_its_status_once() -> None:
    page = httpx.Response(502, content=b"<html><head><title>502 Bad Gateway</title></head></html>")
    with pytest.raises(ModelError) as caught:
        await collect(make(Plays(page), request_max_retries=0))
    assert str(caught.value) == "exceeded retry limit, last status: 502 Bad Gateway"


@pytest.mark.parametrize("content", [b"", b'{"choices":[]}', b"<html>Sign in</html>", b": ping\n\n"])
async def test_an_answer_without_an_event_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(StreamClosed, match="no event of a stream; check its base_url"):
        await collect(make(Plays(httpx.Response(200, headers=SSE, content=content))))


async def test_json_instead_of_a_stream_is_reported_with_its_error() -> None:
    with pytest.raises(ModelError, match="no such model"):
        await collect(make(Plays(httpx.Response(200, json={"error": {"message": "no such model"}}))))
    with pytest.raises(ModelError, match="instead of a stream"):
        await collect(make(Plays(httpx.Response(200, json={"id": "r"}))))
    broken = httpx.Response(200, headers={"content-type": "application/json"}, content=b"{broken: <json>")
    with pytest.raises(StreamClosed, match=r"garbled, at: '{broken"):
        await collect(make(Plays(broken)))


async def test_a_stream_without_a_content_type_is_read() -> None:
    assert ItemDone(assistant_message("hi")) in await collect(make(Plays(httpx.Response(200, content=ANSWER))))


async def test_closing_the_iterator_while_it_waits_makes_no_further_request() -> None:
    plays = Plays(refuses(503))
    client = make(plays)
    stream = client.stream(PROMPT)
    assert isinstance(await anext(stream), Retrying)
    await stream.aclose()
    await client.aclose()
    assert len(plays.requests) == 1


def no_tls() -> ssl.SSLContext:
    raise AssertionError("a TLS context was asked for")


@pytest.mark.parametrize("make_http", [lambda: HttpxClient(httpx.AsyncClient()), lambda: DirectClient(no_tls)])
@pytest.mark.parametrize("url", ["ftp://x/v1", "x/v1", "http://x:port/v1", "http://[::1/v1", "http:///v1"])
async def test_an_address_that_is_none_is_refused(make_http: Callable[[], HttpClient], url: str) -> None:
    with pytest.raises(ModelError, match="cannot be made"):
        await collect(make(make_http(), base_url=url))
