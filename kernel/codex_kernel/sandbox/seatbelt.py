"""macOS: the plan as a profile for the system's `sandbox-exec`, and the command line that applies it.

The profile is Scheme; later rules win over earlier ones. No path stands in it: paths are parameters, so that nothing in
a file's name can be taken for a rule. Unlike mounts it forbids by name, what does not exist yet included.
Source: the profiles of WebKit and Chromium, which use the same language; Apple documents none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from codex_kernel.sandbox import repositories
from codex_kernel.sandbox.plan import Confinement, inside

TOOL = "/usr/bin/sandbox-exec"
"""Never one from the user's PATH."""

_BASE = """\
(version 1)
(deny default)
(allow process-exec*)
(allow process-fork)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow ipc-posix-sem)
(allow ipc-posix-shm-read-data (ipc-posix-name "apple.shm.notification_center"))
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.notification_center"))
(allow pseudo-tty)
(allow file-read*)
(allow file-read* file-write* file-ioctl
  (literal "/dev/tty") (literal "/dev/ptmx")
  (require-all (regex #"^/dev/ttys[0-9]+$") (extension "com.apple.sandbox.pty")))
(allow file-write-data file-ioctl (literal "/dev/null") (literal "/dev/zero") (literal "/dev/dtracehelper"))
"""
_NETWORK = """\
(allow network*)
(allow system-socket)
(allow mach-lookup
  (global-name "com.apple.SecurityServer")
  (global-name "com.apple.networkd")
  (global-name "com.apple.ocspd")
  (global-name "com.apple.trustd.agent")
  (global-name "com.apple.SystemConfiguration.configd"))
"""
_NAMES = "|".join(name.removeprefix(".") for name in repositories.PROTECTED_NAMES)


class _Parameters:
    """Paths by the names the profile knows them by."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, kind: str, path: str) -> str:
        """`(param "KIND_N")` for a path."""
        number = sum(known.startswith(f"{kind}_") for known in self._names)
        name = f"{kind}_{number}"
        self._names[name] = path
        return f'(param "{name}")'

    def options(self) -> Iterator[str]:
        """As `-DNAME=PATH`."""
        for name, path in self._names.items():
            yield f"-D{name}={path}"


def command_line(plan: Confinement, argv: Sequence[str]) -> list[str]:
    """What starts `argv` confined to `plan`."""
    parameters = _Parameters()
    text = _BASE + "\n".join(_rules(plan, parameters)) + "\n" + (_NETWORK if plan.network else "")
    return [TOOL, "-p", text, *parameters.options(), "--", *argv]


def _rules(plan: Confinement, parameters: _Parameters) -> Iterator[str]:
    """Roots are opened; names, sealed places and hidden ones closed again, each inside what was said before it."""
    outer = [root for root in plan.roots if not _is_protected_inside(root, plan.roots)]
    for root in outer:
        yield f"(allow file-write* (subpath {parameters.name('ROOT', root)}))"
    for root in outer:
        path = parameters.name("ROOT", root)
        yield f'(deny file-write* (regex (string-append "^" (regex-quote {path}) "/(.*/)?[.]({_NAMES})(/|$)")))'
    for root in plan.roots:
        if root not in outer:  # a repository that commands may commit to
            yield f"(allow file-write* (subpath {parameters.name('GIT', root)}))"
    for path in (*plan.read_only, *plan.placeholders):
        yield f"(deny file-write* (subpath {parameters.name('CLOSED', path)}))"
    for path in plan.anchors:
        yield f"(deny file-write-unlink (literal {parameters.name('ANCHOR', path)}))"
    for mask in plan.masks:
        yield f"(deny file-read* file-write* (subpath {parameters.name('HIDDEN', mask.path)}))"
        for path in mask.keep:
            shown = parameters.name("SHOWN", path)
            yield f"(allow file-read* (subpath {shown}))"
            if path in plan.roots:
                yield f"(allow file-write* (subpath {shown}))"
                yield from _closed_again(plan, path, parameters)


def _closed_again(plan: Confinement, root: str, parameters: _Parameters) -> Iterator[str]:
    """What a root inside something hidden keeps from being written."""
    path = parameters.name("SHOWN", root)
    yield f'(deny file-write* (regex (string-append "^" (regex-quote {path}) "/(.*/)?[.]({_NAMES})(/|$)")))'
    for each in (*plan.read_only, *plan.placeholders):
        if inside(each, root):
            yield f"(deny file-write* (subpath {parameters.name('CLOSED', each)}))"


def _is_protected_inside(path: str, roots: Sequence[str]) -> bool:
    """Whether a root is there only because it is a `.git`, or part of one, that is opened for commits."""
    return any(
        path != root
        and inside(path, root)
        and any(part in repositories.PROTECTED_NAMES for part in path[len(root) :].split(os.sep))
        for root in roots
    )
