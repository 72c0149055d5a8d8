"""`-c key=value` as the command line gives it."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.config.overrides import join_key, mapping_tree, overrides_tree, parse_override, parse_value, split_key
from codex_protocol.errors import ConfigError


@pytest.mark.parametrize(
    ("raw", "tree"),
    [
        ("model=o3", {"model": "o3"}),
        ('model="o3"', {"model": "o3"}),
        ("model='o3'", {"model": "o3"}),
        (" model = o3 ", {"model": "o3"}),
        ("n=42", {"n": 42}),
        ("n=-1", {"n": -1}),
        ("n=007", {"n": "007"}),
        ("x=1.5", {"x": 1.5}),
        ("flag=true", {"flag": True}),
        ("a=[1, 2, 3]", {"a": [1, 2, 3]}),
        ("t={a = 1, b = 2}", {"t": {"a": 1, "b": 2}}),
        ("t={}", {"t": {}}),
        ("x='", {"x": ""}),
        ('x="oops', {"x": "oops"}),
        ("x=", {"x": ""}),
        ("x=a=b", {"x": "a=b"}),
        ("x=hello world", {"x": "hello world"}),
        ("x=1\ny=2", {"x": "1\ny=2"}),
        ("shell_environment_policy.inherit=all", {"shell_environment_policy": {"inherit": "all"}}),
        ('projects."/a.b".trust_level=trusted', {"projects": {"/a.b": {"trust_level": "trusted"}}}),
        ("projects.'/a=b' . trust_level = \"trusted\"", {"projects": {"/a=b": {"trust_level": "trusted"}}}),
        ("projects./a/b.trust_level=trusted", {"projects": {"/a/b": {"trust_level": "trusted"}}}),
        (
            'model_providers.mock={ name = "mock", base_url = "http://x/v1", env_key = "PATH", wire_api = "chat" }',
            {
                "model_providers": {
                    "mock": {"name": "mock", "base_url": "http://x/v1", "env_key": "PATH", "wire_api": "chat"}
                }
            },
        ),
        ('openai_base_url="http://127.0.0.1:1/v1"', {"openai_base_url": "http://127.0.0.1:1/v1"}),
        ("x=" + "[" * 5000, {"x": "[" * 5000}),
    ],
)
def test_override_becomes_this_tree(raw: str, tree: dict[str, Any]) -> None:
    assert overrides_tree([raw]) == tree


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("foo", "has no '='"),
        ("=x", "has no key"),
        (" =x", "has no key"),
        ("a..b=1", "empty part"),
        (".a=1", "empty part"),
        ("a.=1", "empty part"),
        ('a."b=1', "cannot be split"),
        ('a."b"c=1', "cannot be split"),
        ('a.""=1', "empty part"),
    ],
)
def test_malformed_override_is_refused_in_one_sentence(raw: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_override(raw)


def test_later_override_wins_and_replaces_what_is_no_table() -> None:
    assert overrides_tree(["a=1", "a.b=2", "a.c=3", "a.b=4"]) == {"a": {"b": 4, "c": 3}}


def test_object_keys_may_be_dotted_and_null_becomes_empty() -> None:
    assert mapping_tree({"a.b": None, "c": {"d": [None]}}) == {"a": {"b": ""}, "c": {"d": [""]}}


@given(st.text(max_size=12))
def test_value_without_tomllib_is_what_tomllib_says(text: str) -> None:
    text = text.strip()
    try:
        parsed = tomllib.loads(f"value = {text}")
        expected = parsed["value"] if len(parsed) == 1 else text.strip("\"'")
    except tomllib.TOMLDecodeError:
        expected = text.strip("\"'")
    got = parse_value(text)
    assert (got, type(got)) == (expected, type(expected)) or got != got


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\"'"), min_size=1), min_size=1, max_size=4))
def test_joined_key_splits_into_the_same_parts(parts: list[str]) -> None:
    assert list(split_key(join_key(parts))) == parts
