import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.model.interface import (
    Completed,
    Created,
    ItemDone,
    RawReasoningDelta,
    ReasoningDelta,
    ReasoningPartAdded,
    ResponseEvent,
    TextDelta,
    WebSearchStarted,
)
from codex_kernel.model.responses_events import ResponsesReader, parse_event
from codex_protocol.errors import (
    ContextWindowExceeded,
    ModelError,
    RetryableModelError,
    StreamClosed,
    UsageLimitReached,
)
from codex_protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
    OtherItem,
    Reasoning,
    assistant_message,
    user_message,
)
from codex_protocol.token_usage import TokenUsage

MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
CALL = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c1", "id": "fc_1", "status": "completed"}


def data(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}).encode()


def done(item: Any) -> bytes:
    return data("response.output_item.done", item=item)


COMPLETED = data("response.completed", response={"id": "r1"})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (data("response.output_text.delta", delta="a“"), TextDelta("a“")),
        (data("response.refusal.delta", delta="no"), TextDelta("no")),
        (data("response.reasoning_summary_text.delta", delta="a"), ReasoningDelta("a")),
        (data("response.reasoning_text.delta", delta="a"), RawReasoningDelta("a")),
        (data("response.output_text.delta", delta={"odd": 1}), None),
        (data("response.output_text.delta"), None),
        (data("response.reasoning_summary_part.added", part={}), ReasoningPartAdded()),
        (data("response.created", response={}), Created()),
        (data("response.created"), None),
        (data("response.output_item.added", item={"type": "web_search_call", "id": "w"}), WebSearchStarted("w")),
        (data("response.output_item.added", item={"type": "web_search_call"}), WebSearchStarted("")),
        (data("response.output_item.added", item={"type": "message"}), None),
        (data("response.output_item.added"), None),
        (done(MESSAGE), ItemDone(assistant_message("hi"))),
        (done({"type": "brand_new", "x": 1}), ItemDone(OtherItem({"type": "brand_new", "x": 1}))),
        (COMPLETED, Completed("r1", None)),
        (data("response.completed", response={"id": "r", "usage": None}), Completed("r", None)),
        (data("response.in_progress"), None),
        (data("response.function_call_arguments.delta", delta="{"), None),
        (data("never.heard.of", response=[1], item=3, delta=None), None),
        (b"{}", None),
        (b"[DONE]", None),
    ],
)
def test_event_means(raw: bytes, expected: ResponseEvent | None) -> None:
    assert parse_event(raw) == expected


def test_usage_is_read_with_missing_null_and_odd_details() -> None:
    def usage(**fields: Any) -> TokenUsage | None:
        event = parse_event(data("response.completed", response={"id": "r", "usage": fields}))
        assert isinstance(event, Completed)
        return event.usage

    details = {"input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 2}}
    assert usage(input_tokens=10, output_tokens=5, total_tokens=15, **details) == TokenUsage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_output_tokens=2, total_tokens=15
    )
    assert usage(input_tokens=10, output_tokens=5, input_tokens_details=None) == TokenUsage(
        input_tokens=10, output_tokens=5, total_tokens=15
    )
    assert usage(prompt_tokens=10, completion_tokens=5) == TokenUsage(input_tokens=10, output_tokens=5, total_tokens=15)
    assert usage(input_tokens="many", output_tokens=-3, total_tokens=7) == TokenUsage(total_tokens=7)


