"""The system's bubblewrap as the builder of namespaces, where our own helper may not build them.

Some distributions forbid unprivileged user namespaces but let this one program have them. The helper then runs inside
and adds Landlock and seccomp.
"""

from __future__ import annotations

import os

from codex_kernel.sandbox.plan import Confinement

_PLACES = ("/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap")


def find() -> str | None:
    """The system's bubblewrap; never one from the user's PATH."""
    return next((path for path in _PLACES if os.access(path, os.X_OK)), None)


def prefix(bwrap: str, plan: Confinement) -> list[str]:
    """The command line that shows what `plan` says and starts what follows it."""
    words = [bwrap, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    words += ["--die-with-parent", "--new-session"]
    if not plan.network:
        words.append("--unshare-net")
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for path in sorted((*plan.roots, *plan.anchors), key=_depth):
        words += ["--bind", path, path]
    for path in sorted((*plan.read_only, *plan.placeholders), key=_depth):
        if os.path.islink(path):
            continue  # see `unprotected`
        words += ["--ro-bind", path, path]
    for mask in sorted(plan.masks, key=lambda mask: _depth(mask.path)):
        if os.path.isdir(mask.path):
            words += ["--perms", "0755" if mask.keep else "0000", "--tmpfs", mask.path]
            for path in mask.keep:
                words += ["--bind" if path in plan.roots else "--ro-bind", path, path]
            words += ["--remount-ro", mask.path]
        elif os.path.exists(mask.path):
            words += ["--ro-bind", "/dev/null", mask.path]
    return [*words, "--"]


def unprotected(plan: Confinement) -> tuple[str, ...]:
    """Symbolic links, which this tool cannot bind; what they lead to is protected where it lies inside a root."""
    return tuple(path for path in plan.read_only if os.path.islink(path))


def _depth(path: str) -> int:
    return path.count("/") if path != "/" else 0
