"""The server of the page: one per home, on 127.0.0.1; a second `codex` has its thread opened by the first."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from codex_app.importing import import_beside
from codex_app.later import Later
from codex_app.launches import Launch, new_launch
from codex_app.pages import Asset, Entry, Refused, Shell
from codex_app.place import PageSecrets, Place
from codex_app.security import MAX_MESSAGE_BYTES, Gate, install
from codex_protocol.errors import CodexError
from codex_store.home import Home

if TYPE_CHECKING:
    from codex_app.workbench import Workbench

log = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
_MAX_BODY = 1 << 20
_MAX_LINE = 16 << 20
_PING_S = 20


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the running server answers a second `codex`."""

    link: str = ""
    error: str = ""


def run_page(
    home: Home,
    launch: Launch,
    *,
    port: int | None,
    browser: bool,
    say: Callable[[str], None],
    new_secrets: bool = False,
) -> int:
    """Serve the page until Ctrl-C, or have the running server open the thread; the exit code.

    Args:
        home: Whose threads.
        launch: The thread to begin with.
        port: Where to listen; None: the port of last time, or any.
        browser: Open one on the link.
        say: Tells the person a line.
        new_secrets: Tabs of earlier servers are shut out.

    Raises:
        CodexError: The port is taken, or the running server does not answer, or should get new secrets.
    """
    place = Place(home)
    lock = place.lock()
    try:
        if new_secrets and lock is None:
            raise CodexError("the workbench runs; end it with Ctrl-C, then start it with --new-secrets")
        if new_secrets:
            place.forget()
        if lock is None:
            link = ask_running(place, launch)
            say(f"The workbench runs already; the thread opens at {link}")
            _show(place, link, browser=browser)
            return 0
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve_until_stopped(home, place, launch, port, browser=browser, say=say))
        say("The page has ended; running threads go on. `codex` brings the page back.")
        return 0
    finally:
        if lock is not None:
            os.close(lock)


