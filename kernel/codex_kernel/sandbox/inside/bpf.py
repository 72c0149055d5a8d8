"""An assembler for seccomp's filter language, just large enough for ours."""

from __future__ import annotations

import struct

LOAD, EQUAL, AT_LEAST, ANY_BIT, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06

ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
KILL_PROCESS = 0x80000000

NR, ARCH = 0, 4


def errno(number: int) -> int:
    """The verdict "fails with this error number"."""
    return 0x00050000 | number


def low(argument: int) -> int:
    """Where the low half of a system call's argument (0 to 5) stands; the kernel ignores the high half of ints."""
    return 16 + 8 * argument


def high(argument: int) -> int:
    """Where the high half of an argument stands; of a pointer both count."""
    return low(argument) + 4


class Filter:
    """Instructions in order. Every test falls through when it does not apply."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []

    def load(self, offset: int) -> None:
        """Take a 32-bit word of the call's description into the accumulator."""
        self._code.append((LOAD, 0, 0, offset))

    def mask(self, bits: int) -> None:
        """Keep only `bits` of the accumulator."""
        self._code.append((AND, 0, 0, bits))

    def verdict(self, value: int) -> None:
        """End here, whatever the accumulator holds."""
        self._code.append((RETURN, 0, 0, value))

    def when(self, test: int, value: int, verdict: int) -> None:
        """End with `verdict` when the accumulator passes `test` against `value`."""
        self._code.append((test, 0, 1, value))
        self.verdict(verdict)

    def unless(self, test: int, value: int, verdict: int) -> None:
        """End with `verdict` when the accumulator does not pass `test`."""
        self._code.append((test, 1, 0, value))
        self.verdict(verdict)

    def among(self, test: int, values: tuple[int, ...], then: Filter) -> None:
        """Go on with `then` when the accumulator passes `test` against one of `values`; `then` must end."""
        skip = len(then._code)
        if skip + len(values) > 255:
            raise ValueError("the block is too long to be jumped over")
        for index, value in enumerate(values):
            left = len(values) - 1 - index
            self._code.append((test, left, skip if left == 0 else 0, value))
        self._code.extend(then._code)

    def instructions(self) -> list[tuple[int, int, int, int]]:
        """Code, jump if true, jump if false, constant."""
        return list(self._code)

    def packed(self) -> bytes:
        """As the kernel takes it."""
        return b"".join(struct.pack("HBBI", *instruction) for instruction in self._code)
