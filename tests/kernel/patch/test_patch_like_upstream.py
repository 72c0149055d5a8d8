import io
import os
import random
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from codex_kernel.patch.cli import FLAG, main
from codex_kernel.patch.parse import AddFile, DeleteFile, Hunk, Patch, UpdateFile, format_patch
from tests.support import peers
from tests.support.patch_making import patch_between

LINES = ["", "a", "b", "\tc", "  d  ", "e \u2013 f", "@@ g", "h\\", "+i", "-j"]


def text(choice: random.Random) -> bytes:
    return "".join(choice.choice(LINES) + "\n" for _ in range(choice.randrange(1, 12))).encode()


def edited(choice: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    for _ in range(choice.randrange(1, 4)):
        at = choice.randrange(len(lines) + 1)
        lines[at : at + choice.randrange(3)] = text(choice).splitlines(keepends=True)[: choice.randrange(3)]
    return b"".join(lines) or b"k\n"


def some_patch(seed: int) -> tuple[dict[str, bytes], str]:
    """Files, and a patch that touches each of them once."""
    choice = random.Random(seed)
    files: dict[str, bytes] = {}
    hunks: list[Hunk] = []
    for number in range(60):
        name, data = f"d{number % 7}/f{number}", text(choice)
        if choice.random() < 0.15:
            hunks.append(AddFile(name, tuple(data.decode().split("\n")[:-1])))
            continue
        files[name] = data
        if choice.random() < 0.15:
            hunks.append(DeleteFile(name))
            continue
        for hunk in patch_between(name, data, edited(choice, data)).hunks:
            assert isinstance(hunk, UpdateFile)
            move_to = f"moved/{number}" if choice.random() < 0.2 else None
            hunks.append(UpdateFile(hunk.path, hunk.chunks, move_to))
    return files, format_patch(Patch(tuple(hunks)))


def made(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Outcome(NamedTuple):
    """What a program left of a tree, and what it said."""

    code: int
    files: dict[str, bytes]
    output: bytes


def by_upstream(root: Path, patch: str) -> Outcome:
    done = subprocess.run(
        [peers.november().command, FLAG, patch],
        cwd=root,
        env={"PATH": os.environ["PATH"], "HOME": str(root.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, tree(root), done.stdout)


def by_us(root: Path, patch: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.chdir(root)
    out = io.StringIO()
    code = main([patch], io.BytesIO(), out, io.StringIO())
    return Outcome(code, tree(root), out.getvalue().encode())


@pytest.mark.parametrize("seed", range(5))
def test_upstream_leaves_the_same_files_and_says_the_same(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, patch = some_patch(seed)
    theirs = by_upstream(made(tmp_path / "theirs", files), patch)
    assert theirs.code == 0
    assert by_us(made(tmp_path / "ours", files), patch, monkeypatch) == theirs


IMPERFECT = {
    "blanks at the end": ["*** Update File: f", "@@", " one  ", "-two\t", "+2"],
    "other indentation": ["*** Update File: f", "@@", "-   two", "+2"],
    "keyboard quotes and dashes": ["*** Update File: f", "@@", '-"five" - it\'s', "+5"],
    "a blank line too many": ["*** Update File: f", "@@", " one", "-two", "+2", "", "@@", "-four", "+4"],
    "an added blank line before it": ["*** Update File: f", "@@", "-two", "+2", "+", "", "@@", "-four", "+4"],
    "a blank line too many, then an added one": ["*** Update File: f", "@@", " two", "", "+"],
    "a blank line to remove too many": ["*** Update File: f", "@@", " three", " ", "-", "@@", "-four", "+4"],
    "context without a blank": ["*** Update File: f", "@@", " two", "-three", "", "-four", "+4"],
    "a header as context": ["*** Update File: f", " *** Move to: g", "-one", "+1"],
    "removed lines alone without indentation": ["*** Update File: f", "-deep", "+  deeper"],
    "no @@": ["*** Update File: f", "-two", "+2"],
    "the end twice": ["*** Update File: f", "-two", "+2", "*** End Patch"],
    "an environment": ["*** Environment ID: e", "*** Update File: f", "-two", "+2"],
    "same lines twice": ["*** Update File: f", "@@", "-same", "+1", "@@", "-same", "+2"],
    "below a scope": ["*** Update File: f", "@@ same", "-same", "+2"],
    "line ends in the patch": ["*** Update File: f\r", "@@\r", "-two\r", "+2\r"],
    "line ends of the file": ["*** Update File: crlf", "@@", "-two", "+2", "+3"],
    "a quoted byte order mark": ["*** Update File: marked", "@@", "-\ufeffone", "+\ufeff1"],
    "added over": ["*** Add File: f", "+x"],
    "added, then updated": ["*** Add File: n", "+x", "*** Update File: n", "-x", "+y"],
    "deleted, then added": ["*** Delete File: f", "*** Add File: f", "+x"],
    "moved onto another": ["*** Update File: f", "*** Move to: crlf", "-two", "+2"],
    "moved, then updated": ["*** Update File: f", "*** Move to: g", "-two", "+2", "*** Update File: g", "-2", "+3"],
}


@pytest.mark.parametrize("name", IMPERFECT)
def test_upstream_takes_an_imperfect_patch_for_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "f": (
            "*** Move to: g\none\ntwo\nthree\n\nfour\nsame\nsame\n\u201cfive\u201d \u2013 it\u2019s\n  deep\n"
        ).encode(),
        "crlf": b"one\r\ntwo\r\n",
        "marked": b"\xef\xbb\xbfone\n",
    }
    patch = "\n".join(["*** Begin Patch", *IMPERFECT[name], "*** End Patch"])
    theirs = by_upstream(made(tmp_path / "theirs", files), patch)
    assert theirs.code == 0
    assert by_us(made(tmp_path / "ours", files), patch, monkeypatch) == theirs
