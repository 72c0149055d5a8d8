"""The page's websocket: batches out at thirty a second, what a person does in; each message checked, each answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from codex_app import asked
from codex_app.changed_files import ChangedFiles
from codex_app.desk import Desk
from codex_app.places import turn_message
from codex_app.rooms import Room, Viewer, need
from codex_app.scribe import Scribe, Writing
from codex_app.search import find_entry, search
from codex_app.security import headers_for
from codex_app.steward import Managing, Steward
from codex_app.turn_names import TurnNames
from codex_app.uploads import Uploads
from codex_protocol import ops
from codex_protocol.changes import Changes
from codex_protocol.errors import CodexError, UsageError
from codex_render.safe_text import visible

log = logging.getLogger(__name__)

_QUEUED = 256
_QUESTIONS = (
    asked.Files
    | asked.Suggest
    | asked.Past
    | asked.Whole
    | asked.Prompts
    | asked.Tree
    | asked.Compare
    | asked.Source
    | asked.Leash
    | asked.Running
    | asked.Changed
    | asked.Search
)
"""They change nothing: what is asked after them does not wait for their answers."""


class Tabs:
    """The open tabs; all are told when the list of threads changes."""

    PERIOD_S = 2.0

    def __init__(self, desk: Desk, on_shown: Callable[[], object] = lambda: None) -> None:
        """Nobody looks yet; `on_shown` is called whenever a tab has been shown its thread."""
        self.on_shown = on_shown
        self.open: set[Link] = set()
        self._desk = desk
        self._task: asyncio.Task[None] | None = None
        self._told: bytes = b""
        self._news = asyncio.Event()
        desk.on_news = self.poke

    def join(self, link: Link) -> None:
        """Tell a tab from now on."""
        self.open.add(link)
        if self._told:
            link.tell(self._told)
        if self._task is None:
            self._task = asyncio.ensure_future(self._watch())

    def close(self) -> None:
        """Tell nobody any more."""
        if self._task is not None:
            self._task.cancel()

    def poke(self) -> None:
        """Something happened that the list should show at once."""
        self._news.set()

    async def _watch(self) -> None:
        while True:
            self._news.clear()
            if self.open:
                await self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.PERIOD_S):
                    await self._news.wait()

    async def _tell(self) -> None:
        try:
            tiles = await self._desk.tiles()
        except (CodexError, OSError) as error:
            log.warning("the threads cannot be listed: %s", error)
            return
        self._desk.look_at(tile["id"] for tile in tiles if tile["state"] == "asking")
        told = msgspec.json.encode({"type": "threads", "threads": tiles, "asks": self._desk.questions()})
        if told != self._told:
            self._told = told
            for link in tuple(self.open):
                link.tell(told)


class Link(WebSocketHandler):
    """One tab. The gate has checked Host, Origin and cookie before this is made."""

    def initialize(self, desk: Desk, tabs: Tabs, uploads: Uploads, server: str) -> None:
        """Take what all tabs share; `server` names this run of the server."""
        self._desk = desk
        self._steward = Steward(desk)
        self._scribe = Scribe(desk, uploads)
        self._tabs = tabs
        self._server = server
        self._viewer: Viewer | None = None
        self._changed: ChangedFiles | None = None
        """What this tab was shown last of what changed."""
        self._turn_names = TurnNames(desk.home)
        self._queue: asyncio.Queue[asked.Request] = asyncio.Queue(_QUEUED)
        self._worker: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def set_default_headers(self) -> None:
        """As everywhere."""
        for name, value in headers_for(self.request.host, secrets.token_urlsafe(16)).items():
            self.set_header(name, value)

    def check_origin(self, origin: str) -> bool:
        """The gate did, more strictly."""
        return True

    def open(self, *args: str, **kwargs: str) -> None:
        """A tab is there."""
        self.set_nodelay(True)
        self._worker = asyncio.ensure_future(self._work())
        self.tell({"type": "welcome", "server": self._server})
        self._tabs.join(self)

    def on_close(self) -> None:
        """The tab is gone, or lost its way."""
        self._leave()
        self._tabs.open.discard(self)
        for task in (self._worker, *self._asking):
            if task is not None:
                task.cancel()

    def on_message(self, message: str | bytes) -> None:
        """Messages are worked on in their order; acknowledgements at once, however long another one takes."""
        try:
            request = asked.decode(message)
        except UsageError as error:
            self.tell({"type": "answer", "ref": 0, "problem": visible(str(error))})
            return
        if isinstance(request, asked.Ack):
            if self._viewer is not None:
                self._viewer.acknowledge(request.n)
            return
        try:
            self._queue.put_nowait(request)
        except asyncio.QueueFull:
            self.close(1008, "too many messages")

    def tell(self, data: bytes | dict[str, Any]) -> None:
        """Send it; a tab that is gone is left out."""
        text = data if isinstance(data, bytes) else msgspec.json.encode(data)
        try:
            sending = self.write_message(text.decode())
        except WebSocketClosedError:
            return
        sending.add_done_callback(lambda sent: sent.exception())

    async def _work(self) -> None:
        while True:
            request = await self._queue.get()
            if isinstance(request, _QUESTIONS):
                task = asyncio.ensure_future(self._answer(request))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            else:
                await self._answer(request)

    async def _answer(self, request: asked.Request) -> None:
        ref = request.ref
        try:
            value = await self._do(request)
        except (CodexError, ValueError) as error:
            self.tell({"type": "answer", "ref": ref, "problem": visible(str(error))})
        except Exception as error:  # the outermost frame: the tab waits for an answer
            log.exception("a message of the page failed")
            self.tell({"type": "answer", "ref": ref, "problem": f"internal error: {type(error).__name__}"})
        else:
            if ref:
                self.tell({"type": "answer", "ref": ref, "value": value})

    async def _do(self, request: asked.Request) -> Any:
        match request:
            case asked.Hello():
                return await self._show(request)
            case asked.Older(before=before):
                return self._room().hub.older(before)
            case asked.Turn(number=number):
                return {"message": await turn_message(self._desk.home, self._room(), number)}
            case asked.Search(text=text, kind=kind, here=here):
                return await search(self._desk.home, text, kind, self._room().thread_id if here else "")
            case asked.Find(kind=kind, turn=turn, line=line):
                return {"entry": await self._find(kind, turn, line)}
            case asked.Changed(scope=scope):
                self._changed = look = await self._look(scope)
                return await self._changed_view(look)
            case asked.ChangedFile(file=file):
                return self._shown_changes().body(file)
            case asked.TakeBack(file=file, hunk=hunk):
                return await self._room().submit(self._shown_changes().take_back(file, hunk))
            case asked.Interrupt():
                return await self._room().submit(ops.Interrupt())
            case asked.Compact():
                return await self._room().submit(ops.Compact())
            case _:
                return await self._do_more(request)

    async def _do_more(self, request: Writing | Managing) -> Any:
        room = None if self._viewer is None else self._viewer.room
        if isinstance(request, Writing):
            return await self._scribe.do(request, need(room))
        return await self._steward.do(request, room)

    async def _find(self, kind: str, turn: int, line: str) -> str | None:
        room = self._room()
        try:
            message = await turn_message(self._desk.home, room, turn)
        except CodexError:
            message = None  # a turn that nobody began, or that was taken back
        return find_entry(room.hub.drawing.entries, kind, line, message)

    async def _look(self, scope: str) -> ChangedFiles:
        room = self._room()
        if scope == "uncommitted":
            found = await room.query("diff")
            if found.get("error"):
                raise UsageError(str(found["error"]))
            return ChangedFiles.of_diff(str(found.get("diff") or ""))
        told = await room.query("changes", **({} if scope == "thread" else {"turn": int(scope)}))
        return ChangedFiles.of(msgspec.convert(told, Changes))

    async def _changed_view(self, look: ChangedFiles) -> dict[str, Any]:
        names = await asyncio.to_thread(self._turn_names.of, self._room().thread_id, look.began)
        return {**await asyncio.to_thread(look.view), "names": names}

    def _shown_changes(self) -> ChangedFiles:
        if self._changed is None:
            raise UsageError("nothing was shown yet; open the diff again")
        return self._changed

    def _room(self) -> Room:
        return need(None if self._viewer is None else self._viewer.room)

    async def _show(self, hello: asked.Hello) -> dict[str, str]:
        self._leave()  # the tab shows the other thread no more, also while this one is opened
        room = await self._desk.room(hello.thread)
        self._viewer = Viewer(self, room)
        room.viewers.add(self._viewer)
        self._viewer.begin(hello.boot, hello.n)
        self._tabs.on_shown()
        return {"thread": room.thread_id}

    def _leave(self) -> None:
        if self._viewer is not None:
            self._viewer.room.viewers.discard(self._viewer)
            self._viewer = None
