"""One inspector's document: what it shows of which thread, and when it looks again."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import panel as pn
from bokeh.models import ColumnDataSource

from codex_app.views.plots import ThreadPlots

if TYPE_CHECKING:
    from codex_app.desk import Desk

log = logging.getLogger(__name__)

PERIOD_S = 0.5
"""Between two looks, at least."""


def inspector(desk: Desk) -> None:
    """Fill the current document, one of a new session."""
    Inspector(desk, _text(pn.state.session_args.get("thread")))


class Inspector:
    """What one frame shows."""

    def __init__(self, desk: Desk, thread_id: str) -> None:
        """Put everything into the current document."""
        self._document: Any = pn.state.curdoc
        self._loop = asyncio.get_running_loop()
        self._plots = ThreadPlots(desk.home, thread_id)
        self._seen = False
        self._dirty = True
        self._looking = False
        self._next = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._shown = ColumnDataSource({"tab": [""], "seen": [False], "dark": [False]}, name="shown")
        self._shown.on_change("data", lambda attr, old, new: self._told(new))
        for name, root in self._plots.roots().items():
            root.server_doc(self._document, location=False)
            self._document.roots[-1].name = name
        self._document.add_root(self._shown)  # the last: Bokeh puts roots into places by their number
        self._unwatch = desk.watch(thread_id, self._changed)
        pn.state.on_session_destroyed(lambda context: self._close())

    def _told(self, data: Any) -> None:
        """The browser says what of it can be seen, and in which theme."""
        dark, seen = _first(data, "dark") is True, _first(data, "seen") is True
        self._plots.theme(dark=dark)
        self._seen = seen
        if seen and self._dirty:
            self._schedule()

    def _changed(self) -> None:
        """The thread did something; called on the loop."""
        self._dirty = True
        if self._seen:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and not self._looking:
            self._timer = self._loop.call_later(max(0, self._next - self._loop.time()), self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._looking = True
        self._task = self._loop.create_task(self._look())

    async def _look(self) -> None:
        self._dirty = False
        try:
            put = await asyncio.to_thread(self._plots.read)
            if put is not None:
                self._document.add_next_tick_callback(put)
        except Exception:  # a document that cannot be drawn must not end the loop's task in silence
            log.exception("the inspector could not look")
        finally:
            self._looking = False
            self._next = self._loop.time() + PERIOD_S
        if self._dirty and self._seen:
            self._schedule()

    def _close(self) -> None:
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()


def _first(data: Any, name: str) -> Any:
    values = data.get(name) if isinstance(data, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _text(values: Any) -> str:
    try:
        return values[0].decode() if values else ""
    except UnicodeDecodeError:
        return ""
