"""What a provider's refusal means: its own words, and the error a caller acts on.

Source: spec/model-api.md sections 6 and 9; the codes are those the Responses API documents and sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import msgspec

from codex_kernel.model.retry import MAX_WAIT_S
from codex_protocol.errors import ContextWindowExceeded, ModelError, RetryableModelError, UsageLimitReached

MAX_MESSAGE = 1000
_PRICING = "https://openai.com/chatgpt/pricing"
_TOO_LONG = frozenset({"context_length_exceeded", "request_too_large", "string_above_max_length"})
_LATER = frozenset(
    {
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limited",
        "server_error",
        "internal_server_error",
        "internal_error",
        "api_error",
        "server_is_overloaded",
        "overloaded",
        "overloaded_error",
        "slow_down",
        "timeout",
        "vector_store_timeout",
        "bad_gateway",
        "service_unavailable",
    }
)
_NEVER = frozenset(
    {
        "invalid_prompt",
        "invalid_request_error",
        "invalid_request",
        "bio_policy",
        "cyber_policy",
        "content_policy_violation",
        "content_filter",
        "policy_violation",
        "model_not_found",
        "invalid_api_key",
        "authentication_error",
        "permission_error",
        "unsupported_parameter",
        "unsupported_value",
        "invalid_image",
        "invalid_image_format",
        "invalid_base64_image",
        "invalid_image_url",
        "image_too_large",
        "image_too_small",
        "image_parse_error",
        "image_content_policy_violation",
        "image_file_too_large",
        "unsupported_image_media_type",
        "empty_image_file",
        "failed_to_download_image",
        "image_file_not_found",
    }
)
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})
_TOO_LONG_TEXT = re.compile(
    r"maximum context length|context (?:window|length)|prompt is too long|input is too long|too many tokens|"
    r"exceeds? the available context|exceed_context_size",
    re.IGNORECASE,
)
_WRONG_PLACE = frozenset({300, 303, 304, 404, 405, 410, 421})
_WAIT = re.compile(
    r"try again in\s+(?:(\d+)\s*m(?:in(?:ute)?s?)?(?=\d|\b)\s*)?(?:(\d+(?:\.\d+)?)\s*(ms|s(?:ec(?:ond)?s?)?)\b)?",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def parse_error_body(body: bytes) -> dict[str, Any]:
    """The error object of a response's body: what stands under `error`, or the body itself, always with `message`."""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("data:"):  # some proxies answer with an error status and the event their stream would have had
        text = text.partition("\n")[0].removeprefix("data:").strip()
    try:
        decoded: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        title = _TITLE.search(text)
        if title is not None:
            text = title.group(1)
        elif text[:1] == "<":
            text = ""
        return {"message": one_line(text)}
    return error_object(decoded)


def error_object(decoded: Any) -> dict[str, Any]:
    """The error in any of the shapes providers use, with `message` a string of one line."""
    if isinstance(decoded, list) and decoded:
        decoded = cast("list[Any]", decoded)[0]
    if isinstance(decoded, dict):
        fields = cast("dict[str, Any]", decoded)
        inner = fields.get("error")
        if isinstance(inner, dict):
            fields = cast("dict[str, Any]", inner)
        elif isinstance(inner, str):
            fields = {"message": inner, **fields}
        for key in ("message", "detail", "msg", "error_description", "errors"):
            if fields.get(key):
                return {**fields, "message": one_line(_text_of(fields[key]))}
        return {**fields, "message": ""}
    return {"message": one_line(_text_of(decoded))}


def stream_failure(error: Mapping[str, Any]) -> ModelError:
    """The error for one that came inside a stream; retryable unless it is known to be for good."""
    message = str(error.get("message") or "The provider reported a failure without saying which.")
    known = _known_failure(error, message, None)
    if known is not None:
        return known
    names = _names(error)
    if names & _NEVER:
        return ModelError(message)
    wait_s = wait_in(message)
    if wait_s is not None and wait_s > MAX_WAIT_S:
        return ModelError(message)
    return RetryableModelError(message, retry_after_s=wait_s)


def own_words(status: int, error: Mapping[str, Any]) -> str:
    """The error's message, empty where it only says the status again, as the pages of web servers do."""
    message = cast(str, error["message"])
    line = status_line(status).lower()
    return "" if message.lower().strip(" .!") in (line, line[4:]) else message


