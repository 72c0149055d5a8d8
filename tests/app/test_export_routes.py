"""Exports of the page: behind the gate, as files to save, with a list of what is taken out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from codex_app.place import Place
from codex_app.server import PageServer, serving
from codex_store.home import Home
from codex_store.threads import list_threads
from tests.support.rollouts import write_thread

KEY = "sk-proj-abcdefghijklmnopqrstuvwx1234"


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[tuple[PageServer, str]]:
    folder.chmod(0o700)
    home = Home(root=folder)
    write_thread(home, f"<script>alert(1)</script> use {KEY}")
    async with serving(home, Place(home)) as page:
        yield page, list_threads(home)[0].id


async def get(page: PageServer, path: str, *, known: bool = True, **headers: str) -> HTTPResponse:
    if known:
        headers["Cookie"] = f"{page.gate.cookie_name}={page.gate.new_cookie()}"
    address = f"http://127.0.0.1:{page.port}{path}"
    return await AsyncHTTPClient().fetch(address, headers=headers, raise_error=False)


@pytest.mark.parametrize("form", ["md", "html", "ipynb", "jsonl"])
async def test_a_thread_is_a_file_to_save_without_its_secrets(tmp_path: Path, form: str) -> None:
    async with running(tmp_path) as (page, thread):
        answer = await get(page, f"/export/{thread}.{form}")
        kept = await get(page, f"/export/{thread}.{form}?secrets=keep")
    assert answer.code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{thread}.{form}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert b"[redacted: OpenAI key]" in answer.body
    assert KEY.encode() not in answer.body
    assert KEY.encode() in kept.body


async def test_what_is_taken_out_is_told_first(tmp_path: Path) -> None:
    async with running(tmp_path) as (page, thread):
        answer = await get(page, f"/export/{thread}")
    found = {"kind": "OpenAI key", "preview": "sk-p… (36 characters)", "times": 1}
    assert json.loads(answer.body) == {"found": [found]}


async def test_no_stranger_and_no_other_thread_is_served(tmp_path: Path) -> None:
    async with running(tmp_path) as (page, thread):
        other = "00000000-0000-7000-8000-000000000000"
        for path, known, headers, code in [
            (f"/export/{thread}.md", False, {}, 403),
            (f"/export/{thread}", False, {}, 403),
            (f"/export/{thread}.md", True, {"Origin": "http://evil.example"}, 403),
            (f"/export/{thread}.md", True, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
            (f"/export/{other}.md", True, {}, 404),
            (f"/export/{other}", True, {}, 404),
            (f"/export/{thread}.pdf", True, {}, 404),
            ("/export/..%2f..%2fauth.json", True, {}, 404),
        ]:
            assert (await get(page, path, known=known, **headers)).code == code, path