@pytest.mark.parametrize(
    "usage",
    [{}, {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, {"input_tokens": "many", "total_tokens": 1e400}],
)
def test_counts_of_nothing_are_no_counts(usage: dict[str, Any]) -> None:
    assert parse_event(data("response.completed", response={"id": "r", "usage": usage})) == Completed("r", None)


def test_a_refusal_and_unknown_parts_do_not_lose_the_message() -> None:
    parts = [{"type": "refusal", "refusal": "I won't."}, {"type": "hologram"}]
    event = parse_event(done({**MESSAGE, "content": parts}))
    assert event == ItemDone(assistant_message("I won't."))


@pytest.mark.parametrize(
    ("item", "summary", "content"),
    [
        # LiteLLM 1.108, of any model that thinks and is no OpenAI model
        ({"role": "assistant", "content": [{"type": "output_text", "text": "hm", "annotations": []}]}, (), ("hm",)),
        ({"summary": None, "content": None}, (), None),
        ({"summary": [{"type": "summary_text", "text": "s"}, {"type": "new"}, 3], "content": "hm"}, ("s",), None),
        ({"summary": "s", "encrypted_content": {}, "id": None}, (), None),
    ],
)
def test_reasoning_in_an_odd_form_costs_no_answer(
    item: dict[str, Any], summary: tuple[str, ...], content: tuple[str, ...] | None
) -> None:
    event = parse_event(done({"type": "reasoning", "id": "rs_1", **item}))
    assert isinstance(event, ItemDone)
    assert isinstance(event.item, Reasoning)
    assert tuple(part.text for part in event.item.summary) == summary
    assert (event.item.content and tuple(part.text for part in event.item.content)) == content


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({**MESSAGE, "content": "hi"}, assistant_message("hi")),
        ({"type": "message", "content": [{"type": "text", "text": "hi"}]}, assistant_message("hi")),
        ({**CALL, "arguments": {"x": 1}}, FunctionCall(id="fc_1", name="f", arguments='{"x":1}', call_id="c1")),
    ],
)
def test_items_in_the_odd_forms_of_real_servers_are_understood(item: dict[str, Any], expected: Item) -> None:
    assert parse_event(done(item)) == ItemDone(expected)


@pytest.mark.parametrize(
    "raw",
    [
        b"not json",
        b'{"type":"response.output_text.delta","delta":"half',
        b'{"type":"response.output_text.delta","delta":"\xff\xfe',
        b"[]",
        b"null",
        b'{"type":3}',
        b"[" * 100_000,
        b'{"item":' + b"[" * 100_000,
        data("response.output_item.done"),
        done("text"),
        done({"type": "function_call", "name": "f"}),
        done({"type": "function_call", "name": "f", "arguments": 3, "call_id": "c"}),
        data("response.completed"),
        data("response.completed", response=[]),
        data("response.completed", response={"output": ["hi"]}),
    ],
)
def test_what_cannot_be_read_breaks_the_stream_off_instead_of_losing_a_part_of_it(raw: bytes) -> None:
    with pytest.raises(StreamClosed):
        parse_event(raw)


def test_half_characters_are_replaced() -> None:
    assert parse_event(b'{"type":"response.output_text.delta","delta":"a\\ud83d"}') == TextDelta("a�")
    item = (
        b'{"type":"response.output_item.done","item":' + json.dumps(MESSAGE).encode().replace(b"hi", b"\\ude00") + b"}"
    )
    assert parse_event(item) == ItemDone(assistant_message("�"))


FAILURES: list[tuple[dict[str, Any], type[ModelError], float | None]] = [
    (
        {"code": "rate_limit_exceeded", "message": "Limit. Please try again in 11.054s. More"},
        RetryableModelError,
        11.054,
    ),
    ({"code": "server_error", "message": "oops"}, RetryableModelError, None),
    ({"code": "server_is_overloaded", "message": "busy"}, RetryableModelError, None),
    ({"code": "who_knows", "message": "hm"}, RetryableModelError, None),
    ({"message": "hm"}, RetryableModelError, None),
    ({"code": "invalid_prompt", "message": "no"}, ModelError, None),
    ({"code": "cyber_policy", "message": "no"}, ModelError, None),
    ({"code": "context_length_exceeded", "message": "too long"}, ContextWindowExceeded, None),
    ({"code": "insufficient_quota", "message": "pay"}, UsageLimitReached, None),
    ({"code": "usage_limit_reached", "resets_in_seconds": 300}, UsageLimitReached, None),
]


