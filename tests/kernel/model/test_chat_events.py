import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.model.chat_events import ChatReader
from codex_kernel.model.interface import Completed, ItemDone, RawReasoningDelta, ResponseEvent, TextDelta
from codex_protocol.errors import ContextWindowExceeded, ModelError, RetryableModelError, StreamClosed
from codex_protocol.items import (
    CustomToolCall,
    FunctionCall,
    Item,
    Message,
    Reasoning,
    ReasoningText,
    assistant_message,
    user_message,
)
from codex_protocol.token_usage import TokenUsage

DONE = b"[DONE]"


def chunk(delta: Any = None, finish: Any = None, **fields: Any) -> bytes:
    return json.dumps(
        {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **fields}
    ).encode()


def text(piece: str) -> bytes:
    return chunk({"content": piece})


def tool(
    arguments: Any = None, *, index: Any = 0, call_id: str | None = None, name: str | None = None
) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    ids = {key: value for key, value in (("id", call_id), ("index", index)) if value is not None}
    return {**ids, "type": "function", "function": function}


def tools(*calls: dict[str, Any], finish: str | None = None) -> bytes:
    return chunk({"tool_calls": list(calls)}, finish)


def read(*data: bytes, freeform: frozenset[str] = frozenset(), history: tuple[Item, ...] = ()) -> list[ResponseEvent]:
    reader = ChatReader(history, freeform)
    found: list[ResponseEvent] = []
    for event in data:
        found += reader.feed(event)
        if reader.done:
            break
    return [*found, *reader.finish()]


def items(*data: bytes, **fields: Any) -> list[Any]:
    return [event.item for event in read(*data, **fields) if isinstance(event, ItemDone)]


STOP = chunk({}, "stop")
CALLS = chunk({}, "tool_calls")


def test_text_becomes_deltas_and_one_message() -> None:
    assert read(text("h"), text(""), chunk({"role": "assistant"}), text("i"), STOP, DONE) == [
        TextDelta("h"),
        TextDelta("i"),
        ItemDone(assistant_message("hi")),
        Completed("x", None),
    ]


def test_the_answer_is_whole_with_a_finish_reason_or_the_end_mark_and_not_without() -> None:
    assert len(read(text("hi"), STOP)) == 3
    assert len(read(text("hi"), DONE)) == 3
    for stream in ((), (DONE,), (chunk({}), DONE), (text("hi"),), (tools(tool("{}", call_id="c", name="f")),)):
        with pytest.raises(StreamClosed):
            read(*stream)


def test_token_counts_after_the_finish_reason_are_read() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    end = json.dumps({"id": "x", "choices": [], "usage": usage}).encode()
    assert read(text("a"), STOP, end, DONE)[-1] == Completed(
        "x",
        TokenUsage(input_tokens=10, cached_input_tokens=4, output_tokens=5, reasoning_output_tokens=2, total_tokens=15),
    )


@pytest.mark.parametrize("delta", [{"reasoning": "th"}, {"reasoning_content": "th"}, {"reasoning": {"text": "th"}}])
def test_reasoning_in_any_spelling_becomes_deltas_and_an_item_before_the_message(delta: dict[str, Any]) -> None:
    events = read(chunk(delta), chunk(delta), text("a"), STOP)
    assert events[:3] == [RawReasoningDelta("th"), RawReasoningDelta("th"), TextDelta("a")]
    reasoning, message = (event.item for event in events if isinstance(event, ItemDone))
    assert reasoning == Reasoning(summary=(), content=(ReasoningText("thth"),))
    assert isinstance(message, Message)


def test_reasoning_sent_in_both_spellings_counts_once() -> None:
    assert read(chunk({"reasoning": "th", "reasoning_content": "th"}), STOP)[0] == RawReasoningDelta("th")


def test_a_calls_pieces_are_joined_by_index() -> None:
    assert items(
        tools(tool("", index=0, call_id="a", name="f"), tool("", index=1, call_id="b", name="g")),
        tools(tool('{"x"', index=1)),
        tools(tool('{"y":', index=0)),
        tools(tool(":1}", index=1), tool("2}", index=0)),
        CALLS,
        DONE,
    ) == [
        FunctionCall(call_id="a", name="f", arguments='{"y":2}'),
        FunctionCall(call_id="b", name="g", arguments='{"x":1}'),
    ]


