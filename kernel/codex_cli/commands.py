"""The table of every command and option: what the parser takes, help prints and shells complete."""

from __future__ import annotations

from codex_cli.options import Command, Option

SHELLS = ("bash", "zsh", "fish")
SANDBOX_MODES = ("read-only", "workspace-write", "danger-full-access")
APPROVAL_POLICIES = ("untrusted", "on-failure", "on-request", "never")

CONFIG = Option(
    "-c",
    "--config",
    metavar="KEY=VALUE",
    repeat=True,
    help="Set a config key for this run, as TOML: -c model='\"o3\"' or -c tools.web_search=live",
)
_MODEL = Option("-m", "--model", metavar="MODEL", help="Model to ask")
_PROFILE = Option("-p", "--profile", metavar="NAME", help="Profile of config.toml to use")
_SANDBOX = Option("-s", "--sandbox", metavar="MODE", choices=SANDBOX_MODES, help="What commands of the model may touch")
_DIRECTORY = Option("-C", "--cd", metavar="DIR", completes="dir", help="Work in this directory")
_ADD_DIR = Option(
    "--add-dir", metavar="DIR", repeat=True, completes="dir", help="A further directory that may be written"
)
_IMAGE = Option(
    "-i",
    "--image",
    metavar="FILE",
    repeat=True,
    completes="file",
    help="Attach an image; one file, or several with commas between them",
)
_OSS = Option("--oss", help="Ask a model on this machine (Ollama or LM Studio)")
_SEARCH = Option("--search", help="Let the model search the web")
_FULL_AUTO = Option("--full-auto", help="Write in the workspace without asking (-s workspace-write)")
_BYPASS = Option(
    "--dangerously-bypass-approvals-and-sandbox",
    aliases=("--yolo",),
    help="No sandbox and no questions; only where the machine itself is disposable",
)
_APPROVAL = Option(
    "-a",
    "--ask-for-approval",
    metavar="POLICY",
    choices=APPROVAL_POLICIES,
    help="When to ask before a command runs",
)
_TRUST = Option("--trust", help="Remember this project as trusted: its config, hooks and rules then count")
_STRICT = Option("--strict-config", help="Refuse config keys that are not known, instead of a warning")
_LOCAL = Option(
    "--local-provider",
    metavar="NAME",
    choices=("ollama", "lmstudio"),
    help="With --oss: which program serves the model",
)
_ENABLE = Option("--enable", metavar="FEATURE", repeat=True, help="Switch a feature on for this run")
_DISABLE = Option("--disable", metavar="FEATURE", repeat=True, help="Switch a feature off for this run")
_IGNORE_CONFIG = Option("--ignore-user-config", help="Read neither config.toml nor profiles; trust still counts")
_IGNORE_RULES = Option("--ignore-rules", help="Read no command rules")
_BYPASS_HOOKS = Option("--dangerously-bypass-hook-trust", help="Run hooks that nobody has looked at")
_DEMO = Option("--demo", help="Use the built-in demo model: works offline, without a key")

_EXEC_OPTIONS = (
    CONFIG,
    _MODEL,
    _PROFILE,
    _SANDBOX,
    _DIRECTORY,
    _ADD_DIR,
    _IMAGE,
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
    _FULL_AUTO,
    _BYPASS,
    _TRUST,
    _STRICT,
    _IGNORE_CONFIG,
    _IGNORE_RULES,
    _ENABLE,
    _DISABLE,
    _BYPASS_HOOKS,
    _OSS,
    _LOCAL,
    _SEARCH,
    _DEMO,
    # Taken because scripts and the official SDKs send them; `exec` never asks, and keeps no source of a thread.
    Option("-a", "--ask-for-approval", metavar="POLICY", choices=APPROVAL_POLICIES, help=""),
    Option("--thread-source", metavar="SOURCE", help=""),
)

_LAST = Option("--last", help="The newest thread of this directory")
_ALL = Option("--all", help="With --last: of any directory")

_REVIEW_OPTIONS = (
    Option("--uncommitted", help="Review what is not committed yet"),
    Option("--base", metavar="BRANCH", help="Review what this branch lacks"),
    Option("--commit", metavar="SHA", help="Review one commit"),
    Option("--title", metavar="TITLE", help="What the commit is about, for the reviewer"),
)
_REVIEW_DETAILS = (
    "Give one of --uncommitted, --base, --commit, or a prompt that says what to review ('-' reads it from stdin)."
)

