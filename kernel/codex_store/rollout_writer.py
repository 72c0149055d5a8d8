"""The one writer of a thread's rollout: what of items and events is kept, and as which lines.

Every call puts its lines on disk before it returns, in one write (`rollout_file.py`). What the items say already is not
said again by event lines: kept are turn boundaries, token totals, approvals, and what a turn's patches changed in all.
Source: spec/agent-loop.md section 12; what 0.169.0 needs to resume a file it did not write: `session_meta` and items,
a `token_count` for totals, one `user_message` for its lists.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

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
from codex_store.rollout_file import HEAD_BYTES, RolloutFile
from codex_store.rollout_lines import (
    ApprovalRequested,
    Compaction,
    InputTaken,
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
from codex_store.rollout_paths import rollout_path
from codex_store.thread_ids import made_at_s
from codex_store.thread_names import clean_name, record_name

_LISTED_CHARS = 1000
_MAX_DIFF_CHARS = 8 << 20
_MAX_PATCH_BYTES = 1 << 20
"""A longer one is not kept: every reader of the thread would pay for it."""


class RolloutWriter:
    """Appends to one rollout, which nobody else can write meanwhile.

    Not for use from several OS threads at once; only `sync` may run beside the other calls.
    """

    def __init__(self, file: RolloutFile) -> None:
        """Use `create` or `reopen`."""
        self._file = file
        self._listed = False  # a `user_message` line is there
        self._context: TurnContext | None = None
        self._turn_id = ""
        self._changed = ""
        self._patches: dict[str, dict[str, FileChange]] = {}  # those being written, by call
        self._approvals = ApprovalRecords()

    @property
    def path(self) -> Path:
        """The file, which need not be there yet."""
        return self._file.path

    @property
    def thread_id(self) -> str:
        """Of the thread."""
        return self._file.thread_id

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences on what was repaired when the file was opened again."""
        return self._file.notices

    @classmethod
    def create(cls, home: Home, meta: ThreadMeta) -> RolloutWriter:
        """A writer for a new thread. Its file appears with the first item: a thread that never starts leaves none."""
        at_s = made_at_s(meta.id)
        file = RolloutFile(rollout_path(home, meta.id, time.time() if at_s is None else at_s), meta.id, home.root)
        file.write([encode_line("session_meta", encode_payload(meta))])
        return cls(file)

    @classmethod
    def reopen(cls, path: Path) -> RolloutWriter:
        """A writer for the thread in a file, which is mended where its last writer died in the middle of a line.

        Raises:
            RolloutError: It cannot be opened, holds no thread, is packed, or another process writes it.
        """
        file, head = RolloutFile.reopen(path)
        writer = cls(file)
        writer._listed = len(head) == HEAD_BYTES or b'"user_message"' in head
        return writer

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
            bare = self._file.bare_items
            lines.append(payload + b"\n" if bare else self._file.line("response_item", payload, len(lines)))
        self._file.write([*own, *lines], starts=True, numbered=len(lines))
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
                if self._file.home is not None:
                    record_name(self._file.home, self.thread_id, clean_name(msg.name))
            case _:
                return

    def _keep_patch(self, call_id: str, *, written: bool) -> None:
        """Write what a patch changed, unless it is very much."""
        changes = self._patches.pop(call_id, None)
        if written and changes:
            payload = encode_payload(PatchWritten(call_id=call_id, changes=changes))
            if len(payload) <= _MAX_PATCH_BYTES:
                self._file.write([encode_line("workbench", payload)], numbered=0)

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
            self._file.write([self._file.line("turn_context", encode_payload(context))])
            self._context = context

    def compacted(self, summary: str, replacement: Sequence[Item]) -> None:
        """Write that from here on the model sees `replacement`.

        Raises:
            RolloutError: It could not be written; the history on disk is the one before.
        """
        raw = [msgspec.Raw(encode_item(item)) for item in replacement]
        payload = encode_payload(Compaction(message=summary, replacement_history=raw))
        self._file.write([self._file.line("compacted", payload)], starts=True)

    def sync(self) -> None:
        """Wait until the disk has everything; does nothing when nothing was written since. May run in another thread.

        Raises:
            RolloutError: The disk failed.
        """
        self._file.sync()

    def close(self) -> None:
        """Let go of the file and of the right to write it; the second time nothing happens."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _event(self, event: WrittenEvent) -> None:
        self._file.write([self._event_line(event)])

    def _event_line(self, event: WrittenEvent, ahead: int = 0) -> bytes:
        return self._file.line("event_msg", encode_payload(event), ahead)

    def _workbench(self, payload: msgspec.Struct) -> None:
        self._file.write([_workbench_line(payload)], numbered=0)


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