FIRST, REST = tool('{"a":', index=None, call_id="a", name="f"), tool("1}", index=None)
WHOLE = json.dumps({"choices": [{"message": {"tool_calls": [tool("{}", call_id="a", name="f")]}}]}).encode()
ODD_CALLS: list[tuple[str, tuple[bytes, ...], list[tuple[str, str]]]] = [
    ("no index", (tools(FIRST), tools(REST)), [("f", '{"a":1}')]),
    (
        "no index, two calls",
        (tools(tool("{}", index=None, call_id="a", name="f")), tools(tool("{}", index=None, call_id="b", name="g"))),
        [("f", "{}"), ("g", "{}")],
    ),
    (
        "one index, two ids",
        (tools(tool("{}", call_id="a", name="f")), tools(tool('{"x":1}', call_id="b", name="g"))),
        [("f", "{}"), ("g", '{"x":1}')],
    ),
    (
        "name and id repeated in each piece",
        (tools(tool('{"x"', call_id="a", name="f")), tools(tool(":1}", call_id="a", name="f"))),
        [("f", '{"x":1}')],
    ),
    ("arguments as an object", (tools(tool({"x": 1}, call_id="a", name="f")),), [("f", '{"x":1}')]),
    ("one object for a list", (chunk({"tool_calls": tool("{}", call_id="a", name="f")}),), [("f", "{}")]),
    ("the form before there were several",
     (chunk({"function_call": {"name": "f", "arguments": '{"x"'}}), chunk({"function_call": {"arguments": ":1}"}})),
     [("f", '{"x":1}')]),
    ("no arguments", (tools(tool(None, call_id="a", name="f")),), [("f", "{}")]),
    ("whole message at the end", (WHOLE,), [("f", "{}")]),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "expected"), [case[1:] for case in ODD_CALLS], ids=[case[0] for case in ODD_CALLS])
def test_calls_in_the_odd_forms_of_real_servers_are_understood(
    stream: tuple[bytes, ...], expected: list[tuple[str, str]]
) -> None:
    found = items(*stream, CALLS)
    assert [(item.name, item.arguments) for item in found] == expected
    assert len({item.call_id for item in found}) == len(found)


def test_a_call_without_an_id_gets_one() -> None:
    (item,) = items(tools(tool("{}", name="f")), CALLS)
    assert item.call_id


def test_text_and_calls_of_one_answer_come_in_this_order() -> None:
    found = items(tools(tool("{}", call_id="a", name="f")), text("late"), chunk({}, "tool_calls"))
    assert [type(item) for item in found] == [Message, FunctionCall]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"input":"*** Begin Patch"}', "*** Begin Patch"),
        ('"*** Begin Patch"', "*** Begin Patch"),
        ('{"patch":"*** Begin Patch"}', "*** Begin Patch"),
        ("*** Begin Patch", "*** Begin Patch"),
        ('{"input":3,"x":1}', '{"input":3,"x":1}'),
        ("", ""),
    ],
)
def test_a_freeform_tool_offered_as_a_function_comes_back_as_its_own_kind(arguments: str, expected: str) -> None:
    call = tools(tool(arguments, call_id="a", name="apply_patch"), finish="tool_calls")
    (item,) = items(call, freeform=frozenset({"apply_patch"}))
    assert item == CustomToolCall(call_id="a", name="apply_patch", input=expected)


@pytest.mark.parametrize("reason", ["length", "content_filter", "max_tokens", "MAX_TOKENS", "SAFETY", "sensitive"])
def test_an_answer_cut_short_keeps_its_text_drops_torn_calls_and_says_so(reason: str) -> None:
    reader = ChatReader()
    reader.feed(text("half"))
    reader.feed(tools(tool('{"cmd":"rm -rf /tmp/', call_id="a", name="f")))
    reader.feed(chunk({}, reason))
    found: list[ResponseEvent] = []
    with pytest.raises(ModelError, match=reason) as caught:
        found.extend(iter_into(found, reader))
    assert [event.item for event in found if isinstance(event, ItemDone)] == [assistant_message("half")]
    assert not isinstance(caught.value, RetryableModelError)


def iter_into(found: list[ResponseEvent], reader: ChatReader) -> list[ResponseEvent]:
    for event in reader.finish():
        found.append(event)
    return []