_EXEC = Command(
    "exec",
    "Run one prompt without questions and print the answer",
    aliases=("e",),
    options=_EXEC_OPTIONS,
    arguments=("[PROMPT]",),
    subcommands=(
        Command(
            "resume",
            "Go on with an earlier thread",
            options=(_LAST, _ALL),
            arguments=("[ID|NAME]", "[PROMPT]"),
            inherits=True,
            details="With --last, the first word is the prompt.",
        ),
        Command(
            "fork",
            "Go on from an earlier thread's end in a new thread",
            options=(_LAST, _ALL),
            arguments=("[ID|NAME]", "[PROMPT]"),
            inherits=True,
            details="With --last, the first word is the prompt.",
        ),
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

_SANDBOX_COMMAND_OPTIONS = (
    CONFIG,
    _SANDBOX,
    _DIRECTORY,
    _ADD_DIR,
    Option("--full-auto", help="Short for -s workspace-write"),
    Option("--network", help="Let the command use the network (with -s workspace-write)"),
    Option("--explain", help="Say what the command may touch and how it is confined, without running it"),
)

_DEBUG_OPTIONS = (CONFIG, Option("--full-auto", help="The command may write in the current directory"))


_JSON = Option("--json", help="Print JSON")
_MCP = Command(
    "mcp",
    "Serve the agent to MCP clients on stdio; or manage the MCP servers it may use",
    options=(CONFIG, _DEMO),
    subcommands=(
        Command("list", "List the configured MCP servers", options=(CONFIG, _JSON)),
        Command("get", "Show one configured MCP server", options=(CONFIG, _JSON), arguments=("NAME",)),
        Command(
            "add",
            "Add an MCP server to your config.toml, or replace the one of that name",
            options=(
                CONFIG,
                Option("--env", metavar="KEY=VALUE", repeat=True, help="A variable the server's program gets"),
                Option("--url", metavar="URL", help="Address of a streamable HTTP server, instead of a command"),
                Option(
                    "--bearer-token-env-var", metavar="NAME", help="Variable that holds the HTTP server's bearer token"
                ),
            ),
            arguments=("NAME", "[COMMAND]..."),
            details="The server's program and its arguments stand after '--': "
            "codex mcp add files -- npx -y @modelcontextprotocol/server-filesystem .",
        ),
        Command("remove", "Remove an MCP server from your config.toml", options=(CONFIG,), arguments=("NAME",)),
        Command(
            "login",
            "Log in to an HTTP server in the browser",
            options=(CONFIG, Option("--scopes", metavar="LIST", help="What to ask for, with commas between")),
            arguments=("NAME",),
        ),
        Command("logout", "Forget the login to an HTTP server", options=(CONFIG,), arguments=("NAME",)),
    ),
    details="Without a subcommand: an MCP server with the tools 'codex' and 'codex-reply', until its stdin ends.",
)


_RULES = Command(
    "rules",
    "Rules for commands: what runs unasked, asks, or is forbidden",
    subcommands=(
        Command("list", "List the rules that count here", options=(CONFIG, _DIRECTORY, _JSON)),
        Command(
            "add",
            "Add a rule to your own rules",
            options=(
                CONFIG,
                _DIRECTORY,
                Option(
                    "--decision",
                    metavar="DECISION",
                    choices=("allow", "prompt", "forbidden"),
                    help="What happens with such commands (default: allow, also outside the sandbox)",
                ),
                Option("--justification", metavar="TEXT", help="Why, shown where the rule speaks"),
                _JSON,
            ),
            arguments=("WORD...",),
            rest=True,
            details="WORD... is how the commands begin. Options of this command stand before the first word.",
        ),
        Command(
            "remove",
            "Remove a rule from your own rules",
            options=(
                CONFIG,
                _DIRECTORY,
                Option("--at", metavar="FILE:LINE", help="The rule that begins there"),
                _JSON,
            ),
            arguments=("[WORD]...",),
            rest=True,
        ),
    ),
    details="Your own rules stand in rules/*.rules of your settings folder, a trusted project's in its .codex/rules.",
)

_EXECPOLICY = Command(
    "execpolicy",
    "Try rules files out",
    subcommands=(
        Command(
            "check",
            "Say as JSON what rules files make of a command",
            options=(
                Option("-r", "--rules", metavar="FILE", repeat=True, completes="file", help="A rules file"),
                Option("--pretty", help="Indent the JSON"),
                Option(
                    "--resolve-host-executables",
                    help="Rules for a bare name also count for absolute paths, as when commands run",
                ),
            ),
            arguments=("COMMAND", "[ARGUMENT]..."),
            rest=True,
        ),
    ),
)

_ALL_HOOKS = Option("--all", help="All that are configured here")
_HOOKS = Command(
    "hooks",
    "Programs of yours that run around turns and tool calls",
    subcommands=(
        Command("list", "List the hooks configured here and whether they may run", options=(CONFIG, _DIRECTORY, _JSON)),
        Command(
            "trust",
            "Let hooks run as they are now",
            options=(CONFIG, _DIRECTORY, _ALL_HOOKS),
            arguments=("[NUMBER]...",),
            details="A hook runs outside the sandbox. Trust is bound to its definition and to the files its command "
            "names; when one of them changes, it does not run until it is trusted again.",
        ),
        Command(
            "untrust", "Let hooks run no longer", options=(CONFIG, _DIRECTORY, _ALL_HOOKS), arguments=("[NUMBER]...",)
        ),
    ),
)


def _later(name: str, what: str, *aliases: str) -> Command:
    return Command(name, "", aliases=aliases, later=f"'codex {name}' ({what}) is not part of this release yet")


ROOT = Command(
    "codex",
    "A coding agent that works in your repository",
    options=(
        CONFIG,
        _MODEL,
        _PROFILE,
        _SANDBOX,
        _APPROVAL,
        _DIRECTORY,
        _ADD_DIR,
        _IMAGE,
        _FULL_AUTO,
        _BYPASS,
        _TRUST,
        _STRICT,
        _OSS,
        _SEARCH,
        _DEMO,
        Option("--port", metavar="N", help="Serve the page on this port of 127.0.0.1"),
        Option("--no-browser", help="Open no browser; only print the link"),
    ),
    arguments=("[PROMPT]",),
    subcommands=(
        _EXEC,
        Command(
            "review",
            "Have a change reviewed (same as 'codex exec review')",
            options=(*_EXEC_OPTIONS, *_REVIEW_OPTIONS),
            arguments=("[PROMPT]",),
            details=_REVIEW_DETAILS,
        ),
        Command(
            "proto",
            "Speak the agent's own protocol: ops and events as JSON lines on stdin and stdout",
            aliases=("p",),
            options=(
                CONFIG,
                _MODEL,
                _PROFILE,
                _SANDBOX,
                _APPROVAL,
                _DIRECTORY,
                _ADD_DIR,
                _FULL_AUTO,
                _BYPASS,
                _OSS,
                _DEMO,
            ),
        ),
        Command(
            "login",
            "Log in: with ChatGPT in the browser, or with an API key",
            options=(
                CONFIG,
                Option("--api-key", metavar="KEY", help="Log in with this key (better: --with-api-key)"),
                Option("--with-api-key", help="Log in with the key read from stdin"),
                Option("--device-auth", help="Log in with a code typed on another device"),
            ),
            arguments=(),
            subcommands=(Command("status", "Say how you are logged in", options=(CONFIG,)),),
        ),
        Command("logout", "Forget the login", options=(CONFIG,)),
        Command(
            "sandbox",
            "Run a command in the sandbox, as the model's commands are run",
            options=_SANDBOX_COMMAND_OPTIONS,
            arguments=("[COMMAND]", "[ARGUMENT]..."),
            rest=True,
            details="From the first word on everything belongs to the command. Its exit code is ours; 128 + N when "
            "signal N ended it.",
        ),
        Command(
            "debug",
            "Run a command in the sandbox by one platform's name",
            subcommands=(
                Command(
                    "landlock",
                    "Run a command in the Linux sandbox",
                    options=_DEBUG_OPTIONS,
                    arguments=("COMMAND", "[ARGUMENT]..."),
                    rest=True,
                ),
                Command(
                    "seatbelt",
                    "Run a command in the macOS sandbox",
                    options=_DEBUG_OPTIONS,
                    arguments=("COMMAND", "[ARGUMENT]..."),
                    rest=True,
                ),
            ),
        ),
        _RULES,
        _EXECPOLICY,
        _HOOKS,
        Command(
            "completion",
            "Print a completion script for a shell",
            arguments=("[SHELL]",),
            details="SHELL is bash (the default), zsh or fish. In bash: source <(codex completion bash)",
        ),
        Command("help", "Print help for a command", arguments=("[COMMAND]...",)),
        _MCP,
        Command("mcp-server", "Same as 'codex mcp'", options=(CONFIG, _DEMO)),
        Command(
            "threads",
            "List the threads that run and the stored ones",
            options=(
                Option("--json", help="Print each thread as a JSON object on a line of its own"),
                Option("--archived", help="The archived ones instead"),
                Option("--all", help="All of them, not the newest 50"),
                Option("--limit", metavar="N", help="At most so many"),
            ),
            arguments=("[WORDS]",),
            details="With WORDS, only threads in which every word was said, or stands in the name or directory.",
        ),
        _later("archive", "archiving a thread"),
        _later("unarchive", "bringing an archived thread back"),
        _later("delete", "deleting a thread"),
        _later("resume", "opening an earlier thread in the page; 'codex exec resume' works"),
        _later("fork", "forking a thread in the page; 'codex exec fork' works"),
        Command(
            "kernel",
            "Use the agent from Jupyter",
            subcommands=(
                Command(
                    "install",
                    "Write the kernelspec by which Jupyter finds the agent",
                    options=(
                        Option("--user", help="For this user (the default)"),
                        Option("--sys-prefix", help="Into the environment this codex runs in"),
                        Option("--prefix", metavar="DIR", completes="dir", help="Into the environment in DIR"),
                        Option(
                            "--fork", help="Kernels come from a fork server: faster, for a Jupyter of this environment"
                        ),
                    ),
                ),
            ),
        ),
        _later("search", "searching threads and files"),
        _later("export", "exporting threads"),
        _later("features", "listing features"),
        _later("doctor", "checking the installation"),
        _later("queue", "sending to a running thread"),
        _later("app-server", "the server for editors"),
        _later("apply", "applying a cloud task's diff", "a"),
    ),
)
