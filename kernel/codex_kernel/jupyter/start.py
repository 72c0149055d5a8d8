"""A kernel's process: from the command line to the sockets, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from codex_protocol.errors import CodexError, UsageError
from codex_protocol.kernel_options import OPTIONS_VARIABLE, KernelOptions, decode_options
from codex_render.log_lines import LogLines

log = logging.getLogger(__name__)
USAGE = "python -P -m codex_kernel.jupyter -f CONNECTION_FILE"
_LEVELS = {"debug": logging.DEBUG, "trace": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}


def main(argv: Sequence[str]) -> int:
    """The exit code; what keeps the kernel from starting is one sentence on stderr."""
    try:
        file = connection_file(argv)
        options = take_options(os.environ)
        if options.umask is not None:
            os.umask(options.umask)
        return serve(file, options, parent=parent_pid(os.environ))
    except CodexError as error:
        sys.stderr.write(f"codex kernel: {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130


def connection_file(argv: Sequence[str]) -> Path:
    """The file named by `-f`.

    Raises:
        UsageError: There is none.
    """
    words = list(argv)
    for position, word in enumerate(words):
        if word in ("-f", "--connection-file") and position + 1 < len(words):
            return Path(words[position + 1]).absolute()
        if word.startswith("-f="):
            return Path(word[3:]).absolute()
    raise UsageError(f"a connection file is needed: {USAGE}; Jupyter fills it in from the kernelspec")


def take_options(environment: Mapping[str, str]) -> KernelOptions:
    """What the caller put into the environment, taken out of it: commands need not see it.

    Raises:
        UsageError: It cannot be read.
    """
    text = environment.get(OPTIONS_VARIABLE)
    if environment is os.environ:
        os.environ.pop(OPTIONS_VARIABLE, None)
    return decode_options(text) if text else KernelOptions()


def parent_pid(environment: Mapping[str, str]) -> int | None:
    """Who started us and takes us along when it ends, as Jupyter says it."""
    text = environment.get("JPY_PARENT_PID", "")
    return int(text) if text.isdigit() and int(text) > 1 else None


def serve(
    file: Path,
    options: KernelOptions,
    *,
    parent: int | None = None,
    owner: int | None = None,
    own_file: bool = False,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Run a kernel on the connection file to its end; the exit code.

    Args:
        file: Where to listen; ports that were 0 are written into it.
        options: How to open the thread.
        parent: Process that the kernel does not outlive.
        owner: Descriptor of a connection: its end of file ends the kernel.
        own_file: The file is removed at the end.
        on_ready: Called once it listens.

    Raises:
        CodexError: The file cannot be used, or an address cannot be had.
    """
    import zmq

    from codex_kernel.jupyter.connection import Sockets, is_plain_tcp, read_connection, write_connection
    from codex_protocol.wire import Wire, WireError

    lines = logging.StreamHandler()
    lines.setFormatter(LogLines())
    logging.basicConfig(
        level=_LEVELS.get(os.environ.get("CODEX_LOG", "").strip().lower(), logging.WARNING), handlers=[lines]
    )
    connection = read_connection(file)
    try:
        wire = Wire(connection.key.encode(), connection.signature_scheme)
    except WireError as error:
        raise CodexError(str(error)) from error
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    sockets = Sockets(connection, context)
    if sockets.changed:
        write_connection(file, connection)
    if is_plain_tcp(connection):
        log.warning(
            "this kernel talks over TCP without encryption, as its launcher asked: other users of this machine can "
            "read what it says; Jupyter's transport_encryption or ipc would prevent that"
        )
    on_ready()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # interrupts come as messages; Ctrl-C is meant for the console
    try:
        asyncio.run(_serve(sockets, wire, options, file, parent, owner))
    finally:
        context.destroy(linger=500)
        if own_file:
            file.unlink(missing_ok=True)
    return 0


async def _serve(
    sockets: object, wire: object, options: KernelOptions, file: Path, parent: int | None, owner: int | None
) -> None:
    from codex_kernel.jupyter.connection import Sockets
    from codex_kernel.jupyter.kernel import Kernel
    from codex_kernel.jupyter.lifetime import watch
    from codex_protocol.wire import Wire

    assert isinstance(sockets, Sockets)  # noqa: S101 - imported late
    assert isinstance(wire, Wire)  # noqa: S101 - imported late
    kernel = Kernel(sockets, wire, options, hidden_places(file))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, kernel.ended.set)
    with watch(kernel, parent=parent, owner=owner, stay=options.stay):
        await kernel.run()


def hidden_places(file: Path) -> tuple[Path, ...]:
    """What no command may see: this connection file, and Jupyter's folder of all of them."""
    places = [file]
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    jupyter = os.environ.get("JUPYTER_RUNTIME_DIR") or f"{data}/jupyter/runtime"
    for folder in (Path(jupyter), file.parent):
        if folder.is_dir() and folder.name == "runtime":
            places.append(folder)
    return tuple(dict.fromkeys(places))
