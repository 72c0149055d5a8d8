import logging
import sys

import pytest

from codex_render.log_lines import LogLines


def line(text: str, *arguments: object, env: dict[str, str] | None = None, level: int = logging.ERROR) -> str:
    record = logging.LogRecord("codex_kernel.core", level, "x.py", 1, text, arguments, None)
    record.created, record.msecs = 0.25, 250
    return LogLines(env or {}).format(record)


def test_a_line_says_when_how_grave_where_and_what() -> None:
    assert line("%s failed", "it") == "1970-01-01T00:00:00.250Z ERROR codex_kernel.core: it failed"


@pytest.mark.parametrize(
    "text",
    [
        "refused sk-proj-abcdefghijklmnop1234567890",
        "headers {'Authorization': 'Bearer abcdefghijklmnop'}",
        "POST https://me:hunter2hunter2@host/v1",
        "token=A1b2C3d4E5f6G7h8",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4eHh4eHh4In0.c2ln",
    ],
)
def test_keys_and_tokens_of_known_form_are_taken_out(text: str) -> None:
    shown = line(text)
    assert "[redacted: " in shown
    for secret in ("abcdefghijklmnop", "hunter2hunter2", "A1b2C3d4E5f6G7h8", "eyJzdWIi"):
        assert secret not in shown


def test_the_values_of_variables_named_like_secrets_are_taken_out_in_whatever_form() -> None:
    env = {"MY_API_KEY": "plain words here", "PATH": "/usr/bin:/bin", "SHORT_TOKEN": "abc"}
    assert line("said plain words here in /usr/bin:/bin abc", env=env).endswith(
        "said [redacted: known secret] in /usr/bin:/bin abc"
    )


def test_a_traceback_is_written_for_debugging_only_and_without_secrets() -> None:
    try:
        raise ValueError("sk-proj-abcdefghijklmnop1234567890")
    except ValueError:
        record = logging.LogRecord("log-lines-test", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())
    logger = logging.getLogger("log-lines-test")
    logger.setLevel(logging.INFO)
    assert "Traceback" not in LogLines({}).format(record)
    logger.setLevel(logging.DEBUG)
    shown = LogLines({}).format(record)
    assert "Traceback" in shown
    assert "abcdefghijklmnop" not in shown


def test_an_endless_line_is_cut_with_a_mark() -> None:
    shown = line("x" * 1_000_000)
    assert len(shown) < 9_000
    assert shown.endswith("more characters")
