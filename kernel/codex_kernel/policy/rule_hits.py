"""How often each rule spoke: one small file of ours, so that people see which rules they use."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, cast

log = logging.getLogger(__name__)

FILE_NAME = "rule-hits.json"
_MAX_KEYS = 2_000
_MAX_BYTES = 4 * 1024 * 1024


class Hits(NamedTuple):
    """How often a rule spoke, and when last (UTC)."""

    times: int
    last: str


class RuleHits:
    """The counts in one folder of ours."""

    def __init__(self, folder: Path) -> None:
        """Counts kept in `folder`; nothing is read before it is asked for."""
        self._file = folder / FILE_NAME

    def read(self) -> dict[str, Hits]:
        """By `PrefixRule.key`; what cannot be read counts as nothing."""
        try:
            if self._file.stat().st_size > _MAX_BYTES:
                return {}
            found: object = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        entries = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        hits: dict[str, Hits] = {}
        for key, entry in entries.items():
            match entry:
                case [int() as times, str() as last]:
                    hits[key] = Hits(times, last)
                case _:
                    continue
        return hits

    def add(self, keys: Iterable[str]) -> None:
        """Each of these rules spoke once more. A failure is logged: the command does not wait for our counts."""
        keys = tuple(keys)
        if not keys:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                hits = self.read()
                for key in keys:
                    hits[key] = Hits(hits[key].times + 1 if key in hits else 1, now)
                self._write(hits)
            finally:
                os.close(lock)
        except OSError as error:
            log.info("the rules that spoke could not be counted in %s: %s", self._file, error.strerror or error)

    def _write(self, hits: dict[str, Hits]) -> None:
        newest = sorted(hits.items(), key=lambda entry: entry[1].last, reverse=True)[:_MAX_KEYS]
        fresh = self._file.with_name(f".{FILE_NAME}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(dict(newest), ensure_ascii=False, indent=0), encoding="utf-8")
            os.replace(fresh, self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                fresh.unlink()
            raise
