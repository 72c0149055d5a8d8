"""Patches as models write them, applied and taken back: the files are what they were, to the byte and the mode."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from codex_kernel.changes.compare import Compared, Texts, changed, renamed, with_texts
from codex_kernel.changes.listing import walk
from codex_kernel.changes.pack import Pack
from codex_kernel.changes.patched import before_patch, under
from codex_kernel.changes.revert import as_patch, taken_back
from codex_kernel.changes.scan import scan
from codex_kernel.patch.apply import apply
from codex_kernel.patch.verify import verify

LINES = [f"{'    ' * (number % 3)}line {number} \u2013 caf\u00e9" for number in range(60)]
FILES = {
    "plain": "\n".join(LINES).encode() + b"\n",
    "crlf": "\r\n".join(LINES).encode() + b"\r\n",
    "mixed": b"".join(line.encode() + (b"\n", b"\r\n")[at % 3 == 0] for at, line in enumerate(LINES)),
    "cut": "\n".join(LINES).encode(),
    "marked": b"\xef\xbb\xbf" + "\n".join(LINES).encode() + b"\n",
    "latin": "\n".join(LINES).replace("\u2013", "-").encode("latin-1") + b"\n",
    "other": b"\0\xff",
    "empty": b"",
}
UPDATED = list(FILES)[:6]


def some_patch(choice: random.Random) -> str:
    """Updates with blanks, dashes and line ends that are not the file's, moves, additions and a deletion."""
    lines = ["*** Begin Patch"]
    for name in UPDATED:
        lines.append(f"*** Update File: {name}")
        if choice.random() < 0.4:
            lines.append(f"*** Move to: {choice.choice(['other', 'new/' + name, 'moved-' + name])}")
        for at in sorted(choice.sample(range(3, 57, 6), 3)):
            spelled = LINES if name != "latin" else [line.replace("\u00e9", "\ufffd") for line in LINES]
            old = [line.replace("\u2013", "-") + choice.choice(["", " ", "\r"]) for line in spelled[at - 1 : at + 2]]
            new = [f"+    new {at}"] * choice.randrange(3)
            lines += ["@@", f" {old[0]}", f"-{old[1]}", *new, f" {old[2]}"]
    lines += ["*** Add File: empty", "+x", "*** Add File: new/er", "+y"]
    if "*** Move to: other" not in lines:
        lines.append("*** Delete File: other")
    return "\n".join([*lines, "*** End Patch"])


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode)
        for path in root.rglob("*")
        if path.is_file()
    }


def patched(root: Path, patch: str) -> list[Compared]:
    """Apply a patch; what it changed, as the thread's record has it."""
    pack = Pack(root.parent / "pack")
    known = scan(root, walk(root) or {}, {}, pack)
    verified = verify(patch, root)
    before = before_patch(verified.files, root, pack)
    apply(verified)
    after = scan(root, walk(root) or {}, known, pack)
    changes = changed(under(after, before, root, known), after)
    return renamed([one for change in changes if (one := with_texts(change, Texts(pack, {})))])


@pytest.mark.parametrize("seed", range(12))
def test_a_patch_taken_back_leaves_every_file_as_it_was(seed: int, tmp_path: Path) -> None:
    choice = random.Random(seed)
    root = tmp_path / "root"
    root.mkdir()
    for name, data in FILES.items():
        (root / name).write_bytes(data)
        (root / name).chmod(choice.choice([0o644, 0o755, 0o600]))
    before = tree(root)
    changes = patched(root, some_patch(choice))
    assert tree(root) != before
    choice.shuffle(changes)
    for one in changes:
        hunks = [2, 0, 1, 0] if one.change.path in UPDATED and choice.random() < 0.5 else None
        apply(as_patch(taken_back(one, hunks, root), root))
    assert tree(root) == before
