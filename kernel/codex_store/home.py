"""Where everything of a user's lives: `$CODEX_HOME`, our own folder in it, and the runtime directory.

No other module knows these places. Nothing here is created before somebody asks for it, and what exists already keeps
its mode: people share `~/.codex` with other programs.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from codex_protocol.errors import ConfigError

MAX_SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
"""What `sun_path` holds besides its closing zero byte."""

_SOCKET_DIR_RECORD = "socket-dir"


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """The directory for sockets, pid files and the like; gone after a restart of the machine, maybe."""

    path: Path
    """Exists, is ours, and nobody else may look into it."""
    notice: str | None = None
    """One sentence when the system's own runtime directory was passed over."""


class Home(msgspec.Struct, frozen=True, kw_only=True):
    """The user's state directory, shared with upstream's programs."""

    root: Path
    """Absolute, symlinks resolved; need not exist before `ensure()`."""
    xdg_runtime_dir: str | None = None
    """`XDG_RUNTIME_DIR` as the environment says it; checked by `runtime()`."""

    @property
    def config_file(self) -> Path:
        """User settings."""
        return self.root / "config.toml"

    @property
    def auth_file(self) -> Path:
        """The login."""
        return self.root / "auth.json"

    @property
    def env_file(self) -> Path:
        """Variables the user wants set in every run."""
        return self.root / ".env"

    @property
    def sessions(self) -> Path:
        """Rollouts, in folders by year, month and day."""
        return self.root / "sessions"

    @property
    def archived_sessions(self) -> Path:
        """Rollouts taken out of the lists."""
        return self.root / "archived_sessions"

    @property
    def history_file(self) -> Path:
        """What the user typed, over all threads."""
        return self.root / "history.jsonl"

    @property
    def prompts(self) -> Path:
        """Custom prompts."""
        return self.root / "prompts"

    @property
    def skills(self) -> Path:
        """The user's skills."""
        return self.root / "skills"

    @property
    def rules(self) -> Path:
        """The user's `.rules` files."""
        return self.root / "rules"

    @property
    def log(self) -> Path:
        """Log files."""
        return self.root / "log"

    @property
    def agents_md(self) -> Path:
        """The user's own instructions."""
        return self.root / "AGENTS.md"

    @property
    def workbench(self) -> Path:
        """Our own folder; upstream's programs never look into it."""
        return self.root / "workbench"

    @property
    def changes(self) -> Path:
        """What threads changed: one folder a thread."""
        return self.workbench / "changes"

    def profile_file(self, name: str) -> Path:
        """The profile file of `name`, whether it exists or not."""
        return self.root / f"{name}.config.toml"

    def ensure(self) -> None:
        """Make `root` and `workbench`, each 0700 when it is new.

        Raises:
            ConfigError: One of them cannot be made.
        """
        for directory in (self.root, self.workbench):
            _make(directory)

    def runtime_dir(self) -> Path:
        """`runtime().path`, for who needs no notice."""
        return self.runtime().path

    def runtime(self) -> Runtime:
        """The runtime directory, made 0700 when it is new.

        `$XDG_RUNTIME_DIR/codex-workbench` where that is private to us, else `workbench/run` in the home.

        Raises:
            ConfigError: Neither can be used.
        """
        notice: str | None = None
        if self.xdg_runtime_dir:
            found, why_not = _inside_xdg(self.xdg_runtime_dir)
            if found is not None:
                return Runtime(path=found)
            notice = f"XDG_RUNTIME_DIR={self.xdg_runtime_dir} is not used: {why_not}."
        self.ensure()
        fallback = self.workbench / "run"
        _make(fallback)
        if (why_not := _not_private(fallback)) is not None:
            raise ConfigError(
                f"The runtime directory {fallback} cannot be used: {why_not}; remove it or run `chmod 700` on it.",
                file=str(fallback),
            )
        return Runtime(path=fallback, notice=notice)

    def socket_path(self, name: str) -> Path:
        """A path for a socket called `name` that fits the system's limit.

        In the runtime directory where that is short enough, else in a 0700 directory of ours under `/var/tmp`, which
        the runtime directory records.

        Raises:
            ConfigError: No place is short enough, or none can be made.
        """
        runtime = self.runtime_dir()
        path = runtime / name
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
            return path
        path = (_recorded_socket_dir(runtime) or _new_socket_dir(runtime)) / name
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            raise ConfigError(f"The socket name {name!r} is too long for this system.")
        return path

    def private_dirs(self) -> tuple[Path, ...]:
        """The runtime directory and, if there is one, the directory of short socket names: no command may see them."""
        runtime = self.runtime_dir()
        recorded = _recorded_socket_dir(runtime)
        return (runtime,) if recorded is None else (runtime, recorded)


