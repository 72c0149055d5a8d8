"""Where a cell's outputs go, and how its front end wants text that grows.

A notebook page replaces an output in place. A console prints and cannot: it gets whole pieces one after the other.
Where nobody watches (nbclient, papermill) a cell is left with whole outputs only.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from codex_kernel.jupyter.channels import Channels
from codex_protocol.wire import Message

if TYPE_CHECKING:
    from codex_render.bundles import Bundle

EVENT_MIME = "application/vnd.codex.event+json"
Style = Literal["update", "append", "whole"]


def style_of(request: Message) -> Style:
    """`update` for a page that has cells, `append` for a console where somebody sits, `whole` for a program."""
    if "cellId" in request.metadata:
        return "update"
    return "append" if request.content.get("allow_stdin", True) else "whole"


class Outputs:
    """The outputs of one cell; a silent cell has none."""

    def __init__(
        self, channels: Channels, parent: msgspec.Raw, *, style: Style = "whole", silent: bool = False
    ) -> None:
        """Publish as children of `parent`."""
        self.style: Style = style
        self._channels = channels
        self._parent = parent
        self._silent = silent

    def display(self, bundle: Bundle, *, growing: bool = False) -> str:
        """Show something new; the id under which it can be replaced when it is `growing`."""
        display_id = secrets.token_hex(8) if growing else ""
        transient = {"display_id": display_id} if growing else {}
        self._publish("display_data", {"data": bundle, "metadata": {}, "transient": transient})
        return display_id

    def update(self, display_id: str, bundle: Bundle) -> None:
        """Replace what `display` showed."""
        transient = {"display_id": display_id}
        self._publish("update_display_data", {"data": bundle, "metadata": {}, "transient": transient})

    def result(self, execution_count: int, bundle: Bundle) -> None:
        """The cell's value, where the answer is one thing: a status, a diff."""
        self._publish("execute_result", {"execution_count": execution_count, "data": bundle, "metadata": {}})

    def stream(self, text: str, name: Literal["stdout", "stderr"] = "stdout") -> None:
        """Plain text as it comes."""
        if text:
            self._publish("stream", {"name": name, "text": text})

    def error(self, name: str, sentence: str) -> None:
        """What went wrong, in one sentence."""
        self._publish("error", {"ename": name, "evalue": sentence, "traceback": [f"{name}: {sentence}"]})

    def clear(self, *, wait: bool = True) -> None:
        """Take the cell's outputs away, with `wait` when the next one comes."""
        self._publish("clear_output", {"wait": wait})

    def _publish(self, msg_type: str, content: dict[str, Any]) -> None:
        if not self._silent:
            self._channels.publish(msg_type, content, self._parent)
