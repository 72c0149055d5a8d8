"""Files come by POST and images go out by id, behind the gate."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from codex_app.server import PageServer
from tests.app.test_server import cookie, ours, running
from tests.app.test_uploads import PNG


async def ask(page: PageServer, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
    sent = {"Cookie": cookie(page), **({} if body is None else {"Origin": ours(page)}), **headers}
    request = HTTPRequest(
        f"http://127.0.0.1:{page.port}{path}", method="GET" if body is None else "POST", body=body, headers=sent
    )
    return await AsyncHTTPClient().fetch(request, raise_error=False)


async def test_an_image_is_kept_and_shown_by_its_id_alone(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        kept = msgspec.json.decode((await ask(page, "/upload", PNG, **{"X-Name": "a%2Fb%20c.png"})).body)
        assert (kept["name"], kept["kind"], kept["size"]) == ("b c.png", "image/png", len(PNG))
        shown = await ask(page, f"/upload/{kept['id']}")
        assert (shown.code, shown.body, shown.headers["Content-Type"]) == (200, PNG, "image/png")
        for other in ("0" * 40, kept["id"][:-1], "../upload", "%2e%2e/auth.json", kept["id"] + ".json"):
            assert (await ask(page, f"/upload/{other}")).code == 404, other
        assert (await ask(page, f"/picture/{'0' * 36}/{'0' * 40}")).code == 404


async def test_a_file_from_elsewhere_or_without_the_cookie_is_not_taken(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        for headers in (
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Cookie": "none=1"},
            {"Host": "evil.example"},
        ):
            assert (await ask(page, "/upload", PNG, **headers)).code == 403, headers
        assert not (tmp_path / "workbench" / "uploads").exists()
        assert (await ask(page, "/upload")).code == 405


async def test_what_is_too_large_or_no_text_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await ask(page, "/upload", PNG + b"\0" * (20 << 20))).code == 413
        told = await ask(page, "/upload", b"\x7fELF\0", **{"X-Name": "tool"})
        assert msgspec.json.decode(told.body)["problem"].startswith("tool is neither text nor")
        big = await ask(page, "/upload", PNG + b"\0" * (5 << 20), **{"X-Name": "big.png"})
        assert big.code == 200
        assert len(list((tmp_path / "workbench" / "uploads").iterdir())) == 2


async def test_a_text_file_is_never_sent_back(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        kept = msgspec.json.decode((await ask(page, "/upload", b"<script>x()</script>")).body)
        assert kept["kind"] == "text/plain"
        assert (await ask(page, f"/upload/{kept['id']}")).code == 404
