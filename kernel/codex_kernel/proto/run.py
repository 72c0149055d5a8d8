"""`codex proto`: submissions as JSON lines on stdin, events as JSON lines on stdout, one thread.

Source: spec/cli.md section 5. Other than upstream's, the agent ends with its owner: when stdin ends, what was asked for
is finished, questions are denied because nobody can answer them any more, and the thread is shut down.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from codex_kernel.config.directory import current_directory
from codex_kernel.config.load import load_config
from codex_kernel.proto.connection import Connection
from codex_kernel.stdin_lines import read_stdin
from codex_protocol.errors import CodexError
from codex_render.writer import QueuedWriter
from codex_store.home import find_home

if TYPE_CHECKING:
    from codex_kernel.config.flags import Flags
    from codex_kernel.config.types import Config

ORIGINATOR = "codex_proto"
_SIGNAL_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def run_proto(flags: Flags, overrides: Sequence[str] = ()) -> int:
    """The exit code: 0 after `shutdown` or the end of stdin, 128 + N by signal N.

    Raises:
        CodexError: stdin is a terminal, a setting cannot be used, the thread cannot start, or stdout's reader went.
    """
    if os.isatty(0):
        raise CodexError("'codex proto' reads JSON lines from a program, not from a terminal; pipe them in")
    config = load_config(home=find_home(), cwd=current_directory(flags.cd), overrides=overrides, flags=flags)
    writer = QueuedWriter(1)
    code = asyncio.run(_serve(config, writer))
    writer.close()  # outside the loop: a slow reader may hold us up here, and signals must still end us
    if writer.failure is not None:
        raise CodexError("stdout was closed by its reader before every event was written")
    return code


async def _serve(config: Config, writer: QueuedWriter) -> int:
    from codex_kernel.core.thread import Thread

    loop = asyncio.get_running_loop()
    codes: list[int] = []
    thread = await Thread.start(config, can_ask=True, originator=_originator(), resume=config.experimental_resume)
    try:
        thread.answers_servers()
        connection = Connection(thread, writer.write)

        def stop(number: signal.Signals) -> None:
            if codes:
                os._exit(codes[0])  # asked twice: at once
            codes.append(_SIGNAL_CODES[number])
            connection.shut_down()

        for number in _SIGNAL_CODES:
            loop.add_signal_handler(number, stop, number)
        read_stdin(loop, connection.feed, connection.end_of_input)
        await connection.serve()
    finally:
        await thread.aclose()
    return codes[0] if codes else 0


def _originator() -> str:
    """Who we are to providers; programs that run us may put their own name there, if it can stand in a header."""
    given = os.environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "")
    return given if given.isascii() and given.isprintable() and given.strip() else ORIGINATOR
