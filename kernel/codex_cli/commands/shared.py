"""Options that several commands take, and the shapes that several commands have."""

from __future__ import annotations

from codex_cli.options import Command, Option

SANDBOX_MODES = ("read-only", "workspace-write", "danger-full-access")
APPROVAL_POLICIES = ("untrusted", "on-failure", "on-request", "never")

CONFIG = Option(
    "-c",
    "--config",
    metavar="KEY=VALUE",
    repeat=True,
    help="Set a config key for this run, as TOML: -c model='\"o3\"' or -c tools.web_search=live",
)
MODEL = Option("-m", "--model", metavar="MODEL", help="Model to ask")
PROFILE = Option("-p", "--profile", metavar="NAME", help="Profile of config.toml to use")
SANDBOX = Option("-s", "--sandbox", metavar="MODE", choices=SANDBOX_MODES, help="What commands of the model may touch")
DIRECTORY = Option("-C", "--cd", metavar="DIR", completes="dir", help="Work in this directory")
ADD_DIR = Option(
    "--add-dir", metavar="DIR", repeat=True, completes="dir", help="A further directory that may be written"
)
IMAGE = Option(
    "-i",
    "--image",
    metavar="FILE",
    repeat=True,
    completes="file",
    help="Attach an image; one file, or several with commas between them",
)
OSS = Option("--oss", help="Ask a model on this machine (Ollama or LM Studio)")
SEARCH = Option("--search", help="Let the model search the web")
FULL_AUTO = Option("--full-auto", help="Write in the workspace without asking (-s workspace-write)")
BYPASS = Option(
    "--dangerously-bypass-approvals-and-sandbox",
    aliases=("--yolo",),
    help="No sandbox and no questions; only where the machine itself is disposable",
)
APPROVAL = Option(
    "-a",
    "--ask-for-approval",
    metavar="POLICY",
    choices=APPROVAL_POLICIES,
    help="When to ask before a command runs",
)
TRUST = Option("--trust", help="Trust this project: its config, rules and skills count, as they are now")
STRICT = Option("--strict-config", help="Refuse config keys that are not known, instead of a warning")
LOCAL = Option(
    "--local-provider",
    metavar="NAME",
    choices=("ollama", "lmstudio"),
    help="With --oss: which program serves the model",
)
ENABLE = Option("--enable", metavar="FEATURE", repeat=True, help="Switch a feature on for this run")
DISABLE = Option("--disable", metavar="FEATURE", repeat=True, help="Switch a feature off for this run")
IGNORE_CONFIG = Option("--ignore-user-config", help="Read neither config.toml nor profiles; trust still counts")
IGNORE_RULES = Option("--ignore-rules", help="Read no command rules")
BYPASS_HOOKS = Option("--dangerously-bypass-hook-trust", help="Run hooks that nobody has looked at")
DEMO = Option("--demo", help="Use the built-in demo model: works offline, without a key")
JSON = Option("--json", help="Print JSON")
LAST = Option("--last", help="The newest thread of this directory")
ALL = Option("--all", help="With --last: of any directory")

WHICH = "A thread is named by its id, the beginning of its id, or its name; 'codex threads' lists them."
"""Stands at the end of what a command over threads says of itself."""


def goes_on(name: str, summary: str, details: str) -> Command:
    """A command that goes on from an earlier thread; it takes its parent's options too."""
    return Command(
        name, summary, options=(LAST, ALL), arguments=("[ID|NAME]", "[PROMPT]"), inherits=True, details=details
    )


def over_threads(name: str, summary: str, *options: Option) -> Command:
    """A command that does the same to each thread it names."""
    return Command(name, summary, options=options, arguments=("ID|NAME...",), details=WHICH)


def runs_program(name: str, summary: str, *options: Option) -> Command:
    """A command whose words, from the first one on, are another program and its arguments."""
    return Command(name, summary, options=options, arguments=("COMMAND", "[ARGUMENT]..."), rest=True)
