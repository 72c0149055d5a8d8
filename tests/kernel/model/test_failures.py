import json
import time
from typing import Any

import pytest

from codex_kernel.model.failures import (
    duration_text,
    error_object,
    one_line,
    parse_error_body,
    status_failure,
    stream_failure,
    usage_failure,
    usage_text,
    wait_in,
)
from codex_protocol.errors import ContextWindowExceeded, ModelError, RetryableModelError, UsageLimitReached


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error":{"message":"no such model","code":"model_not_found"}}', "no such model"),
        (b'{"error":"plain"}', "plain"),
        (b'data: {"error": {"message": "as an event"}}\n\ndata: [DONE]\n\n', "as an event"),  # LiteLLM 1.108
        (b"data: none\n\n", "none"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "field required"),
        (b'{"message":"m"}', "m"),
        (b'[{"error":{"message":"from a list"}}]', "from a list"),
        (b'{"errors":[{"message":"e"}]}', "e"),
        (b'{"error":{"message":null}}', ""),
        (b"{}", ""),
        (b"", ""),
        (b"upstream connect error\n  reset", "upstream connect error reset"),
        (b"<html><head><title>502 Bad\nGateway</title></head></html>", "502 Bad Gateway"),
        (b"<html>no title", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 50_000, None),
        (b"x" * 5000, "x" * 999 + "…"),
    ],
)
def test_the_providers_own_words_are_found_in_any_shape_of_body(body: bytes, message: str | None) -> None:
    found = parse_error_body(body)["message"]
    assert isinstance(found, str)
    assert message is None or found == message
    assert len(found) <= 1000


def test_facts_beside_the_message_are_kept() -> None:
    assert error_object({"error": {"message": "m", "code": "c"}})["code"] == "c"


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, {"error": {"message": "bad"}}, ModelError, "unexpected status 400 Bad Request: bad"),
        (404, {}, ModelError, "status 404 Not Found from http://x/v1; check the provider's base_url and wire_api"),
        (404, {"detail": "Not Found"}, ModelError, "404 Not Found from http://x/v1; check the provider's base_url"),
        (407, {}, ModelError, "http://USER:PASSWORD@HOST:PORT"),
        (403, {"error": "403 Forbidden"}, ModelError, "unexpected status 403 Forbidden from http://x/v1"),
        (799, {}, ModelError, "unexpected status 799"),
        (400, {"error": {"message": "m", "code": "context_length_exceeded"}}, ContextWindowExceeded, "m"),
        (400, {"error": {"message": "This model's maximum context length is 9"}}, ContextWindowExceeded, "maximum"),
        (500, {"error": {"message": "the context window service is down"}}, ModelError, "500"),
        (413, {"error": {"message": "big"}}, ContextWindowExceeded, "big"),
        (429, {"error": {"code": "insufficient_quota", "message": "pay"}}, UsageLimitReached, "pay"),
        (429, {"error": {"type": "usage_not_included"}}, UsageLimitReached, "plan"),
    ],
)
def test_a_status_becomes_the_error_it_means(status: int, body: Any, kind: type[ModelError], text: str) -> None:
    error = status_failure(status, json.dumps(body).encode(), "http://x/v1")
    assert type(error) is kind
    assert text in str(error)
    assert error.status == status


@pytest.mark.parametrize(
    ("plan", "seconds", "tail"),
    [
        ("plus", None, "or try again later."),
        (None, None, "Try again later."),
        ("pro", None, "Try again later."),
        (None, 300, "Try again in 5 minutes."),
        ("plus", 12720, "or try again in 3 hours 32 minutes."),
        (None, 183900, "Try again in 2 days 3 hours 5 minutes."),
        (None, 30, "Try again in less than a minute."),
    ],
)
def test_a_used_up_limit_is_explained(plan: str | None, seconds: int | None, tail: str) -> None:
    assert usage_text(plan, seconds).endswith(tail)
    error: dict[str, Any] = {"type": "usage_limit_reached", "plan_type": plan, "resets_in_seconds": seconds}
    failure = usage_failure(429, json.dumps({"error": error}).encode())
    assert failure is not None
    assert str(failure).endswith(tail)
    assert failure.resets_in_s == seconds


def test_a_limit_that_names_the_time_of_its_end_is_counted_down() -> None:
    body = json.dumps({"error": {"type": "usage_limit_reached", "resets_at": time.time() + 3601}}).encode()
    failure = usage_failure(429, body)
    assert failure is not None
    assert failure.resets_in_s in (3600, 3601)


def test_the_plan_of_the_login_stands_in_where_the_body_names_none() -> None:
    failure = usage_failure(429, b'{"error":{"type":"usage_limit_reached"}}', "plus")
    assert failure is not None
    assert "Upgrade to Pro" in str(failure)


def test_a_rate_limit_is_no_usage_limit() -> None:
    assert usage_failure(429, b'{"error":{"code":"rate_limit_exceeded","message":"slow"}}') is None
    assert usage_failure(429, b"") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than a minute"),
        (60, "1 minute"),
        (3600, "1 hour"),
        (86400 + 60, "1 day 1 minute"),
        (2 * 86400, "2 days"),
    ],
)
def test_durations_read_well(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 11.054s. Visit", 11.054),
        ("try again in 500ms", 0.5),
        ("Try again in 20 seconds", 20),
        ("try again in 6m0s", 360),
        ("try again in 1m30.5s", 90.5),
        ("try again in 2 minutes", 120),
        ("try again in a while", None),
        ("try again in ", None),
        ("later", None),
    ],
)
def test_a_wait_is_read_out_of_the_words(message: str, seconds: float | None) -> None:
    assert wait_in(message) == seconds


def test_long_messages_are_cut_with_a_mark() -> None:
    assert one_line("a\n" * 3000).endswith("…")


def test_a_failure_that_asks_for_a_very_long_pause_is_not_waited_for() -> None:
    assert isinstance(stream_failure({"message": "Please try again in 5s."}), RetryableModelError)
    assert not isinstance(stream_failure({"message": "Please try again in 90m."}), RetryableModelError)