@pytest.mark.parametrize(("error", "kind", "wait"), FAILURES)
def test_a_failure_is_raised_as_what_it_means(
    error: dict[str, Any], kind: type[ModelError], wait: float | None
) -> None:
    forms = (
        data("response.failed", response={"id": "r", "error": error}),
        data("error", **error),
        data("error", error=error),
        data("response.completed", response={"id": "r", "status": "failed", "error": error}),
    )
    for raw in forms:
        with pytest.raises(ModelError) as caught:
            parse_event(raw)
        assert type(caught.value) is kind
        assert "message" not in error or error["message"] in str(caught.value)
        assert getattr(caught.value, "retry_after_s", None) == wait


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "upstream died", "type": "server_error"}},
        {"error": "upstream died"},
        {"message": "upstream died"},
        {"type": "response.error", "error": {"message": "upstream died"}},
    ],
)
def test_an_error_of_another_form_is_still_one(event: Any) -> None:
    with pytest.raises(RetryableModelError, match="upstream died"):
        parse_event(json.dumps(event).encode())


def test_a_failure_without_an_error_object_is_still_one() -> None:
    with pytest.raises(RetryableModelError, match="without saying which"):
        parse_event(data("response.failed", response={"id": "r", "error": None}))


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "something"])
def test_an_incomplete_response_is_reported_with_its_reason(reason: str) -> None:
    for kind in ("response.incomplete", "response.completed"):
        response = {"status": "incomplete", "incomplete_details": {"reason": reason}}
        with pytest.raises(ModelError, match=reason) as caught:
            parse_event(data(kind, response=response))
        assert not isinstance(caught.value, RetryableModelError)


def read(*events: bytes, history: tuple[Any, ...] = ()) -> list[ResponseEvent]:
    reader = ResponsesReader(history)
    found: list[ResponseEvent] = []
    for event in events:
        found += reader.feed(event)
        if reader.done:
            break
    return [*found, *reader.finish()]


def test_a_whole_answer_ends_with_completed() -> None:
    assert read(done(MESSAGE), done(CALL), COMPLETED) == [
        ItemDone(assistant_message("hi")),
        ItemDone(FunctionCall(id="fc_1", name="f", arguments="{}", call_id="c1")),
        Completed("r1", None),
    ]


def test_a_stream_that_ends_early_is_closed() -> None:
    with pytest.raises(StreamClosed):
        read(done(MESSAGE))
    with pytest.raises(StreamClosed):
        read()


def test_an_item_sent_twice_counts_once() -> None:
    assert len(read(done(CALL), done(CALL), COMPLETED)) == 2


def test_two_different_calls_with_one_id_are_refused() -> None:
    with pytest.raises(StreamClosed, match="c1"):
        read(done(CALL), done({**CALL, "arguments": '{"x":1}'}), COMPLETED)


def test_a_message_said_again_with_more_after_a_call_adds_what_is_new() -> None:
    first = {**MESSAGE, "id": "m1"}
    again = {**first, "content": [{"type": "output_text", "text": "hi and bye"}]}
    items = [
        event.item for event in read(done(first), done(CALL), done(again), COMPLETED) if isinstance(event, ItemDone)
    ]
    assert [item.text() for item in items if isinstance(item, Message)] == ["hi", " and bye"]
    with pytest.raises(StreamClosed, match="m1"):
        read(done(first), done({**again, "content": [{"type": "output_text", "text": "other"}]}), COMPLETED)


def test_a_call_id_of_an_earlier_answer_is_replaced() -> None:
    old = FunctionCall(name="f", arguments="{}", call_id="c1")
    first, _ = read(done(CALL), COMPLETED, history=(user_message("x"), old))
    assert isinstance(first, ItemDone)
    assert isinstance(first.item, FunctionCall)
    assert first.item.call_id.startswith("call_")


def test_items_that_come_only_with_the_end_are_taken_from_there() -> None:
    end = data("response.completed", response={"id": "r", "output": [MESSAGE, CALL]})
    assert len(read(end)) == 3
    assert len(read(done(MESSAGE), done(CALL), end)) == 3


