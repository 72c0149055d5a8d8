"""Files by folder descriptor: read, replaced and removed so that no symbolic link put there meanwhile is followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from types import TracebackType

import msgspec

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KEPT_OPEN = 64
_CLOCK_GRAIN_NS = 50_000_000
"""A file changed as lately as this may change again without its times telling."""
_KEPT_MODE = 0o1777
"""Set-user-ID and set-group-ID end with the content they were given to."""


Stamp = tuple[int, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """A file as it was: its bytes, or where it points when it is a symbolic link."""

    data: bytes
    mode: int
    """`st_mode`, with the kind of file."""
    inode: tuple[int, int]
    """Device and inode."""
    owner: tuple[int, int]
    """User and group."""
    attributes: tuple[tuple[str, bytes], ...] = ()
    """Access list and user attributes."""
    stamp: Stamp | None = None
    """What any change of the file changes as well; None when it was changed too lately for that to be sure."""

    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


class Folders:
    """Descriptors of folders by absolute path, each opened without following a link; a few are kept open."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._made: list[str] = []

    def __enter__(self) -> Folders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def descriptor(self, path: str, *, make: bool = False) -> int:
        """The folder's descriptor, valid until some dozen others were asked for.

        Args:
            path: Absolute, without links and `..`.
            make: Make it, and the folders above it, where they are missing.

        Raises:
            OSError: It is not there, or a part of the path is a link or no folder.
        """
        if path not in self._open:
            if len(self._open) >= _KEPT_OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            self._open[path] = self._walk(path, make=make)
        return self._open[path]

    def _walk(self, path: str, *, make: bool) -> int:
        descriptor = os.open("/", _FOLDER)
        walked = ""
        for name in path.split("/"):
            if not name:
                continue
            walked += "/" + name
            try:
                below = self._step(name, descriptor, walked, make=make)
            finally:
                os.close(descriptor)
            descriptor = below
        return descriptor

    def _step(self, name: str, descriptor: int, path: str, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=descriptor)
        except FileNotFoundError:
            if not make:
                raise
        os.mkdir(name, dir_fd=descriptor)
        self._made.append(path)
        return os.open(name, _FOLDER, dir_fd=descriptor)

    def unmake(self) -> None:
        """Remove the folders made here that are still empty."""
        for path in reversed(self._made):
            with contextlib.suppress(OSError):
                os.rmdir(path)


def take(path: str, folder: int | None = None) -> Snapshot | None:
    """The file as it is; None when there is none.

    Args:
        path: Absolute; or a name in `folder`.
        folder: Descriptor of the folder.

    Raises:
        IsADirectoryError: It is a folder.
        OSError: It cannot be read, or is neither a regular file nor a link.
    """
    try:
        descriptor = os.open(path, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
        return _link(path, folder)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        return _snapshot(_read(descriptor, status.st_size), status, _attributes(descriptor))
    finally:
        os.close(descriptor)


def _link(path: str, folder: int | None) -> Snapshot:
    status = os.stat(path, dir_fd=folder, follow_symlinks=False)
    return _snapshot(os.fsencode(os.readlink(path, dir_fd=folder)), status)


def _snapshot(data: bytes, status: os.stat_result, attributes: tuple[tuple[str, bytes], ...] = ()) -> Snapshot:
    inode, owner = (status.st_dev, status.st_ino), (status.st_uid, status.st_gid)
    settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _CLOCK_GRAIN_NS
    return Snapshot(data, status.st_mode, inode, owner, attributes, _stamp(status) if settled else None)


def _stamp(status: os.stat_result) -> Stamp:
    return (
        status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev, status.st_mode
    )  # fmt: skip


def is_untouched(name: str, folder: int, before: Snapshot) -> bool:
    """Whether a file is surely as it was; False when it must be read to know.

    Args:
        name: In `folder`.
        folder: Descriptor.
        before: The file as it was read.
    """
    if before.stamp is None:
        return False
    try:
        return _stamp(os.stat(name, dir_fd=folder, follow_symlinks=False)) == before.stamp
    except OSError:
        return False


def _read(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size + 1)
    if len(data) == size:
        return data
    parts = [data]
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def stage(folder: int, data: bytes, *, like: Snapshot | None, mode: int | None) -> str:
    """A temporary file in `folder` that holds `data`; its name.

    Args:
        folder: Descriptor.
        data: The content.
        like: Whose owner, access list and user attributes it gets, as far as we may.
        mode: Permission bits; None: what the umask leaves of 0666.

    Raises:
        OSError: It could not be written; nothing is left behind.
    """
    name = f".codex-patch-{os.urandom(6).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    wanted = 0o666 if mode is None else mode & _KEPT_MODE
    at_first = wanted if mode is None or _is_open_to_all_alike(wanted, like) else 0o600
    descriptor = os.open(name, flags, at_first, dir_fd=folder)
    try:
        _write(descriptor, data)
        made = os.fstat(descriptor)
        if like is not None and (made.st_uid, made.st_gid) != like.owner:
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, *like.owner)
        if mode is not None and stat.S_IMODE(made.st_mode) != wanted:
            os.fchmod(descriptor, wanted)
        for attribute, value in like.attributes if like is not None else ():
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, attribute, value)
    except BaseException:
        unlink_quietly(name, folder)
        raise
    finally:
        os.close(descriptor)
    return name


