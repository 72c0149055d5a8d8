import json
from typing import Any

import pytest

from codex_kernel.model.chat import Chat, to_request
from codex_kernel.model.interface import FreeformTool, FunctionTool, LocalShellTool, Prompt, WebSearchTool
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
    Reasoning,
    SummaryText,
    WebSearchCall,
    assistant_message,
    user_message,
)
from codex_protocol.policy import Effort


def prompt(*items: Item, **fields: Any) -> Prompt:
    return Prompt(**{"model": "m", "instructions": "base", "input": items, "thread_id": "t", **fields})


def body(*items: Item, **fields: Any) -> dict[str, Any]:
    return json.loads(to_request(prompt(*items, **fields)))


def messages(*items: Item) -> list[dict[str, Any]]:
    system, *rest = body(*items)["messages"]
    assert system["role"] == "system"
    return rest


def call(call_id: str, name: str = "f", arguments: str = "{}") -> FunctionCall:
    return FunctionCall(call_id=call_id, name=name, arguments=arguments)


def output(call_id: str, text: str = "o") -> FunctionCallOutput:
    return FunctionCallOutput(call_id=call_id, output=text)


def sent_call(call_id: str, name: str = "f", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def assistant(content: str | None, *call_ids: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content}
    return {**message, "tool_calls": [sent_call(call_id) for call_id in call_ids]} if call_ids else message


def tool(call_id: str, text: str = "o") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_a_request_has_only_the_keys_every_provider_knows() -> None:
    assert body(user_message("hi")) == {
        "model": "m",
        "messages": [{"role": "system", "content": "base"}, user("hi")],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


U, A = user_message("u"), assistant_message("a")


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ((U, A, U), [user("u"), assistant("a"), user("u")]),
        ((U, A, call("1"), output("1")), [user("u"), assistant("a", "1"), tool("1")]),
        ((call("1"), call("2"), output("2"), output("1")), [assistant(None, "1", "2"), tool("1"), tool("2")]),
        (
            (call("1"), output("1"), call("2"), output("2")),
            [assistant(None, "1"), tool("1"), assistant(None, "2"), tool("2")],
        ),
        ((call("1"), A, output("1")), [assistant("a", "1"), tool("1")]),
        (
            (call("1"), output("1"), A, call("2"), output("2")),
            [assistant(None, "1"), tool("1"), assistant("a", "2"), tool("2")],
        ),
        ((call("1"), U, output("1")), [assistant(None, "1"), tool("1"), user("u")]),
        ((A, A), [assistant("a\n\na")]),
        ((call("1"), output("1"), output("1")), [assistant(None, "1"), tool("1")]),
        ((output("9"), U), [user("u")]),
        ((Reasoning(id="r", summary=(SummaryText("s"),)), WebSearchCall(id="w"), U), [user("u")]),
        ((assistant_message(""), U), [user("u")]),
    ],
)
def test_history_is_regrouped_to_what_providers_accept(items: tuple[Item, ...], expected: list[dict[str, Any]]) -> None:
    assert messages(*items) == expected


def test_our_own_messages_join_the_system_message_at_the_start_and_are_the_users_later() -> None:
    ours = Message(role="developer", content=(InputText("rules “q”\n"),))
    sent = body(ours, ours, U, ours)["messages"]
    assert sent[0] == {"role": "system", "content": "base\n\nrules “q”\n\n\nrules “q”\n"}
    assert sent[1:] == [user("u"), user("rules “q”\n")]


def test_every_kind_of_call_becomes_a_function_call() -> None:
    patch = CustomToolCall(call_id="1", name="apply_patch", input="*** Begin\n“x”")
    shell = LocalShellCall(call_id="2", status="completed", action=LocalShellAction(command=("ls", "-l"), timeout_ms=5))
    done = CustomToolCallOutput(call_id="1", output="ok")
    first, second, third = messages(patch, shell, done, output("2"))
    calls = [(entry["function"]["name"], json.loads(entry["function"]["arguments"])) for entry in first["tool_calls"]]
    assert calls == [
        ("apply_patch", {"input": "*** Begin\n“x”"}),
        ("shell", {"command": ["ls", "-l"], "timeout_ms": 5}),
    ]
    assert (second, third) == (tool("1", "ok"), tool("2"))


def test_images_are_kept_in_messages_and_follow_the_outputs_that_had_them() -> None:
    image = InputImage("data:image/png;base64,AA", detail="high")
    sent = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "high"}}
    assert messages(Message(role="user", content=(InputText("see"), image))) == [
        {"role": "user", "content": [{"type": "text", "text": "see"}, sent]}
    ]
    shown = FunctionCallOutput(call_id="1", output=(InputText("here"), image))
    found = messages(call("1"), call("2"), shown, output("2"))
    assert found[:3] == [assistant(None, "1", "2"), tool("1", "here"), tool("2")]
    assert found[3]["role"] == "user"
    assert found[3]["content"][1] == sent


def test_freeform_tools_are_offered_as_functions_and_provider_tools_are_left_out() -> None:
    tools = (
        FunctionTool(name="f", description="d", parameters={"type": "object"}),
        FreeformTool(name="apply_patch", description="p", definition="start: x"),
        LocalShellTool(),
        WebSearchTool(),
    )
    plain, patch = body(tools=tools)["tools"]
    assert plain["function"] == {"name": "f", "description": "d", "strict": False, "parameters": {"type": "object"}}
    assert patch["function"]["parameters"]["required"] == ["input"]
    assert "start: x" in patch["function"]["description"]
    assert "tools" not in body(tools=(LocalShellTool(),))


def test_effort_and_schema_are_sent_when_asked_for() -> None:
    sent = body(effort=Effort.HIGH, output_schema={"type": "object"})
    assert sent["reasoning_effort"] == "high"
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_requests_of_one_client_do_not_depend_on_what_was_kept() -> None:
    wire = Chat()
    history: list[Item] = []
    for number in range(40):
        history += [user_message(f"u{number}"), call(f"c{number}"), output(f"c{number}")]
        ask = prompt(*history)
        assert wire.encode(ask) == to_request(ask)
    shorter = prompt(*history[-3:])
    assert wire.encode(shorter) == to_request(shorter)
