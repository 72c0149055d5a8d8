"""The thread behind a kernel: opened when somebody first needs it, replaced by `/new`, heard by whoever listens."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from codex_protocol.errors import CodexError, ConfigError, ThreadEnded, UsageError
from codex_protocol.events import NumberedEvent
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home, find_home

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.core.thread import Thread
    from codex_kernel.jupyter.first_run import BrowserLogin
    from codex_kernel.jupyter.paths import Paths
    from codex_kernel.sandbox.interface import Sandbox
    from codex_protocol.ops import Op

Listener = Callable[[NumberedEvent], None]
StartThread = Callable[["Config", Path | None, Path | None], Awaitable["Thread"]]
"""Config, rollout to go on with, rollout to fork."""


class Agent:
    """Holds the kernel's thread. `thread()` opens it; `current` is None before and while it is being replaced."""

    def __init__(self, options: KernelOptions, hidden: tuple[Path, ...] = (), start: StartThread | None = None) -> None:
        """Nothing is read or opened yet.

        Args:
            options: How to open the thread.
            hidden: Files and directories that no command may see: the connection file and its like.
            start: Starts a thread with a config; tests bring one with a model of their own.
        """
        self.options = options
        self.current: Thread | None = None
        self.config: Config | None = None
        """Of the current thread."""
        self._hidden = hidden
        self._start = start
        self._listeners: list[Listener] = []
        self._lock = asyncio.Lock()
        self._ending = False
        self._next = options
        self._paths: Paths | None = None
        self._login: BrowserLogin | None = None

    @property
    def cwd(self) -> Path:
        """The thread's directory; before it is open, where it will be opened."""
        if self.current is not None:
            return Path(self.current.context.cwd)
        return Path(self._next.cwd or os.getcwd())

    def begin_in(self, directory: Path) -> None:
        """Work there when the thread is opened; only before that."""
        self.options = msgspec.structs.replace(self.options, cwd=str(directory))
        self._next = msgspec.structs.replace(self._next, cwd=str(directory))

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event of this and every later thread; it must not block."""
        self._listeners.append(listener)

    def keeps_inputs(self) -> bool:
        """Whether what is typed may be written down (`history.persistence`); not, while the settings cannot be read."""
        if self.config is None:
            try:
                self.config = self._load(find_home())
            except CodexError:
                return False
        return self.config.history.persistence != "none"

    @property
    def login(self) -> BrowserLogin:
        """The ChatGPT login that a front end may have begun."""
        if self._login is None:
            from codex_kernel.jupyter.first_run import BrowserLogin

            self._login = BrowserLogin()
        return self._login

    @property
    def paths(self) -> Paths:
        """The search over the thread's directory."""
        if self._paths is None:
            from codex_kernel.jupyter.paths import Paths

            self._paths = Paths(self)
        return self._paths

    @property
    def has_paths(self) -> bool:
        """Whether anybody has searched."""
        return self._paths is not None

    async def thread(self) -> Thread:
        """The thread, opened if need be.

        Raises:
            ThreadEnded: The agent ends.
            CodexError: It cannot be opened: a setting, a credential or the rollout; the next call tries again.
        """
        async with self._lock:
            if self._ending:
                raise ThreadEnded("the agent is ending; its thread is on disk and can be resumed")
            if self.current is None or self.current.ended:
                self.current = await self._open()
            return self.current

    async def submit(self, op: Op, id: str | None = None) -> str:
        """Hand an op to the thread; the id that its events carry. One that was shut down is gone on with.

        Raises:
            CodexError: As `thread`.
        """
        while True:
            thread = await self.thread()
            try:
                return thread.submit(op, id)
            except ThreadEnded:
                await thread.aclose()

    async def replace(self, *, resume: str | None = None, fork: str | None = None) -> Thread:
        """End the thread and open another one with the settings this kernel was started with.

        Raises:
            CodexError: As `thread`; without a thread to go on with, the old one has ended all the same.
        """
        self._next = msgspec.structs.replace(self.options, resume=resume, fork=fork)
        if resume is not None or fork is not None:
            find_stored(find_home(), resume or fork or "")  # an unknown name must not cost the open thread
        await self.close()
        return await self.thread()

    async def end(self) -> None:
        """End the thread for good: nothing is taken from now on, so that nothing is taken and not done."""
        self._ending = True
        await self.close()

    async def close(self) -> None:
        """End the thread: its turn is interrupted and everything is on disk."""
        async with self._lock:
            thread, self.current = self.current, None
            if thread is not None:
                await thread.aclose()

    def _load(self, home: Home) -> Config:
        """The settings. `trust` is the person's word about the files of that moment: it is taken once."""
        config = load(self._next, home, self._hidden)
        self.options, self._next = _trust_taken(self.options), _trust_taken(self._next)
        return config

    async def _open(self) -> Thread:
        home, options = find_home(), self._next
        self.config = config = self._load(home)
        resume = find_stored(home, options.resume) if options.resume else config.experimental_resume
        fork = find_stored(home, options.fork) if options.fork else None
        if self._start is not None:
            thread = await self._start(config, resume, fork)
        else:
            thread = await _start_thread(config, home, options, self._hidden, resume, fork)
        thread.subscribe(self._tell)
        # A later opening, after the thread has ended, goes on with it.
        if thread.rollout_path is not None:
            self._next = msgspec.structs.replace(self.options, resume=str(thread.rollout_path), fork=None)
        return thread

    def _tell(self, numbered: NumberedEvent) -> None:
        for listener in tuple(self._listeners):
            listener(numbered)


