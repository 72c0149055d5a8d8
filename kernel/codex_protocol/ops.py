"""What a front end asks of a thread. Strict: an unknown field or kind is refused with one sentence.

Source: spec/agent-loop.md section 1.1; newer ops follow spec/modern-features.md.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec

from codex_protocol.changes import RevertPart
from codex_protocol.errors import UsageError
from codex_protocol.policy import ApprovalPolicy, Effort, ReviewDecision, SandboxPolicy, Summary
from codex_protocol.review import HunkChoice
from codex_protocol.rules import RuleAmendment
from codex_protocol.sound_json import encode_json


class TextInput(msgspec.Struct, frozen=True, tag="text", forbid_unknown_fields=True):
    """Text the user typed."""

    text: str


class ImageInput(msgspec.Struct, frozen=True, tag="image", forbid_unknown_fields=True):
    """An image that is a `data:` URL already."""

    image_url: str


class LocalImageInput(msgspec.Struct, frozen=True, tag="local_image", forbid_unknown_fields=True):
    """An image file, absolute or relative to the thread's directory."""

    path: str


class SkillInput(msgspec.Struct, frozen=True, tag="skill", forbid_unknown_fields=True):
    """A skill the user chose, by its name and its `SKILL.md`."""

    name: str
    path: str


UserInputItem = TextInput | ImageInput | LocalImageInput | SkillInput


