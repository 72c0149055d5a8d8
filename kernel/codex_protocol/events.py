"""What a thread reports, as a tagged union in the vocabulary of August 2025, extended where newer features need it.

Source: spec/agent-loop.md section 1.2. Readers tolerate unknown fields and kinds: kernels outlive upgrades.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import msgspec

from codex_protocol.changes import NotReverted
from codex_protocol.file_changes import FileChange
from codex_protocol.parsed_commands import ParsedCommand
from codex_protocol.policy import ApprovalPolicy, Effort, ReviewDecision, SandboxFacts, SandboxPolicy, Summary
from codex_protocol.review import HunkChoice
from codex_protocol.rules import ListedRule, RuleSuggestion
from codex_protocol.sound_json import encode_json
from codex_protocol.token_usage import TokenUsage


class PlanStep(msgspec.Struct, frozen=True):
    """One line of the plan."""

    step: str
    status: Literal["pending", "in_progress", "completed"]


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    pass


class SessionConfigured(_Event, tag="session_configured", frozen=True, kw_only=True):
    """The thread is ready; always its first event."""

    session_id: str
    """The thread's id (the field keeps its wire name)."""
    model: str
    history_log_id: int = 0
    history_entry_count: int = 0
    provider: str = ""
    """Provider id, the config key."""
    cwd: str = ""
    approval_policy: ApprovalPolicy = ApprovalPolicy.ON_REQUEST
    sandbox_policy: SandboxPolicy | None = None
    sandbox: SandboxFacts | None = None
    effort: Effort | None = None
    summary: str | None = None
    rollout_path: str | None = None
    forked_from: str | None = None
    resumed: bool = False
    name: str | None = None
    branch: str | None = None
    file_opener: str = "none"
    """Which editor opens the files that answers name; the setting of that name."""


class Error(_Event, tag="error", frozen=True, kw_only=True):
    """The turn failed; `task_complete` or `turn_aborted` still follows."""

    message: str


class Warning(_Event, tag="warning", frozen=True, kw_only=True):
    """Something a person should know; the work goes on."""

    message: str


class StreamError(_Event, tag="stream_error", frozen=True, kw_only=True):
    """The response broke off and is being asked for again."""

    message: str
    attempt: int = 0
    max_attempts: int = 0


class TaskStarted(_Event, tag="task_started", frozen=True, kw_only=True):
    """A turn began; the event's id is the turn's."""

    model_context_window: int | None = None


class TaskComplete(_Event, tag="task_complete", frozen=True, kw_only=True):
    """A turn ended by itself.

    `last_agent_message` is None when the model said nothing at the end or the turn failed; `error` tells which.
    """

    last_agent_message: str | None = None
    error: str | None = None
    """The sentence of the `error` event that ended the turn."""
    goes_on: bool = False
    """What was said meanwhile is answered by a turn that begins now, under the same id."""


class TurnAborted(_Event, tag="turn_aborted", frozen=True, kw_only=True):
    """A turn was stopped; no `task_complete` follows."""

    reason: Literal["interrupted", "replaced"] = "interrupted"
    closing: bool = False
    """Nobody stopped it: its agent ended."""


class UserMessage(_Event, tag="user_message", frozen=True, kw_only=True):
    """Input was taken into the history."""

    message: str
    images: tuple[str, ...] = ()
    """Data URLs or paths, as given."""
    steered: bool = False
    """It joined a running turn."""
    client_id: str | None = None


class TokenCount(_Event, tag="token_count", frozen=True, kw_only=True):
    """Tokens of the response that just ended; `total` is the whole thread's, forks included."""

    input_tokens: int
    cached_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    output_tokens: int
    reasoning_output_tokens: int | None = None
    total_tokens: int
    total: TokenUsage | None = None
    model_context_window: int | None = None

    def usage(self) -> TokenUsage:
        """Of the response."""
        return TokenUsage(
            input_tokens=self.input_tokens,
            cached_input_tokens=self.cached_input_tokens or 0,
            cache_write_input_tokens=self.cache_write_input_tokens or 0,
            output_tokens=self.output_tokens,
            reasoning_output_tokens=self.reasoning_output_tokens or 0,
            total_tokens=self.total_tokens,
        )


class AgentMessage(_Event, tag="agent_message", frozen=True, kw_only=True):
    """The model said something, whole."""

    message: str


class AgentMessageDelta(_Event, tag="agent_message_delta", frozen=True, kw_only=True):
    """The next piece of what the model is saying."""

    delta: str


class AgentReasoning(_Event, tag="agent_reasoning", frozen=True, kw_only=True):
    """One part of a reasoning summary, whole."""

    text: str


