"""What the agent's commands may do: rules, hooks, and the sandbox itself."""

from __future__ import annotations

from codex_cli.commands.shared import ADD_DIR, CONFIG, DIRECTORY, JSON, SANDBOX, runs_program
from codex_cli.options import Command, Option

RULES = Command(
    "rules",
    "Rules for commands: what runs unasked, asks, or is forbidden",
    subcommands=(
        Command("list", "List the rules that count here", options=(CONFIG, DIRECTORY, JSON)),
        Command(
            "add",
            "Add a rule to your own rules",
            options=(
                CONFIG,
                DIRECTORY,
                Option(
                    "--decision",
                    metavar="DECISION",
                    choices=("allow", "prompt", "forbidden"),
                    help="What happens with such commands (default: allow, also outside the sandbox)",
                ),
                Option("--justification", metavar="TEXT", help="Why, shown where the rule speaks"),
                JSON,
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
                DIRECTORY,
                Option("--at", metavar="FILE:LINE", help="The rule that begins there"),
                JSON,
            ),
            arguments=("[WORD]...",),
            rest=True,
        ),
    ),
    details="Your own rules stand in rules/*.rules of your settings folder, a trusted project's in its .codex/rules.",
)

EXECPOLICY = Command(
    "execpolicy",
    "Try rules files out",
    subcommands=(
        runs_program(
            "check",
            "Say as JSON what rules files make of a command",
            Option("-r", "--rules", metavar="FILE", repeat=True, completes="file", help="A rules file"),
            Option("--pretty", help="Indent the JSON"),
            Option(
                "--resolve-host-executables",
                help="Rules for a bare name also count for absolute paths, as when commands run",
            ),
        ),
    ),
)

_ALLHOOKS = Option("--all", help="All that are configured here")
HOOKS = Command(
    "hooks",
    "Programs of yours that run around turns and tool calls",
    subcommands=(
        Command("list", "List the hooks configured here and whether they may run", options=(CONFIG, DIRECTORY, JSON)),
        Command(
            "trust",
            "Let hooks run as they are now",
            options=(CONFIG, DIRECTORY, _ALLHOOKS),
            arguments=("[NUMBER]...",),
            details="A hook runs outside the sandbox. Trust is bound to its definition and to the files its command "
            "names; when one of them changes, it does not run until it is trusted again.",
        ),
        Command(
            "untrust", "Let hooks run no longer", options=(CONFIG, DIRECTORY, _ALLHOOKS), arguments=("[NUMBER]...",)
        ),
    ),
)

_DEBUG_OPTIONS = (CONFIG, Option("--full-auto", help="The command may write in the current directory"))

SANDBOX_COMMAND = Command(
    "sandbox",
    "Run a command in the sandbox, as the model's commands are run",
    options=(
        CONFIG,
        SANDBOX,
        DIRECTORY,
        ADD_DIR,
        Option("--full-auto", help="Short for -s workspace-write"),
        Option("--network", help="Let the command use the network (with -s workspace-write)"),
        Option("--explain", help="Say what the command may touch and how it is confined, without running it"),
    ),
    arguments=("[COMMAND]", "[ARGUMENT]..."),
    rest=True,
    details="From the first word on everything belongs to the command. Its exit code is ours; 128 + N when "
    "signal N ended it.",
)

DEBUG = Command(
    "debug",
    "Run a command in the sandbox by one platform's name",
    subcommands=(
        runs_program("landlock", "Run a command in the Linux sandbox", *_DEBUG_OPTIONS),
        runs_program("seatbelt", "Run a command in the macOS sandbox", *_DEBUG_OPTIONS),
    ),
)
