"""How a kernel opens its thread: what the command line or the caller said, handed over in the environment."""

from __future__ import annotations

from typing import Any

import msgspec

from codex_protocol.errors import UsageError

OPTIONS_VARIABLE = "CODEX_KERNEL_OPTIONS"
"""Environment variable in which a kernel that is started finds `KernelOptions` as JSON."""


class KernelOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How a kernel opens its thread: what the command line or the caller said. Travels in `OPTIONS_VARIABLE`."""

    cwd: str | None = None
    """None: the process's directory."""
    overrides: tuple[str, ...] = ()
    """`-c key=value`, in order."""
    flags: dict[str, Any] = {}
    """Fields of `codex_kernel.config.flags.Flags` by name, as JSON."""
    resume: str | None = None
    """Id, name or rollout path of the thread to go on with."""
    fork: str | None = None
    fork_prompts: int | None = None
    """Of a fork: how many of the things the user said come along, with what followed them; None: all."""
    originator: str = "codex_kernel"
    stay: bool = False
    """The kernel outlives its client and ends after thirty idle minutes."""
    umask: int | None = None


def encode_options(options: KernelOptions) -> str:
    """For `OPTIONS_VARIABLE`."""
    return msgspec.json.encode(options).decode()


def decode_options(text: str) -> KernelOptions:
    """What `OPTIONS_VARIABLE` says.

    Raises:
        UsageError: It is no such JSON object.
    """
    try:
        return msgspec.json.decode(text, type=KernelOptions)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{OPTIONS_VARIABLE} cannot be read: {error}") from error
