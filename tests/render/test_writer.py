import contextlib
import os
import threading

import pytest

from codex_render.writer import QueuedWriter


@pytest.fixture
def pipe():
    ends = list(os.pipe())
    yield ends
    for descriptor in ends:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def test_a_stalled_reader_never_holds_the_caller_up_and_loses_nothing(pipe: list[int]):
    writer = QueuedWriter(pipe[1])
    lines = [b"%d " % n * 200 + b"\n" for n in range(2000)]
    for line in lines:
        writer.write(line)  # nobody reads: a plain write would hang after 64 KiB
    assert writer.backlog
    received = bytearray()

    def read() -> None:
        while chunk := os.read(pipe[0], 1 << 16):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    assert writer.close(timeout_s=30)
    os.close(pipe[1])
    reader.join(30)
    assert bytes(received) == b"".join(lines)


def test_a_small_write_is_out_before_write_returns(pipe: list[int]):
    QueuedWriter(pipe[1]).write(b"line\n")
    assert os.read(pipe[0], 100) == b"line\n"


def test_a_reader_that_has_gone_is_remembered_and_not_raised(pipe: list[int]):
    os.close(pipe[0])
    writer = QueuedWriter(pipe[1])
    writer.write(b"x")
    writer.write(b"y" * 100_000)
    assert writer.close(timeout_s=30)
    assert isinstance(writer.failure, BrokenPipeError)


def test_a_reader_that_goes_while_much_is_queued_ends_the_writing(pipe: list[int]):
    writer = QueuedWriter(pipe[1])
    writer.write(b"z" * 10_000_000)
    os.close(pipe[0])
    assert writer.close(timeout_s=30)
    assert isinstance(writer.failure, BrokenPipeError)


def test_close_says_when_it_gave_up(pipe: list[int]):
    writer = QueuedWriter(pipe[1])
    writer.write(b"z" * 1_000_000)
    assert writer.close(timeout_s=0.01) is False
    os.close(pipe[0])  # ends the thread: a descriptor's number must not be reused under it
    assert writer.close(timeout_s=30)


def test_a_descriptor_that_somebody_made_non_blocking_still_gets_everything(pipe: list[int]):
    os.set_blocking(pipe[1], False)
    writer = QueuedWriter(pipe[1])
    data = os.urandom(500_000)
    writer.write(data)
    received = bytearray()
    while len(received) < len(data):
        received.extend(os.read(pipe[0], 1 << 16))
    assert writer.close(timeout_s=30)
    assert bytes(received) == data
