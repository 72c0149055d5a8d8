"""A rollout open for writing: whole lines go to its end in one write or not at all; nobody else writes meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from codex_protocol.errors import RolloutError
from codex_store.rollout_lines import LineKind, ThreadMeta, encode_line
from codex_store.rollout_paths import COMPRESSED, home_of, make_private, thread_id_of
from codex_store.rollout_segments import first_meta
from codex_store.rollout_tail import last_ordinal, whole_end
from codex_store.writer_lock import WriterLock

HEAD_BYTES = 1 << 18
"""So much of a file's beginning is looked at when it is opened again."""


class RolloutFile:
    """Made for a new thread, or by `reopen`. Not for use from several OS threads, but for `sync`."""

    def __init__(self, path: Path, thread_id: str, home: Path | None) -> None:
        """Make nothing yet: the file of a new thread appears with its first line that `starts` it."""
        self.path = path
        self.thread_id = thread_id
        self.home = home
        self.notices: tuple[str, ...] = ()
        """Sentences on what was repaired when the file was opened again."""
        self.bare_items = False
        """It is one of August 2025, whose items are lines without a kind."""
        self._fd: int | None = None
        self._lock: WriterLock | None = None
        self._closed = False
        self._waiting: list[bytes] = []  # lines of a thread that has no file yet
        self._size = 0
        self._synced_size = 0
        self._unsynced_folders: list[Path] = []  # in which something of this thread's path is new
        self._torn = False  # the file ends in the middle of a line
        self._ordinal: int | None = None  # of the next line, in a file that numbers its lines

    @classmethod
    def reopen(cls, path: Path) -> tuple[RolloutFile, bytes]:
        """The file of a thread, mended where its last writer died in the middle of a line; and how it begins.

        Raises:
            RolloutError: It cannot be opened, holds no thread, is packed, or another process writes it.
        """
        if path.name.endswith(COMPRESSED):
            raise RolloutError(f"{path} is packed; unpack it with `zstd -d --rm {path}` to go on with its thread.")
        meta = first_meta(path)
        thread_id = thread_id_of(path) or (meta.id if meta is not None else None)
        if thread_id is None:
            raise RolloutError(f"{path} holds no thread: its first line does not say which.")
        file = cls(path, thread_id if meta is None else meta.id, home_of(path))
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise RolloutError(f"The thread at {path} cannot be opened: {error.strerror or error}.") from error
        try:
            file._lock = WriterLock.acquire(file.home, file.thread_id, fd)
            file._fd = fd
            head = file._take_up(meta)
        except BaseException:
            file._fd = None
            os.close(fd)
            file.close()
            raise
        return file, head

    def line(self, kind: LineKind, payload: bytes, ahead: int = 0) -> bytes:
        """A line for `write`; `ahead` counts the numbered lines of the same batch before it."""
        return encode_line(kind, payload, ordinal=None if self._ordinal is None else self._ordinal + ahead)

    def write(self, lines: list[bytes], *, starts: bool = False, numbered: int | None = None) -> None:
        """Append whole lines in one write, or none of them; on return they survive the process.

        Args:
            lines: With their line ends.
            starts: Whether they are worth a file; what comes before waits for them.
            numbered: How many of them have numbers in a file that numbers its lines; None for all.

        Raises:
            RolloutError: They could not be written; the file holds none of them, and the next call may try again.
        """
        if self._closed:
            raise RolloutError(f"The thread {self.thread_id} is closed.")
        if self._fd is None:
            if not starts:
                self._waiting += lines
                return
            self._start()
        lines = [*self._waiting, *lines]
        self._append(b"".join(lines))
        self._waiting.clear()
        if self._ordinal is not None:
            self._ordinal += len(lines) if numbered is None else numbered

    def sync(self) -> None:
        """Wait until the disk has everything; does nothing when nothing was written since. May run in another thread.

        Raises:
            RolloutError: The disk failed.
        """
        fd, size = self._fd, self._size
        if fd is None or (size == self._synced_size and not self._unsynced_folders):
            return
        try:
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(fd)
            for folder in self._unsynced_folders:
                _sync_folder(folder)
            self._unsynced_folders = []
        except OSError as error:
            raise RolloutError(f"The thread may not be saved: {self.path}: {error.strerror or error}.") from error
        self._synced_size = size

    def close(self) -> None:
        """Let go of the file and of the right to write it; the second time nothing happens."""
        self._closed = True
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _take_up(self, meta: ThreadMeta | None) -> bytes:
        """Learn from the file how to go on, and mend its end."""
        assert self._fd is not None  # noqa: S101 - `reopen` has opened it
        self._size = os.fstat(self._fd).st_size
        self._mend()
        head = os.pread(self._fd, HEAD_BYTES, 0)
        self.bare_items = b'"payload":' not in (head if meta is None else head.split(b"\n", 1)[0])
        if (meta is None or meta.history_mode == "paginated") and not self.bare_items:
            last = last_ordinal(self._fd, self._size)
            if last is not None or meta is not None:
                self._ordinal = 0 if last is None else last + 1
        self._synced_size = self._size
        return head

    def _mend(self) -> None:
        assert self._fd is not None  # noqa: S101 - `reopen` has opened it
        end, unended = whole_end(self._fd, self._size)
        if unended:
            self._append(b"\n")
        elif end < self._size:
            os.ftruncate(self._fd, end)
            self.notices = (
                f"The last line of {self.path.name} was cut off when its writer died; {self._size - end} bytes of it "
                "were dropped.",
            )
            self._size = end

    def _start(self) -> None:
        try:
            self._unsynced_folders = [*make_private(self.path.parent), self.path.parent]
            self._lock = self._lock or WriterLock.acquire(self.home, self.thread_id)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RolloutError(f"The thread cannot be saved: {self.path}: {error.strerror or error}.") from error

    def _append(self, data: bytes) -> None:
        assert self._fd is not None  # noqa: S101 - callers have opened it
        if self._torn:
            data = b"\n" + data
        written = 0
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:] if written else data)
        except OSError as error:
            if written:
                self._cut_back()
            raise RolloutError(f"The thread cannot be saved: {self.path}: {error.strerror or error}.") from error
        self._size += written
        self._torn = False

    def _cut_back(self) -> None:
        """Take away the beginning of a batch whose rest could not be written; only we write here."""
        assert self._fd is not None  # noqa: S101 - something was just written to it
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size = os.fstat(self._fd).st_size
            self._torn = True


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