@pytest.mark.parametrize(("first", "last"), [(MESSAGE, CALL), (CALL, MESSAGE)])
def test_what_did_not_come_before_the_end_is_taken_from_there_once(first: dict[str, Any], last: dict[str, Any]) -> None:
    again = {**first, "id": "another", "call_id": "another"}
    end = data("response.completed", response={"id": "r", "output": [again, last]})
    items = [event.item for event in read(done(first), end) if isinstance(event, ItemDone)]
    assert [type(item) for item in items] == [Message if item is MESSAGE else FunctionCall for item in (first, last)]


def test_an_end_that_tells_of_more_calls_than_came_is_no_success() -> None:
    end = data("response.completed", response={"id": "r", "output": [CALL, {**CALL, "call_id": "c2"}]})
    with pytest.raises(StreamClosed, match="1 of 2 tool calls"):
        read(done(CALL), end)


def test_a_call_that_was_announced_and_does_not_come_is_no_success() -> None:
    begun = data("response.output_item.added", item={**CALL, "arguments": "", "status": "in_progress"})
    assert len(read(begun, done(CALL), COMPLETED)) == 2
    with pytest.raises(StreamClosed, match="announced a tool call"):
        read(begun, done(MESSAGE), COMPLETED)


@pytest.mark.parametrize("item", [MESSAGE, CALL])
def test_an_item_that_is_not_complete_is_no_success(item: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="incomplete"):
        read(done({**item, "status": "incomplete"}), COMPLETED)


def test_a_cancelled_response_is_no_success() -> None:
    with pytest.raises(ModelError, match="cancelled"):
        read(done(MESSAGE), data("response.completed", response={"id": "r", "status": "cancelled"}))


def test_an_empty_answer_to_a_message_is_no_success_unless_tokens_were_counted() -> None:
    empty = done({**MESSAGE, "content": []})
    with pytest.raises(StreamClosed, match="empty"):
        read(empty, COMPLETED, history=(user_message("hi"),))
    counted = data("response.completed", response={"id": "r", "usage": {"output_tokens": 3}})
    assert len(read(empty, counted, history=(user_message("hi"),))) == 2
    assert len(read(empty, COMPLETED, history=(FunctionCallOutput(call_id="c0", output="done"),))) == 2


def test_a_call_without_a_call_id_gets_one() -> None:
    (first, _) = read(done({"type": "function_call", "name": "f", "arguments": "{}"}), COMPLETED)
    assert isinstance(first, ItemDone)
    assert isinstance(first.item, FunctionCall)
    assert first.item.call_id.startswith("call_")


@pytest.mark.parametrize("events", [[], [done({**MESSAGE, "content": []})], [done({**MESSAGE, "content": None})]])
def test_text_that_no_item_holds_is_no_success(events: list[bytes]) -> None:
    with pytest.raises(StreamClosed):
        read(data("response.output_text.delta", delta="hi"), *events, COMPLETED)


SOME = st.sampled_from(
    [done(MESSAGE), done(CALL), COMPLETED, data("response.output_text.delta", delta="hi"), b"junk", b"\xff", b"{}", b""]
)


@given(st.lists(st.one_of(SOME, st.binary(max_size=40))))
def test_hostile_events_in_any_order_raise_nothing_but_model_errors(events: list[bytes]) -> None:
    try:
        found = read(*events)
    except ModelError:
        return
    assert isinstance(found[-1], Completed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    [
        "response.output_item.done", "response.output_item.added", "response.completed", "response.failed", "error",
        "response.incomplete", "response.created", "response.output_text.delta", "x",
    ]
)  # fmt: skip


@given(KINDS, JSON, st.sampled_from(["item", "response", "delta", "error", "message", "code"]), JSON)
def test_any_json_under_any_key_raises_nothing_but_model_errors(kind: str, value: Any, key: str, inner: Any) -> None:
    for holder in (
        value,
        {"id": inner, "error": inner, "usage": inner, "status": inner, "type": "message", "content": inner},
    ):
        with contextlib.suppress(ModelError):
            parse_event(json.dumps({"type": kind, key: holder}).encode())
