"""seccomp: which system calls a command may make; the third layer, and the only one that knows about sockets.

Failing with an error instead of killing lets programs fall back; only a foreign architecture's entry point kills.
"""

from __future__ import annotations

import ctypes
import struct

from codex_kernel.sandbox.inside import bpf, numbers
from codex_kernel.sandbox.inside import syscalls as sys

EPERM, EAFNOSUPPORT, ENOSYS = 1, 97, 38
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_STREAM, _DGRAM, _RAW, _SEQPACKET = 1, 2, 3, 5
_TYPE = 0xF
_NAMESPACES = 0x7E020080
_X32 = 0x40000000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_SET_ATTRIBUTES = (0x40086602, 0x40046602, 0x401C5820)  # FS_IOC_SETFLAGS, its 32-bit form, FS_IOC_FSSETXATTR
_S_ISUID = 0x800
_S_IFMT, _S_IFCHR, _S_IFBLK = 0xF000, 0x2000, 0x6000

# fmt: off
DENIED = (
    # Other processes' memory and descriptors, and ways around file permissions.
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "open_by_handle_at",
    "userfaultfd",
    # Mounts and namespaces.
    "mount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "open_tree_attr", "unshare", "setns",
    # What namespaces do not isolate, and large surfaces of the kernel.
    "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "io_uring_setup", "io_uring_enter",
    "io_uring_register",
    # The machine itself.
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "swapon", "swapoff", "reboot",
    "acct", "quotactl", "settimeofday", "clock_settime", "sethostname", "setdomainname", "vhangup", "iopl", "ioperm",
    "modify_ldt", "uselib",
)

WITHOUT_MOUNTS = (
    "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
    "removexattrat", "file_setattr", "shmget", "shmat", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget",
    "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "migrate_pages", "move_pages",
)
# fmt: on
"""Denied besides where no namespace keeps commands apart from the rest of the machine."""

_OF_A_PROCESS = ("prlimit64", "sched_setaffinity", "sched_setattr", "sched_setscheduler", "sched_setparam")


def build(*, inet: bool, unix: bool, namespaces: bool, arch: str | None = None) -> bpf.Filter:
    """The filter.

    Args:
        inet: Internet sockets are allowed (a private network, or the policy grants the host's).
        unix: AF_UNIX streams are allowed; `connect` then goes to the init, which must be listening.
        namespaces: Mounts, processes and IPC are private; False denies what only that makes harmless.
        arch: As `numbers.machine` names it; None: this machine's.
    """
    arch = arch or numbers.machine()
    nr = numbers.TABLES[arch]
    out = bpf.Filter()
    out.load(bpf.ARCH)
    out.unless(bpf.EQUAL, numbers.AUDIT_ARCH[arch], bpf.KILL_PROCESS)
    out.load(bpf.NR)
    if arch == "x86_64":
        out.when(bpf.AT_LEAST, _X32, bpf.errno(ENOSYS))
    denied = DENIED if namespaces else DENIED + WITHOUT_MOUNTS
    out.among(bpf.EQUAL, tuple(sorted({nr[name] for name in denied if name in nr})), _always(EPERM))
    out.when(bpf.EQUAL, nr["clone3"], bpf.errno(ENOSYS))  # its flags stand behind a pointer; libc falls back to clone
    if unix:
        out.when(bpf.EQUAL, nr["connect"], bpf.NOTIFY)
    out.among(bpf.EQUAL, (nr["clone"],), _clone())
    out.among(bpf.EQUAL, (nr["ioctl"],), _ioctl(namespaces=namespaces))
    out.among(bpf.EQUAL, (nr["socket"],), _socket(inet=inet, unix=unix))
    out.among(bpf.EQUAL, (nr["socketpair"],), _socketpair())
    if "mknod" in nr:
        out.among(bpf.EQUAL, (nr["mknod"],), _mknod(mode=1))
    out.among(bpf.EQUAL, (nr["mknodat"],), _mknod(mode=2))
    out.among(bpf.EQUAL, tuple(nr[name] for name in ("chmod", "fchmod") if name in nr), _mode(argument=1))
    out.among(bpf.EQUAL, (nr["fchmodat"], nr["fchmodat2"]), _mode(argument=2))
    if not namespaces:
        out.among(bpf.EQUAL, tuple(nr[name] for name in _OF_A_PROCESS), _only_self(argument=0))
        out.among(bpf.EQUAL, (nr["setpriority"], nr["ioprio_set"]), _only_self(argument=1))
    else:
        out.among(bpf.EQUAL, (nr["prlimit64"],), _no_limits_of_others())
        others = tuple(nr[name] for name in _OF_A_PROCESS if name != "prlimit64")
        out.among(bpf.EQUAL, others, _not_the_init(argument=0))
        out.among(bpf.EQUAL, (nr["setpriority"], nr["ioprio_set"]), _not_the_init(argument=1))
    out.verdict(bpf.ALLOW)
    return out


def _always(error: int) -> bpf.Filter:
    out = bpf.Filter()
    out.verdict(bpf.errno(error))
    return out


def _clone() -> bpf.Filter:
    out = bpf.Filter()
    out.load(bpf.low(0))
    out.when(bpf.ANY_BIT, _NAMESPACES, bpf.errno(EPERM))
    out.verdict(bpf.ALLOW)
    return out


