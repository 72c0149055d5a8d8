"""The lines of a rollout: shapes for reading (tolerant) and for writing (lean).

Three kinds of file are read. The current shape is `{"timestamp", "type", "payload"}`; its `paginated` variant numbers
lines by `ordinal`, and a fork names the part of another rollout that it goes on from. August 2025 wrote a bare meta
line, then `{"record_type": "state"}` lines and bare items. Every line is told by its own form, so files may mix.

What we add to upstream's kinds stands in lines of one kind of our own, `workbench`, which 0.169 skips.
Source: spec/agent-loop.md section 12; files written by 0.27.0 and 0.169.0; what 0.169.0 resumes.
"""

from __future__ import annotations

import time
from typing import Any, Literal

import msgspec

from codex_protocol.events import ApprovalRequest
from codex_protocol.file_changes import FileChange
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    ReadOnly,
    ReviewDecision,
    SandboxPolicy,
    WorkspaceWrite,
)
from codex_protocol.review import HunkChoice
from codex_protocol.sound_json import encode_json
from codex_protocol.token_usage import TokenUsage

SESSION_META = "session_meta"
RESPONSE_ITEM = "response_item"
TURN_CONTEXT = "turn_context"
COMPACTED = "compacted"
EVENT_MSG = "event_msg"
WORKBENCH = "workbench"

PASSED_OVER = frozenset(
    {
        "world_state",
        "token_usage_record",
        "inter_agent_communication",
        "inter_agent_communication_metadata",
        "security_risk_score",
        "realtime_item",
    }
)
"""Kinds of upstream's that say nothing we need; no notice counts them."""


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a damaged or hostile line raises."""


class Line(msgspec.Struct, frozen=True):
    """Any line, before its payload is looked at."""

    type: str = ""
    payload: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""
    timestamp: str = ""
    ordinal: int | None = None
    record_type: str | None = None
    id: msgspec.Raw = msgspec.Raw()
    """Empty when there is none."""


class Typed(msgspec.Struct, frozen=True):
    """The kind of an event or of a line of ours."""

    type: str = ""


class GitFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The repository when the thread began."""

    commit_hash: str | None = None
    branch: str | None = None
    repository_url: str | None = None


class HistoryBase(msgspec.Struct, frozen=True, kw_only=True):
    """The part of another thread's rollout that a fork of upstream's goes on from, without copying it."""

    thread_id: str
    end_ordinal_exclusive: int
    end_byte_offset: int | None = None


class ThreadMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line: which thread this is and how it began."""

    id: str
    timestamp: str
    """UTC, `YYYY-MM-DDThh:mm:ss.mmmZ`."""
    cwd: str = ""
    """Absolute; empty in files of August 2025, which say it in the environment context."""
    originator: str = ""
    cli_version: str = ""
    source: str | dict[str, Any] = ""
    """Which front end made the thread; an object for upstream's sub-agents."""
    model_provider: str | None = None
    git: GitFacts | None = None
    forked_from_id: str | None = None
    history_mode: str | None = None
    history_base: HistoryBase | None = None
    instructions: str | None = None
    """The user instructions, in files of August 2025."""


class TurnContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The settings a turn ran with. A file of another program may lack any of them, or name what we do not know."""

    cwd: str = ""
    approval_policy: str | None = None
    sandbox_policy: dict[str, Any] | None = None
    """Tagged by `type`, as upstream writes it."""
    model: str = ""
    effort: str | None = None
    summary: str | None = None
    turn_id: str | None = None

    def approval(self) -> ApprovalPolicy | None:
        """The approval policy, where it is one of ours."""
        try:
            return None if self.approval_policy is None else ApprovalPolicy(self.approval_policy)
        except ValueError:
            return None

    def sandbox(self) -> SandboxPolicy | None:
        """The sandbox policy, where it is one of ours."""
        if self.sandbox_policy is None:
            return None
        fields = {("mode" if key == "type" else key): value for key, value in self.sandbox_policy.items()}
        try:
            return msgspec.convert(fields, ReadOnly | WorkspaceWrite | DangerFullAccess)
        except msgspec.ValidationError:
            return None


def sandbox_fields(policy: SandboxPolicy) -> dict[str, Any]:
    """The policy as a `turn_context` line says it."""
    fields = msgspec.to_builtins(policy)
    return {"type": fields.pop("mode"), **fields}


class Compaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """From here on the model sees `replacement_history`, then what follows."""

    message: str = ""
    """The summary."""
    replacement_history: list[msgspec.Raw] | None = None
    """None in older files: there the user's messages and the summary are what stays."""


class TaskStartedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="task_started"):
    """A turn began."""

    turn_id: str = ""
    model_context_window: int | None = None


class TaskCompleteLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="task_complete"):
    """A turn ended by itself; `error` is ours."""

    turn_id: str = ""
    error: str | None = None


class TurnAbortedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="turn_aborted"):
    """A turn was stopped."""

    turn_id: str | None = None
    reason: str = "interrupted"
    closing: bool = False
    """Nobody stopped it: its agent ended. Ours."""


class WrittenUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Token numbers as upstream insists on them."""

    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_output_tokens: int
    total_tokens: int
    cache_write_input_tokens: int | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(cls, usage: TokenUsage) -> WrittenUsage:
        """The same numbers; cache writes only when there were any."""
        return cls(
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_output_tokens=usage.reasoning_output_tokens,
            total_tokens=usage.total_tokens,
            cache_write_input_tokens=usage.cache_write_input_tokens or msgspec.UNSET,
        )


class WrittenTokenInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a `token_count` line of ours says."""

    total_token_usage: WrittenUsage
    last_token_usage: WrittenUsage
    model_context_window: int | None = None


class WrittenTokenCount(msgspec.Struct, frozen=True, kw_only=True, tag="token_count"):
    """A `token_count` event as we write it."""

    info: WrittenTokenInfo


class TokenInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a `token_count` line says."""

    total_token_usage: TokenUsage = TokenUsage()
    last_token_usage: TokenUsage = TokenUsage()
    model_context_window: int | None = None


class TokenCountLine(msgspec.Struct, frozen=True, kw_only=True):
    """A `token_count` event as read; `info` is None when upstream only reports rate limits."""

    info: TokenInfo | None = None


class UserMessageLine(msgspec.Struct, frozen=True, kw_only=True, tag="user_message"):
    """The thread's first prompt, once: upstream lists only threads that have such a line."""

    message: str


class RolledBackLine(msgspec.Struct, frozen=True, kw_only=True, tag="thread_rolled_back"):
    """The last turns do not count any more."""

    num_turns: int = 0


class ApprovalRequested(msgspec.Struct, frozen=True, kw_only=True, tag="approval_requested"):
    """A person was about to be asked; of our own kind."""

    request: ApprovalRequest


class ApprovalAnswered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="approval_answered"):
    """The answer; later ones to the same request do not count. Of our own kind."""

    approval_id: str
    digest: str
    """Of what was asked, so that the answer can never be taken for another question's."""
    decision: ReviewDecision
    by: str | None = None
    """Who answered; None when nobody could and it was denied at once."""
    choices: tuple[HunkChoice, ...] = ()
    """Of a patch: which parts were not taken or taken with other text. With the digest they say every byte written."""


class InputTaken(msgspec.Struct, frozen=True, kw_only=True, tag="input_taken"):
    """The next item is what a client sent under this id, written with it; of our own kind."""

    client_id: str


class TurnChanged(msgspec.Struct, frozen=True, kw_only=True, tag="turn_changed"):
    """What the patches of a turn changed, written at its end; of our own kind."""

    unified_diff: str


class PatchWritten(msgspec.Struct, frozen=True, kw_only=True, tag="patch_written"):
    """What a patch changed, with the numbers of its lines, as far as a person took it; of our own kind."""

    call_id: str
    changes: dict[str, FileChange]
    """By absolute path."""


WorkbenchLine = ApprovalRequested | ApprovalAnswered | InputTaken

WrittenEvent = (
    TaskStartedLine | TaskCompleteLine | TurnAbortedLine | WrittenTokenCount | UserMessageLine | RolledBackLine
)

LineKind = Literal["session_meta", "response_item", "turn_context", "compacted", "event_msg", "workbench"]

_last_second: tuple[int, bytes] = (-1, b"")


def encode_line(
    kind: LineKind, payload: bytes | msgspec.Raw, *, ordinal: int | None = None, stamp: bytes | None = None
) -> bytes:
    """One whole line with its line end.

    Args:
        kind: The line's `type`.
        payload: JSON.
        ordinal: The line's number in a file that numbers its lines.
        stamp: When it was first written, for a line that is copied; None for now.
    """
    number = b"" if ordinal is None else b'"ordinal":%d,' % ordinal
    return b'{"timestamp":"%b",%b"type":"%b","payload":%b}\n' % (stamp or now_stamp(), number, kind.encode(), payload)


def encode_payload(payload: msgspec.Struct) -> bytes:
    """JSON of a line's payload."""
    return encode_json(payload)


def now_stamp() -> bytes:
    """Now in UTC, `YYYY-MM-DDThh:mm:ss.mmmZ`."""
    return stamp_of(time.time_ns() // 1_000_000)


def stamp_of(at_ms: int) -> bytes:
    """A time in UTC, `YYYY-MM-DDThh:mm:ss.mmmZ`; `at_ms` counts milliseconds since 1970."""
    global _last_second
    second, millis = divmod(at_ms, 1000)
    known, prefix = _last_second
    if second != known:
        prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        _last_second = (second, prefix)
    return b"%b.%03dZ" % (prefix, millis)
