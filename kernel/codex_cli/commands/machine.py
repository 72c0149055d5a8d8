"""Commands about this installation: login, kernelspec, completion, help."""

from __future__ import annotations

from codex_cli.commands.shared import CONFIG, DEMO, DIRECTORY, JSON, MODEL, OSS, PROFILE
from codex_cli.options import Command, Option

LOGIN = Command(
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
)
LOGOUT = Command("logout", "Forget the login", options=(CONFIG,))

KERNEL = Command(
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
                Option("--fork", help="Kernels come from a fork server: faster, for a Jupyter of this environment"),
            ),
        ),
    ),
)

SHELLS = ("bash", "zsh", "fish")
COMPLETION = Command(
    "completion",
    "Print a completion script for a shell",
    arguments=("[SHELL]",),
    details="SHELL is bash (the default), zsh or fish. In bash: source <(codex completion bash)",
)
HELP = Command("help", "Print help for a command", arguments=("[COMMAND]...",))

FEATURES = Command(
    "features",
    "Switches of single features",
    subcommands=(
        Command("list", "List the features there are and whether they are on", options=(CONFIG, JSON)),
        Command("enable", "Switch a feature on in your config.toml", arguments=("FEATURE",)),
        Command("disable", "Switch a feature off in your config.toml", arguments=("FEATURE",)),
    ),
    details="For one run: codex exec --enable FEATURE or --disable FEATURE.",
)
DOCTOR = Command(
    "doctor",
    "Check settings, login, network, sandbox and installation, and say what to do",
    options=(
        CONFIG,
        MODEL,
        PROFILE,
        DIRECTORY,
        OSS,
        DEMO,
        JSON,
        Option("--offline", help="Do not ask the provider whether it answers"),
    ),
    details="No secret is printed and no credential is sent.\n\nExit codes: 0 no problem, 1 a problem, 2 wrong usage.",
)
