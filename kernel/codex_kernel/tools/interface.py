"""What a tool is: a name, a specification for the model, and a coroutine from a call to its output.

What the model can mend (bad arguments, a missing file, a failing command) is returned to it; what it cannot is raised
and ends the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from codex_protocol.events import EventMsg
from codex_protocol.file_changes import FileChange
from codex_protocol.items import ContentPart, ToolCallItem
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, SandboxPolicy

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.model.interface import ToolSpec
    from codex_kernel.patch.turn_diff import TurnDiff
    from codex_kernel.patch.verify import FileEdit
    from codex_kernel.policy.decide_mcp import McpQuestion
    from codex_kernel.policy.interface import Ask, CommandQuestion, Decision, PatchQuestion
    from codex_kernel.sandbox.interface import Sandbox
    from codex_kernel.tools.sessions import CommandSessions
    from codex_protocol.review import HunkChoice

Emit = Callable[[EventMsg], None]
_T = TypeVar("_T")


class ToolOutput(msgspec.Struct, frozen=True):
    """What a call came to."""

    content: str | tuple[ContentPart, ...]
    """What the model reads."""
    success: bool = True
    after: tuple[EventMsg, ...] = ()
    """Events that tell of the end; they leave once the output is on disk."""
    later: Callable[[], EventMsg | None] | None = None
    """Makes an event nobody waits for; called when the next request is on its way, or at the end of the turn."""


class Answered(msgspec.Struct, frozen=True):
    """A person's answer."""

    decision: ReviewDecision
    choices: tuple[HunkChoice, ...] = ()
    """Of a patch: what was said of its parts."""


class Approver(Protocol):
    """Asks a person, or records that nobody could be asked."""

    @property
    def can_ask(self) -> bool:
        """Whether anybody can answer; if not, every answer is `DENIED`, at once."""
        ...

    async def command(self, *, call_id: str, argv: tuple[str, ...], cwd: Path, ask: Ask, digest: str) -> ReviewDecision:
        """The answer for a command; `DENIED` at once where nobody can answer. `ABORT` also ends the turn."""
        ...

    async def patch(self, *, call_id: str, changes: dict[str, FileChange], reason: str | None, digest: str) -> Answered:
        """The answer for a patch, likewise."""
        ...

    async def mcp(
        self, *, call_id: str, server: str, tool: str, arguments: Any, reason: str | None, digest: str
    ) -> ReviewDecision:
        """The answer for a call to an MCP server, likewise."""
        ...


class Judge(Protocol):
    """The one decision function, with what the thread and the machine bring to it already filled in."""

    async def command(self, question: CommandQuestion) -> Decision:
        """Whether the command may run, and how."""
        ...

    async def patch(self, question: PatchQuestion) -> Decision:
        """Whether the files may be changed."""
        ...

    async def mcp(self, question: McpQuestion) -> Decision:
        """Whether an MCP server's tool may be called."""
        ...

    def consent(self) -> None:
        """The user accepted this machine's weaker confinement; remembered for the user and the machine."""
        ...


class ToolContext(msgspec.Struct, kw_only=True):
    """What one call may use. Made anew for each call."""

    call_id: str
    config: Config
    cwd: Path
    """The turn's directory."""
    approval_policy: ApprovalPolicy
    sandbox_policy: SandboxPolicy
    emit: Emit
    """Reports an event at once; must not be used for the end of the call (see `ToolOutput.after`)."""
    sandbox: Sandbox
    judge: Judge
    approver: Approver
    sessions: CommandSessions
    turn_diff: TurnDiff
    around_patch: Callable[[Sequence[FileEdit]], AbstractAsyncContextManager[None]]
    """A patch that makes these edits is written in here: how the files were is kept first."""
    environment: dict[str, str]
    """What commands see, the policy applied."""
    made_here: set[str]
    """Absolute paths of files this thread's patches made; tools add to it."""
    interrupted: ToolOutput | None = None
    """Set by a tool that is being cancelled: what the model reads instead of "aborted"."""


class Tool(Protocol):
    """One tool. Instances hold no state of a call."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it answers to, also where another is offered."""
        ...

    @property
    def parallel(self) -> bool:
        """Whether it may run beside other parallel calls of the same response."""
        ...

    def spec(self, offer: Offer) -> ToolSpec | None:
        """What the model is told; None when it is not offered."""
        ...

    async def run(self, call: ToolCallItem, context: ToolContext) -> ToolOutput:
        """The call's output.

        Raises:
            SandboxError: Commands cannot be started at all.
            asyncio.CancelledError: The turn was interrupted; everything the call started has ended.
        """
        ...


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What decides which tools a model is offered."""

    config: Config
    freeform: bool
    """The provider takes freeform tools (Responses)."""
    local_shell: bool
    """The model has the built-in shell tool."""
    apply_patch: str
    """`freeform`, `function` or `none`."""
    confinable: bool
    """Commands can be confined on this machine, or need not be."""


class BadArguments(Exception):
    """A call's arguments do not fit; the message is what the model is told."""


def decode_arguments(text: str, kind: type[_T]) -> _T:
    """A function call's arguments.

    Raises:
        BadArguments: Not JSON, or it does not fit `kind`; names the field.
    """
    try:
        return msgspec.json.decode(text or "{}", type=kind)
    except msgspec.DecodeError as error:
        raise BadArguments(f"failed to parse function arguments: {error}") from error


def object_schema(properties: dict[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """The JSON Schema of an argument object without other fields."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