class _Op(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    pass


class Interrupt(_Op, tag="interrupt", frozen=True, kw_only=True):
    """Abort the running turn; nothing happens when none runs."""


class UserInput(_Op, tag="user_input", frozen=True, kw_only=True):
    """Start a turn with the thread's settings, or steer the running one."""

    items: tuple[UserInputItem, ...]
    output_schema: dict[str, Any] | None = None
    """JSON Schema of this turn's last answer."""
    client_id: str | None = None
    """The sender's id of this input: one seen before is not taken twice."""


class UserTurn(_Op, tag="user_turn", frozen=True, kw_only=True):
    """Start a turn with settings of its own; while a turn runs only `items` count."""

    items: tuple[UserInputItem, ...]
    cwd: str
    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    model: str
    effort: Effort | None = None
    summary: Summary = Summary.AUTO
    output_schema: dict[str, Any] | None = None
    client_id: str | None = None


class OverrideTurnContext(_Op, tag="override_turn_context", frozen=True, kw_only=True):
    """Change the thread's settings for later turns; what is None stays."""

    cwd: str | None = None
    approval_policy: ApprovalPolicy | None = None
    sandbox_policy: SandboxPolicy | None = None
    model: str | None = None
    effort: Effort | None = None
    summary: Summary | None = None


class ExecApproval(_Op, tag="exec_approval", frozen=True, kw_only=True):
    """The answer to an `exec_approval_request`; the first one counts."""

    id: str
    """The request's `approval_id`."""
    decision: ReviewDecision
    by: str | None = None
    """Who answered, for the record: `page`, `notebook`, `console`, …"""
    amendments: tuple[RuleAmendment, ...] = ()
    """Rules to keep from now on: those of a suggestion, edited or not, or others. None that contradict `decision`."""


class PatchApproval(_Op, tag="patch_approval", frozen=True, kw_only=True):
    """The answer to an `apply_patch_approval_request`; the first one counts."""

    id: str
    decision: ReviewDecision
    by: str | None = None
    choices: tuple[HunkChoice, ...] = ()
    """With an approval: the parts that are not taken, or with other text. What none speaks of is taken. With any answer
    their notes are passed on to the model."""


class McpApproval(_Op, tag="mcp_approval", frozen=True, kw_only=True):
    """The answer to an `mcp_approval_request`; the first one counts."""

    id: str
    decision: ReviewDecision
    by: str | None = None


class ElicitationAnswer(_Op, tag="elicitation_answer", frozen=True, kw_only=True):
    """The answer to an `elicitation_request`; the first one counts."""

    id: str
    action: Literal["accept", "decline", "cancel"]
    """The user gave it, refused, or does not want to be asked."""
    content: dict[str, Any] | None = None
    """What was filled in, with `accept` of a form."""
    by: str | None = None


class RunUserShellCommand(_Op, tag="run_user_shell_command", frozen=True, kw_only=True):
    """Run the user's own command in the sandbox and put it and its output into the history."""

    command: str


class AddToHistory(_Op, tag="add_to_history", frozen=True, kw_only=True):
    """Append to the message history shared by all threads."""

    text: str


class GetHistoryEntryRequest(_Op, tag="get_history_entry_request", frozen=True, kw_only=True):
    """Ask for one entry of the message history."""

    offset: int
    log_id: int


class GetHistory(_Op, tag="get_history", frozen=True, kw_only=True):
    """Ask for the thread's items."""


class ListMcpTools(_Op, tag="list_mcp_tools", frozen=True, kw_only=True):
    """Ask for the tools of the configured MCP servers."""


class ListCustomPrompts(_Op, tag="list_custom_prompts", frozen=True, kw_only=True):
    """Ask for the user's custom prompts."""


class ListSkills(_Op, tag="list_skills", frozen=True, kw_only=True):
    """Ask for the skills that `$name` can stand for; answered by `skills_listed`."""


class ListRules(_Op, tag="list_rules", frozen=True, kw_only=True):
    """Ask for the rules that count for this thread; answered by `rules_listed`."""


class AddRules(_Op, tag="add_rules", frozen=True, kw_only=True):
    """Append rules to the user's own file; answered by `rules_listed`."""

    rules: tuple[RuleAmendment, ...]


class RemoveRule(_Op, tag="remove_rule", frozen=True, kw_only=True):
    """Take a rule out of one of the user's own files; answered by `rules_listed`."""

    file: str
    line: int
    pattern: tuple[tuple[str, ...], ...]
    """What the person saw there: nothing is removed when something else stands there by now."""


class PreviewRules(_Op, tag="preview_rules", frozen=True, kw_only=True):
    """Ask what rules that allow these beginnings would have let run; answered by `rules_previewed`."""

    prefixes: tuple[tuple[str, ...], ...]


class RevertChanges(_Op, tag="revert_changes", frozen=True, kw_only=True):
    """Take back what a turn, or the thread, changed; answered by `changes_reverted`. Not while a turn runs."""

    parts: tuple[RevertPart, ...]
    turn: int | None = None
    """As in `Changes`; 0: the newest; None: the thread."""


class Compact(_Op, tag="compact", frozen=True, kw_only=True):
    """Replace the history by a summary of it."""


class Review(_Op, tag="review", frozen=True, kw_only=True):
    """Run a reviewer turn over a change.

    Exactly one target: `prompt` alone, the uncommitted change, a base branch or a commit.
    """

    prompt: str | None = None
    uncommitted: bool = False
    base: str | None = None
    commit: str | None = None
    title: str | None = None


class SetThreadName(_Op, tag="set_thread_name", frozen=True, kw_only=True):
    """Name the thread."""

    name: str


class Shutdown(_Op, tag="shutdown", frozen=True, kw_only=True):
    """Flush the rollout, report `shutdown_complete`, and end the thread's loop."""


Op = (
    Interrupt
    | UserInput
    | UserTurn
    | OverrideTurnContext
    | ExecApproval
    | PatchApproval
    | McpApproval
    | ElicitationAnswer
    | RunUserShellCommand
    | AddToHistory
    | GetHistoryEntryRequest
    | GetHistory
    | ListMcpTools
    | ListCustomPrompts
    | ListSkills
    | ListRules
    | AddRules
    | RemoveRule
    | PreviewRules
    | RevertChanges
    | Compact
    | Review
    | SetThreadName
    | Shutdown
)


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An op with the id its events will carry."""

    id: str
    op: Op


@functools.cache
def _decoder() -> msgspec.json.Decoder[Submission]:
    return msgspec.json.Decoder(Submission)


def decode_submission(line: bytes | str) -> Submission:
    """The submission on one JSON line.

    Raises:
        UsageError: Not JSON, an unknown op, or unknown, missing or mistyped fields; says which.
    """
    try:
        return _decoder().decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"not a valid submission: {error}") from error


def encode_submission(submission: Submission) -> bytes:
    """One JSON line without its line end, UTF-8."""
    return encode_json(submission)
