"""The User-Agent of our requests: product, system and terminal. Source: spec/model-api.md section 8."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from codex_protocol.version import VERSION

PRODUCT = "codex-workbench"


def user_agent(env: Mapping[str, str] = os.environ) -> str:
    """As `codex-workbench/0.1.0 (Linux 6.1.0; x86_64) xterm-256color`."""
    system = os.uname()
    name = "Mac OS" if sys.platform == "darwin" else system.sysname
    release = re.match(r"[\w.]*", system.release)
    version = release.group() if release else ""
    return f"{PRODUCT}/{VERSION} ({name} {version}; {system.machine or 'unknown'}) {terminal(env)}"


def terminal(env: Mapping[str, str]) -> str:
    """The terminal program, as its environment variables name it, in header-safe characters."""
    return re.sub(r"[^A-Za-z0-9\-_./]", "_", _terminal(env))


def _terminal(env: Mapping[str, str]) -> str:
    program = env.get("TERM_PROGRAM", "").strip()
    if program:
        return _versioned(program, env.get("TERM_PROGRAM_VERSION"))
    term = env.get("TERM", "")
    if "WEZTERM_VERSION" in env:
        return _versioned("WezTerm", env["WEZTERM_VERSION"])
    if "KITTY_WINDOW_ID" in env or "kitty" in term:
        return "kitty"
    if "ALACRITTY_SOCKET" in env or term == "alacritty":
        return "Alacritty"
    if "KONSOLE_VERSION" in env:
        return _versioned("Konsole", env["KONSOLE_VERSION"])
    if "GNOME_TERMINAL_SCREEN" in env:
        return "gnome-terminal"
    if "VTE_VERSION" in env:
        return _versioned("VTE", env["VTE_VERSION"])
    return "WindowsTerminal" if "WT_SESSION" in env else term or "unknown"


def _versioned(program: str, version: str | None) -> str:
    return f"{program}/{version.strip()}" if version and version.strip() else program