def _ioctl(*, namespaces: bool) -> bpf.Filter:
    """No typing into the terminal; no file flags where mounts do not protect files."""
    out = bpf.Filter()
    out.load(bpf.low(1))
    requests = (_TIOCSTI, _TIOCLINUX) if namespaces else (_TIOCSTI, _TIOCLINUX, *_SET_ATTRIBUTES)
    out.among(bpf.EQUAL, requests, _always(EPERM))
    out.verdict(bpf.ALLOW)
    return out


def _socket(*, inet: bool, unix: bool) -> bpf.Filter:
    out = bpf.Filter()
    out.load(bpf.low(0))
    if unix:
        out.among(bpf.EQUAL, (_AF_UNIX,), _connected_types_only())
    else:
        out.when(bpf.EQUAL, _AF_UNIX, bpf.errno(EPERM))
    if inet:
        out.among(bpf.EQUAL, (_AF_INET, _AF_INET6), _types((_STREAM, _DGRAM)))
        out.among(bpf.EQUAL, (_AF_NETLINK,), _route())
    else:
        out.when(bpf.EQUAL, _AF_INET, bpf.errno(EPERM))
        out.when(bpf.EQUAL, _AF_INET6, bpf.errno(EPERM))
    out.verdict(bpf.errno(EAFNOSUPPORT))
    return out


def _types(types: tuple[int, ...]) -> bpf.Filter:
    out = bpf.Filter()
    out.load(bpf.low(1))
    out.mask(_TYPE)
    for kind in types:
        out.when(bpf.EQUAL, kind, bpf.ALLOW)
    out.verdict(bpf.errno(EPERM))
    return out


def _connected_types_only() -> bpf.Filter:
    """A datagram socket (raw is one too) could send to any path without connecting."""
    return _types((_STREAM, _SEQPACKET))


def _route() -> bpf.Filter:
    """Only what lists addresses and interfaces."""
    out = bpf.Filter()
    out.load(bpf.low(2))
    out.when(bpf.EQUAL, 0, bpf.ALLOW)
    out.verdict(bpf.errno(EPERM))
    return out


def _socketpair() -> bpf.Filter:
    out = bpf.Filter()
    out.load(bpf.low(0))
    out.unless(bpf.EQUAL, _AF_UNIX, bpf.errno(EPERM))
    inner = _connected_types_only()
    out.among(bpf.EQUAL, (_AF_UNIX,), inner)
    out.verdict(bpf.errno(EPERM))
    return out


def _mknod(*, mode: int) -> bpf.Filter:
    """Pipes and files, no devices."""
    out = bpf.Filter()
    out.load(bpf.low(mode))
    out.mask(_S_IFMT)
    out.when(bpf.EQUAL, _S_IFCHR, bpf.errno(EPERM))
    out.when(bpf.EQUAL, _S_IFBLK, bpf.errno(EPERM))
    out.verdict(bpf.ALLOW)
    return out


def _mode(*, argument: int) -> bpf.Filter:
    """No set-user-ID bit: others who run the file would act as its owner, outside the sandbox.

    A file can be made with the bit, but loses it with the first byte written. The set-group-ID bit stays: directories
    of shared trees have it, and copying them would fail.
    """
    out = bpf.Filter()
    out.load(bpf.low(argument))
    out.when(bpf.ANY_BIT, _S_ISUID, bpf.errno(EPERM))
    out.verdict(bpf.ALLOW)
    return out


def _only_self(*, argument: int) -> bpf.Filter:
    """Process 0, which is the caller."""
    out = bpf.Filter()
    out.load(bpf.low(argument))
    out.when(bpf.EQUAL, 0, bpf.ALLOW)
    out.verdict(bpf.errno(EPERM))
    return out


def _not_the_init(*, argument: int) -> bpf.Filter:
    """The init has the command's user, watches over memory and disk, and answers for connections."""
    out = bpf.Filter()
    out.load(bpf.low(argument))
    out.when(bpf.EQUAL, 1, bpf.errno(EPERM))
    out.verdict(bpf.ALLOW)
    return out


def _no_limits_of_others() -> bpf.Filter:
    """Limits are read of every process and set of process 0, which is the caller.

    The init would be blind with three descriptors; inside bubblewrap its number is not known, nor the helper's.
    """
    out = bpf.Filter()
    out.load(bpf.low(0))
    out.when(bpf.EQUAL, 0, bpf.ALLOW)
    out.load(bpf.low(2))
    out.unless(bpf.EQUAL, 0, bpf.errno(EPERM))
    out.load(bpf.high(2))
    out.unless(bpf.EQUAL, 0, bpf.errno(EPERM))
    out.verdict(bpf.ALLOW)
    return out


_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 8, 32


class Installable:
    """A filter in the kernel's form, kept alive for as long as it may be installed."""

    def __init__(self, code: bytes, *, listener: bool) -> None:
        self._buffer = ctypes.create_string_buffer(code, len(code))
        self._program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(self._buffer))
        self._listener = listener

    def install(self) -> int | None:
        """Put this process under the filter; the listener's descriptor when there is one. Needs no_new_privs."""
        flags = _NEW_LISTENER | _WAIT_KILLABLE if self._listener else 0
        result = sys.call("seccomp", _SET_MODE_FILTER, flags, self._program)
        return result if self._listener else None
