"""What stands where a `.git` or the like must not come to be: empty directories, harmless files; and their removal.

A bind mount needs something to lie on. Each is recorded before it is made, in a file its maker keeps locked; a record
nobody locks is of a dead agent, and the next start removes what it lists. Only what is still as it was made is ever
removed, and nothing that another living agent uses as well: its mount would go with the directory. Agents of one
runtime directory see that in each other's records, all others by a shared lock on the placeholder itself.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Generator, Sequence
from pathlib import Path

from codex_kernel.regular_files import read_regular
from codex_kernel.sandbox.repositories import GIT_FILES_MADE_AHEAD

_FOLDER = "placeholders"


class Placeholders:
    """This agent's placeholders; those of dead agents are seen through their records in the runtime directory."""

    def __init__(self, runtime_dir: Path) -> None:
        """Nothing is touched before the first `hold` or `sweep`."""
        self._folder = runtime_dir / _FOLDER
        self._record = -1
        self._record_path = ""
        self._held: set[str] = set()
        self._in_use: dict[str, int] = {}
        self._swept = False

    def hold(self, absent: Sequence[str], existing: Sequence[str] = ()) -> None:
        """Make what is absent and answer for it until `clear`.

        What is there by now was made by somebody else and is left to them; what cannot be made by us cannot be made by
        a command either.

        Args:
            absent: What is to be made.
            existing: What the plan found; those that are another agent's placeholders are kept until we are done too.

        Raises:
            OSError: The record cannot be written and nothing was made, or something existing is gone.
        """
        wanted = [path for path in absent if path not in self._held]
        if wanted or (existing and self._folder.is_dir()):
            self._make_and_adopt(wanted, existing)
        for path in (*absent, *existing):
            if path not in self._in_use and _untouched(path):
                self._in_use[path] = _share(path)

    def _make_and_adopt(self, wanted: Sequence[str], existing: Sequence[str]) -> None:
        with self._locked():
            others = self._listed_by_others()
            adopted = (set(existing) & others) - self._held
            if not wanted and not adopted:
                return
            self._held.update(wanted, adopted)
            self._write()
            for path in wanted:
                try:
                    _make(path)
                except OSError:
                    if path not in others:
                        self._held.discard(path)
            self._write()

    def clear(self) -> None:
        """Remove everything held that is still as it was made, and the record.

        What others use stays, and stays recorded for a later start.
        """
        for fd in self._in_use.values():
            os.close(fd)
        self._in_use.clear()
        if self._record < 0:
            return
        with self._locked():
            self._held = _remove(self._held - self._listed_by_others())
            if self._held:
                self._write()
                self._held = set()
            else:
                os.unlink(self._record_path)
            os.close(self._record)
            self._record = -1

    def sweep(self) -> None:
        """Remove what agents left that were killed; done once."""
        if self._swept or not self._folder.is_dir():
            return
        self._swept = True
        with self._locked():
            dead = {path: set(_lines(path)) for path in self._others() if _is_dead(path)}
            living = {line for path in self._others() if path not in dead for line in _lines(path)}
            left = {line for lines in dead.values() for line in lines}
            in_use = _remove(left - living - self._held)
            for path, lines in dead.items():
                if not lines & in_use:
                    os.unlink(path)

    def _others(self) -> list[str]:
        paths = [str(self._folder / name) for name in os.listdir(self._folder) if name != "lock"]
        return [path for path in paths if path != self._record_path]

    def _listed_by_others(self) -> set[str]:
        return {line for path in self._others() for line in _lines(path)}

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self) -> None:
        if self._record < 0:
            self._record_path = str(self._folder / f"{os.getpid()}-{os.urandom(4).hex()}")
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._record = os.open(self._record_path, flags, 0o600)
            fcntl.flock(self._record, fcntl.LOCK_EX)
        text = b"".join(os.fsencode(path) + b"\0" for path in sorted(self._held))
        os.pwrite(self._record, text, 0)
        os.ftruncate(self._record, len(text))


def _make(path: str) -> None:
    content = GIT_FILES_MADE_AHEAD.get(os.path.basename(path))
    if content is None:
        os.mkdir(path, 0o755)
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def _untouched(path: str) -> bool:
    """Whether it is as placeholders are made; what holds more is nobody's to remove."""
    content = GIT_FILES_MADE_AHEAD.get(os.path.basename(path))
    try:
        if content is None:
            with os.scandir(path) as entries:
                return next(entries, None) is None
        return not os.path.islink(path) and read_regular(path, len(content) + 1) == content
    except OSError:
        return False


def _share(path: str) -> int:
    """A descriptor that keeps other agents from removing a placeholder.

    Raises:
        FileNotFoundError: It went at this moment.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with contextlib.suppress(OSError):  # some network file systems lock nothing
        fcntl.flock(fd, fcntl.LOCK_SH)
    if os.fstat(fd).st_nlink == 0:
        os.close(fd)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return fd


def _remove(paths: set[str]) -> set[str]:
    """Deepest first, so that one may stand in another; what others use stays, and is returned."""
    in_use: set[str] = set()
    for path in sorted(paths, key=len, reverse=True):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_untouched(path)
        except BlockingIOError:
            in_use.add(path)
        except OSError:
            _remove_untouched(path)
        finally:
            os.close(fd)
    return in_use


def _remove_untouched(path: str) -> None:
    with contextlib.suppress(OSError):  # somebody has put something into it: it is theirs now
        if not _untouched(path):
            return
        if os.path.basename(path) in GIT_FILES_MADE_AHEAD:
            os.unlink(path)
        else:
            os.rmdir(path)


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_bytes()
    except OSError:
        return []
    return [os.fsdecode(line) for line in text.split(b"\0")[:-1]]


def _is_dead(path: str) -> bool:
    """Whether no living agent holds the record."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
