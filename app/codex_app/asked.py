"""What the page may ask over its websocket: one strict vocabulary; anything else is refused with a sentence."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from codex_protocol.errors import UsageError
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxMode, Summary
from codex_protocol.rules import RuleDecision

Short = Annotated[str, Meta(max_length=200)]
_Text = Annotated[str, Meta(max_length=1_000_000)]
_Path = Annotated[str, Meta(max_length=4096)]
_Word = Annotated[str, Meta(max_length=4096)]
Words = Annotated[tuple[_Word, ...], Meta(min_length=1, max_length=100)]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule for commands that begin with these words."""

    prefix: Words
    decision: RuleDecision = "allow"
    justification: Annotated[str, Meta(max_length=1000)] | None = None


class OwnRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule where it stands, as the page was told it."""

    file: _Path
    line: int
    pattern: tuple[Words, ...]


class File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that goes with a message: one that was given to the page, or an image where the agent is."""

    id: Short = ""
    path: _Path = ""


class _Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    ref: int = 0
    """Handed back in the answer."""


class Hello(_Asked, tag="hello", frozen=True, kw_only=True):
    """Show me this thread, from where I was."""

    thread: Short = ""
    """Id of a thread or of a launch; empty: the newest launch."""
    boot: Short = ""
    n: int = 0


class Ack(_Asked, tag="ack", frozen=True, kw_only=True):
    """I have drawn everything up to this batch."""

    n: int


class Send(_Asked, tag="send", frozen=True, kw_only=True):
    """A person's message: begins a turn, or steers the running one."""

    id: Annotated[str, Meta(min_length=8, max_length=64)]
    """Made by the page once per message; one that comes twice is one message."""
    text: _Text
    files: Annotated[tuple[File, ...], Meta(max_length=20)] = ()


class Interrupt(_Asked, tag="interrupt", frozen=True, kw_only=True):
    """Stop the running turn."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was chosen of one part of a patch."""

    file: int
    hunk: int | None = None
    """None: the file as a whole."""
    take: bool = True
    text: _Text | None = None
    note: Annotated[str, Meta(max_length=10_000)] | None = None


class Answer(_Asked, tag="answer", frozen=True, kw_only=True):
    """The answer to a question."""

    id: Short
    decision: Literal["approved", "approved_for_session", "denied", "abort", "accept", "decline", "cancel"]
    parts: tuple[Part, ...] = ()
    """Of a patch."""
    thread: Short = ""
    """Whose question; empty: that of the thread this tab shows."""
    message: _Text = ""
    """With a denial: what the model is told besides."""
    message_id: Short = ""
    """Made by the page once for that message."""
    rules: tuple[Rule, ...] = ()
    """Rules to keep from now on."""
    content: dict[str, str | int | float | bool | tuple[str, ...]] | None = None
    """What was filled in, with `accept` of a form."""


class Review(_Asked, tag="review", frozen=True, kw_only=True):
    """Show me the patch that this question is about, or one file of it."""

    id: Short
    thread: Short = ""
    """Whose question; empty: that of the thread this tab shows."""
    file: int | None = None


class HunkText(_Asked, tag="hunk_text", frozen=True, kw_only=True):
    """What do this hunk's lines become? With `text`: how would it look with that instead?"""

    id: Short
    thread: Short = ""
    file: int
    hunk: int
    text: _Text | None = None


class Unfold(_Asked, tag="unfold", frozen=True, kw_only=True):
    """What stands unchanged before this hunk, or behind it?"""

    id: Short
    thread: Short = ""
    file: int
    hunk: int
    below: bool = False
    shown: Annotated[int, Meta(ge=0)] = 0
    """So many lines of it are shown at this end."""
    other: Annotated[int, Meta(ge=0)] = 0
    """And at its other end."""


class Older(_Asked, tag="older", frozen=True, kw_only=True):
    """What stands before this entry?"""

    before: Short


class Turn(_Asked, tag="turn", frozen=True, kw_only=True):
    """Which entry does this turn begin with?"""

    number: int


class Files(_Asked, tag="files", frozen=True, kw_only=True):
    """Which files of the thread's directory match?"""

    query: Short


class Suggest(_Asked, tag="suggest", frozen=True, kw_only=True):
    """Which prompts and skills are there?"""


class Expand(_Asked, tag="expand", frozen=True, kw_only=True):
    """What text does this prompt stand for?"""

    name: Short
    argument: _Text = ""


class Past(_Asked, tag="past", frozen=True, kw_only=True):
    """What was written before, in all threads?"""


class Fork(_Asked, tag="fork", frozen=True, kw_only=True):
    """Go on in a copy of this thread."""

    thread: Short = ""
    """Which thread; empty: the one this tab shows."""
    before: int | None = None
    """Number of the message of the user's that the copy ends before, to be edited; None: it has all."""
    after: int | None = None
    """Number of the message that the copy ends behind, with the answer to it."""


class Tree(_Asked, tag="tree", frozen=True, kw_only=True):
    """How is this thread related to others by forking?"""


