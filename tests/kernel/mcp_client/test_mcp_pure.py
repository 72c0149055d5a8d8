"""The pure parts of the MCP client: names, schemas, results, the decision, environments."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.mcp_client.names import MAX_BYTES, name_tools, qualified_name
from codex_kernel.mcp_client.results import MAX_SHOWN_BYTES, failed, for_event, for_model
from codex_kernel.mcp_client.schemas import sanitised
from codex_kernel.mcp_client.server_environment import COMMON, http_headers, server_environment
from codex_kernel.policy.decide_mcp import McpQuestion, decide_mcp, mcp_digest
from codex_kernel.policy.interface import Ask, Deny, Run, Standing
from codex_protocol.items import InputImage, InputText
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess, ReadOnly, SandboxPolicy

LONG = "extremely_lengthy_function_name_that_absolutely_surpasses_all_reasonable_limits"
OTHER = "yet_another_extremely_lengthy_function_name_that_absolutely_surpasses_all_reasonable_limits"


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("server1", "tool1", "server1__tool1"),
        ("my_server", LONG, "my_server__extremely_lena02e507efc5a9de88637e436690364fd4219e4ef"),
        ("my_server", OTHER, "my_server__yet_another_e1c3987bd9c50b826cbe1687966f79f0c602d19ca"),
        ("s", "a.b/c d", "s__a_b_c_d"),
        ("s", "größe", "s__gr__e"),
    ],
)
def test_names_are_qualified_sanitised_and_shortened(server: str, tool: str, name: str):
    assert qualified_name(server, tool) == name


def test_of_two_tools_of_one_name_the_first_counts_and_lookalikes_keep_names_of_their_own():
    named = name_tools([("s", "a.b"), ("s", "a b"), ("s", "a.b"), ("a", "b__c"), ("a__b", "c")])
    assert sorted(named.values()) == [("a", "b__c"), ("a__b", "c"), ("s", "a b"), ("s", "a.b")]
    assert named["s__a_b"] == ("s", "a.b")


@given(st.lists(st.tuples(st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True), st.text(min_size=1)), max_size=20))
def test_every_tool_gets_one_name_that_providers_take(tools: list[tuple[str, str]]):
    named = name_tools(tools)
    assert sorted(named.values()) == sorted(set(tools))
    assert all(name.isascii() and len(name) <= MAX_BYTES for name in named)
    assert all(char.isalnum() or char in "_-" for name in named for char in name)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"description": "d"}, {"type": "string", "description": "d"}),
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
        (True, {"type": "string"}),
        ({"type": ["null", "number"]}, {"type": "number"}),
        ({"type": "null"}, {"type": "string"}),
        ({"minimum": 1}, {"type": "number"}),
        ({"format": "date"}, {"type": "string"}),
        ({"items": {"type": "boolean"}}, {"type": "array", "items": {"type": "boolean"}}),
        ({"enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b"]}),
        ({"enum": [1, 2]}, {"type": "string"}),
        (
            {"anyOf": [{"type": "null"}, {"type": "integer"}], "description": "n"},
            {"type": "number", "description": "n"},
        ),
        ({"anyOf": []}, {"type": "string"}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "properties": {}, "additionalProperties": True},
        ),
        ({"$ref": "#/$defs/P"}, {"type": "object", "properties": {"x": {"type": "number"}}}),
        ({"$ref": "#/nowhere"}, {"type": "string"}),
        ({"$ref": "https://example.org/schema"}, {"type": "string"}),
    ],
)
def test_a_property_becomes_what_every_provider_takes(schema: Any, expected: dict[str, Any]):
    defs = {"P": {"type": "object", "properties": {"x": {"type": "number"}}}}
    clean = sanitised({"type": "object", "properties": {"p": schema}, "$defs": defs, "title": "T"})
    assert clean == {"type": "object", "properties": {"p": expected}}


def test_a_schema_that_refers_to_itself_ends():
    loop = {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "missing", 1]}
    clean = sanitised(loop)
    assert clean["required"] == ["a"]
    assert len(json.dumps(clean)) < 1_000_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "$ref", "anyOf", "required", "enum", "x", "$defs"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(_JSON)
def test_no_schema_of_a_server_makes_us_fail(schema: Any):
    clean = sanitised(schema)
    assert clean["type"] == "object"
    assert isinstance(clean["properties"], dict)


@given(st.dictionaries(st.sampled_from(["content", "structuredContent", "isError", "x"]), _JSON))
def test_no_result_of_a_server_makes_us_fail(result: dict[str, Any]):
    assert isinstance(for_model(result), str | tuple)
    assert isinstance(for_event(result)["content"], list)
    assert isinstance(failed(result), bool)


TEXTS = [{"type": "text", "text": "hello"}, {"type": "text", "text": "world"}]


@pytest.mark.parametrize(
    ("result", "text", "is_failed"),
    [
        ({"content": TEXTS, "structuredContent": None}, json.dumps(TEXTS, separators=(",", ":")), False),
        ({"content": TEXTS, "structuredContent": {"ok": True, "value": 42}}, '{"ok":true,"value":42}', False),
        ({"content": TEXTS, "isError": True, "structuredContent": {"message": "bad"}}, '{"message":"bad"}', True),
        ({"content": [], "isError": False}, "[]", False),
    ],
)
def test_the_model_reads_structured_content_or_the_blocks(result: dict[str, Any], text: str, is_failed: bool):
    assert for_model(result) == text
    assert failed(result) is is_failed


def test_images_reach_the_model_as_images():
    image = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    assert for_model({"content": [TEXTS[0], image]}) == (
        InputText('[{"type":"text","text":"hello"}]'),
        InputImage("data:image/png;base64,AAAA"),
    )
    assert for_model({"content": [image]}) == (InputImage("data:image/png;base64,AAAA"),)
    assert isinstance(for_model({"content": [{**image, "mimeType": "image/svg+xml"}]}), str)


def test_long_results_are_cut_with_a_mark():
    text = for_model({"content": [{"type": "text", "text": "x" * 1_000_000}]})
    assert isinstance(text, str)
    assert len(text) < 50_000
    assert "tokens truncated" in text
    shown = for_event({"content": [{"type": "text", "text": "y" * 1_000_000}], "structuredContent": ["z" * 100_000]})
    assert len(json.dumps(shown)) < 2 * MAX_SHOWN_BYTES


def standing(policy: ApprovalPolicy, sandbox: SandboxPolicy, **fields: Any) -> Standing:
    from pathlib import Path

    return Standing(
        approval_policy=policy, sandbox_policy=sandbox, rung=1, can_ask=True, workspace=Path("/w"), **fields
    )


def question(**fields: Any) -> McpQuestion:
    return McpQuestion(server="s", tool="t", arguments={"a": 1}, **fields)


@pytest.mark.parametrize(
    ("asked", "on_request", "never", "bypass"),
    [
        (question(read_only=True), Run, Run, Run),
        (question(read_only=True, destructive=True), Ask, Deny, Run),
        (question(destructive=True), Ask, Deny, Run),
        (question(), Ask, Deny, Run),
        (question(destructive=False), Ask, Deny, Run),
        (question(destructive=False, open_world=False), Run, Run, Run),
        (question(mode="prompt", read_only=True), Ask, Deny, Run),
        (question(mode="nonsense", read_only=True), Ask, Deny, Run),
        (question(mode="approve", destructive=True), Run, Run, Run),
    ],
)
def test_settings_hints_and_policy_decide(asked: McpQuestion, on_request: type, never: type, bypass: type):
    assert isinstance(decide_mcp(asked, standing(ApprovalPolicy.ON_REQUEST, ReadOnly())), on_request)
    assert isinstance(decide_mcp(asked, standing(ApprovalPolicy.NEVER, ReadOnly())), never)
    assert isinstance(decide_mcp(asked, standing(ApprovalPolicy.NEVER, DangerFullAccess())), bypass)


def test_an_approval_for_the_thread_covers_the_same_call_only():
    approved = frozenset({mcp_digest(question(mode="prompt"))})
    before = standing(ApprovalPolicy.ON_REQUEST, ReadOnly(), approved_digests=approved)
    assert isinstance(decide_mcp(question(mode="prompt"), before), Run)
    other = McpQuestion(server="s", tool="t", arguments={"a": 2}, mode="prompt")
    assert isinstance(decide_mcp(other, before), Ask)


def test_servers_see_the_common_variables_and_their_own():
    env = {"PATH": "/bin", "HOME": "/h", "OPENAI_API_KEY": "k", "PYTHONPATH": "x"}
    assert server_environment(env, {"HOME": "/other", "A": "1"}) == {"PATH": "/bin", "HOME": "/other", "A": "1"}
    assert "PATH" in COMMON


def test_headers_come_from_settings_and_variables_that_are_set():
    headers = http_headers(
        {"A": "1", "B": " ", "T": "tok"},
        fixed={"X": "x"},
        from_env={"X-A": "A", "X-B": "B", "X-C": "C"},
        bearer_token_env_var="T",
    )
    assert headers == {"X": "x", "X-A": "1", "Authorization": "Bearer tok"}
