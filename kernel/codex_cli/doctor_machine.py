"""What `codex doctor` looks at on this machine: versions, the program on PATH, the kernelspec, a browser."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from codex_cli.findings import Finding, note, ok, problem
from codex_protocol.version import VERSION

_PACKAGES = ("msgspec", "httpx", "h11", "mcp", "pydantic", "pyzmq", "jupyter_client", "tornado", "panel", "bokeh")
_LONGEST_S = 5.0


def versions() -> list[Finding]:
    """Ours, Python's, the system's, git's and those of the packages we stand on."""
    packages: dict[str, str | None] = {name: _version(name) for name in _PACKAGES}
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    said = f"codex {VERSION}, Python {platform.python_version()}, {system}"
    facts = {"codex": VERSION, "python": platform.python_version(), "system": system, "packages": packages}
    findings = [ok("version", said, **facts)]
    missing = [name for name, version in packages.items() if version is None]
    if missing:
        findings.append(problem("packages", f"not installed: {', '.join(missing)}", "install codex-workbench again"))
    git = _git()
    if git is None:
        findings.append(problem("git", "git is not on PATH", "install git: diffs and reviews are made with it"))
    else:
        findings.append(ok("git", git, version=git))
    return findings


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git() -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=_LONGEST_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip()


def program(env: Mapping[str, str]) -> Finding:
    """Whether `codex` on PATH is this one."""
    ours = {os.path.realpath(Path(sys.executable).parent / "codex"), os.path.realpath(sys.argv[0])}
    folders = [folder for folder in env.get("PATH", "").split(os.pathsep) if folder]
    found = list(dict.fromkeys(path for folder in folders if (path := shutil.which("codex", path=folder))))
    if not found:
        where = Path(sys.executable).parent
        return note("path", "codex is not on PATH", f"add {where} to it, or install with pipx", found=found)
    if os.path.realpath(found[0]) in ours:
        return ok("path", f"codex is {found[0]}", found=found)
    mine = next((path for path in found if os.path.realpath(path) in ours), None)
    remedy = (
        f"put {Path(mine).parent} first, or call {mine}"
        if mine
        else f"this one is {sys.executable} -P -m codex_cli.main"
    )
    return note("path", f"another codex comes first: {found[0]}", remedy, found=found)


def kernelspec() -> Finding:
    """Whether Jupyter finds the agent, and this installation of it."""
    from jupyter_client.kernelspec import KernelSpecManager

    place = KernelSpecManager().find_kernel_specs().get("codex")
    if place is None:
        return note("jupyter", "the kernel is not installed", "codex kernel install", place=None)
    try:
        argv = json.loads((Path(place) / "kernel.json").read_text(encoding="utf-8"))["argv"]
        interpreter = str(argv[0])
    except (OSError, ValueError, LookupError, TypeError):
        return problem("jupyter", f"the kernelspec in {place} cannot be read", "codex kernel install", place=place)
    if not os.access(interpreter, os.X_OK):
        said = f"the kernelspec in {place} names {interpreter}, which is gone"
        return problem("jupyter", said, "codex kernel install", place=place)
    if not _same(interpreter, sys.executable):
        said = f"the kernelspec in {place} is another installation's: {interpreter}"
        return note("jupyter", said, "codex kernel install", place=place)
    return ok("jupyter", f"the kernel is installed in {place}", place=place)


def _same(interpreter: str, other: str) -> bool:
    """By their places: interpreters of two environments are often links to the same file."""
    return os.path.normpath(interpreter) == os.path.normpath(other)


def browser(env: Mapping[str, str]) -> Finding:
    """What the page would be opened in."""
    screen = sys.platform == "darwin" or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if not screen:
        return note("browser", "there is no screen here: the page only prints its link", screen=False)
    import webbrowser

    try:
        name = getattr(webbrowser.get(), "name", "the system's")
    except webbrowser.Error:
        return note("browser", "no browser is found: the page only prints its link", "set BROWSER", screen=True)
    return ok("browser", str(name), screen=True, browser=str(name))
