"""Cells, one after the other: from the request to the reply, whatever they come to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from codex_kernel.jupyter.cell_context import STOPPED, CellContext, Interrupted
from codex_kernel.jupyter.cell_text import parse_cell
from codex_kernel.jupyter.outputs import Outputs, style_of
from codex_kernel.jupyter.questions import Asker
from codex_protocol.errors import CodexError, ThreadEnded
from codex_protocol.ops import Interrupt
from codex_protocol.wire import Message

if TYPE_CHECKING:
    from codex_kernel.jupyter.kernel import Kernel

log = logging.getLogger(__name__)

_PATIENCE_S = 5.0


class Cells:
    """The queue of execute requests and the task that runs them."""

    def __init__(self, kernel: Kernel) -> None:
        """Nothing runs before `run`."""
        self._kernel = kernel
        self._queue: asyncio.Queue[tuple[str, Message]] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None
        self.count = 0
        """The last execution count."""
        self.in_turn = False
        """Whether the running cell waits for a turn to end."""

    @property
    def busy(self) -> bool:
        """Whether a cell runs or waits."""
        return self._running is not None or not self._queue.empty()

    def put(self, channel: str, message: Message) -> None:
        """Run it when those before it are done."""
        self._queue.put_nowait((channel, message))

    def interrupt(self) -> None:
        """Stop the turn, whoever began it, and the running cell."""
        thread = self._kernel.agent.current
        if thread is not None:
            with contextlib.suppress(ThreadEnded):  # nothing is left to stop
                thread.submit(Interrupt())
        if self._running is None:
            return
        if self.in_turn:  # the turn's own end is the cell's: the next cell must not join a turn that is ending
            asyncio.get_running_loop().call_later(_PATIENCE_S, self._cancel, self._running)
        else:
            self._running.cancel()

    def _cancel(self, running: asyncio.Task[None]) -> None:
        if running is self._running:
            running.cancel()

    async def run(self) -> None:
        """Run cells until cancelled."""
        while True:
            channel, message = await self._queue.get()
            await self._run_one(channel, message)

    async def _run_one(self, channel: str, message: Message) -> None:
        kernel, content = self._kernel, message.content
        silent = bool(content.get("silent"))
        code = str(content.get("code", ""))
        if content.get("store_history", not silent) and not silent and code.strip():
            self.count += 1
            kernel.history.keep = kernel.agent.keeps_inputs()
            kernel.history.add(self.count, code)
        kernel.status("busy", message.raw_header)
        if not silent:
            told = {"code": code, "execution_count": self.count}
            kernel.channels.publish("execute_input", told, message.raw_header)
        outputs = Outputs(kernel.channels, message.raw_header, style=style_of(message), silent=silent)
        reply = await self._reply(message, code, outputs)
        kernel.channels.send(channel, message.idents, "execute_reply", reply, message.raw_header)
        kernel.status("idle", message.raw_header)
        if reply["status"] != "ok" and content.get("stop_on_error", True):
            self._abort_queued()

    async def _reply(self, message: Message, code: str, outputs: Outputs) -> dict[str, Any]:
        kernel = self._kernel
        asker = Asker(message.idents, message.raw_header, bool(message.content.get("allow_stdin", True)), outputs)
        payload: list[dict[str, Any]] = []
        self._running = asyncio.ensure_future(self._work(message, code, outputs, asker, payload))
        try:
            await self._running
        except asyncio.CancelledError:
            if (runner := asyncio.current_task()) is not None and runner.cancelling():
                raise  # it is we who are cancelled: the kernel ends
            return self._failed(Interrupted(STOPPED), outputs)
        except CodexError as error:
            return self._failed(error, outputs)
        except Exception as error:  # the outermost frame of a cell: a front end waits for its reply
            log.exception("a cell failed")
            return self._failed(error, outputs)
        finally:
            self._running = None
            self.in_turn = False
            kernel.questions.end()
        return {"status": "ok", "execution_count": self.count, "payload": payload, "user_expressions": {}}

    async def _work(
        self, message: Message, code: str, outputs: Outputs, asker: Asker, payload: list[dict[str, Any]]
    ) -> None:
        """Settings first, then what the cell asks for."""
        from codex_kernel.jupyter.cell_work import do_settings, do_work
        from codex_kernel.jupyter.slash_commands import command_names

        if not code.strip():
            return
        cell = parse_cell(code, command_names(self._kernel.agent))
        context = CellContext(
            kernel=self._kernel,
            outputs=outputs,
            asker=asker,
            payload=payload,
            count=self.count,
            metadata=message.metadata,
        )
        await do_settings(context, cell.settings)
        if cell.work is not None:
            await do_work(context, cell.work)

    def _failed(self, error: Exception, outputs: Outputs) -> dict[str, Any]:
        from codex_kernel.jupyter.kernel import error_content

        content = error_content(error)
        outputs.error(content["ename"], content["evalue"])
        return {**content, "execution_count": self.count, "payload": [], "user_expressions": {}}

    def _abort_queued(self) -> None:
        """Source: Jupyter messaging 5.4, "stop_on_error": what waits behind a failed cell is not run."""
        kernel = self._kernel
        while not self._queue.empty():
            channel, message = self._queue.get_nowait()
            kernel.status("busy", message.raw_header)
            reply = {"status": "aborted", "execution_count": self.count}
            kernel.channels.send(channel, message.idents, "execute_reply", reply, message.raw_header)
            kernel.status("idle", message.raw_header)