def status_failure(status: int, body: bytes, place: str) -> ModelError:
    """The error for an answer whose status is not a success and that is not worth another try.

    Args:
        status: HTTP status.
        body: Of the response.
        place: Who answered; said where the answer's own words say nothing.
    """
    error = parse_error_body(body)
    message = own_words(status, error)
    known = _known_failure(error, message, status)
    if known is not None:
        return known
    if status == 413:
        return ContextWindowExceeded(
            f"The request is too large for the provider: {message}".rstrip(": "), status=status
        )
    if message:
        return ModelError(f"unexpected status {status_line(status)}: {message}", status=status)
    mend = ""
    if status in _WRONG_PLACE:  # a wrong path, or an API that the server does not speak
        mend = "; check the provider's base_url and wire_api"
    elif status == 407:
        mend = "; name user and password in the proxy's variable, as http://USER:PASSWORD@HOST:PORT"
    return ModelError(f"unexpected status {status_line(status)} from {place}{mend}", status=status)


def usage_failure(status: int, body: bytes, plan: str | None = None) -> UsageLimitReached | None:
    """The error for a used-up limit, which no waiting of ours lifts; None when the body tells of none.

    Args:
        status: HTTP status.
        body: Of the response.
        plan: The login's ChatGPT plan, for bodies that name none.
    """
    error = {"plan_type": plan, **parse_error_body(body)}
    known = _known_failure(error, cast(str, error["message"]), status)
    return known if isinstance(known, UsageLimitReached) else None


def _known_failure(error: Mapping[str, Any], message: str, status: int | None) -> ModelError | None:
    names = _names(error)
    if "usage_limit_reached" in names:
        seconds = _resets_in(error)
        return UsageLimitReached(usage_text(error.get("plan_type"), seconds), status=status, resets_in_s=seconds)
    if "usage_not_included" in names:
        return UsageLimitReached(f"Your ChatGPT plan does not include Codex; see {_PRICING}.", status=status)
    if names & _QUOTA:
        return UsageLimitReached(message or "The account's quota is used up.", status=status)
    if names & _TOO_LONG or (status in (None, 400, 413, 422) and not names & _LATER and _TOO_LONG_TEXT.search(message)):
        return ContextWindowExceeded(message or "The input does not fit the model's context window.", status=status)
    return None


def usage_text(plan: object, seconds: int | None) -> str:
    """A used-up ChatGPT limit in words."""
    when = f"in {duration_text(seconds)}" if seconds is not None else "later"
    if isinstance(plan, str) and plan.lower() == "plus":
        return f"You've hit your usage limit. Upgrade to Pro ({_PRICING}) or try again {when}."
    return f"You've hit your usage limit. Try again {when}."


def duration_text(seconds: int) -> str:
    """Days, hours and minutes in words; less than a minute is said so."""
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    parts = [f"{n} {unit}{'s' * (n != 1)}" for n, unit in ((days, "day"), (hours, "hour"), (minutes, "minute")) if n]
    return " ".join(parts) or "less than a minute"


def wait_in(message: str) -> float | None:
    """Seconds that a text like "Please try again in 11.054s" asks to wait; None when it asks for nothing."""
    found = _WAIT.search(message)
    if found is None:
        return None
    minutes, seconds, unit = found.groups()
    if not (minutes or seconds):
        return None
    return 60 * int(minutes or 0) + float(seconds or 0) / (1000 if unit and unit.lower() == "ms" else 1)


def status_line(status: int) -> str:
    """The status and its usual reason, as `429 Too Many Requests`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def one_line(text: str) -> str:
    """White space folded, and no longer than a person reads."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 1] + "…"


def _names(error: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(value for key in ("code", "type") if isinstance(value := error.get(key), str))


def _resets_in(error: Mapping[str, Any]) -> int | None:
    seconds = error.get("resets_in_seconds")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return max(0, int(seconds))
    at = error.get("resets_at")
    if isinstance(at, int | float) and not isinstance(at, bool):
        import time

        return max(0, int(at - time.time()))
    return None


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return _text_of(next(iter(cast("list[Any]", value)), None))
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return _text_of(fields.get("message") or fields.get("msg") or "")
    return "" if value is None else repr(value)
