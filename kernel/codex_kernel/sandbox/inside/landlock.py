"""Landlock: which files a command may change, enforced on top of the mounts.

Allow-only and hierarchical: it cannot take `.git` out of a writable root; the mounts do that.
"""

from __future__ import annotations

import os
import struct

from codex_kernel.sandbox.inside import syscalls as sys

WRITE_FILE = 1 << 1
MAKE_CHAR = 1 << 6
MAKE_BLOCK = 1 << 11
REFER = 1 << 13
TRUNCATE = 1 << 14
IOCTL_DEV = 1 << 15
_WRITES_ABI_1 = 0x1FF2  # WRITE_FILE and everything that makes or removes an entry; reads stay unhandled
_ON_A_FILE = WRITE_FILE | TRUNCATE | IOCTL_DEV
_NET_BIND_CONNECT = 3
_SCOPE_ABSTRACT_AND_SIGNAL = 3
_RULE_PATH_BENEATH = 1


def abi() -> int:
    """The kernel's Landlock version; 0 when it has none or it is switched off."""
    try:
        return sys.call("landlock_create_ruleset", None, 0, 1)
    except OSError:
        return 0


def handled(version: int) -> int:
    """The rights a rule set of this version decides about: all ways of writing it knows."""
    rights = _WRITES_ABI_1
    if version >= 2:
        rights |= REFER
    if version >= 3:
        rights |= TRUNCATE
    if version >= 5:
        rights |= IOCTL_DEV
    return rights


def make_ruleset(directories: list[str], devices: list[str], *, tcp: bool) -> int:
    """A rule set's descriptor: writes below `directories` and to `devices`, nowhere else.

    Args:
        directories: What is missing by now is left out.
        devices: Files, or directories of devices.
        tcp: False takes away bind and connect, for machines without a private network.
    """
    version = abi()
    rights = handled(version)
    net = _NET_BIND_CONNECT if version >= 4 and not tcp else 0
    scoped = _SCOPE_ABSTRACT_AND_SIGNAL if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = sys.call("landlock_create_ruleset", struct.pack("QQQ", rights, net, scoped), size, 0)
    for path in directories:
        _allow(ruleset, path, rights & ~(MAKE_CHAR | MAKE_BLOCK))
    for path in devices:
        _allow(ruleset, path, rights & _ON_A_FILE)
    return ruleset


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        sys.call("landlock_add_rule", ruleset, _RULE_PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)


def restrict_self(ruleset: int) -> None:
    """This process and its children obey the rule set from now on."""
    sys.call("landlock_restrict_self", ruleset, 0)
