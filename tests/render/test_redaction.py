from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_render.redaction import Redactor, redact, to_html
from tests.support.growth import assert_linear

# Made here, in pieces: whole ones would trip the scanners of those who host the repository.
GITHUB = "ghp" + "_" + "a1B2" * 9
OPENAI = "sk" + "-proj-" + "Ab1_" * 12
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + "." + "dozjgNryP4J3jVmN"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow" + "\nabc" * 4 + "\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"token {GITHUB}.", "token [redacted: GitHub token]."),
        (f"export OPENAI_API_KEY={OPENAI}", "export OPENAI_API_KEY=[redacted: OpenAI key]"),
        ("sk" + "-ant-api03-" + "x" * 40, "[redacted: Anthropic key]"),
        ("AKIA" + "IOSFODNN7EXAMPLE", "[redacted: AWS key id]"),
        ("AIza" + "x" * 35, "[redacted: Google key]"),
        ("xox" + "b-123456789012-abcdef", "[redacted: Slack token]"),
        (f"jwt: {JWT}", "jwt: [redacted: JSON web token]"),
        (f"a\n{KEY}\nb", "a\n[redacted: private key]\nb"),
        (KEY.split("-----END")[0], "[redacted: private key]"),
        ("postgres://me:s3cr3t@db/x", "postgres://me:[redacted: password in an address]@db/x"),
        ("https://me@host/x https://host:8080/a@b", "https://me@host/x https://host:8080/a@b"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted: authorization header]"),
        ('-H "authorization: Basic dXNlcjpwYXNz"', '-H "authorization: Basic [redacted: authorization header]"'),
        ("Cookie: session=abcdef; b=c", "Cookie: [redacted: cookie]"),
        ('{"password": "hunter22"}', '{"password": "[redacted: value of a secret\'s name]"}'),
        ("DB_PASSWORD='correct8horse'", "DB_PASSWORD='[redacted: value of a secret's name]'"),
        ("client_secret: Zm9vYmFyYmF6cXV4", "client_secret: [redacted: value of a secret's name]"),
        ("AccountKey=" + "a1B2" * 10 + "==;x", "AccountKey=[redacted: account key];x"),
    ],
)
def test_a_secret_is_taken_out_and_told(text: str, redacted: str) -> None:
    result, found = redact(text)
    assert result == redacted
    if "[" in redacted:
        assert found
        assert all(finding.times == 1 for finding in found)


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['DB_PASSWORD']",
        "api_key: str = field()",
        "def token(self) -> str: ...",
        "token = get_token(user)",
        "PASSWORD=${DB_PASSWORD}",
        'password: "<your password>"',
        "secret: none",
        "max_tokens: 1234567890",
        "the password is asked for: please wait",
        "task-1234567890123456789012345",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "tokens used: 12,345",
        "see https://example.com/a:b@c",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == (text, [])


def test_what_was_found_is_listed_once_and_cannot_be_used() -> None:
    redactor = Redactor()
    first = redactor.redact(f"{GITHUB} {GITHUB}")
    second = redactor.redact(f"{GITHUB} and {JWT}")
    assert GITHUB not in first + second
    assert [(finding.kind, finding.times) for finding in redactor.found] == [("GitHub token", 3), ("JSON web token", 1)]
    assert redactor.found[0].preview == "ghp_\u2026 (40 characters)"


def test_known_secrets_are_found_wherever_they_stand() -> None:
    result, found = redact("the-key and the-key-2 in xthe-keyx", known=["the-key", "the-key-2", "abc", ""])
    assert result == "[redacted: known secret] and [redacted: known secret] in x[redacted: known secret]x"
    assert [(finding.times, finding.preview) for finding in found] == [
        (2, "\u2026 (7 characters)"),
        (1, "\u2026 (9 characters)"),
    ]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([GITHUB, OPENAI, JWT, KEY, "password=", "Bearer ", "://a:", "@", " ", "x", "\n", '"', ":"])
    )
)
def test_nothing_is_found_twice_and_no_key_is_left(pieces: list[str]) -> None:
    text = " ".join(pieces)
    result, _ = redact(text)
    assert GITHUB not in result
    assert JWT not in result
    assert redact(result)[0] == result or redact(redact(result)[0])[0] == redact(result)[0]


def test_marks_are_shown_in_html_and_everything_else_is_text() -> None:
    assert to_html("<b>[redacted: cookie]\u202e") == (
        '&lt;b&gt;<span class="redacted">[redacted: cookie]</span>&lt;U+202E&gt;'
    )


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----" * 2_000,
        "a_" * 50_000,
        "token" * 20_000,
        "eyJ" * 30_000,
        "a://" * 30_000,
        "sk-" * 30_000,
        "password=" * 10_000,
        "x:" * 50_000,
        "A" * 200_000,
        "bearer " * 20_000,
        "a-b_" * 30_000,
        "pass: " * 20_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_no_text_takes_long_to_search(text: str) -> None:
    assert_linear(redact, text)
