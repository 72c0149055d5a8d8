"""`codex hooks list|trust|untrust`: which hooks are configured in a directory, and which of them may run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_cli.rules_command import say
from codex_kernel.config.directory import current_directory
from codex_kernel.config.load import Flags, load_config
from codex_kernel.hooks.definitions import configured
from codex_kernel.hooks.trust import Trust, forget_trust, record_trust
from codex_protocol.errors import ConfigError
from codex_store.home import Home, find_home

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.hooks.definitions import Handler


def run_hooks_command(parsed: Parsed) -> int:
    """The exit code.

    Raises:
        CommandLineError: Neither hooks nor --all were named.
        ConfigError: There is no such hook, or the settings cannot be changed.
    """
    configure_logging(os.environ)
    home = find_home()
    given = parsed.one("cd")
    config = load_config(
        home=home,
        cwd=current_directory(given),
        overrides=parsed.many("config"),
        flags=Flags(cd=Path(given) if given is not None else None),
    )
    found = configured(config.layers, config.hooks)
    if parsed.path[-1] == "list":
        return _list(parsed, config, found.handlers, found.notices)
    return _change(parsed, home, config, _chosen(parsed, found.handlers))


def _list(parsed: Parsed, config: Config, handlers: Sequence[Handler], notices: Sequence[str]) -> int:
    trust = Trust(config.hooks)
    if parsed.flag("json"):
        entries = [
            {
                "number": handler.order + 1,
                "event": handler.event,
                "matcher": handler.matcher,
                "command": handler.command,
                "timeout": handler.timeout_s,
                "async": handler.background,
                "file": str(handler.file),
                "project": handler.project,
                "key": handler.key,
                "status": trust.status(handler, config.cwd),
            }
            for handler in handlers
        ]
        return say(json.dumps({"hooks": entries, "notices": list(notices)}, ensure_ascii=False, indent=2))
    for handler in handlers:
        matcher = f" [{handler.matcher}]" if handler.matcher else ""
        say(f"{handler.order + 1:>3}  {trust.status(handler, config.cwd):<9}  {handler.event}{matcher}")
        say(f"     {handler.command!r}\n     {handler.file}")
    for notice in notices:
        say(notice)
    if not handlers:
        say("No hooks are configured here.")
    return 0


def _chosen(parsed: Parsed, handlers: Sequence[Handler]) -> list[Handler]:
    if parsed.flag("all") == bool(parsed.words):
        name = " ".join(parsed.path)
        raise CommandLineError(f"'codex {name}' needs numbers as 'codex hooks list' shows them, or --all", parsed.chain)
    if parsed.flag("all"):
        return list(handlers)
    chosen: list[Handler] = []
    for word in parsed.words:
        found = [handler for handler in handlers if word in (str(handler.order + 1), handler.key)]
        if not found:
            raise ConfigError(f"there is no hook {word}; 'codex hooks list' shows them")
        chosen += found
    return chosen


def _change(parsed: Parsed, home: Home, config: Config, handlers: Sequence[Handler]) -> int:
    home.ensure()
    for handler in handlers:
        what = f"{handler.event} hook {handler.command!r} of {handler.file}"
        if parsed.path[-1] == "trust":
            record_trust(home.config_file, handler, config.cwd)
            say(f"Trusted: {what}")
        elif forget_trust(home.config_file, handler):
            say(f"Not trusted any more: {what}")
        else:
            say(f"Was not trusted: {what}")
    return 0