def _trust_taken(options: KernelOptions) -> KernelOptions:
    flags = {name: value for name, value in options.flags.items() if name != "trust"}
    return msgspec.structs.replace(options, flags=flags)


async def _start_thread(
    config: Config,
    home: Home,
    options: KernelOptions,
    hidden: tuple[Path, ...],
    resume: Path | None,
    fork: Path | None,
) -> Thread:
    from codex_kernel.core.thread import Thread

    return await Thread.start(
        config,
        can_ask=True,
        originator=options.originator,
        sandbox=_sandbox(config, home, hidden),
        resume=resume,
        fork=fork,
        fork_prompts=options.fork_prompts if fork is not None else None,
    )


def load(options: KernelOptions, home: Home, hidden: tuple[Path, ...] = ()) -> Config:
    """The thread's settings.

    Raises:
        ConfigError: One of them cannot be used.
        UsageError: The options name a flag that does not exist.
    """
    from codex_kernel.config.flags import Flags
    from codex_kernel.config.load import load_config

    try:
        cwd = Path(options.cwd or os.getcwd())
    except OSError as error:
        raise ConfigError("the kernel's directory does not exist any more; start it in another one") from error
    try:
        flags = msgspec.convert(options.flags, Flags, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"the kernel was started with a flag that cannot be used: {error}") from error
    config = load_config(home=home, cwd=cwd, overrides=options.overrides, flags=flags)
    denied = tuple(str(path) for path in hidden if not path.is_dir())
    sandbox = msgspec.structs.replace(config.sandbox, deny_read=(*config.sandbox.deny_read, *denied))
    return msgspec.structs.replace(config, sandbox=sandbox)


def find_stored(home: Home, name: str) -> Path:
    """The rollout of a stored thread by id, name or path.

    Raises:
        CodexError: There is none, or several.
    """
    path = Path(name)
    if path.is_absolute():
        if not path.exists():
            raise CodexError(f"there is no thread in {path}")
        return path
    from codex_store.threads import find_thread

    return find_thread(home, name).path


def _sandbox(config: Config, home: Home, hidden: tuple[Path, ...]) -> Sandbox:
    from codex_kernel.sandbox.launcher import make_sandbox

    runtime, *others = home.private_dirs()
    return make_sandbox(config, home.root, runtime, private_dirs=[*others, *(path for path in hidden if path.is_dir())])
