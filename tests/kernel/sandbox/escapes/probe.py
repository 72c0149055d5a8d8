"""What the scripts of escape cases start with; copied to where every user can read it."""

# ruff: noqa: F401 - the scripts use what stands here
import ctypes
import mmap
import os
import signal
import socket
import struct
import sys
import time

WORK, OUTSIDE, ROOT, HOME, USER_HOME = (os.environ[name] for name in ("WORK", "OUTSIDE", "ROOT", "AGENT_HOME", "HOME"))
PORT, VICTIM = int(os.environ.get("PORT", "0")), int(os.environ.get("VICTIM", "0"))
MARK = os.environ["MARK"]
FILE, NEW = f"{OUTSIDE}/file", f"{OUTSIDE}/new"
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
libc.mmap.restype = ctypes.c_void_p


def call(number, *arguments):
    """A raw system call; OSError when it fails."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *converted)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def try_each(*attempts):
    """All of them, whatever fails."""
    for attempt in attempts:
        try:
            attempt()
        except OSError as error:
            print(error)


def write(path, text="changed\n"):
    with open(path, "w") as file:
        file.write(text)


def rabbit():
    """A process that lives for a millisecond and leaves another one, for two seconds; `beat` grows meanwhile."""
    end = time.monotonic() + 2
    beat = os.open("beat", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        os.write(beat, b".")
        time.sleep(0.001)
    os._exit(0)


def old_call(number, *arguments):
    """A system call through the door of 32-bit programs, int 0x80; arguments must lie below 4 GiB."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(
        b"\x53"  # push rbx
        b"\x89\xf8\x89\xf3\x89\xd1\x44\x89\xc2"  # eax = edi, ebx = esi, ecx = edx, edx = r8d
        b"\xcd\x80"  # int 0x80
        b"\x5b\xc3"  # pop rbx; ret
    )
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    a, b, c = (*arguments, 0, 0, 0)[:3]
    return ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_long] * 5)(address)(number, a, b, 0, c)


def low_bytes(data):
    """Where a copy of `data` lies below 4 GiB."""
    address = libc.mmap(None, ctypes.c_size_t(4096), 3, 0x22 | 0x40, -1, ctypes.c_long(0))
    ctypes.memmove(address, data, len(data))
    return address


class Ring:
    """io_uring with one entry at a time."""

    def __init__(self):
        self.parameters = ctypes.create_string_buffer(120)
        self.fd = call(425, 4, ctypes.addressof(self.parameters))
        offsets = struct.unpack_from("10I", self.parameters.raw, 40)
        answers = struct.unpack_from("10I", self.parameters.raw, 80)
        self.sq_tail, self.sq_mask, self.sq_array = offsets[1], offsets[2], offsets[6]
        self.cq_head, self.cq_tail, self.cq_mask, self.cqes = answers[0], answers[1], answers[2], answers[5]
        self.queue = mmap.mmap(self.fd, 4096, flags=mmap.MAP_SHARED, offset=0)
        self.answers = mmap.mmap(self.fd, 4096, flags=mmap.MAP_SHARED, offset=0x8000000)
        self.entries = mmap.mmap(self.fd, 4096, flags=mmap.MAP_SHARED, offset=0x10000000)

    def do(self, opcode, fd=0, offset=0, address=0, length=0, flags=0, third=0):
        """The result of one operation."""
        entry = struct.pack("<BBHiQQIIQQQQ", opcode, 0, 0, fd, offset, address, length, flags, 0, 0, third, 0)
        self.entries[:64] = entry
        tail = struct.unpack_from("I", self.queue, self.sq_tail)[0]
        mask = struct.unpack_from("I", self.queue, self.sq_mask)[0]
        struct.pack_into("I", self.queue, self.sq_array + 4 * (tail & mask), 0)
        struct.pack_into("I", self.queue, self.sq_tail, tail + 1)
        call(426, self.fd, 1, 1, 1, 0, 0)
        head = struct.unpack_from("I", self.answers, self.cq_head)[0]
        size = struct.unpack_from("I", self.answers, self.cq_mask)[0]
        _, result, _ = struct.unpack_from("<QiI", self.answers, self.cqes + 16 * (head & size))
        struct.pack_into("I", self.answers, self.cq_head, head + 1)
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return result


def memory(data):
    """A buffer and its address."""
    buffer = ctypes.create_string_buffer(data, len(data))
    return buffer, ctypes.addressof(buffer)
