"""The order of items in a history, whatever order they came to disk in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.core.history import ABORTED, History, call_id_of, in_call_order, is_call
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellAction,
    LocalShellCall,
    Message,
    OtherItem,
    assistant_message,
    user_message,
)


def call(key: str) -> FunctionCall:
    return FunctionCall(name="t", arguments="{}", call_id=key)


def out(key: str, text: str = "ok") -> FunctionCallOutput:
    return FunctionCallOutput(call_id=key, output=text)


def test_outputs_stand_in_call_order_right_after_their_calls():
    items = [user_message("go"), call("a"), call("b"), out("b"), out("a"), assistant_message("done")]
    ordered, made_up = in_call_order(items)
    assert ordered == [user_message("go"), call("a"), call("b"), out("a"), out("b"), assistant_message("done")]
    assert made_up == []


def test_what_the_user_said_meanwhile_comes_after_the_outputs():
    items = [call("a"), call("b"), out("a"), user_message("and this"), out("b"), assistant_message("done")]
    ordered, _ = in_call_order(items)
    assert ordered == [call("a"), call("b"), out("a"), out("b"), user_message("and this"), assistant_message("done")]


def test_a_call_that_was_never_answered_is_answered_as_aborted():
    custom = CustomToolCall(call_id="c", name="apply_patch", input="x")
    shell = LocalShellCall(id="lsh", status="completed", action=LocalShellAction(command=("ls",)))
    ordered, made_up = in_call_order([call("a"), custom, shell, out("a")])
    assert made_up == [
        CustomToolCallOutput(call_id="c", output=ABORTED),
        FunctionCallOutput(call_id="lsh", output=ABORTED),
    ]
    assert ordered[3:] == [out("a"), *made_up]


def test_outputs_without_a_call_and_second_answers_are_left_out():
    ordered, _ = in_call_order([out("ghost"), call("a"), out("a", "first"), out("a", "second"), call("a")])
    assert ordered == [call("a"), out("a", "first")]


def test_calls_of_the_next_response_do_not_mix_with_answered_ones():
    items = [call("a"), out("a"), call("b"), out("b")]
    assert in_call_order(items)[0] == items


class Lines:
    def __init__(self) -> None:
        self.written: list[object] = []

    def items(self, *items: object, client_id: str | None = None) -> None:
        self.written += items


def test_system_messages_and_unknown_items_are_not_kept():
    lines = Lines()
    history = History(lines)
    history.record(Message(role="system", content=()), OtherItem({"type": "new"}), user_message("x"))
    assert history.items == lines.written == [user_message("x")]


KEYS = st.sampled_from("abcdef")
ITEMS = st.lists(
    st.one_of(
        KEYS.map(call),
        KEYS.map(out),
        st.sampled_from([user_message("u"), assistant_message("m")]),
    ),
    max_size=30,
)


@given(ITEMS)
def test_every_call_has_one_output_after_it_before_the_next_message_of_the_user(items):
    ordered, _ = in_call_order(items)
    open_calls: list[str] = []
    for item in ordered:
        if is_call(item):
            open_calls.append(call_id_of(item))  # pyright: ignore[reportArgumentType]  # is_call says so
        elif isinstance(item, FunctionCallOutput):
            assert item.call_id in open_calls
            open_calls.remove(item.call_id)
        elif isinstance(item, Message) and item.role == "user":
            assert not open_calls
    assert not open_calls
    assert in_call_order(ordered) == (ordered, [])
    texts = [item for item in items if isinstance(item, Message)]
    assert sorted(item.text() for item in ordered if isinstance(item, Message)) == sorted(m.text() for m in texts)
