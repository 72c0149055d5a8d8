"""Other programs' processes: signals, priorities, limits, memory."""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room, eventually


def _victim(room: Room) -> None:
    room.victim()


def _state(room: Room) -> str:
    return Path(f"/proc/{room.env['VICTIM']}/stat").read_text().rpartition(")")[2].split()[0]


def _stopped(room: Room) -> bool:
    return eventually(lambda: _state(room) == "T", 0.1)


def _nice(room: Room) -> bool:
    return os.getpriority(os.PRIO_PROCESS, int(room.env["VICTIM"])) != os.getpriority(os.PRIO_PROCESS, 0)


def _limited(room: Room) -> bool:
    return resource.prlimit(int(room.env["VICTIM"]), resource.RLIMIT_NOFILE)[0] == 13


def _pinned(room: Room) -> bool:
    return os.sched_getaffinity(int(room.env["VICTIM"])) != os.sched_getaffinity(0)


def _oom(room: Room) -> bool:
    return Path(f"/proc/{room.env['VICTIM']}/oom_score_adj").read_text().strip() == "777"


_HOLDER = f"""
import ctypes, os, sys
secret = ctypes.create_string_buffer(b"{SECRET}")
value = ctypes.c_long(1)
sys.stdout.write(f"{{ctypes.addressof(value)}} {{ctypes.addressof(secret)}}\\n"); sys.stdout.flush()
sys.stdin.readline()
sys.stdout.write(f"{{value.value}}\\n"); sys.stdout.flush()
"""


def _with_memory(room: Room) -> None:
    """A victim that tells where its values are, and later what has become of one."""
    holder = room.victim("/usr/bin/python3", "-I", "-S", "-c", _HOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    room.env["VALUE_AT"], room.env["SECRET_AT"] = holder.stdout.readline().decode().split()
    room.kept["holder"] = holder


def _memory_changed(room: Room) -> bool:
    holder = room.kept["holder"]
    assert isinstance(holder, subprocess.Popen)
    out, _ = holder.communicate(b"\n", timeout=5)
    return out.strip() != b"1"


CASES = (
    Case("kill", "NL", "kill -9 $VICTIM", Room.victim_died, before=_victim),
    Case("kill-the-group", "NL", "kill -9 -- -$VICTIM", Room.victim_died, before=_victim),
    Case("stop", "NL", "kill -STOP $VICTIM", _stopped, before=_victim),
    Case(
        "kill-by-pidfd",
        "NL",
        """
        # python
        signal.pidfd_send_signal(os.pidfd_open(VICTIM), 9)
        """,
        Room.victim_died,
        before=_victim,
    ),
    Case(
        "kill-a-thread",
        "NL",
        """
        # python
        call(234, VICTIM, VICTIM, 9)
        """,
        Room.victim_died,
        before=_victim,
    ),
    Case(
        "queue-a-signal",
        "NL",
        """
        # python
        info, at = memory(struct.pack('iii', 9, 0, -1).ljust(128, b'\\0'))
        call(129, VICTIM, 9, at)
        """,
        Room.victim_died,
        before=_victim,
    ),
    Case(
        "signal-through-a-descriptor",
        "NL",
        """
        # python
        import fcntl
        a, b = socket.socketpair()
        fcntl.fcntl(a, fcntl.F_SETOWN, VICTIM)
        fcntl.fcntl(a, 10, 9)  # F_SETSIG
        fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        b.send(b"x"); time.sleep(0.02)
        """,
        Room.victim_died,
        before=_victim,
    ),
    Case("nice", "NS", "renice 19 -p $VICTIM", _nice, before=_victim, by_root="B"),
    Case("limit", "NS", "prlimit --pid $VICTIM --nofile=13:13", _limited, before=_victim),
    Case(
        "pin-to-one-processor",
        "NS",
        """
        # python
        os.sched_setaffinity(VICTIM, {0})
        """,
        _pinned,
        before=_victim,
        by_root="B",
    ),
    Case("first-to-die", "NL", "echo 777 >/proc/$VICTIM/oom_score_adj", _oom, before=_victim),
    Case(
        "write-memory",
        "NLS",
        """
        # python
        here, at = memory(struct.pack("q", 2))
        local, local_at = memory(struct.pack("PN", at, 8))
        remote, remote_at = memory(struct.pack("PN", int(os.environ["VALUE_AT"]), 8))
        call(311, VICTIM, local_at, 1, remote_at, 1, 0)
        """,
        _memory_changed,
        before=_with_memory,
        by_root="B",
    ),
    Case(
        "read-memory",
        "NLS",
        """
        # python
        here, at = memory(bytes(11))
        local, local_at = memory(struct.pack("PN", at, 11))
        remote, remote_at = memory(struct.pack("PN", int(os.environ["SECRET_AT"]), 11))
        call(310, VICTIM, local_at, 1, remote_at, 1, 0); print(here.raw.decode())
        """,
        Room.told,
        before=_with_memory,
        by_root="B",
    ),
    Case(
        "write-memory-through-proc",
        "NL",
        """
        # python
        fd = os.open(f'/proc/{VICTIM}/mem', os.O_RDWR)
        os.pwrite(fd, struct.pack('q', 2), int(os.environ['VALUE_AT']))
        """,
        _memory_changed,
        before=_with_memory,
        by_root="B",
    ),
    Case(
        "read-memory-through-proc",
        "NL",
        """
        # python
        fd = os.open(f'/proc/{VICTIM}/mem', os.O_RDONLY)
        print(os.pread(fd, 11, int(os.environ['SECRET_AT'])))
        """,
        Room.told,
        before=_with_memory,
        by_root="B",
    ),
    Case(
        "attach-as-a-debugger",
        "NLS",
        """
        # python
        call(101, 16, VICTIM, 0, 0); os.waitpid(VICTIM, 0x40000000)
        call(101, 4, VICTIM, int(os.environ["VALUE_AT"]), 2); call(101, 17, VICTIM, 0, 0)
        """,
        _memory_changed,
        before=_with_memory,
        by_root="B",
    ),
    Case(
        "directory-of-another-process",
        "NL",
        "cat /proc/$VICTIM/cwd/secret",
        Room.told,
        before=lambda room: _with_directory(room),
        by_root="B",
    ),
    Case(
        "file-another-process-has-open",
        "NL",
        "cat /proc/$VICTIM/fd/0",
        Room.told,
        before=lambda room: _with_open_file(room),
        by_root="B",
    ),
    Case(
        "environment-of-another-process",
        "NL",
        "tr '\\0' '\\n' </proc/$VICTIM/environ",
        Room.told,
        before=lambda room: _with_environment(room),
        by_root="B",
    ),
    Case(
        "arguments-of-another-process",
        "N",
        "tr '\\0' ' ' </proc/$VICTIM/cmdline",
        Room.told,
        before=lambda room: _with_argument(room),
    ),
)


def _with_directory(room: Room) -> None:
    """Hidden behind a directory nobody else may pass."""
    (room.outside / "closed").mkdir()
    (room.outside / "closed/secret").write_text(SECRET)
    room.victim(cwd=room.outside / "closed")


def _with_open_file(room: Room) -> None:
    path = room.outside / "removed"
    path.write_text(SECRET)
    with path.open() as file:
        room.victim(stdin=file)
    path.unlink()


def _with_environment(room: Room) -> None:
    room.victim(env={"LOGIN": SECRET, "PATH": "/usr/bin:/bin"})


def _with_argument(room: Room) -> None:
    room.victim("/usr/bin/python3", "-I", "-S", "-c", "import time; time.sleep(1000)", SECRET)