class AgentReasoningDelta(_Event, tag="agent_reasoning_delta", frozen=True, kw_only=True):
    """The next piece of a reasoning summary."""

    delta: str


class AgentReasoningRawContent(_Event, tag="agent_reasoning_raw_content", frozen=True, kw_only=True):
    """Raw reasoning, whole; only when `show_raw_agent_reasoning` is set."""

    text: str


class AgentReasoningRawContentDelta(_Event, tag="agent_reasoning_raw_content_delta", frozen=True, kw_only=True):
    """The next piece of raw reasoning; only when `show_raw_agent_reasoning` is set."""

    delta: str


class AgentReasoningSectionBreak(_Event, tag="agent_reasoning_section_break", frozen=True, kw_only=True):
    """The next part of a reasoning summary begins."""


class McpInvocation(msgspec.Struct, frozen=True):
    """What is called on an MCP server."""

    server: str
    tool: str
    arguments: Any = None


class Duration(msgspec.Struct, frozen=True):
    """A span of time."""

    secs: int
    nanos: int

    @classmethod
    def of(cls, seconds: float) -> Duration:
        """From seconds; negative counts as zero."""
        nanos = max(0, round(seconds * 1e9))
        return cls(nanos // 1_000_000_000, nanos % 1_000_000_000)

    def seconds(self) -> float:
        """As a float of seconds."""
        return self.secs + self.nanos / 1e9


class McpToolCallBegin(_Event, tag="mcp_tool_call_begin", frozen=True, kw_only=True):
    """A call to an MCP server began."""

    call_id: str
    invocation: McpInvocation


class McpToolCallEnd(_Event, tag="mcp_tool_call_end", frozen=True, kw_only=True):
    """A call to an MCP server ended; `result` is `{"Ok": CallToolResult}` or `{"Err": text}`."""

    call_id: str
    invocation: McpInvocation
    duration: Duration
    result: dict[str, Any]


class WebSearchBegin(_Event, tag="web_search_begin", frozen=True, kw_only=True):
    """The provider began a web search."""

    call_id: str


class WebSearchEnd(_Event, tag="web_search_end", frozen=True, kw_only=True):
    """The provider ended a web search; `action` is the provider's own object."""

    call_id: str
    query: str
    action: dict[str, Any] | None = None


class ExecCommandBegin(_Event, tag="exec_command_begin", frozen=True, kw_only=True):
    """A command began."""

    call_id: str
    command: tuple[str, ...]
    cwd: str
    parsed_cmd: tuple[ParsedCommand, ...] = ()
    source: Literal["agent", "user_shell"] = "agent"
    sandboxed: bool = True
    """False when it runs with the user's own rights."""


class ExecCommandOutputDelta(_Event, tag="exec_command_output_delta", frozen=True, kw_only=True):
    """The next piece of a command's output; at most 10,000 per command."""

    call_id: str
    stream: Literal["stdout", "stderr"]
    chunk: bytes
    """Raw bytes; a UTF-8 sequence may be split between two chunks. Base64 on JSON wires."""


class ExecCommandEnd(_Event, tag="exec_command_end", frozen=True, kw_only=True):
    """A command ended, by itself or by our hand; follows `ExecCommandBegin` of the same `call_id`."""

    call_id: str
    stdout: str
    """Head and tail with the cut marked when it was long; so are `stderr` and `aggregated_output`."""
    stderr: str
    aggregated_output: str
    """stdout and stderr as they interleaved."""
    exit_code: int
    """Shell convention: 128 + N when signal N ended it; -1 when it never ran."""
    duration: Duration
    formatted_output: str
    """What the model is shown."""
    timed_out: bool = False


class TerminalInteraction(_Event, tag="terminal_interaction", frozen=True, kw_only=True):
    """The model typed into a running command."""

    call_id: str
    """Of the `exec_command` that began the command."""
    process_id: int
    stdin: str


class ExecApprovalRequest(_Event, tag="exec_approval_request", frozen=True, kw_only=True):
    """A command waits for a person's answer."""

    call_id: str
    approval_id: str
    digest: str
    """SHA-256 of the exact command, directory and rights; checked again before it runs."""
    command: tuple[str, ...]
    cwd: str
    reason: str | None = None
    would_touch: tuple[str, ...] = ()
    """Paths a destructive command would remove or overwrite, absolute."""
    sandbox: SandboxFacts | None = None
    unconfined: bool = True
    """Whether it runs outside the sandbox when approved."""
    parsed_cmd: tuple[ParsedCommand, ...] = ()
    """What it does, where that is known."""
    suggestions: tuple[RuleSuggestion, ...] = ()
    """Rules to offer as "always allow", narrowest first; what they allow runs without a question and unconfined."""


class ApplyPatchApprovalRequest(_Event, tag="apply_patch_approval_request", frozen=True, kw_only=True):
    """A patch waits for a person's answer."""

    call_id: str
    approval_id: str
    digest: str
    changes: dict[str, FileChange]
    """By absolute path."""
    reason: str | None = None
    grant_root: str | None = None


class McpApprovalRequest(_Event, tag="mcp_approval_request", frozen=True, kw_only=True):
    """A call to an MCP server's tool waits for a person's answer; follows its `mcp_tool_call_begin`."""

    call_id: str
    approval_id: str
    digest: str
    """SHA-256 of server, tool and arguments; checked again before the call is made."""
    server: str
    tool: str
    arguments: Any = None
    reason: str | None = None


class ElicitationRequest(_Event, tag="elicitation_request", frozen=True, kw_only=True):
    """An MCP server asks the user something of its own; answered by the op `elicitation_answer`."""

    id: str
    server: str
    message: str
    """The server's words."""
    mode: Literal["form", "url"] = "form"
    schema: dict[str, Any] = {}
    """Of a form: JSON Schema of a flat object."""
    url: str | None = None
    """Of mode `url`: where the user is asked to go."""


class ElicitationResolved(_Event, tag="elicitation_resolved", frozen=True, kw_only=True):
    """A server's question was answered, or needs no answer any more; later answers are ignored."""

    id: str
    server: str
    action: Literal["accept", "decline", "cancel"]
    by: str | None = None
    """Who answered; None when nobody could."""


class ApprovalResolved(_Event, tag="approval_resolved", frozen=True, kw_only=True):
    """An approval was answered; later answers are ignored."""

    approval_id: str
    call_id: str
    decision: ReviewDecision
    by: str | None = None
    """Who answered; None when nobody could and it was denied at once."""
    choices: tuple[HunkChoice, ...] = ()
    """Of a patch: what was said of its parts."""


class BackgroundEvent(_Event, tag="background_event", frozen=True, kw_only=True):
    """A remark on what goes on."""

    message: str


class PatchApplyBegin(_Event, tag="patch_apply_begin", frozen=True, kw_only=True):
    """A verified patch is about to be written."""

    call_id: str
    auto_approved: bool
    changes: dict[str, FileChange]
    """By absolute path."""


class PatchApplyEnd(_Event, tag="patch_apply_end", frozen=True, kw_only=True):
    """A patch was written, or could not be; follows `PatchApplyBegin` of the same `call_id`."""

    call_id: str
    stdout: str
    stderr: str
    success: bool


class TurnDiff(_Event, tag="turn_diff", frozen=True, kw_only=True):
    """Everything the turn's patches changed so far, as one git-style diff."""

    unified_diff: str


class ChangesReverted(_Event, tag="changes_reverted", frozen=True, kw_only=True):
    """The user took changes back; the model is told of it with the next request."""

    files: tuple[str, ...]
    """Below the thread's root."""
    left: tuple[NotReverted, ...] = ()
    """What was left alone, and why."""


class PlanUpdate(_Event, tag="plan_update", frozen=True, kw_only=True):
    """The model's plan, whole."""

    explanation: str | None
    plan: tuple[PlanStep, ...]


class ImageViewed(_Event, tag="view_image_tool_call", frozen=True, kw_only=True):
    """The model looked at a local image."""

    call_id: str
    path: str


class ContextCompacted(_Event, tag="context_compacted", frozen=True, kw_only=True):
    """The history was replaced by a summary."""

    automatic: bool
    tokens_before: int | None = None
    summary: str = ""


class EnteredReviewMode(_Event, tag="entered_review_mode", frozen=True, kw_only=True):
    """A reviewer turn began; `hint` names what is reviewed."""

    hint: str


class ExitedReviewMode(_Event, tag="exited_review_mode", frozen=True, kw_only=True):
    """A reviewer turn ended; `output` is the reviewer's answer as parsed, None when it gave none."""

    output: dict[str, Any] | None = None


class ThreadNameUpdated(_Event, tag="thread_name_updated", frozen=True, kw_only=True):
    """The thread has a new name."""

    name: str


class TurnContextChanged(_Event, tag="turn_context_changed", frozen=True, kw_only=True):
    """The thread's settings changed for later turns."""

    cwd: str
    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    model: str
    effort: Effort | None = None
    summary: Summary | None = None
    """None: told by an agent that does not say."""


class GetHistoryEntryResponse(_Event, tag="get_history_entry_response", frozen=True, kw_only=True):
    """One entry of the message history; None when there is none."""

    offset: int
    log_id: int
    entry: dict[str, Any] | None = None


class McpListToolsResponse(_Event, tag="mcp_list_tools_response", frozen=True, kw_only=True):
    """The MCP tools by qualified name."""

    tools: dict[str, Any]


class ListCustomPromptsResponse(_Event, tag="list_custom_prompts_response", frozen=True, kw_only=True):
    """The user's custom prompts."""

    custom_prompts: tuple[dict[str, Any], ...]


class ListedSkill(msgspec.Struct, frozen=True, kw_only=True):
    """A skill, for completion of `$name`."""

    name: str
    description: str
    path: str
    """Its `SKILL.md`, absolute."""
    scope: str
    """`repo`, `user`, `system` or `admin`."""


class SkillsListed(_Event, tag="skills_listed", frozen=True, kw_only=True):
    """The skills of the thread, and one sentence for each file that cannot be used as one."""

    skills: tuple[ListedSkill, ...]
    problems: tuple[str, ...] = ()


class RulesListed(_Event, tag="rules_listed", frozen=True, kw_only=True):
    """The rules that count for this thread, in the order of their layers."""

    rules: tuple[ListedRule, ...]
    user_file: str
    """Where rules are added."""


class RulesPreviewed(_Event, tag="rules_previewed", frozen=True, kw_only=True):
    """Which of the thread's commands so far the asked-for rules would have let run, as shell lines."""

    prefixes: tuple[tuple[str, ...], ...]
    would_allow: tuple[str, ...]


class ConversationHistory(_Event, tag="conversation_history", frozen=True, kw_only=True):
    """The thread's items as JSON objects."""

    conversation_id: str
    entries: tuple[dict[str, Any], ...]


class ShutdownComplete(_Event, tag="shutdown_complete", frozen=True, kw_only=True):
    """Everything is on disk and the thread's loop ends; the last event."""


ApprovalRequest = ExecApprovalRequest | ApplyPatchApprovalRequest | McpApprovalRequest
"""Everything that waits for a person's decision."""

EventMsg = (
    SessionConfigured
    | Error
    | Warning
    | StreamError
    | TaskStarted
    | TaskComplete
    | TurnAborted
    | UserMessage
    | TokenCount
    | AgentMessage
    | AgentMessageDelta
    | AgentReasoning
    | AgentReasoningDelta
    | AgentReasoningRawContent
    | AgentReasoningRawContentDelta
    | AgentReasoningSectionBreak
    | McpToolCallBegin
    | McpToolCallEnd
    | WebSearchBegin
    | WebSearchEnd
    | ExecCommandBegin
    | ExecCommandOutputDelta
    | ExecCommandEnd
    | TerminalInteraction
    | ExecApprovalRequest
    | ApplyPatchApprovalRequest
    | McpApprovalRequest
    | ElicitationRequest
    | ElicitationResolved
    | ApprovalResolved
    | BackgroundEvent
    | PatchApplyBegin
    | PatchApplyEnd
    | TurnDiff
    | ChangesReverted
    | PlanUpdate
    | ImageViewed
    | ContextCompacted
    | EnteredReviewMode
    | ExitedReviewMode
    | ThreadNameUpdated
    | TurnContextChanged
    | GetHistoryEntryResponse
    | McpListToolsResponse
    | ListCustomPromptsResponse
    | SkillsListed
    | RulesListed
    | RulesPreviewed
    | ConversationHistory
    | ShutdownComplete
)


class Event(msgspec.Struct, frozen=True):
    """An event with the id of the submission it belongs to; `""` before any submission."""

    id: str
    msg: EventMsg


class NumberedEvent(msgspec.Struct, frozen=True):
    """An event with its place in the thread's stream.

    A listener that knows `(boot, n)` asks for what came after; another `boot` means that the agent process
    is a new one and the listener needs a snapshot.
    """

    boot: str
    n: int
    event: Event


@functools.cache  # `codex exec` decodes no event, and this takes 4 ms
def _decoder() -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """One JSON line without its line end, UTF-8: `{"id": …, "msg": {"type": …}}`."""
    return encode_json(event)


def decode_event(line: bytes | str) -> Event | None:
    """The event on one JSON line; None when its kind is one this version does not know.

    Raises:
        msgspec.DecodeError: Not JSON, or a known kind with missing or mistyped fields.
    """
    try:
        return _decoder().decode(line)
    except msgspec.ValidationError:
        kind = msgspec.json.decode(line, type=_Kind).msg.get("type")
        if kind in EVENT_KINDS:
            raise
        return None


class _Kind(msgspec.Struct):
    msg: dict[str, Any]


EVENT_KINDS = frozenset(kind.__struct_config__.tag for kind in EventMsg.__args__)
"""The `type` of every event this version knows."""
