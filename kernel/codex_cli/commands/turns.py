"""Commands that have the agent work without the page: `exec`, `review`, `proto`."""

from __future__ import annotations

from codex_cli.commands.shared import (
    ADD_DIR,
    APPROVAL,
    APPROVAL_POLICIES,
    BYPASS,
    BYPASS_HOOKS,
    CONFIG,
    DEMO,
    DIRECTORY,
    DISABLE,
    ENABLE,
    FULL_AUTO,
    IGNORE_CONFIG,
    IGNORE_RULES,
    IMAGE,
    LOCAL,
    MODEL,
    OSS,
    PROFILE,
    SANDBOX,
    SEARCH,
    STRICT,
    TRUST,
    goes_on,
)
from codex_cli.options import Command, Option

_EXEC_OPTIONS = (
    CONFIG,
    MODEL,
    PROFILE,
    SANDBOX,
    DIRECTORY,
    ADD_DIR,
    IMAGE,
    Option("--json", aliases=("--experimental-json",), help="Print events as JSON lines on stdout"),
    Option(
        "-o",
        "--output-last-message",
        metavar="FILE",
        completes="file",
        help="Also write the last answer to this file",
    ),
    Option(
        "--output-schema", metavar="FILE", completes="file", help="JSON Schema file that the last answer has to follow"
    ),
    Option("--color", metavar="WHEN", choices=("auto", "always", "never"), help="Colour the text for people"),
    Option("--ephemeral", help="Keep no record of the thread"),
    Option("--skip-git-repo-check", help="Run outside a git repository and outside trusted directories"),
    FULL_AUTO,
    BYPASS,
    TRUST,
    STRICT,
    IGNORE_CONFIG,
    IGNORE_RULES,
    ENABLE,
    DISABLE,
    BYPASS_HOOKS,
    OSS,
    LOCAL,
    SEARCH,
    DEMO,
    # Taken because scripts and the official SDKs send them; `exec` never asks, and keeps no source of a thread.
    Option("-a", "--ask-for-approval", metavar="POLICY", choices=APPROVAL_POLICIES, help=""),
    Option("--thread-source", metavar="SOURCE", help=""),
)


_REVIEW_OPTIONS = (
    Option("--uncommitted", help="Review what is not committed yet"),
    Option("--base", metavar="BRANCH", help="Review what this branch lacks"),
    Option("--commit", metavar="SHA", help="Review one commit"),
    Option("--title", metavar="TITLE", help="What the commit is about, for the reviewer"),
)
_REVIEW_DETAILS = (
    "Give one of --uncommitted, --base, --commit, or a prompt that says what to review ('-' reads it from stdin)."
)

_WITH_LAST = "With --last, the first word is the prompt."

EXEC = Command(
    "exec",
    "Run one prompt without questions and print the answer",
    aliases=("e",),
    options=_EXEC_OPTIONS,
    arguments=("[PROMPT]",),
    subcommands=(
        goes_on("resume", "Go on with an earlier thread", _WITH_LAST),
        goes_on("fork", "Go on from an earlier thread's end in a new thread", _WITH_LAST),
        Command(
            "review",
            "Have a change reviewed",
            options=_REVIEW_OPTIONS,
            arguments=("[PROMPT]",),
            inherits=True,
            details=_REVIEW_DETAILS,
        ),
    ),
    details=(
        "The answer goes to stdout, everything else to stderr. Without PROMPT, or with '-', the prompt is read from "
        "stdin; what is piped in beside a prompt is added to it.\n\n"
        "Exit codes: 0 done, 1 the turn or its set-up failed, 2 wrong usage, 130 interrupted, 143 terminated."
    ),
)

REVIEW = Command(
    "review",
    "Have a change reviewed (same as 'codex exec review')",
    options=(*_EXEC_OPTIONS, *_REVIEW_OPTIONS),
    arguments=("[PROMPT]",),
    details=_REVIEW_DETAILS,
)

PROTO = Command(
    "proto",
    "Speak the agent's own protocol: ops and events as JSON lines on stdin and stdout",
    aliases=("p",),
    options=(
        CONFIG,
        MODEL,
        PROFILE,
        SANDBOX,
        APPROVAL,
        DIRECTORY,
        ADD_DIR,
        FULL_AUTO,
        BYPASS,
        OSS,
        DEMO,
    ),
)
