"""One inspector's document: what it shows of which thread, and when it looks again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import panel as pn
from bokeh.models import ColumnDataSource

from codex_app.views.plots import AllPlots, Plots, Put, ThreadPlots
from codex_protocol.errors import CodexError
from codex_store.home import Home
from codex_store.prices import Price, Prices
from codex_store.thread_ids import is_thread_id

if TYPE_CHECKING:
    from codex_app.desk import Desk

log = logging.getLogger(__name__)


class Asked(msgspec.Struct, frozen=True):
    """What a frame's address asks for."""

    view: Literal["thread", "all", "settings"]
    thread_id: str


def asked_for(arguments: Mapping[str, list[bytes]]) -> Asked:
    """What an address asks for; of what is not understood nothing is taken."""
    [thread, view] = [(arguments.get(name) or [b""])[0].decode("utf-8", "replace") for name in ("thread", "view")]
    known: dict[str, Literal["all", "settings"]] = {"all": "all", "settings": "settings"}
    return Asked(known.get(view, "thread"), thread if is_thread_id(thread) else "")


def build(home: Home, asked: Asked) -> Plots:
    """The figures; takes a tenth of a second or more, so not on the loop."""
    return AllPlots(home) if asked.view == "all" else ThreadPlots(home, asked.thread_id)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser says of the frame."""

    seen: bool = False
    """Neither the pane nor the tab of the browser is hidden."""
    dark: bool = False


class Inspector:
    """What one frame shows. Looks at the disk when the thread did something and it can be seen, else never.

    Bokeh calls from the loop up to 3.9, and from threads of its own since 3.10: what concerns the desk is done on the
    loop.
    """

    def __init__(self, desk: Desk, asked: Asked, plots: Plots, loop: asyncio.AbstractEventLoop) -> None:
        """Put everything into the current document; the desk is used on `loop`."""
        self._document: Any = pn.state.curdoc
        self._loop = loop
        self._desk = desk
        self._thread_id = asked.thread_id
        self._seen = Seen()
        self._prices: Prices | None = None
        self._plots = plots
        self._dirty = True
        self._task: asyncio.Task[None] | None = None
        self._ready_at = 0.0
        self._told = ColumnDataSource({"seen": [{}]}, name="seen")
        self._told.on_change("data", lambda attr, old, new: self._take(new))
        with self._document.models.freeze():
            for bars in plots.bars:
                self._document.add_root(bars.figure)
            self._document.add_root(self._told)
        self._unwatch: Callable[[], None] = lambda: None
        loop.call_soon_threadsafe(self._watch)
        pn.state.on_session_destroyed(self._destroyed)

    def _watch(self) -> None:
        self._unwatch = self._desk.watch(self._thread_id, self._changed)

    def _take(self, data: Any) -> None:
        """The browser says what can be seen, and in which theme; what it says is checked."""
        try:
            [told] = data["seen"]
            seen = msgspec.convert(told, Seen)
        except (msgspec.ValidationError, KeyError, TypeError, ValueError):
            log.warning("the inspector was told something that is not understood")
            return
        if seen.dark != self._seen.dark:
            for bars in self._plots.bars:
                bars.theme(dark=seen.dark)
        self._seen = seen
        self._loop.call_soon_threadsafe(self._schedule)

    def _changed(self) -> None:
        """The thread did something; called on the loop."""
        self._dirty = True
        self._schedule()

    def _schedule(self) -> None:
        if self._seen.seen and self._dirty and self._task is None:
            self._task = self._loop.create_task(self._look())

    async def _look(self) -> None:
        try:
            await asyncio.sleep(max(0, self._ready_at - self._loop.time()))
            if not self._seen.seen:
                return  # hidden meanwhile
            self._dirty = False
            self._plots.set_prices(await self._known_prices())
            put = await asyncio.to_thread(self._plots.read)
            if put is not None:
                await self._put(put)
            self._ready_at = self._loop.time() + self._plots.period_s
        except Exception:  # the outermost frame: a document that cannot be drawn must not go on in silence
            log.exception("the inspector could not look")
        finally:
            self._task = None
        self._schedule()

    async def _put(self, put: Put) -> None:
        """Change the document, with its lock held."""
        done = asyncio.Event()

        def change() -> None:
            try:
                put()
            finally:
                self._loop.call_soon_threadsafe(done.set)

        self._document.add_next_tick_callback(change)
        await done.wait()

    async def _known_prices(self) -> Prices:
        """What the user's settings say that tokens cost; asked once, of the thread's kernel."""
        if self._prices is None:
            room = self._desk.opened(self._thread_id)
            self._prices = {}
            if room is not None:
                try:
                    self._prices = msgspec.convert(await room.query("prices"), dict[str, Price])
                except (CodexError, msgspec.ValidationError) as error:
                    log.info("no prices: %s", error)
        return self._prices

    def _destroyed(self, context: object) -> None:
        self._loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        self._unwatch()
        if self._task is not None:
            self._task.cancel()
