"""The running server, every route of it, against strangers; no kernel is started."""

from __future__ import annotations

import asyncio
import contextlib
import re
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec
import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.routing import PathMatches
from tornado.websocket import WebSocketClientConnection, websocket_connect

from codex_app.desk import Desk
from codex_app.launches import Launch
from codex_app.page_files import assets, scripts_of
from codex_app.place import Place
from codex_app.rooms import Room, Viewer
from codex_app.server import PageServer, serving
from codex_protocol import events as ev
from codex_protocol.errors import ThreadError
from codex_protocol.events import NumberedEvent
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home

ROUTES = ["/", "/open", "/link", "/nope", "/static/x", "/autoload.js", "/components/os/x/y", "/assets/../server.py"]
ROUTES += [
    f"/export/{'0' * 36}",
    *(f"/export/{'0' * 36}.{kind}" for kind in ("md", "html", "ipynb", "jsonl")),
    *(f"/export/{'0' * 36}/{kind}" for kind in ("md", "html", "ipynb", "jsonl")),
    "/upload",
    f"/upload/{'a' * 40}",
    f"/picture/{'0' * 36}/{'a' * 40}",
    *(f"/assets/{name}" for name in assets()),
]
PANEL_ROUTES = ["/panel/ready", "/panel/inspector?thread=x", "/panel/inspector/ws", "/panel/static/js/bokeh.min.js"]
PANEL_ROUTES += ["/panel/static/extensions/panel/panel.min.js", "/panel/static/extensions/panel/css/loading.css"]
PANEL_CLOSED = ["/panel", "/panel/", "/panel/favicon.ico", "/panel/inspector/autoload.js", "/panel/inspector/metadata"]
PANEL_CLOSED += ["/panel/inspector/static/js/bokeh.min.js", "/panel/static/js/bokeh.js", "/panel/static/js/../../x.py"]
PANEL_CLOSED += ["/panel/components/os/x/y/z", "/components/os/x/y/z", "/panel/static/extensions/panel/panel.js"]
PANEL_CLOSED += ["/panel/inspector/", "/panel/liveness", "/panel/static/extensions/other/x.js", "/favicon.ico"]
OPEN = {"/open", "/assets/open.js", "/assets/open.css", "/assets/icon.svg"}


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncGenerator[PageServer]:
    folder.chmod(0o700)
    home = Home(root=folder)
    async with serving(home, Place(home)) as page:
        yield page


