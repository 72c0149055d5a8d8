"""Reading and writing files that are not the command's."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room, eventually

_HARMLESS = Path("/proc/sys/kernel/printk_ratelimit")
"""Put back at once."""


def _fifo(room: Room) -> None:
    os.mkfifo(room.outside / "pipe")
    room.kept["reader"] = os.open(room.outside / "pipe", os.O_RDONLY | os.O_NONBLOCK)


def _fifo_fed(room: Room) -> bool:
    reader = int(str(room.kept["reader"]))
    try:
        return bool(os.read(reader, 100))
    finally:
        os.close(reader)


def _device_made(room: Room) -> bool:
    path = room.work / "device"
    return path.exists() and stat.S_ISCHR(path.lstat().st_mode)


def _shared_memory(room: Room) -> bool:
    path = Path("/dev/shm") / room.work.name
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def _remember_sysctl(room: Room) -> None:
    room.kept["was"] = _HARMLESS.read_text()


def _sysctl_changed(room: Room) -> bool:
    changed = _HARMLESS.read_text() != room.kept["was"]
    if changed:
        _HARMLESS.write_text(str(room.kept["was"]))
    return changed


def _deep(room: Room) -> None:
    (room.outside / "a/b").mkdir(parents=True)


CASES = (
    Case("write-a-new-file", "NL", "echo x >$OUTSIDE/new", Room.new),
    Case("append", "NL", "echo x >>$OUTSIDE/file", Room.changed),
    Case(
        "truncate-by-path",
        "NL",
        """
        # python
        os.truncate(FILE, 0)
        """,
        Room.changed,
    ),
    Case(
        "open-for-writing-with-truncation",
        "NL",
        """
        # python
        os.open(FILE, os.O_RDONLY | os.O_TRUNC)
        """,
        Room.changed,
    ),
    Case(
        "write-through-a-map",
        "NL",
        """
        # python
        m = mmap.mmap(os.open(FILE, os.O_RDWR), 5); m[:5] = b'other'
        """,
        Room.changed,
    ),
    Case("remove", "NL", "rm -f $OUTSIDE/file", Room.changed),
    Case("make-a-directory", "NL", "mkdir $OUTSIDE/new", Room.new),
    Case(
        "remove-a-directory", "NL", "rmdir $OUTSIDE/a/b", lambda room: not (room.outside / "a/b").exists(), before=_deep
    ),
    Case("write-by-dots", "NL", "echo x >../../outside/$(basename $OUTSIDE)/new", Room.new),
    Case("write-through-proc-root", "NL", "echo x >/proc/self/root/$OUTSIDE/new", Room.new),
    Case("write-through-proc-cwd", "NL", "cd $OUTSIDE && echo x >/proc/self/cwd/new", Room.new),
    Case("reopen-for-writing", "NL", "exec 9<$OUTSIDE/file; echo x >/proc/self/fd/9", Room.changed),
    Case(
        "nameless-file-that-gets-a-name",
        "NL",
        """
        # python
        fd = os.open(OUTSIDE, os.O_TMPFILE | os.O_WRONLY)
        libc.linkat(AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, os.fsencode(NEW), AT_SYMLINK_FOLLOW)
        """,
        Room.new,
    ),
    Case("punch-a-hole", "NL", "fallocate -p -o 0 -l 4 $OUTSIDE/file", Room.changed),
    Case(
        "copy-into-a-file-by-the-kernel",
        "NL",
        """
        # python
        os.copy_file_range(os.open('/etc/passwd', 0), os.open(FILE, os.O_WRONLY), 9)
        """,
        Room.changed,
    ),
    Case("feed-a-pipe-of-another-program", "L", "echo x 1<>$OUTSIDE/pipe", _fifo_fed, before=_fifo),
    Case("write-under-read-only", "NL", "echo x >$WORK/new", lambda room: (room.work / "new").exists(), read_only=True),
    Case(
        "write-in-tmp-under-read-only",
        "NL",
        "echo x >/tmp/$(basename $WORK); true",
        lambda room: _taken(Path("/tmp") / room.work.name),
        read_only=True,
    ),
    Case("shared-memory-of-the-machine", "NL", "echo x >/dev/shm/$(basename $WORK)", _shared_memory),
    Case("make-a-device", "B", "mknod $WORK/device c 1 3", _device_made, root=True),
    Case("kernel-setting", "NL", f"echo 6 >{_HARMLESS}", _sysctl_changed, before=_remember_sysctl, root=True),
    Case("read-the-login", "N", "cat $AGENT_HOME/auth.json", Room.told),
    Case("read-our-runtime-directory", "N", "cat $AGENT_HOME/workbench/run/cookie", Room.told),
    Case("read-the-users-keys", "N", "cat $HOME/.ssh/id", Room.told),
    Case("read-a-denied-file", "N", "cat $ROOT/.env", Room.told),
    Case(
        "read-a-denied-file-after-moving-it",
        "N",
        "mv $ROOT/.env $WORK/e; cat $WORK/e || cat $ROOT/.env",
        lambda room: room.told() and _back(room),
    ),
    Case(
        "read-the-login-through-proc",
        "N",
        "cd /; cat {/proc/self/root,/proc/[0-9]*/root,/proc/[0-9]*/cwd}$AGENT_HOME/auth.json",
        Room.told,
    ),
    Case(
        "settings-of-the-agent",
        "NL",
        "echo x >>$AGENT_HOME/config.toml",
        lambda room: "x\n" in (room.home / "config.toml").read_text(),
    ),
    Case(
        "settings-of-the-agent-inside-the-workspace",
        "N",
        "echo x >>$AGENT_HOME/config.toml",
        lambda room: "x\n" in (room.home / "config.toml").read_text(),
        tree="own_home_inside",
    ),
    Case(
        "plant-a-skill",
        "N",
        "mkdir -p $AGENT_HOME/skills/s && echo x >$AGENT_HOME/skills/s/SKILL.md",
        lambda room: (room.home / "skills/s").exists(),
        tree="own_home_inside",
    ),
    Case(
        "plant-a-rule",
        "N",
        "mkdir -p $AGENT_HOME/rules && echo x >$AGENT_HOME/rules/default.rules",
        lambda room: (room.home / "rules").exists(),
        tree="own_home_inside",
    ),
    Case(
        "move-the-agents-home-away",
        "N",
        "mv $AGENT_HOME $WORK/x; mkdir -p $AGENT_HOME; echo x >$AGENT_HOME/config.toml",
        lambda room: not (room.home / "auth.json").exists(),
        tree="own_home_inside",
    ),
    Case(
        "move-the-directory-above-the-agents-home",
        "N",
        "mv $HOME $WORK/x; mkdir -p $AGENT_HOME; echo x >$AGENT_HOME/new",
        lambda room: (room.home / "new").exists(),
        tree="own_home_inside",
    ),
    Case(
        "change-the-agents-code",
        "N",
        "echo x >>$ROOT/code/agent.py",
        lambda room: "x\n" in (room.root / "code/agent.py").read_text(),
        tree="own_home_inside",
    ),
)


def _taken(path: Path) -> bool:
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def _back(room: Room) -> bool:
    """Put the shared file back."""
    (room.root / ".env").write_text(SECRET + "\n")
    return eventually(lambda: True)
