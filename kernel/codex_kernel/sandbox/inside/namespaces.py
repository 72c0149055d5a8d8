"""The mount layer: what a command sees of the file system, built once per helper inside fresh namespaces."""

from __future__ import annotations

import _socket
import fcntl
import os
import resource
import struct

from codex_kernel.sandbox.inside import syscalls as sys

TYPE_CHECKING = False  # typing costs a third of the helper's start
if TYPE_CHECKING:
    from codex_kernel.sandbox.inside.shapes import Mask, View

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SPARE_DESCRIPTORS = 128
_ENOENT, _ELOOP, _ENOTDIR, _EPERM, _EINVAL = 2, 40, 20, 1, 22


class Replaced(OSError):
    """A path of the plan is another file by now; the plan must be made again."""


def pin(paths: list[tuple[str, int, int]]) -> None:
    """Hold every path open for as long as this process lives.

    A deleted file's inode number goes to the next one made; a comparison of numbers would then see no change.

    Raises:
        Replaced: One is another file by now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if len(paths) + _SPARE_DESCRIPTORS > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for path, device, inode in paths:
        if not _same(_open(path), (device, inode)):
            raise Replaced(_ENOENT, f"{path} was replaced")


def _open(path: str) -> int:
    try:
        return sys.open_path(path)
    except OSError as error:
        if error.errno in (_ENOENT, _ELOOP, _ENOTDIR):
            raise Replaced(error.errno, f"{path} was replaced") from error
        raise


def enter(view: View) -> None:
    """Move this process into namespaces of its own and build the view there.

    Raises:
        Replaced: The tree has changed since the plan was made.
        OSError: The kernel refuses a step; nothing may run here.
    """
    _unshare(view["private_network"])
    if view["private_network"]:
        _loopback_up()
    sys.mount(None, "/", None, sys.MS_REC | sys.MS_PRIVATE)
    slash = sys.open_path("/")
    everything = any(path == "/" for path, _, _ in view["roots"])
    flags = sys.ATTR_NOSUID | sys.ATTR_NODEV | (0 if everything else sys.ATTR_RDONLY)
    sys.set_attributes(slash, add=flags)
    os.close(slash)
    for path, device, inode in sorted(view["roots"], key=_depth):
        if path != "/":
            _rebind(path, (device, inode), writable=True)
    for path, device, inode in sorted(view["read_only"], key=_depth):
        _rebind(path, (device, inode), writable=False)
    in_dev = [
        (path, tree) for path, _, _ in view["roots"] if path.startswith("/dev/") and (tree := _copy(path)) is not None
    ]
    _private_dev(view["shm_bytes"])
    for path, tree in in_dev:
        _show(path, tree)
    for mask in sorted(view["masks"], key=lambda mask: mask["path"].count("/")):
        _hide(mask)
    os.unlink("/dev/.hidden-file")
    os.rmdir("/dev/.hidden-directory")
    dev = sys.open_path("/dev")
    sys.set_attributes(dev, add=sys.ATTR_RDONLY, recursive=False)
    os.close(dev)


def _depth(entry: tuple[str, int, int]) -> int:
    return entry[0].count("/") if entry[0] != "/" else 0


def _unshare(private_network: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = sys.CLONE_NEWUSER | sys.CLONE_NEWNS | sys.CLONE_NEWIPC | sys.CLONE_NEWUTS | sys.CLONE_NEWCGROUP
    if private_network:
        flags |= sys.CLONE_NEWNET
    sys.call("unshare", flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


def _loopback_up() -> None:
    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    up, running = 1, 0x40
    fcntl.ioctl(control.fileno(), 0x8914, struct.pack("16sh14x", b"lo", up | running))
    control.close()


def _same(fd: int, identity: tuple[int, int]) -> bool:
    found = os.fstat(fd)
    return (found.st_dev, found.st_ino) == identity


def _rebind(path: str, identity: tuple[int, int], *, writable: bool) -> None:
    """Mount `path` on itself with its own writability.

    Raises:
        Replaced: It is gone, another file, or reached through a symbolic link by now.
    """
    fd = _open(path)
    try:
        if not _same(fd, identity):
            raise Replaced(_ENOENT, f"{path} was replaced")
        tree = sys.open_tree(fd)
        try:
            if writable:
                _clear_read_only(tree)
            else:
                sys.set_attributes(tree, add=sys.ATTR_RDONLY)
            sys.attach(tree, fd)
        finally:
            os.close(tree)
    finally:
        os.close(fd)


def _clear_read_only(tree: int) -> None:
    """Writable where the user can write: mounts that were read-only before us stay so."""
    try:
        sys.set_attributes(tree, clear=sys.ATTR_RDONLY)
    except OSError as error:
        if error.errno != _EPERM:
            raise
        sys.set_attributes(tree, clear=sys.ATTR_RDONLY, recursive=False)


def _private_dev(shm_bytes: int) -> None:
    """A /dev of our own: the harmless devices, new terminals, new shared memory."""
    devices = [(name, os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC)) for name in _DEVICES if _exists(name)]
    sys.mount("tmpfs", "/dev", "tmpfs", sys.MS_NOSUID | sys.MS_NOEXEC, "mode=755,size=64k,nr_inodes=64")
    for name, fd in devices:
        target = f"/dev/{name}"
        os.close(os.open(target, os.O_CREAT | os.O_CLOEXEC, 0o666))
        tree = sys.open_tree(fd)
        sys.set_attributes(tree, clear=sys.ATTR_RDONLY | sys.ATTR_NODEV)
        point = sys.open_path(target)
        sys.attach(tree, point)
        for used in (tree, point, fd):
            os.close(used)
    for name in ("pts", "shm"):
        os.mkdir(f"/dev/{name}", 0o755)
    sys.mount("devpts", "/dev/pts", "devpts", sys.MS_NOSUID | sys.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    sys.mount("tmpfs", "/dev/shm", "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, f"mode=1777,size={shm_bytes}")  # noqa: S108 - it is the one of the sandbox
    for name, target in (
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ):
        os.symlink(target, f"/dev/{name}")
    os.close(os.open("/dev/.hidden-file", os.O_CREAT | os.O_CLOEXEC, 0))
    os.mkdir("/dev/.hidden-directory", 0)


def _exists(name: str) -> bool:
    return os.path.exists(f"/dev/{name}")


def _hide(mask: Mask) -> None:
    """Cover a path with nothing readable; what it keeps is seen through.

    A path that is gone, or inside something hidden already, needs no cover.
    """
    try:
        point = sys.open_path(mask["path"])
    except OSError as error:
        if error.errno in (_ENOENT, _ENOTDIR, 13):
            return
        if error.errno == _ELOOP:
            raise Replaced(_ELOOP, f"{mask['path']} was replaced") from error
        raise
    kept = [(path, tree) for path in mask["keep"] if (tree := _copy(path)) is not None]
    if kept:
        sys.mount("tmpfs", f"/proc/self/fd/{point}", "tmpfs", sys.MS_NOSUID | sys.MS_NODEV, "mode=755,size=64k")
        for path, tree in kept:
            _show(path, tree)
        top = sys.open_path(mask["path"])
        sys.set_attributes(top, add=sys.ATTR_RDONLY, recursive=False)
        os.close(top)
    else:
        cover = sys.open_path("/dev/.hidden-directory" if mask["directory"] else "/dev/.hidden-file")
        tree = sys.open_tree(cover)
        sys.set_attributes(tree, add=sys.ATTR_RDONLY)
        sys.attach(tree, point)
        os.close(tree)
        os.close(cover)
    os.close(point)


def _copy(path: str) -> int | None:
    try:
        fd = sys.open_path(path)
    except OSError:
        return None
    tree = sys.open_tree(fd)
    os.close(fd)
    return tree


def _show(path: str, tree: int) -> None:
    if os.path.isdir(f"/proc/self/fd/{tree}"):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o444))
    point = sys.open_path(path)
    sys.attach(tree, point)
    os.close(point)
    os.close(tree)
