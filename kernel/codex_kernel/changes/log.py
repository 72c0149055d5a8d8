"""The checkpoints of a thread on disk: how its files were around each turn, each as the difference to the one before.

A torn last line is passed over. Whatever cannot be read makes the log begin anew: it is a convenience, never needed.
"""

from __future__ import annotations

import contextlib
import os
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from codex_kernel.changes.pack import Pack
from codex_kernel.changes.patched import Patched, before_patch, under
from codex_kernel.changes.scan import Entry, Files

if TYPE_CHECKING:
    from codex_kernel.patch.verify import FileEdit

MAX_TOTAL_BYTES = 1 << 30
"""Of all threads together; the ones not touched for longest go first."""
MAX_AGE_S = 60 * 86400

Point = Literal["start", "end", "reverted"]


class Checkpoint(msgspec.Struct, kw_only=True):
    """One line: what is another than at the checkpoint before."""

    root: str
    turn: int
    """Counted from 1."""
    point: Point
    """Before a turn's first call, after its end, or after something of it was taken back."""
    at: float
    changed: Files = {}
    gone: tuple[str, ...] = ()


class CheckpointLog:
    """One thread's checkpoints."""

    def __init__(self, folder: Path) -> None:
        """Read what is there.

        Args:
            folder: The thread's own; made with the first checkpoint.
        """
        self._folder = folder
        self.pack = Pack(folder / "texts")
        self.checkpoints: list[Checkpoint] = []
        self.files: Files = {}
        """As of the last checkpoint."""
        self.patched: dict[str, Entry | None] = {}
        """What patches of the turn that has no checkpoint yet touched, as it was before them."""
        self._patched_root = ""
        self._patched_at: float | None = None
        """When the first of them came."""
        for checkpoint in self._read():
            self._take(checkpoint)
        for patched in self._read_patched():
            self._take_patched(patched)

    def _read(self) -> list[Checkpoint]:
        try:
            first = zlib.decompress((self._folder / "first").read_bytes())
            lines = (self._folder / "log").read_bytes().split(b"\n") if (self._folder / "log").exists() else []
            found = [msgspec.json.decode(first, type=Checkpoint)]
        except (OSError, zlib.error, msgspec.DecodeError):
            return []
        decoder = msgspec.json.Decoder(Checkpoint)
        for line in lines[:-1]:
            try:
                found.append(decoder.decode(line))
            except msgspec.DecodeError:
                break
        return found

    def _read_patched(self) -> list[Patched]:
        try:
            lines = (self._folder / "patched").read_bytes().split(b"\n")[:-1]
            decoder = msgspec.json.Decoder(Patched)
            found = [decoder.decode(line) for line in lines]
        except (OSError, msgspec.DecodeError):
            return []
        return [patched for patched in found if patched.turn > self.turns]

    def _take_patched(self, patched: Patched) -> None:
        self._patched_root = patched.root
        self._patched_at = patched.at if self._patched_at is None else self._patched_at
        self.patched = {**patched.files, **self.patched}

    def _take(self, checkpoint: Checkpoint) -> None:
        self.checkpoints.append(checkpoint)
        self.files = after(self.files, checkpoint)
        for entry in checkpoint.changed.values():
            if entry.ref.startswith("kept:"):
                self.pack.knows(entry.ref)

    @property
    def root(self) -> str:
        """The directory it is about; empty for an empty log."""
        return self._patched_root if self.patched else self.checkpoints[-1].root if self.checkpoints else ""

    @property
    def turns(self) -> int:
        """How many turns it knows."""
        return self.checkpoints[-1].turn if self.checkpoints else 0

    def keep_before(self, edits: Iterable[FileEdit], root: Path) -> None:
        """Write down what a patch is about to change, for the next turn's first checkpoint.

        Raises:
            OSError: It could not be written; then the patch must wait for that checkpoint.
        """
        if not self.root:
            self.begin_anew()
        files = before_patch(edits, root, self.pack)
        patched = Patched(root=str(root), turn=self.turns + 1, at=time.time(), files=files)
        with open(self._folder / "patched", "ab" if self.patched else "wb") as stream:
            stream.write(msgspec.json.encode(patched) + b"\n")
        self._take_patched(patched)

    def start(self, root: Path, files: Files) -> None:
        """Write a turn's first checkpoint.

        Args:
            root: Absolute.
            files: As they are: before the turn, or after those of its patches that were kept first.

        Raises:
            OSError: It could not be written.
        """
        before = under(files, self.patched, root, self.files)
        self.add(str(root), self.turns + 1, "start", before, at=self._patched_at)
        self.patched, self._patched_at = {}, None

    def add(self, root: str, turn: int, point: Point, files: Files, *, at: float | None = None) -> None:
        """Write a checkpoint.

        Args:
            root: Absolute.
            turn: Counted from 1.
            point: What it comes before or after.
            files: As they are, or were.
            at: Seconds since 1970; None: now.

        Raises:
            OSError: It could not be written.
        """
        changed = {path: entry for path, entry in files.items() if self.files.get(path) != entry}
        gone = tuple(path for path in self.files if path not in files)
        checkpoint = Checkpoint(root=root, turn=turn, point=point, at=at or time.time(), changed=changed, gone=gone)
        data = msgspec.json.encode(checkpoint)
        if not self.checkpoints:
            _write(self._folder / "first", zlib.compress(data, 1))
        else:
            with open(self._folder / "log", "ab") as stream:
                stream.write(data + b"\n")
        self._take(checkpoint)

    def begin_anew(self) -> None:
        """Forget everything: the thread works in another directory now.

        Raises:
            OSError: The folder cannot be made.
        """
        if os.path.lexists(self._folder):
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        self.pack = Pack(self._folder / "texts")
        self.checkpoints, self.files, self.patched, self._patched_at = [], {}, {}, None

    @property
    def began(self) -> tuple[float, ...]:
        """For each turn, in seconds since 1970, when it first ran something."""
        return tuple(point.at for point in self.checkpoints if point.point == "start")

    def around(self, first: int, last: int) -> tuple[Files, Files] | None:
        """The files before and after some turns; None when it has none of them, or their end is not known.

        What was taken back counts for the turn that was the newest then.
        """
        before: Files | None = None
        end: Files | None = None
        is_open = False
        files: Files = {}
        for checkpoint in self.checkpoints:
            files = after(files, checkpoint)
            if checkpoint.turn > last:
                if is_open:
                    end = files  # the agent died in the last of them: as the next one found them
                break
            if checkpoint.turn >= first:
                is_open = checkpoint.point == "start"
                if not is_open:
                    end = files
                elif before is None:
                    before = files
        return None if before is None or end is None else (before, end)

    def before(self, first: int) -> Files:
        """The files before a turn; empty for none."""
        files: Files = {}
        for checkpoint in self.checkpoints:
            files = after(files, checkpoint)
            if checkpoint.point == "start" and checkpoint.turn >= first:
                return files
        return {}

    def is_open(self) -> bool:
        """Whether the last turn has not ended, as far as the log knows."""
        return bool(self.checkpoints) and self.checkpoints[-1].point == "start"


def after(files: Files, checkpoint: Checkpoint) -> Files:
    """The files at a checkpoint, from those at the one before."""
    found = {**files, **checkpoint.changed}
    for path in checkpoint.gone:
        found.pop(path, None)
    return found


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def clean_up(folder: Path, keep: Path, *, max_bytes: int = MAX_TOTAL_BYTES, max_age_s: float = MAX_AGE_S) -> None:
    """Remove the checkpoints of threads that were not touched for long, and more while all take too much room.

    Args:
        folder: Holds one folder a thread.
        keep: Is left alone.
        max_bytes: Most that stays.
        max_age_s: Older ones go whatever they take.
    """
    found: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError):
        for thread in os.scandir(folder):
            with contextlib.suppress(OSError):
                stats = [file.stat(follow_symlinks=False) for file in os.scandir(thread.path)]
                newest = max((stat.st_mtime for stat in stats), default=0.0)
                found.append((newest, sum(stat.st_size for stat in stats), Path(thread.path)))
    import shutil

    total = sum(size for _, size, _ in found)
    for touched, size, path in sorted(found):
        if path != keep and (total > max_bytes or time.time() - touched > max_age_s):
            shutil.rmtree(path, ignore_errors=True)
            total -= size
