"""A thread's checkpoints as the core uses them: taken beside the model's thinking, asked about, gone back to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_kernel.changes.listing import list_files, root_of
from codex_kernel.changes.scan import Files, scan
from codex_kernel.sandbox.git import read_blobs
from codex_protocol.changes import Changes, NotReverted, RevertPart
from codex_protocol.errors import CodexError, PatchError, ThreadError

if TYPE_CHECKING:
    from codex_kernel.changes.compare import Change, Compared, Texts
    from codex_kernel.changes.log import CheckpointLog, Point
    from codex_kernel.patch.verify import FileEdit
    from codex_kernel.sandbox.interface import Sandbox

log = logging.getLogger(__name__)

TOO_MANY = "this directory has too many files to follow, or is somebody's home; git knows what is not committed"
UNKNOWN = "nothing is known of the files before this thread's first turn with commands or patches"


class Reverted(msgspec.Struct, frozen=True):
    """What was taken back."""

    files: tuple[str, ...]
    left: tuple[NotReverted, ...]


class Checkpoints:
    """What the thread's turns did to its directory. Checkpoints follow each other; one waits for the one before."""

    def __init__(self, folder: Path | None, sandbox: Sandbox) -> None:
        """Nothing is read or written yet.

        Args:
            folder: The thread's own below that of all threads; None keeps nothing.
            sandbox: Confines git where it can, and says what may be read.
        """
        self._folder = folder
        self._sandbox = sandbox
        self._log: CheckpointLog | None = None
        self._lock = asyncio.Lock()
        self._begun: asyncio.Task[tuple[Path, Files] | None] | None = None
        """Looks at the files before the turn's first command."""
        self._starting: asyncio.Task[None] | None = None
        """Writes the turn's first checkpoint."""
        self._called = False
        """Whether the turn has had a call."""
        self._patched_in: Path | None = None
        """The turn's directory, when a patch of it did not wait for its first checkpoint."""
        self._ended = asyncio.Event()
        """The turn before has its last checkpoint."""
        self._ended.set()
        self._cleaned = False
        self._passed_over: Path | None = None
        """A directory with too many files to follow: it is not looked at again."""

    # Around turns

    def begin(self, cwd: Path) -> None:
        """Start to look at the files before a turn's first command, unless that was started."""
        if self._begun is None and self._folder is not None:
            self._begun = asyncio.create_task(self._look_first(cwd), name="checkpoint")

    def called(self) -> None:
        """A call has come that may change files by `around_patch` alone."""
        self._called = True

    async def ready(self, cwd: Path) -> None:
        """Wait until the files before the turn are known and written down; nothing fails for it."""
        self._called = True
        self.begin(cwd)
        if self._begun is not None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start(self._begun), name="first checkpoint")
            await asyncio.shield(self._starting)

    @contextlib.asynccontextmanager
    async def around_patch(self, cwd: Path, edits: Sequence[FileEdit]) -> AsyncGenerator[None]:
        """A patch is written in here. What it changes is written down as it was; it waits for nothing more than that.

        Args:
            cwd: The turn's directory.
            edits: What the verified patch changes.
        """
        await self._ended.wait()
        async with self._lock:  # no look at all files sees half a patch
            if await self._kept_before(cwd, edits):
                yield
                return
        await self.ready(cwd)
        yield

    async def end(self, cwd: Path) -> None:
        """Take the checkpoint after a turn; one that had no calls leaves none."""
        self._ended.clear()
        begun, starting, called = self._begun, self._starting, self._called
        self._begun, self._starting, self._called = None, None, False
        try:
            if running := {task for task in (begun, starting) if task is not None}:
                await asyncio.wait(running)
            if called and self._folder is not None:
                last = None
                if starting is None:  # patches alone: how the files are now tells how they were before, too
                    first = await self._look(cwd, first=True) if begun is None else begun.result()
                    await self._write(first, "start")
                    last = first if begun is None else None
                await self._write(last or await self._look(cwd, first=False), "end")
                await self._clean_up()
        finally:
            self._patched_in = None
            self._ended.set()

    async def _look_first(self, cwd: Path) -> tuple[Path, Files] | None:
        await self._ended.wait()
        return await self._look(cwd, first=True)

    async def _start(self, begun: asyncio.Task[tuple[Path, Files] | None]) -> None:
        await self._write(await asyncio.shield(begun), "start")

    async def _kept_before(self, cwd: Path, edits: Sequence[FileEdit]) -> bool:
        """Whether the files of a patch are written down as they are; else it must wait for the first checkpoint."""
        root = root_of(cwd)
        if self._folder is None or self._starting is not None or root == self._passed_over:
            return False
        try:
            found = await self._opened()
            if found.root not in ("", str(root)) or (found.patched and self._patched_in is None):
                return False  # of another directory, or of an agent that died: the look sees to it
            await asyncio.to_thread(found.keep_before, edits, root)
        except (CodexError, OSError, ValueError) as error:
            log.warning("not kept before a patch in %s: %s", cwd, error)
            return False
        self._patched_in = cwd
        return True

    async def _look(self, cwd: Path, *, first: bool) -> tuple[Path, Files] | None:
        root = root_of(cwd)
        if root == self._passed_over:
            return None
        async with self._lock:
            try:
                found = await self._opened()
                if found.root != str(root):
                    if self._patched_in is not None or not first:
                        return None  # the thread moved within the turn: there is nothing to compare with
                    await asyncio.to_thread(found.begin_anew)
                files = await self._scan(root, found)
                if files is not None and found.patched and self._patched_in is None:
                    await asyncio.to_thread(found.start, root, files)  # the turn in which an agent died
            except (CodexError, OSError, ValueError) as error:
                log.warning("no checkpoint of %s: %s", cwd, error)
                return None
        self._passed_over = root if files is None else None
        return None if files is None else (root, files)

    async def _write(self, seen: tuple[Path, Files] | None, point: Point) -> None:
        if seen is None:
            return
        root, files = seen
        async with self._lock:
            try:
                found = await self._opened()
                if point == "start":
                    await asyncio.to_thread(found.start, root, files)
                else:
                    await asyncio.to_thread(found.add, str(root), found.turns, point, files)
            except (CodexError, OSError, ValueError) as error:
                log.warning("no checkpoint of %s: %s", root, error)

    async def _clean_up(self) -> None:
        if not self._cleaned and self._folder is not None:
            from codex_kernel.changes.log import clean_up

            self._cleaned = True
            await asyncio.to_thread(clean_up, self._folder.parent, self._folder)

    async def _opened(self) -> CheckpointLog:
        if self._folder is None:
            raise ThreadError("this thread is not kept, so what it changed is not recorded")
        if self._log is None:
            from codex_kernel.changes.log import CheckpointLog

            self._log = await asyncio.to_thread(CheckpointLog, self._folder)
        return self._log

    async def _scan(self, root: Path, found: CheckpointLog) -> Files | None:
        listing = await list_files(root, self._sandbox)
        if listing is None:
            return None
        return await asyncio.to_thread(scan, root, listing, found.files, found.pack, self._sandbox.rights().may_read)

    # Asked about

    async def changes(self, turn: int | None, *, since: float = 0, until: float = math.inf) -> Changes:
        """What a turn changed, or the whole thread; while it runs, so far.

        Args:
            turn: Counted from 1; 0: the newest; None: the thread.
            since: Seconds since 1970; without `turn`: only turns that began then or later.
            until: Only turns that began before; what is missing then is nobody's fault, so nothing is raised.

        Raises:
            ThreadError: There is no such turn, or nothing is recorded.
        """
        await self._settle()
        async with self._lock:
            found = await self._settled()
            began = found.began
            if turn == 0:
                turn = found.turns or None
            span = _begun(began, since, until) if turn is None else (turn, turn)
            compared, more = ([], 0) if span is None else await self._compared(*span)
            from codex_kernel.changes.compare import shown

            root = Path(found.root)
            files = await asyncio.to_thread(lambda: tuple(shown(one, root) for one in compared))
            note = f"{more} more files changed" if more else "" if found.checkpoints else UNKNOWN
            if self._passed_over is not None:
                note = TOO_MANY
            return Changes(root=found.root, turn=turn, turns=found.turns, began=began, files=files, note=note)

    async def _settle(self) -> None:
        """See that a turn whose patches did not wait for its first checkpoint has one."""
        await self._ended.wait()
        if self._patched_in is not None:
            await self.ready(self._patched_in)

    async def _settled(self) -> CheckpointLog:
        """The log, with a first checkpoint for the turn in which an agent died before it was written."""
        found = await self._opened()
        if found.patched and self._patched_in is None:
            files = await self._scan(root := Path(found.root), found)
            if files is not None:
                await asyncio.to_thread(found.start, root, files)
        return found

    async def _compared(self, first: int, last: int) -> tuple[list[Compared], int]:
        from codex_kernel.changes.compare import MAX_FILES, changed, renamed, with_texts

        found = await self._opened()
        if not found.checkpoints:
            return [], 0
        before, after = await self._around(found, first, last)
        changes = await asyncio.to_thread(changed, before, after)
        texts = await self._texts(Path(found.root), found, changes[:MAX_FILES])
        compared = await asyncio.to_thread(lambda: [with_texts(change, texts) for change in changes[:MAX_FILES]])
        return renamed([one for one in compared if one is not None]), max(0, len(changes) - MAX_FILES)

    async def _around(self, found: CheckpointLog, first: int, last: int) -> tuple[Files, Files]:
        if first > found.turns:
            raise ThreadError(f"this thread has no turn {first} with commands or patches")
        if found.is_open() and last >= found.turns:  # it runs, or the agent died in it
            files = await self._scan(Path(found.root), found)
            return found.before(first), files if files is not None else found.files
        around = found.around(first, last)
        if around is None:
            raise ThreadError(f"how turn {last} ended is not known: the agent ended in it")
        return around

    async def _texts(self, root: Path, found: CheckpointLog, changes: Sequence[Change]) -> Texts:
        from codex_kernel.changes.compare import Texts

        entries = [entry for change in changes for entry in (change.before, change.after) if entry is not None]
        sizes = {entry.ref[4:]: entry.size for entry in entries if entry.ref.startswith("git:")}
        blobs = await read_blobs(root, sizes, sandbox=self._sandbox) if sizes else {}
        return Texts(found.pack, blobs)

    # Gone back to

    async def revert(
        self, turn: int | None, parts: Sequence[RevertPart], may_write: Callable[[Path], bool]
    ) -> Reverted:
        """Take changes back where nobody has touched the same lines since; what cannot be is left and told.

        Raises:
            ThreadError: There is no such turn.
            PatchError: Writing failed; says what was written.
        """
        await self._settle()
        async with self._lock:
            found = await self._settled()
            root = Path(found.root)
            newest = found.turns
            compared, _ = await self._compared(*((1, newest) if turn is None else (turn or newest, turn or newest)))
            edits, done, left = await asyncio.to_thread(_edits, compared, parts, root, may_write)
            if edits:
                from codex_kernel.changes.revert import as_patch
                from codex_kernel.patch.apply import apply

                await asyncio.to_thread(apply, as_patch(edits, root))
                files = await self._scan(root, found)
                if files is not None and not found.is_open():
                    touched = {str(edit.path.relative_to(root)) for edit in edits}
                    kept = {path: entry for path, entry in found.files.items() if path not in touched}
                    now = {path: entry for path, entry in files.items() if path in touched}
                    await asyncio.to_thread(found.add, found.root, found.turns, "reverted", {**kept, **now})
            return Reverted(tuple(done), tuple(left))


def _begun(began: Sequence[float], since: float, until: float) -> tuple[int, int] | None:
    """Numbers of the first and the last turn that began in a stretch of time; None for none of them."""
    found = [turn for turn, at in enumerate(began, 1) if since <= at < until]
    return (found[0], found[-1]) if found else None


def _edits(
    compared: Sequence[Compared], parts: Sequence[RevertPart], root: Path, may_write: Callable[[Path], bool]
) -> tuple[list[FileEdit], list[str], list[NotReverted]]:
    from codex_kernel.changes.revert import taken_back
    from codex_kernel.patch.text import readable

    by_path = {readable(one.change.path): one for one in compared}
    edits: list[FileEdit] = []
    done: list[str] = []
    left: list[NotReverted] = []
    for part in parts:
        one = by_path.get(part.path)
        try:
            if one is None or not one.known or one.digest != part.digest:
                raise PatchError("that is not the change that is recorded; look again")
            found = taken_back(one, part.hunks, root)
            if any(not may_write(edit.path) for edit in found):
                raise PatchError("it may not be written: the sandbox policy protects it")
        except PatchError as error:
            left.append(NotReverted(path=part.path, why=str(error)))
        else:
            edits += found
            done.append(part.path)
    return edits, done, left
