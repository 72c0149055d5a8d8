"""New namespaces, mounts undone, other roots: ways to see or write under what was put on top."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room


@cache
def _no_user_namespaces() -> str | None:
    done = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "this machine gives ordinary programs no user namespaces"


def _victim_with_argument(room: Room) -> None:
    room.victim("/usr/bin/python3", "-I", "-S", "-c", "import time; time.sleep(1000)", SECRET)


def _victim(room: Room) -> None:
    room.victim()


def _mounted(room: Room) -> bool:
    found = str(room.outside) in Path("/proc/self/mounts").read_text()
    if found:
        subprocess.run(["umount", room.outside], check=True)
    return found


def _group_made(room: Room) -> bool:
    path = Path("/sys/fs/cgroup/pids") / room.work.name
    found = path.exists()
    if found:
        path.rmdir()
    return found


def _shared_memory(room: Room) -> bool:
    path = Path("/dev/shm") / room.work.name
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def inside_new(script: str) -> str:
    """A script as root of new user and mount namespaces."""
    return f"unshare -Urm sh -c '{script}'"


_NOT = _no_user_namespaces

CASES = (
    Case(
        "remount-writable",
        "NLS",
        inside_new("mount -o remount,rw,bind /; mount -o remount,rw /; echo x >$OUTSIDE/new"),
        Room.new,
        by_root="B",
        not_here=_NOT,
    ),
    Case(
        "bind-somewhere-else-and-write",
        "NLS",
        inside_new("mkdir m; mount --bind $OUTSIDE m; mount -o remount,rw,bind m; echo x >m/new"),
        Room.new,
        by_root="B",
        not_here=_NOT,
    ),
    Case(
        "lift-what-hides-the-login",
        "N",
        inside_new("umount -l $AGENT_HOME; cat $AGENT_HOME/auth.json") + "; cat $AGENT_HOME/auth.json",
        Room.told,
        not_here=_NOT,
    ),
    Case(
        "look-under-by-a-plain-bind",
        "N",
        inside_new("mkdir m; mount --bind / m; cat m$AGENT_HOME/auth.json") + "; cat $AGENT_HOME/auth.json",
        Room.told,
        not_here=_NOT,
    ),
    Case(
        "look-under-by-a-recursive-bind",
        "N",
        inside_new("mkdir m; mount --rbind / m; umount -l m$AGENT_HOME; cat m$AGENT_HOME/auth.json")
        + "; cat $AGENT_HOME/auth.json",
        Room.told,
        not_here=_NOT,
    ),
    Case(
        "look-under-by-open-tree",
        "N",
        """
        # python
        def under():
            fd = call(428, AT_FDCWD, b"/", 1 | os.O_CLOEXEC)
            print(open(f"/proc/self/fd/{fd}" + HOME + "/auth.json").read())
        try_each(lambda: call(272, 0x10020000), under, lambda: print(open(HOME + "/auth.json").read()))
        """,
        Room.told,
    ),
    Case(
        "lift-the-private-processes",
        "N",
        inside_new("umount -l /proc; cat /proc/$VICTIM/cmdline") + "; cat /proc/$VICTIM/cmdline",
        Room.told,
        before=_victim_with_argument,
        not_here=_NOT,
    ),
    Case(
        "lift-the-private-devices",
        "NLS",
        inside_new("umount -l /dev/shm; umount -l /dev; echo x >/dev/shm/$(basename $WORK)"),
        _shared_memory,
        by_root="B",
        not_here=_NOT,
    ),
    Case(
        "lift-the-protection-of-git",
        "N",
        inside_new("umount -l $ROOT/.git; echo evil >$ROOT/.git/hooks/x") + "; echo evil >$ROOT/.git/hooks/x",
        lambda room: (room.root / ".git/hooks/x").exists(),
        tree="submodule",
        not_here=_NOT,
    ),
    Case(
        "writable-by-mount-setattr",
        "NLS",
        """
        # python
        call(272, 0x10020000)
        try_each(lambda: call(442, AT_FDCWD, b"/", 0x8000, memory(struct.pack("QQQQ", 0, 1, 0, 0))[1], 32))
        write(NEW)
        """,
        Room.new,
    ),
    Case(
        "user-namespace-by-unshare",
        "S",
        """
        # python
        call(272, 0x10000000); print(MARK)
        """,
        Room.marked,
        not_here=_NOT,
    ),
    Case(
        "user-namespace-by-clone",
        "S",
        """
        # python
        pid = call(56, 0x10000000 | 17, 0, 0, 0, 0)
        if pid == 0: os._exit(0)
        os.waitpid(pid, 0); print(MARK)
        """,
        Room.marked,
        not_here=_NOT,
    ),
    Case(
        "user-namespace-by-clone3",
        "S",
        """
        # python
        arguments, at = memory(struct.pack("QQQQQQQQ", 0x10000000, 0, 0, 0, 17, 0, 0, 0))
        pid = call(435, at, 64)
        if pid == 0: os._exit(0)
        os.waitpid(pid, 0); print(MARK)
        """,
        Room.marked,
        not_here=_NOT,
    ),
    Case(
        "mount-namespace-by-unshare",
        "B",
        """
        # python
        call(272, 0x20000); print(MARK)
        """,
        Room.marked,
        root=True,
    ),
    Case("mount-over-a-directory-outside", "B", "mount -t tmpfs none $OUTSIDE", _mounted, root=True),
    Case("another-root", "B", "chroot $OUTSIDE /nothing; test $? = 127 && echo $MARK", Room.marked, root=True),
    Case(
        "a-file-system-by-fsopen",
        "S",
        """
        # python
        try_each(lambda: call(272, 0x10020000))
        call(430, b'tmpfs', 1); print(MARK)
        """,
        Room.marked,
        not_here=_NOT,
    ),
    Case(
        "join-the-namespaces-of-another-process",
        "B",
        """
        # python
        call(308, os.pidfd_open(VICTIM), 0x40000000); print(MARK)
        """,
        Room.marked,
        before=_victim,
        root=True,
    ),
    Case(
        "a-control-group-of-ones-own",
        "B",
        "mkdir /sys/fs/cgroup/pids/$(basename $WORK)",
        _group_made,
        root=True,
        not_here=lambda: None if os.access("/sys/fs/cgroup/pids", os.W_OK) else "no control group can be made here",
    ),
)
