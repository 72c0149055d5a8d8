import io
import os
import random
import subprocess
from pathlib import Path

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


@pytest.mark.parametrize("seed", range(5))
def test_upstream_leaves_the_same_files_and_says_the_same(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, patch = some_patch(seed)
    theirs, ours = made(tmp_path / "theirs", files), made(tmp_path / "ours", files)
    done = subprocess.run(
        [peers.november().command, FLAG, patch],
        cwd=theirs,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.chdir(ours)
    out, err = io.StringIO(), io.StringIO()
    assert main([patch], io.BytesIO(), out, err) == 0, err.getvalue()
    assert tree(ours) == tree(theirs)
    assert out.getvalue().encode() == done.stdout
