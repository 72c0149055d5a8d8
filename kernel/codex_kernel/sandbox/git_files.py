"""What a repository's own files say, read without starting git: where it is, its branch, commit and remote.

Source: spec/agent-loop.md section 12, "Git info". Nothing here is believed further than to be shown: sizes are
bounded, names checked, and credentials in a remote's URL are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from codex_kernel.regular_files import read_regular

_MAX_BYTES = 4 << 20
_MAX_PACKED_BYTES = 128 << 20
_MAX_LINKS = 5
_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECTION = re.compile(r'\[\s*(?P<name>[\w.-]+)(?:\s+"(?P<sub>(?:[^"\\]|\\.)*)")?\s*\]\s*(?P<rest>.*)')
_USER_INFO = r"^(?P<scheme>[a-zA-Z][\w+.-]*://)(?P<user>[^/@]*)@"


class Repository(msgspec.Struct, frozen=True):
    """Where a repository is."""

    root: Path
    """The directory that holds `.git`."""
    git_dir: Path
    """This working tree's own files, as HEAD and the index."""
    common_dir: Path
    """What all working trees share: config, references, objects. Mostly the same as `git_dir`."""


class HeadInfo(msgspec.Struct, frozen=True):
    """What is checked out; None for what there is none of."""

    commit: str | None
    branch: str | None
    """None when no branch is checked out."""
    url: str | None
    """Of the remote `origin`, without credentials."""


def git_root(cwd: Path) -> Path | None:
    """The nearest directory from `cwd` upwards that holds a repository; None outside of one."""
    repository = find_repository(cwd)
    return None if repository is None else repository.root


def find_repository(cwd: Path) -> Repository | None:
    """The repository `cwd` is in, as git would find it; None outside of one, or in a bare one."""
    for directory in (cwd, *cwd.parents):
        git_dir = _git_dir(directory / ".git")
        if git_dir is not None:
            common = _line(git_dir / "commondir")
            common_dir = git_dir if common is None else Path(os.path.realpath(git_dir / common))
            return Repository(directory, git_dir, common_dir)
    return None


def _git_dir(marker: Path) -> Path | None:
    """The directory a `.git` stands for; None when git would pass over it."""
    if not os.path.isdir(marker):
        pointer = _line(marker)
        if pointer is None or not pointer.startswith("gitdir:"):
            return None
        marker = Path(os.path.realpath(marker.parent / pointer.removeprefix("gitdir:").strip()))
    return marker if os.path.lexists(marker / "HEAD") else None


def read_head(repository: Repository) -> tuple[str | None, str | None] | None:
    """Commit and branch; None when only git can tell (references that are not files)."""
    head = _line(repository.git_dir / "HEAD")
    if head is None:
        return None
    if not head.startswith("ref:"):
        return (head, None) if _OBJECT_ID.fullmatch(head) else None
    name = head.removeprefix("ref:").strip()
    if not _is_reference(name) or os.path.lexists(repository.common_dir / "reftable"):
        return None
    branch = name.removeprefix("refs/heads/") if name.startswith("refs/heads/") else None
    return _commit(repository, name), branch


def remote_url(repository: Repository, remote: str = "origin") -> str | None:
    """The remote's first URL in the repository's own config, without credentials; None when it has none."""
    content = _read(repository.common_dir / "config", _MAX_BYTES)
    section = None
    for line in (content or b"").decode("utf-8", "replace").replace("\\\n", "").split("\n"):
        text = line.strip()
        header = _SECTION.match(text)
        if header:
            sub = re.sub(r"\\(.)", r"\1", header["sub"] or "")
            section, text = (header["name"].lower(), sub), header["rest"]
        key, equals, value = text.partition("=")
        if section == ("remote", remote) and equals and key.strip().lower() == "url":
            return _without_credentials(_value(value))
    return None


def _value(text: str) -> str:
    """A config value: quotes and escapes resolved, comment cut off."""
    out: list[str] = []
    quoted = False
    chars = iter(text.strip())
    for char in chars:
        if char == "\\":
            out.append(next(chars, ""))
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        else:
            out.append(char)
    return "".join(out).strip()


def _without_credentials(url: str) -> str | None:
    if not url or not url.isprintable():
        return None

    def shorten(match: re.Match[str]) -> str:
        user = "" if match["scheme"].lower().startswith("http") else match["user"].partition(":")[0]
        return match["scheme"] + (user + "@" if user else "")

    return re.sub(_USER_INFO, shorten, url)


def _commit(repository: Repository, name: str) -> str | None:
    """The commit a reference leads to."""
    for _ in range(_MAX_LINKS):
        line = _line(repository.common_dir / name)
        if line is None:
            return _packed(repository.common_dir, name)
        if not line.startswith("ref:"):
            return line if _OBJECT_ID.fullmatch(line) else None
        name = line.removeprefix("ref:").strip()
        if not _is_reference(name):
            return None
    return None


def _packed(common_dir: Path, name: str) -> str | None:
    content = _read(common_dir / "packed-refs", _MAX_PACKED_BYTES)
    if content is None:
        return None
    content = b"\n" + content
    end = content.find(b" " + os.fsencode(name) + b"\n")
    line = content[content.rfind(b"\n", 0, end) + 1 : end].decode("ascii", "replace") if end > 0 else ""
    return line if _OBJECT_ID.fullmatch(line) else None


def _is_reference(name: str) -> bool:
    """Whether the name stays inside the repository when taken for a path."""
    return name.startswith("refs/") and ".." not in name and "\0" not in name and name != "refs/heads/.invalid"


def _line(file: Path) -> str | None:
    """The text of a small file that holds one line; None when it is anything else."""
    content = _read(file, 4096)
    if not content or b"\0" in content:
        return None
    return os.fsdecode(content).strip()


def _read(file: Path, max_bytes: int) -> bytes | None:
    """The content of a regular file; None when it is none, is larger, or cannot be read."""
    try:
        content = read_regular(file, max_bytes + 1)
    except OSError:
        return None
    return content if len(content) <= max_bytes else None
