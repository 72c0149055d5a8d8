"""`codex login`, `codex login status` and `codex logout`: from the command line to the login's own functions."""

from __future__ import annotations

import os
import sys

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.auth.login import LoginKind, read_key, run_login, run_logout, run_status
from codex_kernel.config.directory import current_directory
from codex_kernel.config.load import load_config
from codex_store.home import find_home


def run_login_command(parsed: Parsed) -> int:
    """The exit code; everything said goes to stderr.

    Raises:
        CommandLineError: More than one way to log in.
        CodexError: The settings cannot be read, or no key was piped in.
    """
    configure_logging(os.environ)
    ways = [name for name in ("api_key", "with_api_key", "device_auth") if name in parsed.values]
    if len(ways) > 1:
        names = " and ".join("--" + name.replace("_", "-") for name in ways)
        raise CommandLineError(f"{names} contradict each other", parsed.chain)
    config = load_config(home=find_home(), cwd=current_directory(), overrides=parsed.many("config"))
    if parsed.path == ("logout",):
        return run_logout(config, _say)
    if parsed.path[-1] == "status":
        return run_status(config, _say)
    key = read_key(sys.stdin.buffer) if parsed.flag("with_api_key") else parsed.one("api_key")
    return run_login(config, LoginKind(api_key=key, device=parsed.flag("device_auth")), _say)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
