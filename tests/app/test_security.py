"""The gate: what passes and what does not, as tables."""

from __future__ import annotations

import pytest

from codex_app.security import Asked, Gate, headers_for

PORT = 7331
HOST = f"127.0.0.1:{PORT}"
OURS = f"http://{HOST}"
SOCKET = {"Upgrade": "websocket"}


def gate(now: float = 1000.0) -> Gate:
    return Gate(PORT, b"k" * 32, lambda: now)


def asked(method: str = "GET", path: str = "/", host: str = HOST, cookie: str | None = None, **headers: str) -> Asked:
    return Asked(method, path, host, {name.replace("_", "-"): value for name, value in headers.items()}, cookie)


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        (HOST, True),
        (f"localhost:{PORT}", True),
        (f"LOCALHOST:{PORT}", True),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        (f"evil.example:{PORT}", False),
        (f"127.0.0.1.evil.example:{PORT}", False),
        (f"0.0.0.0:{PORT}", False),
        (f"[::1]:{PORT}", False),
        ("", False),
        (f"{HOST}@evil", False),
    ],
)
def test_only_our_own_host_names_pass(host: str, passes: bool) -> None:
    g = gate()
    assert (g.judge(asked(host=host, cookie=g.new_cookie())) == "pass") is passes
    assert (g.judge(asked(host=host, path="/open")) == "pass") is passes


@pytest.mark.parametrize(
    ("method", "headers", "passes"),
    [
        ("GET", {}, True),
        ("GET", {"Origin": OURS}, True),
        ("GET", {"Origin": "http://evil.example"}, False),
        ("GET", {"Origin": "null"}, False),
        ("GET", {"Origin": "http://127.0.0.1:8888"}, False),
        ("GET", {"Origin": f"https://{HOST}"}, False),
        ("GET", {"Origin": f"http://localhost:{PORT}"}, False),
        ("GET", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, False),
        ("GET", {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors"}, False),
        ("GET", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"}, False),
        ("GET", {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}, True),
        ("GET", {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, True),
        ("POST", {}, False),
        ("POST", {"Origin": OURS}, True),
        ("POST", {"Origin": "http://evil.example"}, False),
        ("POST", {"Origin": OURS, "Sec_Fetch_Site": "cross-site"}, False),
        ("DELETE", {}, False),
        ("GET", SOCKET, False),
        ("GET", {**SOCKET, "Origin": OURS}, True),
        ("GET", {**SOCKET, "Origin": "http://127.0.0.1:8888"}, False),
        ("GET", {**SOCKET, "Origin": OURS, "Sec_Fetch_Site": "same-site"}, False),
    ],
)
def test_only_our_page_and_a_persons_navigation_pass(method: str, headers: dict[str, str], passes: bool) -> None:
    g = gate()
    assert (g.judge(asked(method, cookie=g.new_cookie(), **headers)) == "pass") is passes
    assert (g.judge(asked(method, path="/open", **headers)) == "pass") is passes


@pytest.mark.parametrize("path", ["/", "/link", "/assets/page.js", "/open/", "/open.js", "//open", "/OPEN", "/%6fpen"])
def test_nothing_but_the_entry_passes_without_a_cookie(path: str) -> None:
    assert gate().judge(asked(path=path)) == "no_cookie"


def test_cookie_of_another_server_forged_or_old_does_not_pass() -> None:
    g = gate()
    good = g.new_cookie()
    assert g.knows(good)
    assert not Gate(PORT, b"x" * 32, lambda: 1000.0).knows(good)
    assert not Gate(PORT + 1, b"k" * 32, lambda: 1000.0).knows(good)
    assert not gate(1000 + 31 * 86400).knows(good)
    assert not gate(0).knows(good)  # from the future
    body, _, mark = good.rpartition(".")
    for bad in (
        "",
        ".",
        "1.2.3",
        f"{body}.",
        f".{mark}",
        good + "x",
        good[:-1],
        body.replace("1000", "9999") + "." + mark,
    ):
        assert not g.knows(bad), bad
    assert not g.knows("1.1000.é.é")
    assert not g.knows(None)


def test_link_is_good_once_and_not_for_long() -> None:
    now = [1000.0]
    g = Gate(PORT, b"k" * 32, lambda: now[0])
    token = g.new_token()
    cookie = g.exchange(token)
    assert g.knows(cookie)
    assert g.exchange(token) is None
    late = g.new_token()
    now[0] += 16 * 60
    assert g.exchange(late) is None


def test_wrong_links_are_throttled_and_a_pause_ends_it() -> None:
    now = [1000.0]
    g = Gate(PORT, b"k" * 32, lambda: now[0])
    for _ in range(20):
        assert g.exchange("guess") is None
    token = g.new_token()
    assert g.throttled()
    assert g.exchange(token) is None
    now[0] += 61
    assert g.exchange(token) is not None


def test_policy_names_no_unsafe_source_and_no_other_host() -> None:
    policy = headers_for(HOST, "abc")["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "*" not in policy
    assert "'nonce-abc'" in policy
    assert policy.count("ws://") == 1
    assert f"ws://{HOST};" in policy
