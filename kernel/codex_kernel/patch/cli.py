"""The command `apply_patch`: a patch as its argument or on standard input, applied to the working directory.

Source: spec/apply-patch.md section 5. It runs inside the sandbox like any other command, which decides what may be
written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from codex_kernel.patch.apply import apply
from codex_kernel.patch.parse import PatchSyntaxError
from codex_kernel.patch.text import readable
from codex_kernel.patch.verify import verify
from codex_protocol.errors import PatchError

FLAG = "--codex-run-as-apply-patch"
"""First argument of the main command that makes it this one; what follows the patch is then ignored."""

_USAGE = "Usage: apply_patch 'PATCH'\n       echo 'PATCH' | apply_patch\n"


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def main(argv: Sequence[str], stdin: BinaryIO, stdout: TextIO, stderr: TextIO) -> int:
    """Apply one patch; the exit status.

    Args:
        argv: Without the program's name.
        stdin: Read when there is no argument.
        stdout: Gets the summary.
        stderr: Gets one message when nothing was done.
    """
    try:
        applied = apply(verify(_patch_text(argv, stdin), Path.cwd()))
    except _Refused as refused:
        stderr.write(str(refused))
        return refused.code
    except PatchSyntaxError as error:
        place = "Invalid patch:" if error.line is None else f"Invalid patch hunk on line {error.line}:"
        stderr.write(readable(f"{place} {error.reason}\n"))
        return 1
    except PatchError as error:
        stderr.write(readable(f"{error}\n"))
        return 1
    except OSError as error:
        stderr.write(f"Error: the working directory cannot be used: {error.strerror}\n")
        return 1
    stdout.write(readable(applied.summary))
    return 0


def _patch_text(argv: Sequence[str], stdin: BinaryIO) -> str:
    if argv and argv[0] == FLAG:
        if len(argv) < 2 or not _is_utf8(argv[1]):
            raise _Refused(1, f"Error: {FLAG} requires a UTF-8 PATCH argument.\n")
        return argv[1]
    if len(argv) > 1:
        raise _Refused(2, "Error: apply_patch accepts exactly one argument.\n")
    if argv:
        if not _is_utf8(argv[0]):
            raise _Refused(1, "Error: apply_patch requires a UTF-8 PATCH argument.\n")
        return argv[0]
    try:
        text = stdin.read().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _Refused(1, f"Error: Failed to read PATCH from stdin.\n{error}\n") from error
    if not text:
        raise _Refused(2, _USAGE)
    return text


def _is_utf8(argument: str) -> bool:
    """Whether the argument's bytes were UTF-8: others arrive as lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True
