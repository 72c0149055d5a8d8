"""`codex mcp`: the server on stdio, until the client closes our input or a signal ends us.

Why our own framing and not the SDK's server: its stdio transport hands messages through streams without room, so that a
client that stops reading would stop whoever reports an event; and its import takes a second before the first answer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence

from codex_kernel.config.directory import current_directory
from codex_kernel.config.flags import Flags
from codex_kernel.mcp_server.server import Server
from codex_kernel.mcp_server.settings import ServerSettings, file_config
from codex_kernel.stdin_lines import MAX_LINE_BYTES, LineSplitter, read_stdin
from codex_protocol.errors import CodexError
from codex_render.writer import QueuedWriter
from codex_store.home import find_home

log = logging.getLogger(__name__)

_SIGNAL_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
_FLUSH_S = 1.0
"""How long a client that closed its side may still take to read what we said."""


def run_mcp_server(overrides: Sequence[str] = (), flags: Flags | None = None) -> int:
    """The exit code: 0 when the client closed our input, 128 + N by signal N.

    Raises:
        CodexError: stdin is a terminal, or a setting cannot be used.
    """
    if os.isatty(0):
        raise CodexError("'codex mcp' is started by an MCP client and speaks with it on stdin; this is a terminal")
    home = find_home()
    cwd = current_directory()
    file_config(overrides, home, cwd)  # what is wrong is said now, not in the first call
    writer = QueuedWriter(1)
    settings = ServerSettings(home, cwd, tuple(overrides), flags or Flags())
    code = asyncio.run(_serve(settings, writer))
    writer.close(_FLUSH_S)
    return code


async def _serve(settings: ServerSettings, writer: QueuedWriter) -> int:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    server = Server(writer.write, settings)
    splitter = LineSplitter()

    def end(code: int) -> None:
        if ended.done():
            os._exit(ended.result())  # asked twice: at once
        ended.set_result(code)

    def feed(data: bytes) -> None:
        for line in splitter.feed(data):
            server.feed_line(line)
        if splitter.overlong:
            splitter.overlong = False
            log.warning("a line of the client was longer than %d MiB and is passed over", MAX_LINE_BYTES >> 20)

    def end_of_input() -> None:
        if rest := splitter.rest():
            server.feed_line(rest)
        if not ended.done():
            ended.set_result(0)

    for number, code in _SIGNAL_CODES.items():
        loop.add_signal_handler(number, end, code)
    read_stdin(loop, feed, end_of_input)
    try:
        return await ended
    finally:
        await server.aclose()
