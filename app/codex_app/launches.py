"""What a `codex` command asks the page's server for: a thread; and what that is called until it has an id."""

from __future__ import annotations

import secrets

import msgspec

from codex_protocol.kernel_options import KernelOptions

_LAUNCH = "launch-"


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What a `codex` command asks for: a thread in its own surroundings."""

    options: KernelOptions
    env: dict[str, str]
    umask: int
    prompt: str = ""
    images: tuple[str, ...] = ()
    """Absolute paths."""


def new_launch() -> str:
    """What to ask for a thread by that is being launched."""
    return _LAUNCH + secrets.token_hex(6)


def is_launch(name: str) -> bool:
    """Whether that is no thread's id but a launch."""
    return name.startswith(_LAUNCH)
