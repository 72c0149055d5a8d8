"""Where the prompt comes from: the argument, `-`, what is piped in, or both; a silent pipe never holds the run up.

Source: spec/exec-json.md section 7.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable

from codex_protocol.errors import CodexError

MAX_BYTES = 16 * 1024 * 1024
_SILENCE_S = 1.0
"""How long a pipe that says nothing is waited for."""
_SILENT_PIPELINE_S = 5.0
"""The same where another program of the pipeline still has to speak: `npm test | codex exec …`."""
_DEMO_SILENCE_S = 0.2
_PATIENCE_S = 2.0
"""After this long a person is told what we wait for."""

Say = Callable[[str], None]


class PromptInput:
    """What the user said.

    Attributes:
        text: The prompt as it is sent.
        late: Descriptor on which more may still come during the turn; None when everything is there.
    """

    __slots__ = ("late", "text")

    def __init__(self, text: str, late: int | None = None) -> None:
        self.text = text
        self.late = late


def take_prompt(argument: str | None, say: Say, *, read_beside: bool = True, descriptor: int = 0) -> PromptInput:
    """The prompt of `exec`.

    Args:
        argument: The positional; None when there is none, `-` to read standard input.
        say: Told one line at a time what a person should know.
        read_beside: Whether piped text is added to a prompt that is given; `resume ID PROMPT` does not.
        descriptor: Standard input.

    Raises:
        CodexError: There is no prompt: nothing was piped in, or only white space.
    """
    if argument is not None and argument != "-":
        prompt = _repaired(argument)
        if not prompt.strip():
            raise CodexError("the prompt is empty; give one as an argument or on standard input")
        return _beside(prompt, say, descriptor) if read_beside else PromptInput(prompt)
    if argument is None:
        if _is_terminal(descriptor):
            raise CodexError("no prompt: give one as an argument, or pipe it in ('codex exec --help' shows how)")
        say("Reading prompt from stdin...")
    text = _decoded(_read_all(descriptor, say))
    if not text.strip():
        raise CodexError("No prompt provided via stdin.")
    return PromptInput(text)


def take_demo_prompt(argument: str | None, say: Say, default: str, *, descriptor: int = 0) -> PromptInput:
    """As `take_prompt`, but `default` where nobody says anything; text that is there already counts."""
    if argument is not None:
        return take_prompt(argument, say, descriptor=descriptor)
    if _is_terminal(descriptor) or not _speaks_within(descriptor, _DEMO_SILENCE_S):
        return PromptInput(default)
    text = _decoded(_read_all(descriptor, say))
    return PromptInput(text if text.strip() else default)


def with_stdin(prompt: str, piped: str) -> str:
    """The prompt with what was piped in beside it."""
    return f"{prompt}\n\n{stdin_block(piped)}"


def stdin_block(piped: str) -> str:
    """Piped text as the model sees it, with exactly one line end before the closing tag."""
    return f"<stdin>\n{piped}{'' if piped.endswith(chr(10)) else chr(10)}</stdin>"


def decode_piped(data: bytes, say: Say) -> str:
    """Piped text; bytes that are no UTF-8 are replaced, and that is said."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        say("standard input is not UTF-8; what could not be read is shown as �")
        return data.decode("utf-8-sig", "replace")


def _beside(prompt: str, say: Say, descriptor: int) -> PromptInput:
    if _is_terminal(descriptor) or _is_null(descriptor):
        return PromptInput(prompt)
    say("Reading additional input from stdin...")
    patience = _SILENT_PIPELINE_S if _fed_by_sibling(descriptor) else _SILENCE_S
    if not _speaks_within(descriptor, patience):
        say(f"nothing on stdin after {patience:g} s; starting without it (what still comes joins the running turn)")
        return PromptInput(prompt, descriptor)
    data = _read_all(descriptor, say)
    if not data:
        return PromptInput(prompt)
    return PromptInput(with_stdin(prompt, decode_piped(data, say)))


def _read_all(descriptor: int, say: Say) -> bytes:
    chunks: list[bytes] = []
    size = 0
    told = False
    while True:
        if not told and not _speaks_within(descriptor, _PATIENCE_S):
            say("still waiting for the end of stdin (Ctrl-C stops)")
            told = True
        try:
            chunk = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            select.select([descriptor], [], [])
            continue
        except OSError as error:
            raise CodexError(f"standard input cannot be read: {error.strerror}") from error
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BYTES:
            limit = MAX_BYTES // (1024 * 1024)
            raise CodexError(
                f"standard input is larger than {limit} MiB; put it into a file and name that in the prompt"
            )


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CodexError(f"the prompt on standard input is not UTF-8 (byte {error.start})") from error


def _repaired(argument: str) -> str:
    """Arguments that are not UTF-8 arrive with lone surrogates, which no JSON can carry."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _speaks_within(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read, or the end, within that time. Files are always ready."""
    try:
        readable, _, _ = select.select([descriptor], [], [], seconds)
    except (OSError, ValueError):
        return True  # reading will tell
    return bool(readable)


def _is_terminal(descriptor: int) -> bool:
    return os.isatty(descriptor)


def _is_null(descriptor: int) -> bool:
    try:
        given, null = os.fstat(descriptor), os.stat(os.devnull)
    except OSError:
        return False
    return stat.S_ISCHR(given.st_mode) and given.st_rdev == null.st_rdev


def _fed_by_sibling(descriptor: int) -> bool:
    """Whether the pipe's other end is held by a program beside us, as in `a | codex exec …`.

    A program that starts us and forgets to close our stdin holds the other end itself: that is our parent. Linux tells;
    elsewhere nobody is taken for a sibling.
    """
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return False
        pipe = os.readlink(f"/proc/self/fd/{descriptor}")
        neighbours = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return False
    ours = {os.getpid(), os.getppid()}
    group = os.getpgrp()
    return any(_writes_to(pid, pipe, group) for pid in map(int, neighbours) if pid not in ours)


def _writes_to(pid: int, pipe: str, group: int) -> bool:
    try:
        if os.getpgid(pid) != group:
            return False
        folder = f"/proc/{pid}/fd"
        return any(os.readlink(f"{folder}/{name}") == pipe for name in os.listdir(folder))
    except OSError:
        return False  # it has ended, or is not ours