def test_a_torn_call_before_a_bare_end_mark_is_no_success() -> None:
    with pytest.raises(StreamClosed):
        read(tools(tool('{"cmd":"rm -rf /', call_id="a", name="f")), DONE)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "overloaded", "type": "overloaded_error"}, RetryableModelError),
        ({"message": "maximum context length is 4096"}, ContextWindowExceeded),
        ({"message": "bad", "type": "invalid_request_error"}, ModelError),
        ("plain words", RetryableModelError),
    ],
)
def test_an_error_inside_the_stream_is_raised_as_what_it_means(error: Any, kind: type[ModelError]) -> None:
    with pytest.raises(ModelError) as caught:
        read(text("a"), json.dumps({"error": error}).encode(), STOP, DONE)
    assert type(caught.value) is kind
    assert str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        {"object": "error", "message": "engine died", "type": "InternalServerError", "code": 500},  # vLLM before 0.10
        {"message": "engine died", "type": "server_error"},
        {"detail": "engine died"},
        {"detail": [{"msg": "engine died"}]},
    ],
)
def test_an_error_that_stands_bare_in_the_stream_is_one(error: Any) -> None:
    with pytest.raises(RetryableModelError, match="engine died"):
        read(text("a"), json.dumps(error).encode(), DONE)


@pytest.mark.parametrize(
    "reason", ["error", "network_error", "insufficient_system_resource", "MALFORMED_FUNCTION_CALL"]
)
def test_an_answer_that_broke_off_is_asked_for_again(reason: str) -> None:
    with pytest.raises(RetryableModelError, match=reason):
        read(text("a"), chunk({}, reason))


@pytest.mark.parametrize("reason", ["tool_calls", "function_call"])
def test_an_announced_call_that_does_not_come_is_no_success(reason: str) -> None:
    with pytest.raises(StreamClosed, match="sent none"):
        read(text("a"), chunk({"tool_calls": []}, reason), DONE)


def test_an_empty_answer_to_a_message_is_no_success_unless_tokens_were_counted() -> None:
    with pytest.raises(StreamClosed, match="empty"):
        read(chunk({"content": ""}), STOP, DONE, history=(user_message("hi"),))
    counted = json.dumps({"choices": [], "usage": {"completion_tokens": 3}}).encode()
    assert len(read(STOP, counted, DONE, history=(user_message("hi"),))) == 1


def test_unknown_finish_reasons_end_the_answer() -> None:
    assert isinstance(read(text("a"), chunk({}, "eos"))[-1], Completed)


@pytest.mark.parametrize(
    "raw", [b"junk", b"[]", b"3", b'{"choices":3}', b'{"choices":[{"delta":"x"}]}', b"[" * 90_000, b"\xff"]
)
def test_a_chunk_that_cannot_be_read_breaks_the_stream_off(raw: bytes) -> None:
    with pytest.raises(StreamClosed):
        read(text("a"), raw, STOP)


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":[{}]}',
        b'{"object":"status","message":"in the queue"}',
        chunk({"tool_calls": ["x", {}, {"function": 3}]}),
    ],
)
def test_chunks_that_say_nothing_are_passed_over(raw: bytes) -> None:
    assert items(raw, text("a"), STOP)[0] == assistant_message("a")


def test_content_in_parts_is_joined() -> None:
    assert items(chunk({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), STOP) == [
        assistant_message("ab")
    ]


SOME = st.sampled_from(
    [
        text("a"),
        STOP,
        CALLS,
        DONE,
        tools(tool("{}", call_id="a", name="f")),
        tools(tool("{", call_id="b")),
        b"junk",
        b"{}",
    ]
)


@given(st.lists(st.one_of(SOME, st.binary(max_size=30))))
def test_hostile_chunks_in_any_order_raise_nothing_but_model_errors(data: list[bytes]) -> None:
    try:
        found = read(*data)
    except ModelError:
        return
    assert isinstance(found[-1], Completed)


KEYS = st.sampled_from(["content", "tool_calls", "function", "name", "arguments", "index", "id", "reasoning", "text"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner),
    max_leaves=8,
)  # fmt: skip


@given(JSON, JSON, JSON)
def test_any_json_in_a_chunk_raises_nothing_but_model_errors(delta: Any, finish: Any, usage: Any) -> None:
    for raw in (chunk(delta, finish, usage=usage), chunk({"tool_calls": delta, "content": usage}, finish)):
        try:
            read(raw, STOP)
        except ModelError:
            continue