async def _serve_until_stopped(
    home: Home, place: Place, launch: Launch, port: int | None, *, browser: bool, say: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with serving(home, place, port) as page:
        link = page.open(launch)
        say(f"The workbench is at {link}")
        say("(good once, for 15 minutes; Ctrl-C ends the page, not the threads)")
        _show(place, link, browser=browser)
        await page.workbench()
        await stop.wait()


class PageServer:
    """A server that listens; what draws threads is loaded meanwhile."""

    def __init__(self, home: Home, port: int, gate: Gate) -> None:
        """Made by `serving`."""
        self.port = port
        self.gate = gate
        self.application = Application(
            [
                (r"/", Shell),
                (r"/open", Entry, {"gate": gate}),
                (r"/assets/([a-z_]{1,40}\.[a-z]{2,3})", Asset),
            ],
            default_handler_class=Refused,
            compress_response=True,
            websocket_max_message_size=MAX_MESSAGE_BYTES,
            websocket_ping_interval=_PING_S,
            log_function=_log,
        )
        self._home = home
        self._later = Later(self.application, self._load)
        install(self.application, gate)
        self._workbench: Workbench | None = None
        self._launches: list[tuple[str, Launch]] = []
        """Asked for before the workbench was there."""

    async def workbench(self) -> Workbench:
        """All that opens and draws threads, once it is loaded.

        Raises:
            ImportError: This installation is not whole.
        """
        await self._later.loaded()
        return cast("Workbench", self._workbench)

    def open(self, launch: Launch) -> str:
        """Begin a thread; a link that opens the page on it, once."""
        name = new_launch()
        if self._workbench is None:
            self._launches.append((name, launch))
            self._later.begin()
        else:
            self._workbench.desk.launch(launch, name=name)
        return self.link(name)

    def link(self, thread: str = "") -> str:
        """A one-time link. What stands behind `#` is never sent, logged or previewed."""
        return f"http://{ADDRESS}:{self.port}/open#{self.gate.new_token()}{f'/{thread}' if thread else ''}"

    async def aclose(self) -> None:
        """Threads go on."""
        self._later.close()
        if self._workbench is not None:
            await self._workbench.aclose()

    async def _load(self) -> list[Any]:
        await import_beside("codex_app.workbench")
        from codex_app.workbench import Workbench

        self._workbench = Workbench(self._home, self.application, f"{ADDRESS}:{self.port}")
        for name, launch in self._launches:
            self._workbench.desk.launch(launch, name=name)
        self._launches.clear()
        return self._workbench.routes()


@contextlib.asynccontextmanager
async def serving(home: Home, place: Place, port: int | None = None) -> AsyncGenerator[PageServer]:
    """A server that listens while the context is open.

    Raises:
        CodexError: The port is taken.
    """
    kept = place.secrets()
    sockets = _bind(port, kept.port)
    port = int(sockets[0].getsockname()[1])
    place.keep(PageSecrets(port=port, key=kept.key))
    page = PageServer(home, port, Gate(port, bytes.fromhex(kept.key)))
    server = HTTPServer(page.application, max_buffer_size=MAX_MESSAGE_BYTES * 2, max_body_size=_MAX_BODY)
    server.add_sockets(sockets)
    place.control.unlink(missing_ok=True)
    old = os.umask(0o177)
    try:
        control = await asyncio.start_unix_server(
            lambda reader, writer: _answer(page, reader, writer), str(place.control), limit=_MAX_LINE
        )
    finally:
        os.umask(old)
    try:
        yield page
    finally:
        control.close()
        place.control.unlink(missing_ok=True)
        place.opener.unlink(missing_ok=True)
        server.stop()
        await page.aclose()
        await server.close_all_connections()


def _log(handler: Any) -> None:
    """The access log: method, path and status; never a query, a header or a body."""
    log.debug("%s %s %d", handler.request.method, handler.request.path, handler.get_status())


def _bind(wanted: int | None, kept: int) -> list[socket.socket]:
    for port in [wanted] if wanted is not None else [kept, 0]:
        try:
            return bind_sockets(port, ADDRESS, family=socket.AF_INET)
        except (OSError, OverflowError) as error:
            if wanted is not None:
                why = getattr(error, "strerror", None) or error
                raise CodexError(f"port {wanted} cannot be used ({why}); choose another with --port") from error
    raise CodexError("there is no free port on 127.0.0.1")


# A second `codex`


async def _answer(page: PageServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request: a launch on a line, a link on a line. The socket lies where only this user may enter."""
    try:
        launch = msgspec.json.decode(await reader.readline(), type=Launch)
        reply = Reply(link=page.open(launch))
    except (msgspec.DecodeError, ValueError) as error:
        reply = Reply(error=f"the running server does not understand this release's request: {error}")
    with contextlib.suppress(OSError):
        writer.write(msgspec.json.encode(reply) + b"\n")
        await writer.drain()
        writer.close()


def ask_running(place: Place, launch: Launch) -> str:
    """The link of the running server to a thread that it opens for us.

    Raises:
        CodexError: It does not answer.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(place.control))
            connection.sendall(msgspec.json.encode(launch) + b"\n")
            with connection.makefile("rb") as lines:
                reply = msgspec.json.decode(lines.readline(), type=Reply)
    except (OSError, msgspec.DecodeError) as error:
        raise CodexError("another workbench of this home runs but does not answer; end it and try again") from error
    if reply.error:
        raise CodexError(reply.error)
    return reply.link


def _show(place: Place, link: str, *, browser: bool) -> None:
    """Open a browser, where there is a screen, by way of a file: command lines can be read by everybody."""
    seen = sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if not browser or not seen:
        return
    address = html.escape(link)
    text = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={address}">'
    place.write(place.opener, text.encode())
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(place.opener.as_uri(),), daemon=True).start()
