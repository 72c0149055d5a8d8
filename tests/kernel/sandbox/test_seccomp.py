"""The filter, run by a small interpreter of its language: a verdict for every call and architecture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.sandbox.inside import bpf, numbers, seccomp

ERRNO = 0x00050000
NAMES = {bpf.ALLOW: "allow", bpf.NOTIFY: "notify", bpf.KILL_PROCESS: "kill"}
EPERM, ENOSYS, EAFNOSUPPORT = "1", "38", "97"


def verdict(program: bpf.Filter, arch: int, nr: int, *arguments: int) -> str:
    """`allow`, `notify`, `kill` or an error number."""
    words = {0: nr & 0xFFFFFFFF, 4: arch}
    for index in range(6):
        value = arguments[index] if index < len(arguments) else 0
        words[16 + 8 * index] = value & 0xFFFFFFFF
        words[20 + 8 * index] = value >> 32 & 0xFFFFFFFF
    code = program.instructions()
    accumulator = at = 0
    while True:
        op, yes, no, k = code[at]
        at += 1
        match op:
            case bpf.LOAD:
                accumulator = words[k]
            case bpf.AND:
                accumulator &= k
            case bpf.RETURN:
                return NAMES.get(k) or str(k - ERRNO)
            case bpf.EQUAL:
                at += yes if accumulator == k else no
            case bpf.AT_LEAST:
                at += yes if accumulator >= k else no
            case bpf.ANY_BIT:
                at += yes if accumulator & k else no
            case _:
                raise AssertionError(op)


def asked(call: str, *arguments: int, arch: str = "x86_64", inet=True, unix=True, namespaces=True) -> str:
    program = seccomp.build(inet=inet, unix=unix, namespaces=namespaces, arch=arch)
    return verdict(program, numbers.AUDIT_ARCH[arch], numbers.TABLES[arch][call], *arguments)


every_arch = pytest.mark.parametrize("arch", ["x86_64", "aarch64"])


@every_arch
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("socket", (1, 1), "allow"),
        ("socket", (1, 1 | 0o2000000 | 0o4000), "allow"),
        ("socket", (1, 5), "allow"),
        ("socket", (1, 2), EPERM),
        ("socket", (1, 3), EPERM),
        ("socket", (1, 2 | 0o2000000), EPERM),
        ("socket", (2, 1), "allow"),
        ("socket", (10, 2), "allow"),
        ("socket", (2, 3), EPERM),
        ("socket", (16, 3, 0), "allow"),
        ("socket", (16, 3, 4), EPERM),
        ("socket", (17, 3), EAFNOSUPPORT),
        ("socket", (40, 1), EAFNOSUPPORT),
        ("socket", (38, 5), EAFNOSUPPORT),
        ("socket", (1 << 32 | 40, 1), EAFNOSUPPORT),
        ("socketpair", (1, 1), "allow"),
        ("socketpair", (1, 5), "allow"),
        ("socketpair", (1, 2), EPERM),
        ("socketpair", (2, 1), EPERM),
        ("fchmod", (3, 0o4755), EPERM),
        ("fchmod", (3, 0o2775), "allow"),
        ("fchmodat", (3, 0, 0o6755), EPERM),
        ("fchmodat", (3, 0o4000, 0o755), "allow"),
        ("fchmodat2", (3, 0, 1 << 32 | 0o4755), EPERM),
        ("connect", (3,), "notify"),
        ("clone", (17,), "allow"),
        ("clone", (0x3D0F00,), "allow"),
        ("clone", (0x10000000 | 17,), EPERM),
        ("clone", (0x40000000,), EPERM),
        ("clone3", (), ENOSYS),
        ("unshare", (0,), EPERM),
        ("ptrace", (), EPERM),
        ("io_uring_setup", (), EPERM),
        ("keyctl", (), EPERM),
        ("mount", (), EPERM),
        ("pidfd_getfd", (), EPERM),
        ("ioctl", (0, 0x5413), "allow"),
        ("ioctl", (0, 0x5412), EPERM),
        ("ioctl", (0, 0xFFFFFFFF00005412), EPERM),
        ("ioctl", (0, 0x541C), EPERM),
        ("mknodat", (0, 0, 0o010644), "allow"),
        ("mknodat", (0, 0, 0o100644), "allow"),
        ("mknodat", (0, 0, 0o020644), EPERM),
        ("mknodat", (0, 0, 0o060644), EPERM),
        ("prlimit64", (99,), "allow"),
        ("prlimit64", (1, 7, 0, 0x1000), "allow"),
        ("prlimit64", (0, 7, 0x1000), "allow"),
        ("prlimit64", (99, 7, 0x1000), EPERM),
        ("prlimit64", (1, 7, 1 << 32), EPERM),
        ("sched_setscheduler", (1, 5), EPERM),
        ("sched_setscheduler", (99, 5), "allow"),
        ("setpriority", (0, 1, 19), EPERM),
        ("setpriority", (0, 99, 19), "allow"),
    ],
)
def test_verdicts(call: str, arguments: tuple[int, ...], expected: str, arch: str) -> None:
    assert asked(call, *arguments, arch=arch) == expected


@every_arch
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("socket", (1, 1), EPERM),
        ("socket", (2, 1), EPERM),
        ("socket", (16, 3, 0), EAFNOSUPPORT),
        ("socketpair", (1, 1), "allow"),
        ("connect", (3,), "allow"),
        ("setxattr", (), EPERM),
        ("shmget", (), EPERM),
        ("ioctl", (0, 0x40086602), EPERM),
        ("prlimit64", (0,), "allow"),
        ("prlimit64", (99,), EPERM),
        ("setpriority", (0, 0), "allow"),
        ("setpriority", (0, 99), EPERM),
    ],
)
def test_verdicts_where_there_are_no_namespaces_and_no_network(call, arguments, expected, arch) -> None:
    assert asked(call, *arguments, arch=arch, inet=False, unix=False, namespaces=False) == expected


@every_arch
@pytest.mark.parametrize("foreign", [0x40000003, 0x40000028, 0, 0xFFFFFFFF])
def test_another_architectures_entry_point_kills(arch: str, foreign: int) -> None:
    program = seccomp.build(inet=True, unix=True, namespaces=True, arch=arch)
    assert verdict(program, foreign, 0) == "kill"


@given(number=st.integers(0x40000000, 0xFFFFFFFF))
def test_the_x32_entry_points_do_not_exist(number: int) -> None:
    program = seccomp.build(inet=True, unix=True, namespaces=True, arch="x86_64")
    assert verdict(program, numbers.AUDIT_ARCH["x86_64"], number) == ENOSYS


@given(
    number=st.integers(0, 600),
    arguments=st.lists(st.integers(0, 2**64 - 1), min_size=6, max_size=6),
    options=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    arch=st.sampled_from(["x86_64", "aarch64"]),
)
def test_every_call_gets_a_verdict_and_only_known_ones_a_refusal(number, arguments, options, arch) -> None:
    inet, unix, namespaces = options
    program = seccomp.build(inet=inet, unix=unix, namespaces=namespaces, arch=arch)
    said = verdict(program, numbers.AUDIT_ARCH[arch], number, *arguments)
    assert said == "allow" or number in numbers.TABLES[arch].values()


@every_arch
def test_every_denied_call_is_known_on_some_architecture(arch: str) -> None:
    known = set(numbers.X86_64) | set(numbers.AARCH64)
    assert set(seccomp.DENIED) | set(seccomp.WITHOUT_MOUNTS) <= known
    table = numbers.TABLES[arch]
    assert len(set(table.values())) == len(table)


def test_a_block_too_long_to_jump_over_is_refused() -> None:
    inner = bpf.Filter()
    for _ in range(300):
        inner.verdict(bpf.ALLOW)
    with pytest.raises(ValueError, match="too long"):
        bpf.Filter().among(bpf.EQUAL, (1,), inner)