async def fetch(
    page: PageServer, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> HTTPResponse:
    return await AsyncHTTPClient().fetch(
        f"http://127.0.0.1:{page.port}{path}", method=method, body=body, headers=headers, raise_error=False
    )


def cookie(page: PageServer) -> str:
    return f"{page.gate.cookie_name}={page.gate.new_cookie()}"


def ours(page: PageServer) -> str:
    return f"http://127.0.0.1:{page.port}"


async def end(socket: WebSocketClientConnection) -> None:
    """Close it and wait until it is."""
    socket.close()
    while await socket.read_message() is not None:
        pass


async def socket_code(page: PageServer, path: str = "/link", **headers: str) -> int:
    """101 when it opens, else why not."""
    request = HTTPRequest(f"ws://127.0.0.1:{page.port}{path}", headers=headers)
    try:
        await end(await websocket_connect(request))
    except HTTPClientError as error:
        return error.code
    return 101


async def test_every_route_is_shut_without_a_cookie_and_to_other_hosts_and_origins(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        for path in ROUTES:
            bare = await fetch(page, path)
            assert (bare.code == 403) is (path not in OPEN), path
            for stranger in (
                {"Host": "evil.example"},
                {"Origin": "http://evil.example"},
                {"Sec-Fetch-Site": "cross-site"},
            ):
                refused = await fetch(page, path, Cookie=cookie(page), **stranger)
                assert refused.code == 403, (path, stranger)
                assert b"evil" not in refused.body + str(refused.headers).encode()


async def test_the_websocket_needs_both_our_origin_and_the_cookie(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert await socket_code(page) == 403
        assert await socket_code(page, Cookie=cookie(page)) == 403
        assert await socket_code(page, Origin=ours(page)) == 403
        assert await socket_code(page, Origin="http://127.0.0.1:1", Cookie=cookie(page)) == 403
        assert await socket_code(page, Origin=ours(page), Cookie=cookie(page), Host="evil.example") == 403
        assert await socket_code(page, Origin=ours(page), Cookie=cookie(page)) == 101


async def test_a_link_becomes_a_cookie_that_scripts_cannot_read_once(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        token = page.link().split("#")[1]
        assert (await fetch(page, "/open", "POST", token)).code == 403  # no Origin: not our page
        answer = await fetch(page, "/open", "POST", token, Origin=ours(page))
        assert answer.code == 204
        given = answer.headers["Set-Cookie"]
        assert "HttpOnly" in given
        assert "SameSite=Strict" in given
        assert (await fetch(page, "/", Cookie=given.split(";")[0])).code == 200
        assert (await fetch(page, "/open", "POST", token, Origin=ours(page))).code == 403
        assert (await fetch(page, "/open", "POST", "x" * 100_000, Origin=ours(page))).code == 403


async def test_every_answer_carries_the_policy_and_no_script_runs_without_its_nonce(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        nonces = set()
        for path in ROUTES:
            answer = await fetch(page, path, Cookie=cookie(page))
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["X-Frame-Options"] == "DENY"
            nonces.add(answer.headers["Content-Security-Policy"].split("'nonce-")[1].split("'")[0])
            text = answer.body.decode()
            if answer.headers["Content-Type"].startswith("text/html"):
                carried = re.findall(r'<script type="(?:module|importmap)" nonce="(\S+?)"', text)
                assert set(carried) <= nonces
                assert len(carried) == text.count("<script")
        assert len(nonces) == len(ROUTES)


async def test_a_page_loads_all_its_modules_at_once_and_each_version_is_kept(tmp_path: Path) -> None:
    scripts = {name for name in assets() if name.endswith(".js")}
    loaded = [scripts_of(name) for name in ("page.js", "open.js", "frame.js")]
    assert {address.removeprefix("/assets/") for each in loaded for address in each} == scripts
    async with running(tmp_path) as page:
        text = (await fetch(page, "/", Cookie=cookie(page))).body.decode()
        for address, versioned in loaded[0].items():
            assert '<link rel="modulepreload" nonce="' in text
            assert f'href="{versioned}"' in text
            assert f'"{address}": "{versioned}"' in text
        kept = await fetch(page, loaded[0]["/assets/dom.js"], Cookie=cookie(page))
        assert "immutable" in kept.headers["Cache-Control"]
        for other in ("/assets/dom.js", "/assets/dom.js?v=0123456789abcdef"):
            assert (await fetch(page, other, Cookie=cookie(page))).headers["Cache-Control"] == "no-cache"


async def test_panels_routes_are_behind_the_gate_and_those_that_we_do_not_use_are_closed(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        assert (await fetch(page, "/panel/ready", Cookie=cookie(page))).code == 204
        for path in PANEL_ROUTES + PANEL_CLOSED:
            assert (await fetch(page, path)).code == 403, path
            for stranger in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
                assert (await fetch(page, path, Cookie=cookie(page), **stranger)).code == 403, path
            framed = path.startswith("/panel/inspector?")
            answer = await fetch(page, path, Cookie=cookie(page))
            assert (answer.code == 404) is (path in PANEL_CLOSED), path
            policy = answer.headers["Content-Security-Policy"]
            assert ("frame-ancestors 'self'" in policy) is framed, path
            assert answer.headers["X-Frame-Options"] == ("SAMEORIGIN" if framed else "DENY")
            assert "unsafe-eval" not in policy
            assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
        assert (await fetch(page, "/panel/inspector?bokeh-session-id=x", Cookie=cookie(page))).code == 403


async def test_panel_serves_four_rules_and_no_other(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        panel = (await page.workbench()).panel
        assert await panel.ready(), panel.problem
        rules = [rule.matcher.regex.pattern for rule in panel.panel.wildcard_router.rules]
        assert rules == [
            "/panel/inspector$",
            "/panel/inspector/ws$",
            r"/panel/static/(js/(?:bokeh|bokeh-widgets|bokeh-tables)\.min\.js)$",
            r"/panel/static/extensions/panel/((?:panel\.min\.js|css/[a-z_]+\.css|bundled/theme/[a-z_]+\.css))$",
        ]


async def test_panels_websocket_needs_our_origin_and_the_cookie(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        await (await page.workbench()).panel.ready()
        path = "/panel/inspector/ws"
        assert await socket_code(page, path) == 403
        assert await socket_code(page, path, Cookie=cookie(page)) == 403
        assert await socket_code(page, path, Origin="http://127.0.0.1:1", Cookie=cookie(page)) == 403
        assert await socket_code(page, path, Origin=ours(page)) == 403


async def test_the_page_lives_without_panel_and_says_why_there_are_no_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "codex_app.views.served", None)
    async with running(tmp_path) as page:
        answer = await fetch(page, "/panel/ready", Cookie=cookie(page))
        assert answer.code == 503
        assert answer.body.startswith(b"Plots and settings are not there, because Panel cannot be loaded")
        assert (await fetch(page, "/panel/inspector", Cookie=cookie(page))).code == 404
        assert (await fetch(page, "/", Cookie=cookie(page))).code == 200


def test_panel_is_not_imported_before_somebody_looks() -> None:
    code = "import sys, codex_app.server; print([n for n in ('panel', 'bokeh', 'param') if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True) == "[]\n"


def test_what_draws_threads_is_not_imported_before_the_server_listens() -> None:
    heavy = [
        "codex_app.drawing",
        "codex_app.desk",
        "codex_render.markdown",
        "codex_protocol.events",
        "markdown_it",
        "zmq",
    ]
    code = f"import sys, codex_app.server, codex_cli.page_command; print([n for n in {heavy} if n in sys.modules])"
    assert subprocess.check_output([sys.executable, "-P", "-c", code], text=True) == "[]\n"


def test_our_own_files_name_no_other_host_and_make_html_in_one_place() -> None:
    for name, (_, data) in assets().items():
        text = data.decode()
        assert [word for word in ("https://", "//cdn", "@import", "url(") if word in text] == [], name
        assert "eval(" not in text
        if name != "dom.js":
            assert [
                word for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write") if word in text
            ] == []


async def test_a_message_of_the_page_that_is_not_understood_is_answered_and_the_tab_lives(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        headers = {"Origin": ours(page), "Cookie": cookie(page)}
        socket = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{page.port}/link", headers=headers))
        for bad in ("nonsense", '{"type":"interrupt","ref":1}', '{"type":"hello","ref":2,"thread":"../../etc"}'):
            await socket.write_message(bad)
        problems: list[dict[str, Any]] = []
        while len(problems) < 3:
            said = await socket.read_message()
            assert said is not None
            told = msgspec.json.decode(said)
            if told["type"] == "answer":
                problems.append(told)
        assert all(told["problem"] and "internal" not in told["problem"] for told in problems)
        await end(socket)


async def test_secrets_are_ours_alone_and_outlive_the_server(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        port, old = page.port, cookie(page)
        for file in (tmp_path / "workbench" / "run").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
        assert Place(Home(root=tmp_path)).lock() is not None
    async with running(tmp_path) as page:
        assert page.port == port
        assert (await fetch(page, "/", Cookie=old)).code == 200


def test_only_one_server_of_a_home_holds_the_lock(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    place = Place(Home(root=tmp_path))
    assert place.lock() is not None
    assert place.lock() is None


class SlowTab:
    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, data: bytes | dict[str, Any]) -> None:
        self.told.append(msgspec.json.decode(data) if isinstance(data, bytes) else data)


def test_a_tab_that_falls_behind_is_told_no_more_until_it_has_drawn_and_then_a_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(_: Room) -> Any:
        raise AssertionError

    room = Room(never)
    monkeypatch.setattr(room.hub, "_on_dirty", lambda: None)  # the test flushes
    flush = room._flush  # pyright: ignore[reportPrivateUsage] - as the timer calls it
    tab = SlowTab()
    viewer = Viewer(tab, room)
    viewer.begin("", 0)
    room.viewers.add(viewer)
    for n in range(60):
        room.hub.apply(NumberedEvent("b", n, ev.Event("1", ev.Warning(message="x" * 100_000))))
        flush()
    assert 10 < len(tab.told) < 20
    viewer.acknowledge(tab.told[-1]["n"])
    assert tab.told[-1]["n"] == room.hub.number
    assert tab.told[-1]["patches"][0]["op"] == "reset"


async def test_a_thread_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    desk = Desk(Home(root=tmp_path))
    with pytest.raises(Exception, match="choose it from the list"):
        await desk.room("launch-123")
    await desk.aclose()


async def test_an_earlier_thread_that_is_open_already_is_shown_and_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a second kernel could not write the thread")

    class Listening:
        thread_id = "t-1"
        submitted: ClassVar[list[Any]] = []

        async def submit(self, op: Any) -> None:
            self.submitted.append(op)

        async def aclose(self) -> None:
            return

    async def connect(room: Room) -> Any:
        return Listening()

    monkeypatch.setattr("codex_app.kernels.start_kernel", start)
    desk = Desk(Home(root=tmp_path))
    open_room = Room(connect)
    monkeypatch.setattr(desk, "_rooms", {"t-1": open_room})
    options = KernelOptions(cwd=str(tmp_path), resume="t-1")
    name = desk.launch(Launch(options=options, env={}, umask=0o22, prompt="go on"))
    assert await desk.room(name) is open_room
    assert [op.items[0].text for op in Listening.submitted] == ["go on"]
    await desk.aclose()


async def test_a_thread_that_nobody_looks_at_and_whose_agent_ended_is_forgotten_when_another_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Listening:
        thread_id = "new"

        async def aclose(self) -> None:
            return

    async def connect(room: Room) -> Any:
        return Listening()

    desk = Desk(Home(root=tmp_path))
    rooms = {name: Room(connect) for name in ("left", "shown", "plotted", "runs")}
    rooms["shown"].viewers.add(Viewer(SlowTab(), rooms["shown"]))
    rooms["plotted"].watchers.add(lambda: None)
    await rooms["runs"].connection()
    monkeypatch.setattr(desk, "_rooms", dict(rooms))

    async def start(self: Desk, launch: Launch, room: Room) -> Any:
        return Listening()

    monkeypatch.setattr(Desk, "_start", start)
    await desk.room(desk.launch(Launch(options=KernelOptions(cwd=str(tmp_path)), env={}, umask=0o22)))
    assert [name for name in (*rooms, "new") if desk.opened(name) is not None] == ["shown", "plotted", "runs", "new"]
    await desk.aclose()


async def test_every_route_of_the_router_is_tried_by_these_tests(tmp_path: Path) -> None:
    async with running(tmp_path) as page:
        await page.workbench()
        matchers = [cast(PathMatches, rule.matcher) for rule in page.application.wildcard_router.rules]
        patterns = [matcher.regex for matcher in matchers]
        tried = [*ROUTES, *PANEL_ROUTES]
        untried = [one.pattern for one in patterns if not any(one.match(route) for route in tried)]
        assert untried == []


async def test_who_asks_before_the_rest_is_loaded_waits_for_it_and_strangers_are_sent_away_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("codex_app.importing._import", lambda module: go_on.wait())
    async with running(tmp_path) as page:
        headers = {"Origin": ours(page), "Cookie": cookie(page)}
        early = asyncio.ensure_future(fetch(page, "/nope", Cookie=cookie(page)))
        sending = asyncio.ensure_future(fetch(page, "/upload", "POST", "x" * 5000, **headers, **{"X-Name": "a.txt"}))
        asked = HTTPRequest(f"ws://127.0.0.1:{page.port}/link", headers=headers)
        link = asyncio.ensure_future(websocket_connect(asked))
        assert (await fetch(page, "/", Cookie=cookie(page))).code == 200
        for path in ("/link", "/upload", "/nope", "/panel/ready"):
            assert (await fetch(page, path)).code == 403
        assert not early.done()
        assert not sending.done()
        assert not link.done()
        go_on.set()
        assert (await early).code == 404
        assert (await sending).code == 200
        socket = await link
        assert '"welcome"' in str(await socket.read_message())
        socket.close()
        for path in ("/link", "/upload", "/nope", "/panel/ready"):
            assert (await fetch(page, path)).code == 403


async def test_a_tab_that_acknowledges_while_a_thread_takes_long_to_open_is_not_sent_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = asyncio.Event()

    async def slowly(self: Desk, name: str) -> Room:
        await opened.wait()
        raise ThreadError("there is no such thread")

    monkeypatch.setattr(Desk, "room", slowly)
    async with running(tmp_path) as page:
        headers = {"Origin": ours(page), "Cookie": cookie(page)}
        socket = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{page.port}/link", headers=headers))
        await socket.write_message('{"type":"hello","ref":1,"thread":"x"}')
        for number in range(2000):
            await socket.write_message(f'{{"type":"ack","n":{number}}}')
        await socket.write_message("nonsense")
        while '"ref":0' not in str(answer := await socket.read_message()):
            assert answer is not None, "the tab was sent away"
        opened.set()
        while '"ref":1' not in str(answer := await socket.read_message()):
            assert answer is not None
        assert "no such thread" in str(answer)
        socket.close()
        assert await socket.read_message() is None


async def test_a_tab_is_told_nothing_of_the_thread_it_left_while_the_next_one_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: Room) -> Any:
        raise AssertionError

    left = Room(never)
    viewers: list[int] = []

    async def room(self: Desk, name: str) -> Room:
        viewers.append(len(left.viewers))
        if name != "left":
            raise ThreadError("there is no such thread")
        return left

    monkeypatch.setattr(Desk, "room", room)
    async with running(tmp_path) as page:
        headers = {"Origin": ours(page), "Cookie": cookie(page)}
        socket = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{page.port}/link", headers=headers))
        for ref, thread in enumerate(("left", "left", "next"), 1):
            await socket.write_message(f'{{"type":"hello","ref":{ref},"thread":"{thread}"}}')
            while f'"ref":{ref}' not in str(answer := await socket.read_message()):
                assert answer is not None
        assert viewers == [0, 0, 0]
        assert not left.viewers
        socket.close()
        assert await socket.read_message() is None
