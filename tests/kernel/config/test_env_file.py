"""The user's own `.env`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.config.env_file import load_env_file
from codex_protocol.errors import ConfigError
from codex_store.home import Home


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", {"A": "b"}),
        ("export A=b", {"A": "b"}),
        (" A = b ", {"A": "b"}),
        ("A=", {"A": ""}),
        ("A=b=c", {"A": "b=c"}),
        ("A=b # note", {"A": "b"}),
        ("A=b#c", {"A": "b#c"}),
        ('A="b # c" # note', {"A": "b # c"}),
        (r'A="a\n\"b\\"', {"A": 'a\n"b\\'}),
        (r"A='a\n'", {"A": r"a\n"}),
        ("# A=b", {}),
        ("", {}),
        ("CODEX_HOME=/x", {}),
        ("codex_api_key=x", {}),
    ],
)
def test_line_sets(home: Home, line: str, expected: dict[str, str]) -> None:
    home.env_file.write_text(f"\n{line}\n")
    env = {"A": "old"}
    load_env_file(home, env)
    assert env == {"A": "old"} | expected


@pytest.mark.parametrize("line", ["A", "=b", "1A=b", "A B=c", "A='b", 'A="b', 'A="b"c', "é=1"])
def test_line_that_is_no_assignment_is_refused(home: Home, line: str) -> None:
    home.env_file.write_text(f"OK=1\n{line}\n")
    with pytest.raises(ConfigError, match=r"\.env, line 2: this is no assignment"):
        load_env_file(home, {})


def test_missing_file_sets_nothing(home: Home) -> None:
    env: dict[str, str] = {}
    load_env_file(home, env)
    assert env == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(home: Home, text: str) -> None:
    home.env_file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        load_env_file(home, {})
    except ConfigError as error:
        assert "\n" not in str(error)  # noqa: PT017
