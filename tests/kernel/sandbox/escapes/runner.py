"""Plays every case as the user it is started as; one JSON line a case on stdout. Not a test itself: those read it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import py_compile
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from codex_kernel.sandbox import bubblewrap
from tests.kernel.sandbox.escapes.case import Case
from tests.kernel.sandbox.escapes.cases.descriptors import leak
from tests.kernel.sandbox.escapes.cases.environment import SECRET_VARIABLES
from tests.kernel.sandbox.escapes.cases.kernel_extras import new_session_keyring
from tests.kernel.sandbox.escapes.cases.terminals import agents_terminal
from tests.kernel.sandbox.escapes.catalogue import CATEGORIES, all_cases
from tests.kernel.sandbox.escapes.stage import Stage, clear, layers_of

_AT_ONCE = 3
_ONE_BY_ONE = ("descriptors", "kernel_extras", "terminals")
"""Their cases share what the runner holds: descriptors, a keyring, a terminal."""


async def play(stage: Stage, case: Case, sets: Sequence[str]) -> tuple[dict[str, object], dict[str, str]]:
    """What happened under each set of layers, `control` being none, and the end of what the command said."""
    found: dict[str, object] = {}
    said: dict[str, str] = {}
    for letters in sets:
        try:
            if letters == "control":
                found[letters], output = await stage.without(case)
            else:
                bwrap = bubblewrap.find() if letters == RUNG_2 else None
                found[letters], output = await stage.under(case, layers_of(letters), bwrap)
            said[letters] = output[-300:]
        except Exception as error:  # the outermost frame: the test that reads it fails
            found[letters] = f"{type(error).__name__}: {error}"
    return found, said


RUNG_2 = "bwrap-NLS"
"""All layers, the namespaces built by the system's bubblewrap."""


def sets_for(case: Case, *, root: bool) -> list[str]:
    """Without a sandbox, with everything, with each named layer alone, with all named layers off.

    What B names cannot be switched off: there the layers are, all of them.
    """
    by = case.by_root if root and case.by_root is not None else case.by
    named = [letter for letter in "NLS" if letter in by]
    sets = ["control", "NLS", *named]
    sets.append("" if "B" in by else "".join(letter for letter in "NLS" if letter not in named))
    if bubblewrap.find() is not None:
        sets.append(RUNG_2)
    return list(dict.fromkeys(sets))


EVERY_SET = ["control", "", "N", "L", "S", "NL", "NS", "LS", "NLS", RUNG_2]


async def run(cases: Sequence[tuple[str, Case]], *, every_set: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="esc-", dir="/var/tmp"))
    probe = folder / "probe"
    probe.mkdir()
    shutil.copy(Path(__file__).with_name("probe.py"), probe / "probe.py")
    py_compile.compile(str(probe / "probe.py"))
    stage = Stage(folder, probe)
    gate, alone = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(1)

    async def one(category: str, case: Case) -> None:
        async with alone if category in _ONE_BY_ONE else gate:
            found, said = await play(stage, case, EVERY_SET if every_set else sets_for(case, root=os.geteuid() == 0))
        line = {"category": category, "case": case.name, "by": case.by, "found": found, "said": said}
        print(json.dumps(line), flush=True)

    try:
        async with asyncio.TaskGroup() as group:
            for category, case in cases:
                group.create_task(one(category, case))
    finally:
        await stage.close()
        clear(folder)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--every-set", action="store_true", help="all combinations, to find out who stops what")
    parser.add_argument("--category", choices=CATEGORIES)
    parser.add_argument("--case")
    parsed = parser.parse_args()
    os.umask(0o022)
    am_root = os.geteuid() == 0
    cases = [
        (category, case)
        for category, case in all_cases()
        if case.root in (None, am_root)
        and case.not_here() is None
        and parsed.category in (None, category)
        and parsed.case in (None, case.name)
    ]
    os.environ.update(SECRET_VARIABLES)
    agents_terminal()
    new_session_keyring()
    leaks = leak()
    try:
        asyncio.run(run(cases, every_set=parsed.every_set))
    finally:
        leaks.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
