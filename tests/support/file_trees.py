"""Trees of empty files with names as projects have them; the same for the same numbers."""

from __future__ import annotations

import os
import random
from pathlib import Path

_LIST = (
    "parser lexer widget button index main app core utils config model view controller service client server auth "
    "login user session token cache store event handler router request response test spec mock data schema query "
    "index search file tree node render html diff patch apply shell sandbox policy thread turn item tool registry "
    "notebook kernel message wire socket stream buffer reader writer format lint build deploy docker readme license"
)
_WORDS = _LIST.split()
_ENDINGS = ("py", "py", "rs", "ts", "tsx", "js", "md", "json", "toml", "yaml", "css", "html", "txt")


def make_paths(count: int, *, seed: int = 7) -> list[str]:
    """`count` different relative paths of files, none of them also a directory."""
    rng = random.Random(seed)
    directories = [""]
    while len(directories) < max(4, count // 12):
        parent = rng.choice(directories[-200:] if rng.random() < 0.5 else directories)
        if parent.count("/") < 7:
            directories.append(f"{parent}{_name(rng)}.d/" if rng.random() < 0.03 else f"{parent}{_name(rng)}/")
    paths: set[str] = set()
    taken = {directory.rstrip("/") for directory in directories}
    while len(paths) < count:
        path = f"{rng.choice(directories)}{_file(rng)}"
        if path not in taken:
            paths.add(path)
    return sorted(paths)


def write_tree(root: Path, paths: list[str]) -> None:
    """Make the files, empty."""
    for directory in sorted({os.path.dirname(path) for path in paths}):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for path in paths:
        os.close(os.open(root / path, os.O_CREAT | os.O_WRONLY, 0o644))


def _name(rng: random.Random) -> str:
    words = rng.sample(_WORDS, rng.choice((1, 1, 1, 2, 2, 3)))
    style = rng.random()
    if style < 0.5:
        return "_".join(words)
    if style < 0.65:
        return "-".join(words)
    if style < 0.85:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return "".join(word.capitalize() for word in words)


def _file(rng: random.Random) -> str:
    number = str(rng.randrange(100)) if rng.random() < 0.2 else ""
    hidden = "." if rng.random() < 0.02 else ""
    return f"{hidden}{_name(rng)}{number}.{rng.choice(_ENDINGS)}"
