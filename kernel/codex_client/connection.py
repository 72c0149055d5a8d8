"""A rich client's way to a kernel: requests on the control channel, events from iopub, in order and once.

Source: `codex_protocol/attach.py`. Everything happens on one asyncio loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codex_client.connection_file import connected_socket, read_connection_file, wire_of
from codex_client.errors import KernelLost
from codex_client.event_order import EventOrder
from codex_protocol.attach import (
    EVENT_TYPE,
    REPLY_TYPE,
    REQUEST_TYPE,
    Accepted,
    Attach,
    Attached,
    Detach,
    NewThread,
    Position,
    Query,
    Refused,
    Replay,
    Reply,
    Request,
    Result,
    Snapshot,
    Submit,
    presence_topic,
    read_event,
    read_reply,
)
from codex_protocol.errors import CodexError, ThreadError, UsageError
from codex_protocol.events import NumberedEvent
from codex_protocol.ops import Op
from codex_protocol.wire import Message, WireError

if TYPE_CHECKING:
    import zmq
    import zmq.asyncio

log = logging.getLogger(__name__)

Listener = Callable[[NumberedEvent | Snapshot], None]
"""Told everything in order; a snapshot replaces all that was told before. Must not block."""

_OPEN_S = 60.0
"""A thread may start MCP servers before it answers."""
_REPLY_S = 30.0
_GRACE_S = 5.0
"""A connection that broke may come back; past this the kernel counts as lost."""
_LOOK_S = 0.05
_END_S = 10.0
"""A kernel that said that it ends has gone after that."""
_BURST = 64


class Connection:
    """One client attached to one kernel. Made by `connect`; ended by `aclose`."""

    def __init__(
        self,
        info: Mapping[str, Any],
        *,
        client: str = "python",
        can_answer: bool = True,
        is_alive: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Use `connect`."""
        self.client = f"{client}-{secrets.token_hex(4)}"
        self.can_answer = can_answer
        self.answers_servers = False
        """Whether what MCP servers ask the user is shown here; told with the next `attach`."""
        self.thread_id = ""
        self.agent_version = ""
        self.lost: KernelLost | None = None
        self._info = info
        self._is_alive = is_alive
        self._order = EventOrder()
        self._listeners: list[Listener] = []
        self._on_lost: list[Callable[[KernelLost], None]] = []
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._catching_up: asyncio.Task[None] | None = None
        self._replay: asyncio.Task[Attached] | None = None
        """What `_catching_up` asks the kernel."""
        self._closed = False
        self._wire = wire_of(info)
        self._control: zmq.asyncio.Socket
        self._iopub: zmq.asyncio.Socket

    @classmethod
    async def connect(cls, info: Mapping[str, Any] | Path | str, **options: Any) -> Connection:
        """The connection to the kernel of a connection file, or of what stands in one; not attached yet.

        Args:
            info: The file, or its content.
            options: `client`: what people are told answered; `can_answer`: approvals can be offered to it;
                `is_alive`: says whether the kernel's process is there.

        Raises:
            UsageError: It is no connection file.
        """
        connection = cls(info if isinstance(info, Mapping) else read_connection_file(Path(info)), **options)
        connection._open()
        return connection

    @property
    def position(self) -> Position | None:
        """Of the last event that was told."""
        return self._order.position

    def listen(self, listener: Listener, on_lost: Callable[[KernelLost], None] | None = None) -> Callable[[], None]:
        """Tell `listener` what comes from now on; returns what ends it.

        Args:
            listener: Called on the loop, in order.
            on_lost: Called once when the kernel cannot be reached any more.
        """
        self._listeners.append(listener)
        if on_lost is not None:
            self._on_lost.append(on_lost)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)
            if on_lost is not None:
                with contextlib.suppress(ValueError):
                    self._on_lost.remove(on_lost)

        return end

    async def attach(self, since: Position | None = None, *, timeout_s: float = _OPEN_S) -> Attached:
        """Take part in the thread; listeners are told what came after `since`, or a snapshot, before this returns.

        Raises:
            ThreadError: The kernel refused: the thread cannot be opened, or it speaks another version.
            KernelLost: There is no kernel.
        """
        attached = await self._attached(self._attachment(since), timeout_s)
        self.thread_id, self.agent_version = attached.thread_id, attached.agent_version
        self._tell(self._order.take_attached(attached))
        self._look_for_gap()
        return attached

    async def offer_answers(self) -> None:
        """Have approvals offered to this client from now on, if they are not yet.

        Raises:
            ThreadError: The kernel refused.
        """
        if not self.can_answer:
            self.can_answer = True
            await self.attach(self.position)

    async def submit(self, op: Op, id: str | None = None) -> str:
        """Hand an op to the thread; the id that its events carry.

        Raises:
            ThreadError: The thread does not take it.
        """
        reply = await self.ask(Submit(op=op, id=id))
        if not isinstance(reply, Accepted):
            raise _unexpected(reply)
        return reply.id

    async def query(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """The answer to a question beside the thread.

        Raises:
            ThreadError: The kernel does not know it, or a newer one took its place.
        """
        reply = await self.ask(Query(name=name, arguments=dict(arguments or {}), client=self.client))
        if not isinstance(reply, Result):
            raise _unexpected(reply)
        return reply.value

    async def new_thread(self, *, resume: str | None = None, fork: str | None = None) -> None:
        """Leave the thread for another one in the same kernel; listeners are told its snapshot.

        Raises:
            ThreadError: It cannot be opened.
        """
        await self.ask(NewThread(resume=resume, fork=fork), timeout_s=_OPEN_S)
        await self.attach(self.position)

    async def catch_up(self) -> None:
        """Ask whether something was missed; listeners are told it.

        Raises:
            KernelLost: Nobody answers.
        """
        if self._catching_up is not None:  # what that one is told may be older than this question
            await asyncio.wait({self._catching_up})
        self._order.ask_again()
        self._look_for_gap()
        if self._catching_up is not None:
            await asyncio.wait({self._catching_up})
        if self.lost is not None:
            raise self.lost

    async def ask(self, request: Request, *, timeout_s: float = _REPLY_S) -> Reply:
        """The kernel's reply to a request.

        Raises:
            ThreadError: It was refused.
            KernelLost: Nobody answered.
        """
        if self.lost is not None:
            raise self.lost
        if self._closed:
            raise ThreadError("the connection to the thread is closed")
        frames = self._wire.pack(REQUEST_TYPE, request)
        id = self._wire.message_id(frames)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[id] = answer
        try:
            await self._control.send_multipart(frames)  # pyright: ignore[reportUnknownMemberType] - as pyzmq types it
            async with asyncio.timeout(timeout_s):
                content = await answer
        except TimeoutError:
            raise KernelLost(f"the agent did not answer within {timeout_s:g} seconds") from None
        finally:
            self._replies.pop(id, None)
        if content.get("status") == "error":
            raise ThreadError(str(content.get("evalue") or "the agent could not answer"))
        reply = read_reply(content)
        if isinstance(reply, Refused):
            if reply.reason == "ended":
                raise await self._gone(reply.message)
            raise ThreadError(reply.message)
        return reply

    async def aclose(self) -> None:
        """Take part no longer; the thread and its kernel go on."""
        if self._closed:
            return
        if self.lost is None:
            with contextlib.suppress(CodexError, asyncio.CancelledError):
                await self.ask(Detach(client=self.client), timeout_s=1.0)
        self._close()

    # Sockets

    def _open(self) -> None:
        import zmq
        import zmq.asyncio

        context = zmq.asyncio.Context.instance()
        self._control = connected_socket(self._info, context, zmq.DEALER, "control")
        self._iopub = connected_socket(self._info, context, zmq.SUB, "iopub")
        self._iopub.setsockopt(zmq.RCVHWM, 0)
        self._iopub.subscribe(EVENT_TYPE.encode())
        self._iopub.subscribe(presence_topic(self.client))
        self._monitor: Any = self._control.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._start(self._read_control())
        self._start(self._read_iopub())
        self._start(self._watch(self._monitor))

    def _close(self) -> None:
        self._closed = True
        for task in tuple(self._tasks):
            task.cancel()
        for answer in self._replies.values():
            if not answer.done():
                answer.set_exception(self.lost or ThreadError("the connection to the thread is closed"))
        self._control.disable_monitor()
        self._monitor.close(0)
        self._control.close(0)
        self._iopub.close(0)

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # What comes in

    async def _read_control(self) -> None:
        while True:
            message = self._unpack(await self._control.recv_multipart())
            if message is None or message.type != REPLY_TYPE:
                continue
            answer = self._replies.get(message.parent_id)
            if answer is not None and not answer.done():
                answer.set_result(message.content)

    async def _read_iopub(self) -> None:
        count = 0
        while True:
            message = self._unpack(await self._iopub.recv_multipart())
            count += 1
            if not count % _BURST:
                await asyncio.sleep(0)  # a flood must not keep the loop to itself
            if message is None or message.type != EVENT_TYPE:
                continue
            try:
                self._tell(self._order.take_event(message.content))
            except UsageError as error:
                log.warning("%s", error)
            self._look_for_gap()

    def _unpack(self, frames: list[bytes]) -> Message | None:
        try:
            return self._wire.unpack(frames)
        except WireError as error:  # whatever others put there
            log.warning("dropped a message that is none of the kernel's: %s", error)
            return None

    def _tell(self, news: list[Any]) -> None:
        for each in news:
            told: NumberedEvent | Snapshot | None = each if isinstance(each, Snapshot) else self._event(each)
            if told is None:
                continue
            for listener in tuple(self._listeners):
                try:
                    listener(told)
                except Exception:  # one listener's fault is not the others'
                    log.exception("a listener failed")

    def _event(self, content: dict[str, Any]) -> NumberedEvent | None:
        try:
            return read_event(content)
        except UsageError as error:
            log.warning("%s", error)
            return None

    # Gaps and broken connections

    def _look_for_gap(self) -> None:
        if self._order.waiting and self._order.position is not None and self._catching_up is None and not self._closed:
            self._catching_up = self._start(self._catch_up())
            self._catching_up.add_done_callback(self._caught_up)

    def _caught_up(self, _: asyncio.Task[None]) -> None:
        self._catching_up = None
        if self.lost is None:
            self._look_for_gap()

    async def _catch_up(self) -> None:
        try:
            attached = await self._replayed()
        except KernelLost as error:
            self._lose(error)
        except CodexError as error:
            self._lose(KernelLost(f"the thread cannot be followed any more: {error}"))
        else:
            self._tell(self._order.take_attached(attached))

    async def _replayed(self) -> Attached:
        """What came since the last event that was told; asked as often as the kernel goes and comes back meanwhile."""
        while True:
            replay = Replay(client=self.client, since=self._order.position)
            self._replay = asyncio.ensure_future(self._attached(replay, _REPLY_S))
            try:
                return await self._replay
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise

    async def _attached(self, request: Attach | Replay, timeout_s: float) -> Attached:
        reply = await self.ask(request, timeout_s=timeout_s)
        if not isinstance(reply, Attached):
            raise _unexpected(reply)
        return reply

    def _attachment(self, since: Position | None) -> Attach:
        return Attach(client=self.client, since=since, can_answer=self.can_answer, answers_servers=self.answers_servers)

    async def _watch(self, monitor: Any) -> None:
        from zmq.utils.monitor import recv_monitor_message

        while True:
            await recv_monitor_message(monitor)
            if self._order.position is None:
                continue  # not attached yet: whoever attaches has a time limit of its own
            self._order.ask_again()
            if await self._is_gone():
                await self._hear_the_rest()
                self._lose(KernelLost("the agent's process has ended; its thread is on disk and can be resumed"))
                return

    async def _is_gone(self) -> bool:
        """Whether a kernel whose connection broke stays away; one that is back is attached to again."""
        back = asyncio.ensure_future(self._attached(self._attachment(self._order.position), _GRACE_S))
        try:
            while not (await asyncio.wait({back}, timeout=_LOOK_S))[0]:
                if self._is_alive is not None and not await self._is_alive():
                    return True
            try:
                attached = back.result()
            except CodexError:
                return True
            self._tell(self._order.take_attached(attached))
            if self._replay is not None:
                self._replay.cancel()  # the question may have gone with the connection
            self._look_for_gap()
            return False
        finally:
            if not back.done():
                back.cancel()

    async def _gone(self, message: str) -> KernelLost:
        """Lose a kernel that said that it ends, once its process has let go of the thread."""
        if self._is_alive is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    while self.lost is None and await self._is_alive():  # noqa: ASYNC110 - a process has no event
                        await asyncio.sleep(_LOOK_S)
        await self._hear_the_rest()
        self._lose(KernelLost(message))
        return self.lost or KernelLost(message)

    async def _hear_the_rest(self) -> None:
        """What a kernel said before it ended may still be on the way through this process."""
        import zmq

        while not self._closed and int(self._iopub.getsockopt(zmq.EVENTS)) & zmq.POLLIN:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)

    def _lose(self, error: KernelLost) -> None:
        if self.lost is not None or self._closed:
            return
        self._tell(self._order.give_up())
        self.lost = error
        for answer in self._replies.values():
            if not answer.done():
                answer.set_exception(error)
        for on_lost in tuple(self._on_lost):
            on_lost(error)


def _unexpected(reply: Reply) -> ThreadError:
    return ThreadError(f"the agent answered with {type(reply).__name__}, which was not asked for; restart this thread")
