"""The kernel: answers every kind of request, and runs cells one after the other while it goes on answering.

Source: Jupyter messaging 5.4. `handlers.py` has the table of what is answered.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.jupyter.agent import Agent, StartThread
from codex_kernel.jupyter.announcing import Announcing
from codex_kernel.jupyter.cells import Cells
from codex_kernel.jupyter.channels import Channels
from codex_kernel.jupyter.connection import Sockets
from codex_kernel.jupyter.input_history import InputHistory
from codex_kernel.jupyter.questions import Questions
from codex_kernel.jupyter.rich_clients import RichClients
from codex_protocol.attach import Query
from codex_protocol.errors import CodexError
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.wire import EMPTY, MAX_MESSAGE_BYTES, Message, Wire

if TYPE_CHECKING:
    from codex_kernel.jupyter.queries import Queries

log = logging.getLogger(__name__)


class Kernel:
    """One agent behind five sockets."""

    def __init__(
        self,
        sockets: Sockets,
        wire: Wire,
        options: KernelOptions,
        hidden: tuple[Path, ...] = (),
        start: StartThread | None = None,
    ) -> None:
        """Nothing is read before `run`; the thread is opened when it is first needed.

        Args:
            sockets: Bound.
            wire: Signs and checks.
            options: How to open the thread.
            hidden: The connection file, and other places no command may see.
            start: As for `Agent`.
        """
        self.agent = Agent(options, hidden, start)
        self._announcing = Announcing(self.agent, hidden[0]) if hidden else None
        self.channels = Channels(sockets, wire, self._on_message, self._on_topic)
        self.history = InputHistory(wire.session)
        self.questions = Questions(self.agent, self.channels)
        self.clients = RichClients(self.agent, self.channels)
        self.questions.someone_else_answers = self.clients.can_answer
        self.questions.may_wait = lambda: options.stay or self.clients.ever
        self.clients.answer_query = self._answer_query
        self.clients.on_change = self.questions.reconsider
        self.cells = Cells(self)
        self.requests = 0
        """How many came in; who watches for idleness compares."""
        self.ended = asyncio.Event()
        self.restart = False
        self.events_as_data = False
        """Cells hand over events as data too; set by `%events on`."""
        self.introduced = ""
        """Id of the thread whose directory, model and sandbox have been shown."""
        self._queries: Queries | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until a shutdown is asked for, or `ended` is set; then end the thread and tell everybody."""
        self.channels.start()
        self.status("starting", EMPTY)
        runner = asyncio.create_task(self.cells.run(), name="cells")
        try:
            await self.ended.wait()
        finally:
            runner.cancel()
            await asyncio.wait({runner})
            if self.agent.has_paths:
                await self.agent.paths.close()
            await self.agent.end()
            if self._announcing is not None:
                self._announcing.close()
            self.history.close()
            self.channels.close()

    def status(self, state: str, parent: msgspec.Raw) -> None:
        """Tell whether something is being done."""
        self.channels.publish("status", {"execution_state": state}, parent)

    def start(self, work: Any) -> None:
        """Run a coroutine beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_query(self, query: Query) -> Any:
        if self._queries is None:
            from codex_kernel.jupyter.queries import Queries

            self._queries = Queries(self.agent)
        return await self._queries.answer(query)

    def _on_topic(self, topic: bytes, subscribed: bool) -> None:
        if not subscribed:
            self.clients.topic_left(topic)

    def _on_message(self, channel: str, message: Message) -> None:
        self.requests += 1
        if channel == "stdin":
            self.questions.take_reply(message)
        elif message.size > MAX_MESSAGE_BYTES:
            self.start(self._refuse_size(channel, message))
        elif message.type == "execute_request":
            self.cells.put(channel, message)
        else:
            self.start(self._answer(channel, message))

    async def _refuse_size(self, channel: str, message: Message) -> None:
        sentence = (
            f"the message has {message.size >> 20} MiB, and at most {MAX_MESSAGE_BYTES >> 20} MiB are taken; "
            "put large data into a file and name it"
        )
        self.status("busy", message.raw_header)
        self._reply(channel, message, error_content(CodexError(sentence)))
        self.status("idle", message.raw_header)

    async def _answer(self, channel: str, message: Message) -> None:
        """Answer one request between `busy` and `idle`, even when its handler fails."""
        from codex_kernel.jupyter.handlers import HANDLERS, unsupported

        self.status("busy", message.raw_header)
        try:
            content = await HANDLERS.get(message.type, unsupported)(self, message)
        except CodexError as error:
            content = error_content(error)
        except Exception as error:  # the outermost frame: a client is waiting for its reply
            log.exception("%s failed", message.type)
            content = error_content(error)
        if content is not None:
            self._reply(channel, message, content)
        self.status("idle", message.raw_header)
        if message.type == "shutdown_request":
            self.ended.set()

    def _reply(self, channel: str, message: Message, content: Any) -> None:
        reply_type = message.type.removesuffix("_request") + "_reply"
        self.channels.send(channel, message.idents, reply_type, content, message.raw_header)


def error_content(error: BaseException) -> dict[str, Any]:
    """The content of a reply that says what went wrong, in one sentence."""
    name = type(error).__name__
    sentence = str(error) if isinstance(error, CodexError) else f"internal error: {name}: {error}"
    return {"status": "error", "ename": name, "evalue": sentence, "traceback": [f"{name}: {sentence}"]}