def find_home(env: Mapping[str, str] = os.environ) -> Home:
    """The home that the environment names: `$CODEX_HOME`, which must exist, else `~/.codex`, which need not.

    Raises:
        ConfigError: `CODEX_HOME` is no directory, or the user has no home directory.
    """
    xdg = env.get("XDG_RUNTIME_DIR") or None
    if named := env.get("CODEX_HOME"):
        root = Path(os.path.realpath(named))
        if not root.is_dir():
            what = "is not a directory" if root.exists() else "does not exist"
            raise ConfigError(f"CODEX_HOME is {named!r}, which {what}; create it or unset the variable.", file=named)
        return Home(root=root, xdg_runtime_dir=xdg)
    return Home(root=Path(os.path.realpath(_user_home(env) / ".codex")), xdg_runtime_dir=xdg)


def _user_home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME")
    if not home:
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            home = ""
    if not os.path.isabs(home):
        raise ConfigError("No home directory was found; set HOME or CODEX_HOME.")
    return Path(home)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The directory {directory} cannot be created: {error.strerror or error}; let CODEX_HOME name a directory "
            "that can be written.",
            file=str(directory),
        ) from error


def _inside_xdg(named: str) -> tuple[Path | None, str]:
    """Our folder in the system's runtime directory, or None and the reason."""
    base = Path(named)
    if not base.is_absolute():
        return None, "it is not an absolute path"
    if (why_not := _not_private(base)) is not None:
        return None, why_not
    ours = base / "codex-workbench"
    try:
        ours.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        return None, f"codex-workbench cannot be created in it ({error.strerror or error})"
    if (why_not := _not_private(ours)) is not None:
        return None, f"codex-workbench in it cannot be trusted, {why_not}"
    return ours, ""


def _not_private(directory: Path) -> str | None:
    """Why others could reach into `directory`; None when it is ours alone."""
    try:
        found = os.lstat(directory)
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a directory"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & 0o077:
        return "other users may look into it"
    return None


def _recorded_socket_dir(runtime: Path) -> Path | None:
    try:
        recorded = Path((runtime / _SOCKET_DIR_RECORD).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return recorded if recorded.is_absolute() and _not_private(recorded) is None else None


def _new_socket_dir(runtime: Path) -> Path:
    """A fresh directory under `/var/tmp`, or the one a process beside us recorded first."""
    import fcntl
    import tempfile

    record = runtime / _SOCKET_DIR_RECORD
    lock = os.open(runtime / f"{_SOCKET_DIR_RECORD}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (recorded := _recorded_socket_dir(runtime)) is not None:
            return recorded
        made = Path(tempfile.mkdtemp(prefix="cdx", dir="/var/tmp"))
        fresh = record.with_suffix(".new")
        with open(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8"
        ) as stream:
            stream.write(str(made))
        os.replace(fresh, record)
    except OSError as error:
        raise ConfigError(f"No directory for sockets can be made under /var/tmp: {error.strerror or error}.") from error
    finally:
        os.close(lock)
    return made
