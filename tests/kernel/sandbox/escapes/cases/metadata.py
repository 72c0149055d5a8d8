"""Modes, owners, times, attributes: what Landlock does not see."""

from __future__ import annotations

import os

from tests.kernel.sandbox.escapes.case import Case, Room


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


def _kept(room: Room) -> None:
    os.utime(room.outside / "file", (1e9, 1e9))
    if room.kept.get("with_attribute"):
        os.setxattr(room.outside / "file", "user.was", b"1")


def _with_attribute(room: Room) -> None:
    os.setxattr(room.outside / "file", "user.was", b"1")


def _mode(room: Room) -> bool:
    return (room.outside / "file").stat().st_mode & 0o777 != 0o644


def _time(room: Room) -> bool:
    return (room.outside / "file").stat().st_mtime != 1e9


def _attributes(room: Room) -> bool:
    return os.listxattr(room.outside / "file") != []


def _no_attributes(room: Room) -> bool:
    return os.listxattr(room.outside / "file") == []


def _owner(room: Room) -> bool:
    return (room.outside / "file").stat().st_uid != os.getuid()


def no_dump_flag(room: Room) -> bool:
    """Whether the file outside has the flag that spares it from backups."""
    import array
    import fcntl

    flags = array.array("l", [0])
    with (room.outside / "file").open() as file:
        fcntl.ioctl(file, 0x80086601, flags)
    return bool(flags[0] & 0x40)


def _readable(room: Room) -> None:
    (room.outside / "file").chmod(0o644)


def _runs_as_its_owner(room: Room) -> bool:
    return bool((room.work / "program").stat().st_mode & 0o4000)


CASES = (
    Case("set-user-id", "S", "cp /bin/true program && chmod u+s program", _runs_as_its_owner),
    Case(
        "set-user-id-by-descriptor",
        "S",
        """
        # python
        write("program")
        os.fchmod(os.open("program", os.O_RDONLY), 0o4755)
        """,
        _runs_as_its_owner,
    ),
    Case(
        "set-user-id-by-the-newest-call",
        "S",
        """
        # python
        write("program")
        call(452, AT_FDCWD, b"program", 0o4755, 0)
        """,
        _runs_as_its_owner,
        not_here=lambda: None if _kernel() >= (6, 6) else "fchmodat2 is not there before Linux 6.6",
    ),
    Case(
        "set-user-id-from-the-start",
        "B",
        """
        # python
        fd = os.open("program", os.O_WRONLY | os.O_CREAT, 0o4755)
        os.write(fd, b"#!/bin/sh\\n")
        """,
        _runs_as_its_owner,
        root=True,  # an ordinary user's loses the bit anyway
    ),
    Case("mode", "N", "chmod 777 $OUTSIDE/file", _mode, before=_readable),
    Case(
        "mode-by-descriptor",
        "N",
        """
        # python
        os.fchmod(os.open(FILE, os.O_RDONLY), 0o777)
        """,
        _mode,
        before=_readable,
    ),
    Case(
        "mode-through-proc",
        "N",
        """
        # python
        os.chmod(f'/proc/self/fd/{os.open(FILE, os.O_PATH)}', 0o777)
        """,
        _mode,
        before=_readable,
    ),
    Case("mode-of-a-directory", "N", "chmod 700 $OUTSIDE", lambda room: room.outside.stat().st_mode & 0o777 == 0o700),
    Case(
        "mode-by-fchmodat2",
        "N",
        """
        # python
        call(452, os.open(FILE, os.O_PATH), b'', 0o777, AT_EMPTY_PATH)
        """,
        _mode,
        before=_readable,
    ),
    Case("owner", "B", "chown 12345 $OUTSIDE/file", _owner, root=True),
    Case("times", "N", "touch -d 2001-01-01 $OUTSIDE/file", _time, before=_kept),
    Case(
        "times-by-descriptor",
        "N",
        """
        # python
        os.utime(os.open(FILE, os.O_RDONLY), (1, 1))
        """,
        _time,
        before=_kept,
    ),
    Case(
        "set-an-attribute",
        "NS",
        """
        # python
        os.setxattr(FILE, 'user.new', b'1')
        """,
        _attributes,
    ),
    Case(
        "set-an-attribute-by-descriptor",
        "NS",
        """
        # python
        os.setxattr(os.open(FILE, 0), 'user.new', b'1')
        """,
        _attributes,
    ),
    Case(
        "set-an-attribute-by-setxattrat",
        "NS",
        """
        # python
        value, at = memory(b"1")
        arguments, where = memory(struct.pack("QII", at, 1, 0))
        call(463, AT_FDCWD, os.fsencode(FILE), 0, b"user.new", where, 16)
        """,
        _attributes,
    ),
    Case(
        "remove-an-attribute",
        "NS",
        """
        # python
        os.removexattr(FILE, 'user.was')
        """,
        _no_attributes,
        before=_with_attribute,
    ),
    Case(
        "flags",
        "NS",
        """
        # python
        import array, fcntl
        fcntl.ioctl(os.open(FILE, 0), 0x40086602, array.array("l", [0x40]))
        """,
        no_dump_flag,
    ),
    Case(
        "flags-by-fssetxattr",
        "NS",
        """
        # python
        import fcntl
        fd = os.open(FILE, 0)
        now = bytearray(fcntl.ioctl(fd, 0x801C581F, bytes(28)))
        struct.pack_into("I", now, 0, struct.unpack_from("I", now)[0] | 0x80)
        fcntl.ioctl(fd, 0x401C5820, bytes(now))
        """,
        no_dump_flag,
    ),
    Case(
        "flags-by-file-setattr",
        "NS",
        """
        # python
        now, at = memory(bytes(24))
        call(468, AT_FDCWD, os.fsencode(FILE), at, 24, 0)
        changed, where = memory(struct.pack("Q", struct.unpack_from("Q", now.raw)[0] | 0x80) + now.raw[8:])
        call(469, AT_FDCWD, os.fsencode(FILE), where, 24, 0)
        """,
        no_dump_flag,
    ),
)
