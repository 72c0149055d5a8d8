"""System calls Python has no name for, as functions that raise `OSError`.

Meant for a process with one thread: `clone` goes behind the C library's back.
"""

from __future__ import annotations

import ctypes
import os
import struct

from codex_kernel.sandbox.inside.numbers import TABLES, machine

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_NR = TABLES.get(machine(), {})

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
SIGCHLD = 17

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV, ATTR_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 1, 24, 36
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 38, 47

_AT_FDCWD = -100
_AT_EMPTY_PATH = 0x1000
_AT_RECURSIVE = 0x8000
_OPEN_TREE_CLONE = 1
_RESOLVE_NO_SYMLINKS = 0x04
_CAPABILITY_VERSION_3 = 0x20080522


def call(name: str, *arguments: int | bytes | None) -> int:
    """The result of system call `name`.

    Raises:
        OSError: It failed, or this architecture has no number for it (ENOSYS).
    """
    number = _NR.get(name)
    if number is None:
        raise OSError(38, f"{name} is unknown on {machine()}")
    converted = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result: int = _syscall(ctypes.c_long(number), *converted)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """Change something about this process; missing arguments are zero."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    return call("prctl", option, *padded)


def clone(flags: int) -> int:
    """A child like fork's, in the namespaces of `flags`; 0 in the child."""
    return call("clone", flags | SIGCHLD, 0, 0, 0, 0)


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount the classic way."""
    encoded = [os.fsencode(word) if word is not None else None for word in (source, target, kind)]
    call("mount", *encoded, flags, data.encode() if data is not None else None)


def open_path(path: str) -> int:
    """An O_PATH descriptor of `path` itself, topmost mount, no symbolic link followed on the way.

    Raises:
        OSError: ELOOP when a component has become a symbolic link since the plan was made.
    """
    how = struct.pack("QQQ", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    return call("openat2", _AT_FDCWD, os.fsencode(path), how, len(how))


def open_tree(path_fd: int) -> int:
    """A detached copy of the mounts at and below an O_PATH descriptor."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | _AT_RECURSIVE
    return call("open_tree", path_fd, b"", flags)


def attach(tree_fd: int, target_fd: int) -> None:
    """Mount a detached tree on an O_PATH descriptor."""
    call("move_mount", tree_fd, b"", target_fd, b"", 0x04 | 0x40)


def set_attributes(fd: int, *, add: int = 0, clear: int = 0, recursive: bool = True) -> None:
    """Change flags of the mount an open descriptor stands for. Source: mount_setattr(2)."""
    attributes = struct.pack("QQQQ", add, clear, 0, 0)
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    call("mount_setattr", fd, b"", flags, attributes, len(attributes))


def reset_signals() -> None:
    """Default actions for what Python changes, and nothing blocked.

    SIGINT, SIGPIPE and SIGXFSZ are Python's; 32 and 33 are left ignored by the C library's posix_spawn.
    """
    default = struct.pack("QQQQ", 0, 0, 0, 0)
    for number in (2, 13, 25, 32, 33):
        call("rt_sigaction", number, default, None, 8)
    empty = ctypes.create_string_buffer(128)
    _libc.sigprocmask(2, empty, None)


def drop_capabilities() -> None:
    """No capability left in this process, none to come back."""
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    call("capset", header, struct.pack("IIIIII", 0, 0, 0, 0, 0, 0))


def empty_bounding_set() -> None:
    """No program started from here gains a capability, not even as root; nothing happens without the right to."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            return