class Node(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A branch, or a message in it."""

    thread: Short
    number: int | None = None
    """As in the tree; None: the branch as it is now."""


class Compare(_Asked, tag="compare", frozen=True, kw_only=True):
    """What had been changed at these two nodes?"""

    nodes: tuple[Node, Node]
    alone: bool = False
    """What each message's turn changed, not what its branch had changed when that ended."""


class ComparedFile(_Asked, tag="compared_file", frozen=True, kw_only=True):
    """Draw this file of what I was shown compared last."""

    side: Annotated[int, Meta(ge=0, le=1)]
    file: int


class Whole(_Asked, tag="whole", frozen=True, kw_only=True):
    """Show me all of this output or patch."""

    id: Short


class Prompts(_Asked, tag="prompts", frozen=True, kw_only=True):
    """What did the user say so far?"""


class Source(_Asked, tag="source", frozen=True, kw_only=True):
    """What is the text that this answer is drawn from?"""

    id: Short


class LogOut(_Asked, tag="log_out", frozen=True, kw_only=True):
    """Forget the login."""


class Leash(_Asked, tag="leash", frozen=True, kw_only=True):
    """Which files instruct the agent, which rules and servers count, and whose account is it?"""


class Running(_Asked, tag="running", frozen=True, kw_only=True):
    """Which commands run on behind the conversation?"""


class EndRunning(_Asked, tag="end_running", frozen=True, kw_only=True):
    """End them."""


class New(_Asked, tag="new", frozen=True, kw_only=True):
    """Open another thread with the flags of the newest launch."""

    directory: _Path = ""
    """Where; empty: in the directory of this tab's thread."""
    demo: bool = False
    """With the demo model."""
    local: Literal["", "ollama", "lmstudio"] = ""
    """With a model of that server on this machine."""
    model: Short = ""


class Threads(_Asked, tag="threads", frozen=True, kw_only=True):
    """Which threads does this filter leave? Empty fields hide nothing."""

    search: Short = ""
    directory: _Path = ""
    source: Short = ""
    archived: bool = False


class Rename(_Asked, tag="rename", frozen=True, kw_only=True):
    """Name a thread."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    thread: Short = ""
    """Empty: the one this tab shows."""


class Archive(_Asked, tag="archive", frozen=True, kw_only=True):
    """Take a thread out of the list, or back into it."""

    thread: Short
    back: bool = False


class Delete(_Asked, tag="delete", frozen=True, kw_only=True):
    """Delete a thread for good; the page has asked whether that is meant."""

    thread: Short


class Setup(_Asked, tag="setup", frozen=True, kw_only=True):
    """What is missing before a first turn?"""


class LogIn(_Asked, tag="log_in", frozen=True, kw_only=True):
    """Keep an API key, or begin a ChatGPT login."""

    key: Annotated[str, Meta(max_length=16_384)] | None = None
    cancel: bool = False


class Trust(_Asked, tag="trust", frozen=True, kw_only=True):
    """Whether the thread's directory is trusted; the thread is opened again."""

    trusted: bool


class Rules(_Asked, tag="rules", frozen=True, kw_only=True):
    """The rules that count, after one was added or taken out."""

    add: Rule | None = None
    remove: OwnRule | None = None


class PreviewRules(_Asked, tag="preview_rules", frozen=True, kw_only=True):
    """Which of the thread's commands would rules that allow these beginnings have let run?"""

    prefixes: tuple[Words, ...]


class ReviewChange(_Asked, tag="review_change", frozen=True, kw_only=True):
    """Have a reviewer look: at what is not committed, or as the words say."""

    prompt: Annotated[str, Meta(max_length=10_000)] = ""


class Compact(_Asked, tag="compact", frozen=True, kw_only=True):
    """Replace the history by a summary of it."""


class Change(_Asked, tag="change", frozen=True, kw_only=True):
    """Settings for later turns; None stays."""

    model: Short | None = None
    effort: Effort | None = None
    summary: Summary | None = None
    approval: ApprovalPolicy | None = None
    sandbox: SandboxMode | None = None


class Search(_Asked, tag="search", frozen=True, kw_only=True):
    """Where do these words stand together, in all threads?"""

    text: Short
    kind: Literal["all", "said", "run", "printed", "patched"] = "all"
    here: bool = False
    """In this thread alone."""


class Find(_Asked, tag="find", frozen=True, kw_only=True):
    """Which entry of this thread is that place?"""

    kind: Short
    turn: int
    line: Annotated[str, Meta(max_length=10_000)]


class Changed(_Asked, tag="changed", frozen=True, kw_only=True):
    """What changed?"""

    scope: Annotated[str, Meta(pattern="^(thread|uncommitted|[0-9]{1,6})$")] = "thread"
    """The whole thread; what is not committed; or a turn: 0 for the newest, else its number."""


class ChangedFile(_Asked, tag="changed_file", frozen=True, kw_only=True):
    """Draw this file of what I was shown last."""

    file: int


class TakeBack(_Asked, tag="take_back", frozen=True, kw_only=True):
    """Make this file of what I was shown last, or one hunk of it, as it was."""

    file: int
    hunk: int | None = None


Request = (
    Hello
    | Send
    | Interrupt
    | Answer
    | Review
    | HunkText
    | Unfold
    | Older
    | Turn
    | Files
    | Suggest
    | Expand
    | Past
    | Fork
    | Tree
    | Compare
    | ComparedFile
    | Whole
    | Prompts
    | Source
    | Leash
    | LogOut
    | Running
    | EndRunning
    | ReviewChange
    | New
    | Threads
    | Rename
    | Archive
    | Delete
    | Setup
    | LogIn
    | Trust
    | Rules
    | PreviewRules
    | Compact
    | Change
    | Search
    | Find
    | Changed
    | ChangedFile
    | TakeBack
)
"""What is worked on in its order, and answered."""
Asked = Ack | Request
_decoder = msgspec.json.Decoder(Asked)


def decode(message: str | bytes) -> Asked:
    """What a message asks.

    Raises:
        UsageError: It is none of the vocabulary.
    """
    try:
        return _decoder.decode(message)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise UsageError(f"the page sent something that is not understood: {error}") from error
