"""Commands about this installation: login, kernelspec, completion, help."""

from __future__ import annotations

from codex_cli.commands.shared import CONFIG
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
