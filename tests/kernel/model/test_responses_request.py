import json
from typing import Any

import msgspec
import pytest

from codex_kernel.model.interface import FreeformTool, FunctionTool, LocalShellTool, Prompt, WebSearchTool
from codex_kernel.model.responses import Responses, to_request
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Item,
    LocalShellAction,
    LocalShellCall,
    Message,
    OtherItem,
    PlainReasoningText,
    Reasoning,
    ReasoningText,
    SummaryText,
    WebSearchCall,
    user_message,
)
from codex_protocol.policy import Effort, Summary, Verbosity


def prompt(*items: Item, **fields: Any) -> Prompt:
    return Prompt(**{"model": "gpt-5.5", "instructions": "be “good”", "input": items, "thread_id": "t1", **fields})


def body(*items: Item, **fields: Any) -> dict[str, Any]:
    return json.loads(to_request(prompt(*items, **fields)))


def test_a_request_has_the_keys_of_the_specification_in_its_order() -> None:
    assert body(user_message("hi"), summary=Summary.AUTO, effort=Effort.HIGH) == {
        "model": "gpt-5.5",
        "instructions": "be “good”",
        "input": [{"type": "message", "id": None, "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "high", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "t1",
    }
    assert list(body()) == [
        "model", "instructions", "input", "tools", "tool_choice", "parallel_tool_calls",
        "reasoning", "store", "stream", "include", "prompt_cache_key",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reasoning", "include"),
    [
        ({}, None, []),
        ({"effort": Effort.LOW}, None, []),
        ({"summary": Summary.AUTO}, {"summary": "auto"}, ["reasoning.encrypted_content"]),
        ({"summary": Summary.NONE, "effort": Effort.LOW}, {"effort": "low"}, ["reasoning.encrypted_content"]),
        ({"summary": Summary.AUTO, "store": True}, {"summary": "auto"}, []),
    ],
)
def test_reasoning_is_asked_for_only_of_models_that_take_it(
    fields: dict[str, Any], reasoning: Any, include: Any
) -> None:
    sent = body(**fields)
    assert (sent["reasoning"], sent["include"]) == (reasoning, include)


def test_verbosity_and_schema_share_the_text_key() -> None:
    schema = {"type": "object"}
    assert body(verbosity=Verbosity.LOW, output_schema=schema)["text"] == {
        "verbosity": "low",
        "format": {"type": "json_schema", "strict": True, "schema": schema, "name": "codex_output_schema"},
    }
    assert "text" not in body()


def test_every_tool_has_its_wire_form() -> None:
    tools = (
        FunctionTool(name="f", description="d", parameters={"type": "object"}),
        FreeformTool(name="apply_patch", description="p", definition="start: x"),
        LocalShellTool(),
        WebSearchTool(live=False),
    )
    assert body(tools=tools)["tools"] == [
        {"type": "function", "name": "f", "description": "d", "strict": False, "parameters": {"type": "object"}},
        {
            "type": "custom",
            "name": "apply_patch",
            "description": "p",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
        },
        {"type": "local_shell"},
        {"type": "web_search", "external_web_access": False},
    ]


PNG = "data:image/png;base64,AA"
NO_MORE: dict[str, Any] = {"timeout_ms": None, "working_directory": None, "env": None, "user": None}
ITEMS: list[tuple[Item, dict[str, Any] | None]] = [
    (
        Message(role="user", content=(InputText("a"), InputImage(PNG))),
        {
            "type": "message", "id": None, "role": "user",
            "content": [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": PNG}],
        },
    ),
    (
        Reasoning(id="r", summary=(SummaryText("s"),), encrypted_content="e"),
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "e"},
    ),
    (
        Reasoning(id="r", summary=(), content=(PlainReasoningText("x"),), encrypted_content="e"),
        {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "e"},
    ),
    (
        Reasoning(id="r", summary=(), content=(ReasoningText("x"),)),
        {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "x"}]},
    ),
    (Reasoning(id="r", summary=(SummaryText("s"),)), None),
    (
        FunctionCall(name="f", arguments="{}", call_id="c"),
        {"type": "function_call", "id": None, "name": "f", "arguments": "{}", "call_id": "c"},
    ),
    (FunctionCallOutput(call_id="c", output="o"), {"type": "function_call_output", "call_id": "c", "output": "o"}),
    (
        CustomToolCall(call_id="c", name="apply_patch", input="*** B"),
        {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** B"},
    ),
    (CustomToolCallOutput(call_id="c", output="o"), {"type": "custom_tool_call_output", "call_id": "c", "output": "o"}),
    (
        LocalShellCall(call_id="c", status="completed", action=LocalShellAction(command=("ls",))),
        {
            "type": "local_shell_call", "id": None, "call_id": "c", "status": "completed",
            "action": {"type": "exec", "command": ["ls"], **NO_MORE},
        },
    ),
    (WebSearchCall(id="w", status="completed"), None),
    (OtherItem({"type": "new_kind"}), None),
]  # fmt: skip


@pytest.mark.parametrize(("item", "expected"), ITEMS)
def test_every_item_is_sent_as_specified_or_left_out(item: Item, expected: dict[str, Any] | None) -> None:
    assert body(item)["input"] == ([] if expected is None else [expected])


def test_a_bare_reasoning_id_is_sent_where_the_provider_stores_responses() -> None:
    assert len(body(Reasoning(id="r", summary=()), store=True)["input"]) == 1


def test_items_are_encoded_once_and_forgotten_when_they_leave_the_history(monkeypatch: pytest.MonkeyPatch) -> None:
    from codex_kernel.model import responses

    encoded: list[Item] = []
    original = responses.encode_item
    monkeypatch.setattr(responses, "encode_item", lambda item: encoded.append(item) or original(item))
    wire = Responses()
    history = [user_message(f"m{number}") for number in range(300)]
    first = wire.encode(prompt(*history))
    assert len(encoded) == 300
    again = wire.encode(prompt(*history, user_message("new")))
    assert len(encoded) == 301
    assert again[:100] == first[:100]
    compacted = history[-2:]
    wire.encode(prompt(*compacted))
    assert len(wire._items._kept) == 2


def test_a_changed_item_at_the_same_place_is_encoded_afresh() -> None:
    wire = Responses()
    for number in range(50):
        item = user_message(f"m{number}")
        assert json.loads(wire.encode(prompt(item)))["input"][0]["content"][0]["text"] == f"m{number}"
        del item


def test_what_is_sent_is_read_back_as_the_same_items() -> None:
    from codex_protocol.items import item_from_object

    sent = [item for item, expected in ITEMS if expected is not None and not isinstance(item, Reasoning)]
    read = [item_from_object(entry) for entry in body(*sent)["input"]]
    assert [msgspec.to_builtins(item) for item in read] == [msgspec.to_builtins(item) for item in sent]
