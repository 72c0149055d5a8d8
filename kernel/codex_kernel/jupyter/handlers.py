"""The table of what the kernel answers, and the handlers that need no file of their own.

`execute_request` is not here: it is queued for the one task that runs cells (`cells.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from codex_protocol.attach import COMM_TARGET
from codex_protocol.errors import UsageError
from codex_protocol.version import VERSION
from codex_protocol.wire import PROTOCOL_VERSION, Message

if TYPE_CHECKING:
    from codex_kernel.jupyter.kernel import Kernel

Content = dict[str, Any]
Handler = Callable[["Kernel", Message], Awaitable[Any]]


async def kernel_info(kernel: Kernel, message: Message) -> Content:
    """What this kernel is. A cell's language is prose: Markdown for highlighting and file names."""
    return {
        "status": "ok",
        "protocol_version": PROTOCOL_VERSION,
        "implementation": "codex",
        "implementation_version": VERSION,
        "language_info": {
            "name": "codex",
            "version": VERSION,
            "mimetype": "text/markdown",
            "file_extension": ".md",
            "pygments_lexer": "markdown",
            "codemirror_mode": "markdown",
            "nbconvert_exporter": "markdown",
        },
        "banner": f"Codex workbench {VERSION}: a cell is a prompt; /help lists what else there is.",
        "help_links": [],
        "debugger": False,
        "supported_features": [],
    }


async def is_complete(kernel: Kernel, message: Message) -> Content:
    """A prompt is complete unless its line ends with a backslash or a fenced block is open."""
    code = str(message.content.get("code", ""))
    fences = sum(line.lstrip().startswith("```") for line in code.split("\n"))
    if code.endswith("\\") or (fences % 2 and not code.endswith("\n\n")):
        return {"status": "incomplete", "indent": ""}
    return {"status": "complete"}


async def complete(kernel: Kernel, message: Message) -> Content:
    """See `completion.py`."""
    from codex_kernel.jupyter.completion import complete_at

    code, cursor = _code_and_cursor(message.content)
    return await complete_at(kernel.agent, code, cursor)


async def inspect(kernel: Kernel, message: Message) -> Content:
    """See `inspection.py`."""
    from codex_kernel.jupyter.inspection import inspect_at

    code, cursor = _code_and_cursor(message.content)
    return await inspect_at(kernel.agent, code, cursor)


async def history(kernel: Kernel, message: Message) -> Content:
    """What was typed, in this session and before."""
    return {"status": "ok", "history": kernel.history.answer(message.content)}


async def interrupt(kernel: Kernel, message: Message) -> Content:
    """Stop the running cell and the turn, whoever began it."""
    kernel.cells.interrupt()
    return {"status": "ok"}


async def shutdown(kernel: Kernel, message: Message) -> Content:
    """The kernel ends when this has been answered."""
    kernel.restart = bool(message.content.get("restart"))
    return {"status": "ok", "restart": kernel.restart}


async def connect(kernel: Kernel, message: Message) -> Content:
    """Deprecated since 5.1, and still asked by some."""
    return {"status": "ok"}


async def comm_info(kernel: Kernel, message: Message) -> Content:
    """The open comms."""
    wanted = message.content.get("target_name")
    ids = kernel.clients.comm_ids() if wanted in (None, COMM_TARGET) else ()
    return {"status": "ok", "comms": {comm_id: {"target_name": COMM_TARGET} for comm_id in ids}}


async def comm_open(kernel: Kernel, message: Message) -> None:
    """A rich client comes by comm; an unknown target is closed at once, as the protocol asks."""
    content = message.content
    comm_id = str(content.get("comm_id", ""))
    if content.get("target_name") != COMM_TARGET:
        kernel.channels.publish("comm_close", {"comm_id": comm_id, "data": {}}, message.raw_header)
        return
    await _comm_request(kernel, message, comm_id)


async def comm_message(kernel: Kernel, message: Message) -> None:
    """A request of a rich client; its reply is a comm message too."""
    await _comm_request(kernel, message, str(message.content.get("comm_id", "")))


async def comm_close(kernel: Kernel, message: Message) -> None:
    """The client has left."""
    kernel.clients.close_comm(str(message.content.get("comm_id", "")))


async def rich_request(kernel: Kernel, message: Message) -> Any:
    """A request of a rich client by the control channel."""
    return await kernel.clients.take(message.content)


async def debug(kernel: Kernel, message: Message) -> Content:
    """There is nothing to step through."""
    raise UsageError("this kernel has no debugger")


async def unsupported(kernel: Kernel, message: Message) -> Content | None:
    """A request we do not know gets one sentence; anything else nothing, as nobody waits for it."""
    if not message.type.endswith("_request"):
        return None
    raise UsageError(f"this kernel does not answer {message.type!r}")


HANDLERS: dict[str, Handler] = {
    "kernel_info_request": kernel_info,
    "is_complete_request": is_complete,
    "complete_request": complete,
    "inspect_request": inspect,
    "history_request": history,
    "interrupt_request": interrupt,
    "shutdown_request": shutdown,
    "connect_request": connect,
    "comm_info_request": comm_info,
    "comm_open": comm_open,
    "comm_msg": comm_message,
    "comm_close": comm_close,
    "debug_request": debug,
    "codex_request": rich_request,
}


async def _comm_request(kernel: Kernel, message: Message, comm_id: str) -> None:
    data = message.content.get("data")
    request: dict[str, Any] = data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType]
    reply = await kernel.clients.take(request, comm_id)
    kernel.channels.publish("comm_msg", {"comm_id": comm_id, "data": reply}, message.raw_header)


def _code_and_cursor(content: Content) -> tuple[str, int]:
    code = str(content.get("code", ""))
    cursor = content.get("cursor_pos")
    if not isinstance(cursor, int) or isinstance(cursor, bool) or not 0 <= cursor <= len(code):
        cursor = len(code)
    return code, cursor
