"""Which files of trusted projects are obeyed: those a person has seen, as they were then.

Trust of a directory alone would not do: a command that runs confined in a directory above, or in `/tmp`, may write
settings, rules and skills into a trusted one below, and the next start there would obey them outside the sandbox. So
what is obeyed is bound to its content, as hooks are. The record is kept in our own folder of the home, where commands
cannot write; names count from the project, so that its worktrees share it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from codex_kernel.config.named_files import file_digest, named_files
from codex_kernel.regular_files import read_regular
from codex_protocol.errors import ConfigError
from codex_store.home import Home

Digests = dict[str, tuple[str, ...]]
"""By a file's name: the digests it may have."""

CONFIG_FILE = "config.toml"
_FOLDERS = (".codex", ".agents")
_MAX_DEPTH = 9
_MAX_FOLDERS = 4_000
_MAX_BYTES = 4 * 1024 * 1024
_MOST_VERSIONS = 20
"""Of one file: whoever changes between branches need not confirm each time."""


class Confirmed(msgspec.Struct, frozen=True):
    """What was confirmed of one project."""

    base: Path = Path("/")
    """What names count from."""
    digests: Digests = {}

    def holds(self, file: Path, text: str) -> bool:
        """Whether this file was confirmed with this text."""
        return text_digest(text) in self.digests.get(name_of(self.base, file), ())

    def holds_program(self, file: Path, digest: str) -> bool:
        """Whether this file, which a command line names, was confirmed with this digest."""
        return digest in self.digests.get(name_of(self.base, file), ())

    def why_not(self, file: Path) -> str:
        """What to say of a file that does not hold, after "it"."""
        known = name_of(self.base, file) in self.digests
        return "was changed since you trusted it" if known else "is new since you trusted the project"


REMEDY = "if you want it as it is now, start once with --trust"
"""What every sentence about a file that does not hold ends with."""


def name_of(base: Path, file: Path) -> str:
    """What a file is called in the record."""
    name = str(file.relative_to(base)) if file.is_relative_to(base) else str(file)
    return os.fsencode(name).decode("utf-8", "replace")


def text_digest(text: str) -> str:
    """SHA-256 of a file's text as hexadecimal digits; a byte order mark does not count."""
    import hashlib

    return hashlib.sha256(text.removeprefix("\ufeff").encode("utf-8", "surrogatepass")).hexdigest()


def digests_now(base: Path, directories: Iterable[Path], cwd: Path, home: Path) -> Digests:
    """What would be obeyed in these directories, as it is at this moment.

    Args:
        base: What names count from.
        directories: Whose `.codex` and `.agents` count.
        cwd: Where the servers that settings name run.
        home: `$CODEX_HOME`, which may lie in such a directory and is no project's.
    """
    found: Digests = {}
    for file in _obeyed_files(directories, home):
        text = _text(file)
        if text is None:
            continue
        found[name_of(base, file)] = (text_digest(text),)
        if file.name == CONFIG_FILE:
            found |= {
                name_of(base, Path(path)): (digest,)
                for words, where in _server_commands(text, cwd)
                for path, digest in programs_of(words, where).items()
            }
    return found


def programs_of(words: tuple[str, ...], cwd: Path) -> dict[str, str]:
    """The digests of the files a command line names outside the system's folders, by path."""
    return {str(path): file_digest(path) for _, path in named_files(words, cwd)}


def _obeyed_files(directories: Iterable[Path], home: Path) -> Iterator[Path]:
    """Settings, rules and skills below the folders whose names the agent looks for; links are followed."""
    seen = {os.path.realpath(home)}
    level = [directory / name for directory in directories for name in _FOLDERS]
    for _ in range(_MAX_DEPTH):
        deeper: list[Path] = []
        for folder in level:
            real = os.path.realpath(folder)
            if real in seen or len(seen) >= _MAX_FOLDERS:
                continue
            seen.add(real)
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.is_dir():
                            deeper.append(folder / entry.name)
                        elif entry.name in (CONFIG_FILE, "SKILL.md") or entry.name.endswith(".rules"):
                            yield folder / entry.name
            except OSError:
                continue
        level = deeper


def _text(file: Path) -> str | None:
    try:
        data = read_regular(file, _MAX_BYTES + 1)
    except OSError:
        return None
    return data.decode("utf-8", "replace") if len(data) <= _MAX_BYTES else None


class _Server(msgspec.Struct):
    command: str = ""
    args: tuple[str, ...] = ()
    cwd: str = ""


class _Servers(msgspec.Struct):
    mcp_servers: dict[str, _Server] = {}


def _server_commands(text: str, cwd: Path) -> list[tuple[tuple[str, ...], Path]]:
    """Words and directory of each server that settings name; none where the settings cannot be used."""
    import tomllib

    try:
        settings = msgspec.convert(tomllib.loads(text.removeprefix("\ufeff")), _Servers)
    except (ValueError, RecursionError):
        return []
    return [((one.command, *one.args), cwd / one.cwd) for one in settings.mcp_servers.values() if one.command]


class ConfirmedFiles:
    """The record of all projects."""

    def __init__(self, home: Home) -> None:
        """Kept in our own folder of the home; nothing is read before it is asked for."""
        self._home = home
        self._file = home.workbench / "confirmed-files.json"

    def read(self) -> dict[str, Digests]:
        """What was confirmed, by trusted directory; one that is not there was never looked at.

        Raises:
            ConfigError: It cannot be read; then nothing may be obeyed.
        """
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, Digests])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(
                f"{self._file} cannot be read ({why}), so it is not known which project files you confirmed; move it"
                " away, and start once with --trust in each project.",
                file=str(self._file),
            ) from error

    def add(self, found: Mapping[str, Digests]) -> None:
        """Confirm files; what was confirmed of them before still is.

        Args:
            found: By trusted directory; one without files is remembered too.

        Raises:
            ConfigError: It cannot be read or written.
        """
        from codex_kernel.whole_files import locked, replace_file

        try:
            self._home.ensure()
            with locked(self._file.parent):
                record = self.read()
                for root, digests in found.items():
                    known = record.setdefault(root, {})
                    for name, fresh in digests.items():
                        before = [digest for digest in known.get(name, ()) if digest not in fresh]
                        known[name] = tuple([*before, *fresh][-_MOST_VERSIONS:])
                text = msgspec.json.format(msgspec.json.encode(record, order="deterministic"), indent=1)
                replace_file(self._file, text + b"\n")
        except OSError as error:
            raise ConfigError(f"{self._file} cannot be written: {error.strerror or error}.") from error