def _is_open_to_all_alike(mode: int, like: Snapshot | None) -> bool:
    """Whether a file may have its mode before its owner: it is ours, and any group may do with it what others may."""
    ours = like is None or (like.owner[0] == os.geteuid() and not like.attributes)
    return ours and mode < 0o1000 and (mode >> 3) & 0o7 == mode & 0o7


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _attributes(descriptor: int) -> tuple[tuple[str, bytes], ...]:
    """The access list and the user's own attributes, as far as the system has them."""
    if not hasattr(os, "listxattr"):
        return ()
    try:
        names = os.listxattr(descriptor)
        kept = [name for name in names if name.startswith("user.") or name == "system.posix_acl_access"]
        return tuple((name, os.getxattr(descriptor, name)) for name in kept)
    except OSError:
        return ()


def overwrite(name: str, folder: int, data: bytes, before: bytes) -> None:
    """Write over a file that cannot be replaced (its folder is read-only, or it is a mount point).

    Args:
        name: In `folder`.
        folder: Descriptor.
        data: The new content.
        before: The content now; put back when writing fails.

    Raises:
        OSError: It could not be written.
    """
    descriptor = os.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        _write(descriptor, data)
        os.ftruncate(descriptor, len(data))
    except OSError:
        with contextlib.suppress(OSError):
            os.lseek(descriptor, 0, os.SEEK_SET)
            _write(descriptor, before)
            os.ftruncate(descriptor, len(before))
        raise
    finally:
        os.close(descriptor)


class Replaced:
    """Files that are about to be replaced or removed, held so that the system need not tidy up after them at once.

    Taking the last name from a file that was written lately makes one wait until the disk has that old content: a
    patch of some hundred files for half a second. While it is held, the waiting is put off.
    """

    def __init__(self) -> None:
        self._held: list[int] = []
        self._highest = _most_open() // 2 if hasattr(os, "O_PATH") else 0
        """The highest descriptor to take: others need some, too."""

    def hold(self, name: str, folder: int) -> None:
        """Hold one file, if there is room and the system can.

        Args:
            name: In `folder`.
            folder: Descriptor.
        """
        if not self._highest:
            return
        try:
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return
        self._held.append(descriptor)
        if descriptor >= self._highest:
            self._highest = 0

    def let_go(self) -> None:
        """Hold none of them any more; who calls does not wait for it."""
        held, self._held = self._held, []
        if held:
            threading.Thread(target=_close_all, args=(held,), name="replaced files", daemon=True).start()


def _most_open() -> int:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(soft, 1024) if soft >= 0 else 1024


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def unlink_quietly(name: str, folder: int) -> None:
    """Remove a file of ours, if it is still there."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)
