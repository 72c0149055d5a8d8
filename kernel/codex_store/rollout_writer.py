"""The one writer of a thread's rollout: every call puts whole lines on disk before it returns, in one write.

What the items say already is not said again by event lines: kept are turn boundaries, token totals, approvals, and what
a turn's patches changed in all.
Source: spec/agent-loop.md section 12; what 0.169.0 needs to resume a file it did not write: `session_meta` and items,
a `token_count` for totals, one `user_message` for its lists.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from codex_protocol.errors import RolloutError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    EventMsg,
    ExecApprovalRequest,
    McpApprovalRequest,
    PatchApplyBegin,
    PatchApplyEnd,
    TaskComplete,
    TaskStarted,
    ThreadNameUpdated,
    TokenCount,
    TurnAborted,
    TurnDiff,
)
from codex_protocol.file_changes import FileChange
from codex_protocol.items import Item, Message, encode_item
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxPolicy, Summary
from codex_store.approval_records import ApprovalRecords
from codex_store.context_items import is_prompt
from codex_store.home import Home
from codex_store.rollout_lines import (
    ApprovalRequested,
    Compaction,
    InputTaken,
    LineKind,
    PatchWritten,
    TaskCompleteLine,
    TaskStartedLine,
    ThreadMeta,
    TurnAbortedLine,
    TurnChanged,
    TurnContext,
    UserMessageLine,
    WrittenEvent,
    WrittenTokenCount,
    WrittenTokenInfo,
    WrittenUsage,
    encode_line,
    encode_payload,
    now_stamp,
    sandbox_fields,
)
from codex_store.rollout_paths import COMPRESSED, home_of, make_private, rollout_path, thread_id_of
from codex_store.rollout_segments import first_meta
from codex_store.rollout_tail import last_ordinal, whole_end
from codex_store.thread_ids import made_at_s
from codex_store.thread_names import clean_name, record_name
from codex_store.writer_lock import WriterLock

_HEAD_BYTES = 1 << 18
_LISTED_CHARS = 1000
_MAX_DIFF_CHARS = 8 << 20
_MAX_PATCH_BYTES = 1 << 20
"""A longer one is not kept: every reader of the thread would pay for it."""


class RolloutWriter:
    """Appends to one rollout, which nobody else can write meanwhile.

    Not for use from several OS threads at once; only `sync` may run beside the other calls.
    """

    def __init__(self, path: Path, thread_id: str, home: Path | None) -> None:
        self.path = path
        self.thread_id = thread_id
        self.notices: tuple[str, ...] = ()
        """Sentences on what was repaired when the file was opened again."""
        self._home = home
        self._fd: int | None = None
        self._lock: WriterLock | None = None
        self._closed = False
        self._waiting: list[bytes] = []  # lines of a thread that has no file yet
        self._size = 0
        self._synced_size = 0
        self._unsynced_folders: list[Path] = []  # in which something of this thread's path is new
        self._torn = False  # the file ends in the middle of a line
        self._ordinal: int | None = None  # of the next line, in a file that numbers its lines
        self._bare_items = False  # a file of August 2025
        self._listed = False  # a `user_message` line is there
        self._context: TurnContext | None = None
        self._turn_id = ""
        self._changed = ""
        self._patches: dict[str, dict[str, FileChange]] = {}  # those being written, by call
        self._approvals = ApprovalRecords()

    @classmethod
    def create(cls, home: Home, meta: ThreadMeta) -> RolloutWriter:
        """A writer for a new thread. Its file appears with the first item: a thread that never starts leaves none."""
        at_s = made_at_s(meta.id)
        writer = cls(rollout_path(home, meta.id, time.time() if at_s is None else at_s), meta.id, home.root)
        writer._waiting.append(encode_line("session_meta", encode_payload(meta)))
        return writer

    @classmethod
    def reopen(cls, path: Path) -> RolloutWriter:
        """A writer for the thread in a file, which is mended where its last writer died in the middle of a line.

        Raises:
            RolloutError: It cannot be opened, holds no thread, is packed, or another process writes it.
        """
        if path.name.endswith(COMPRESSED):
            raise RolloutError(f"{path} is packed; unpack it with `zstd -d --rm {path}` to go on with its thread.")
        meta = first_meta(path)
        thread_id = thread_id_of(path) or (meta.id if meta is not None else None)
        if thread_id is None:
            raise RolloutError(f"{path} holds no thread: its first line does not say which.")
        writer = cls(path, thread_id if meta is None else meta.id, home_of(path))
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise RolloutError(f"The thread at {path} cannot be opened: {error.strerror or error}.") from error
        try:
            writer._lock = WriterLock.acquire(writer._home, writer.thread_id, fd)
            writer._fd = fd
            writer._take_up(meta)
        except BaseException:
            writer._fd = None
            os.close(fd)
            writer.close()
            raise
        return writer

    def _take_up(self, meta: ThreadMeta | None) -> None:
        """Learn from the file how to go on, and mend its end."""
        assert self._fd is not None  # noqa: S101 - `reopen` has opened it
        self._size = os.fstat(self._fd).st_size
        self._mend()
        head = os.pread(self._fd, _HEAD_BYTES, 0)
        self._listed = len(head) == _HEAD_BYTES or b'"user_message"' in head
        self._bare_items = b'"payload":' not in (head if meta is None else head.split(b"\n", 1)[0])
        if (meta is None or meta.history_mode == "paginated") and not self._bare_items:
            last = last_ordinal(self._fd, self._size)
            if last is not None or meta is not None:
                self._ordinal = 0 if last is None else last + 1
        self._synced_size = self._size

    def _mend(self) -> None:
        assert self._fd is not None  # noqa: S101 - `reopen` has opened it
        end, unended = whole_end(self._fd, self._size)
        if unended:
            self._append(b"\n")
        elif end < self._size:
            os.ftruncate(self._fd, end)
            self.notices = (
                f"The last line of {self.path.name} was cut off when its writer died; {self._size - end} bytes of it "
                "were dropped.",
            )
            self._size = end

    def items(self, *items: Item, client_id: str | None = None) -> None:
        """Write items; on return they survive the process.

        Args:
            items: In order.
            client_id: What the client that sent the first of them calls it; on disk with it, or not at all.

        Raises:
            RolloutError: They could not be written; the file holds none of them, and the next call may try again.
        """
        if not items:
            return
        lines: list[bytes] = []
        own = [] if client_id is None else [_workbench_line(InputTaken(client_id=client_id))]
        listed = self._listed
        for item in items:
            if not listed and isinstance(item, Message) and is_prompt(item):
                lines.append(self._event_line(UserMessageLine(message=item.text()[:_LISTED_CHARS]), len(lines)))
                listed = True
            payload = encode_item(item)
            lines.append(payload + b"\n" if self._bare_items else self._line("response_item", payload, len(lines)))
        self._write([*own, *lines], starts=True, numbered=len(lines))
        self._listed = listed

    def event(self, msg: EventMsg, turn_id: str | None = None) -> None:
        """Write what has to outlive the process; events that the items tell, or that only matter live, are left out.

        Args:
            msg: Any event of the thread.
            turn_id: The turn's id, for `task_started`; None makes one up.

        Raises:
            RolloutError: It could not be written.
        """
        match msg:
            case TaskStarted():
                self._turn_id = turn_id or f"turn-{time.time_ns():x}"
                self._patches.clear()
                self._changed = ""
                self._event(TaskStartedLine(turn_id=self._turn_id, model_context_window=msg.model_context_window))
            case TurnDiff():
                self._changed = msg.unified_diff
            case PatchApplyBegin():
                self._patches[msg.call_id] = msg.changes
            case PatchApplyEnd():
                self._keep_patch(msg.call_id, written=msg.success)
            case TaskComplete():
                self._keep_changes()
                self._event(TaskCompleteLine(turn_id=self._turn_id, error=msg.error))
            case TurnAborted():
                self._keep_changes()
                self._event(TurnAbortedLine(turn_id=self._turn_id, reason=msg.reason, closing=msg.closing))
            case TokenCount():
                self._event(_token_count(msg))
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() | McpApprovalRequest():
                self._approvals.requested(msg, now_stamp().decode())
                self._workbench(ApprovalRequested(request=msg))
            case ApprovalResolved():
                answer = self._approvals.answer_to(msg)
                if answer is not None:
                    self._workbench(answer)
                    self._approvals.answered(answer, now_stamp().decode())
            case ThreadNameUpdated():
                if self._home is not None:
                    record_name(self._home, self.thread_id, clean_name(msg.name))
            case _:
                return

    def _keep_patch(self, call_id: str, *, written: bool) -> None:
        """Write what a patch changed, unless it is very much."""
        changes = self._patches.pop(call_id, None)
        if written and changes:
            payload = encode_payload(PatchWritten(call_id=call_id, changes=changes))
            if len(payload) <= _MAX_PATCH_BYTES:
                self._write([encode_line("workbench", payload)], numbered=0)

    def _keep_changes(self) -> None:
        """Write the turn's last diff, once: every patch of a turn reports all of it anew."""
        changed, self._changed = self._changed, ""
        if changed and len(changed) <= _MAX_DIFF_CHARS:
            self._workbench(TurnChanged(unified_diff=changed))

    def take_approvals(self, records: ApprovalRecords) -> None:
        """Go on with the questions of an earlier process, so that their answers can be written."""
        self._approvals = records

    def turn_context(
        self,
        *,
        cwd: str,
        approval_policy: ApprovalPolicy,
        sandbox_policy: SandboxPolicy,
        model: str,
        effort: Effort | None = None,
        summary: Summary | None = None,
    ) -> None:
        """Write the settings of a turn, unless they are those written last.

        Raises:
            RolloutError: They could not be written.
        """
        context = TurnContext(
            cwd=cwd,
            approval_policy=approval_policy,
            sandbox_policy=sandbox_fields(sandbox_policy),
            model=model,
            effort=effort,
            summary=summary,
        )
        if context != self._context:
            self._write([self._line("turn_context", encode_payload(context))])
            self._context = context

    def compacted(self, summary: str, replacement: Sequence[Item]) -> None:
        """Write that from here on the model sees `replacement`.

        Raises:
            RolloutError: It could not be written; the history on disk is the one before.
        """
        raw = [msgspec.Raw(encode_item(item)) for item in replacement]
        payload = encode_payload(Compaction(message=summary, replacement_history=raw))
        self._write([self._line("compacted", payload)], starts=True)

    def sync(self) -> None:
        """Wait until the disk has everything; does nothing when nothing was written since. May run in another thread.

        Raises:
            RolloutError: The disk failed.
        """
        fd, size = self._fd, self._size
        if fd is None or (size == self._synced_size and not self._unsynced_folders):
            return
        try:
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(fd)
            for folder in self._unsynced_folders:
                _sync_folder(folder)
            self._unsynced_folders = []
        except OSError as error:
            raise RolloutError(f"The thread may not be saved: {self.path}: {error.strerror or error}.") from error
        self._synced_size = size

    def close(self) -> None:
        """Let go of the file and of the right to write it; the second time nothing happens."""
        self._closed = True
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _event(self, event: WrittenEvent) -> None:
        self._write([self._event_line(event)])

    def _event_line(self, event: WrittenEvent, ahead: int = 0) -> bytes:
        return self._line("event_msg", encode_payload(event), ahead)

    def _workbench(self, payload: msgspec.Struct) -> None:
        self._write([_workbench_line(payload)], numbered=0)

    def _line(self, kind: LineKind, payload: bytes, ahead: int = 0) -> bytes:
        """A line; `ahead` counts the lines of the same batch before it."""
        return encode_line(kind, payload, ordinal=None if self._ordinal is None else self._ordinal + ahead)

    def _write(self, lines: list[bytes], *, starts: bool = False, numbered: int | None = None) -> None:
        """Append whole lines in one write, or none of them.

        Args:
            lines: With their line ends.
            starts: Whether they are worth a file; what comes before waits for them.
            numbered: How many of them have numbers in a file that numbers its lines; None for all.
        """
        if self._closed:
            raise RolloutError(f"The thread {self.thread_id} is closed.")
        if self._fd is None:
            if not starts:
                self._waiting += lines
                return
            self._start_file()
        lines = [*self._waiting, *lines]
        self._append(b"".join(lines))
        self._waiting.clear()
        if self._ordinal is not None:
            self._ordinal += len(lines) if numbered is None else numbered

    def _start_file(self) -> None:
        try:
            self._unsynced_folders = [*make_private(self.path.parent), self.path.parent]
            self._lock = self._lock or WriterLock.acquire(self._home, self.thread_id)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RolloutError(f"The thread cannot be saved: {self.path}: {error.strerror or error}.") from error

    def _append(self, data: bytes) -> None:
        assert self._fd is not None  # noqa: S101 - callers have opened it
        if self._torn:
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
        except OSError as error:
            if written:
                self._cut_back()
            raise RolloutError(f"The thread cannot be saved: {self.path}: {error.strerror or error}.") from error
        self._size += written
        self._torn = False

    def _cut_back(self) -> None:
        """Take away the beginning of a batch whose rest could not be written; only we write here."""
        assert self._fd is not None  # noqa: S101 - something was just written to it
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size = os.fstat(self._fd).st_size
            self._torn = True


def _workbench_line(payload: msgspec.Struct) -> bytes:
    """A line of our own kind; upstream skips such lines, so they take no number."""
    return encode_line("workbench", encode_payload(payload))


def _token_count(msg: TokenCount) -> WrittenTokenCount:
    last = msg.usage()
    return WrittenTokenCount(
        info=WrittenTokenInfo(
            total_token_usage=WrittenUsage.of(msg.total or last),
            last_token_usage=WrittenUsage.of(last),
            model_context_window=msg.model_context_window,
        )
    )


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
