"""The settings of a thread as a form of Panel's widgets; it asks for what `/model` and `/approvals` ask for."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import panel as pn
from bokeh.models import ColumnDataSource

from codex_app.scribe import settings_op
from codex_app.views.settings_model import STAYS, change, checked
from codex_protocol.errors import CodexError
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxMode, Summary
from codex_render.safe_text import one_line

if TYPE_CHECKING:
    from codex_app.desk import Desk
    from codex_app.rooms import Room

log = logging.getLogger(__name__)

_SHEET = """
:host { width: 100% !important; margin: 0 !important; font: inherit; }
label { color: var(--muted); font-size: 12px; line-height: 18px; padding: 0 0 4px; }
.bk-input { font: inherit; min-height: 32px; color: var(--text); background-color: var(--surface);
  border: 1px solid var(--muted); border-radius: 6px; padding: 4px 12px; }
.bk-input:focus { border-color: var(--accent); box-shadow: none;
  outline: 2px solid var(--accent); outline-offset: 1px; }
.bk-btn { font: inherit; color: var(--accent) !important; background: none !important; box-shadow: none !important;
  border: 1px solid var(--accent) !important; border-radius: 6px; padding: 4px 12px; min-height: 32px; }
select.bk-input { appearance: auto !important; background-image: none !important; }
.bk-btn:focus { outline: none; }
.bk-btn:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bk-btn[disabled] { opacity: .5; }
"""
_FIELDS: dict[str, tuple[str, list[str] | None]] = {
    "model": ("Model", None),
    "effort": ("Effort: how long it thinks", [STAYS, *Effort]),
    "summary": ("Summary: how much of its thinking is told", [STAYS, *Summary]),
    "approval": ("When you are asked", list(ApprovalPolicy)),
    "sandbox": ("What commands may touch", list(SandboxMode)),
}
_RUNNING = "A turn runs; settings can be changed when it has ended."
_DONE = "Counts from the next turn on."


class SettingsView:
    """One form. Fields that nobody has touched follow the thread, whoever changes it.

    Bokeh calls from the loop up to 3.9, and from threads of its own since 3.10: what concerns the desk is done on the
    loop, and only looked at from elsewhere.
    """

    def __init__(self, desk: Desk, thread_id: str, loop: asyncio.AbstractEventLoop) -> None:
        """Put it into the current document; the desk is used on `loop`."""
        self._document: Any = pn.state.curdoc
        self._loop = loop
        self._desk = desk
        self._thread_id = thread_id
        self._now: dict[str, str] = {}
        self._asking: concurrent.futures.Future[None] | None = None
        style: dict[str, Any] = {"stylesheets": [_SHEET], "sizing_mode": "stretch_width", "align": "start"}
        self._fields: dict[str, Any] = {
            name: pn.widgets.TextInput(label=label, **style)
            if options is None
            else pn.widgets.Select(label=label, options=[str(option) for option in options], **style)
            for name, (label, options) in _FIELDS.items()
        }
        self._button = pn.widgets.Button(label="Change", **style)
        self._button.on_click(lambda event: self._submit())
        self._said = ColumnDataSource({name: [""] for name in (*_FIELDS, "said")}, name="said")
        with self._document.models.freeze():
            for name, widget in {**self._fields, "change": self._button}.items():
                root = widget.get_root(self._document)
                root.name = name
                self._document.add_root(root)
            self._document.add_root(self._said)
        self._follow()
        self._unwatch: Callable[[], None] = lambda: None
        loop.call_soon_threadsafe(self._watch)
        pn.state.on_session_destroyed(self._destroyed)

    def _watch(self) -> None:
        self._unwatch = self._desk.watch(self._thread_id, lambda: self._document.add_next_tick_callback(self._follow))
        self._document.add_next_tick_callback(self._follow)  # what changed since the form was filled

    def _destroyed(self, context: object) -> None:
        self._loop.call_soon_threadsafe(lambda: self._unwatch())

    def _room(self) -> Room | None:
        return self._desk.opened(self._thread_id)

    def _follow(self) -> None:
        """Take over what the thread has, where nobody is writing."""
        room = self._room()
        if room is None:
            self._button.disabled = True
            self._say(said="This thread is not open here.")
            return
        state = room.hub.drawing.state
        for name, widget in self._fields.items():
            value = str(state.get(name) or (STAYS if name in ("effort", "summary") else ""))
            untouched = widget.value == self._now.get(name, widget.value)
            self._now[name] = value
            if untouched and widget.value != value and (name == "model" or value in widget.options):
                widget.value = value
        busy = bool(state.get("busy"))
        if self._button.disabled != busy:
            self._button.disabled = busy
            self._say(said=_RUNNING if busy else "")

    def _submit(self) -> None:
        room = self._room()
        found = checked({name: str(widget.value) for name, widget in self._fields.items()})
        if room is None or isinstance(found, dict):
            self._say(**(found if isinstance(found, dict) else {"said": "This thread is not open here."}))
            return
        asked = change(found, self._now)
        if asked is None:
            self._say(said="Nothing is changed.")
        elif room.hub.drawing.state.get("busy"):
            self._say(said=_RUNNING)
        else:
            self._asking = asyncio.run_coroutine_threadsafe(self._ask(room, asked), self._loop)

    async def _ask(self, room: Room, asked: Any) -> None:
        try:
            await room.submit(await settings_op(asked, room))
            said = _DONE
        except CodexError as error:
            said = one_line(str(error))
        self._say(said=said)

    def _say(self, **said: str) -> None:
        """What is wrong, by field, and what came of it under `said`; the browser writes it beside them."""
        source: Any = self._said
        data = {name: [said.get(name, "")] for name in (*_FIELDS, "said")}
        self._document.add_next_tick_callback(lambda: source.update(data=data))  # clicks come without the lock
