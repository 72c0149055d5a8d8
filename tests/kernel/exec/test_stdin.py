import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from codex_kernel.exec.stdin import MAX_BYTES, PromptInput, take_demo_prompt, take_prompt, with_stdin
from codex_protocol.errors import CodexError


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


@contextlib.contextmanager
def piped(data: bytes | None) -> Iterator[int]:
    """A pipe with `data` in it, closed; None leaves it open and silent."""
    read, write = os.pipe()
    if data is not None:
        feeder = threading.Thread(target=_feed, args=(write, data))
        feeder.start()
    try:
        yield read
    finally:
        os.close(read)
        if data is None:
            os.close(write)
        else:
            feeder.join()


def _feed(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # some prompts are refused before all was read
        os.write(descriptor, data)
    os.close(descriptor)


def taken(argument: str | None, data: bytes | None, **options) -> tuple[PromptInput, Said]:
    said = Said()
    with piped(data) as descriptor:
        return take_prompt(argument, said, descriptor=descriptor, **options), said


@pytest.mark.parametrize(
    ("argument", "data", "text", "notices"),
    [
        (None, b"from stdin\n", "from stdin\n", ["Reading prompt from stdin..."]),
        ("-", b"from stdin\n", "from stdin\n", []),
        ("do", b"piped", "do\n\n<stdin>\npiped\n</stdin>", ["Reading additional input from stdin..."]),
        ("do", b"piped\n", "do\n\n<stdin>\npiped\n</stdin>", ["Reading additional input from stdin..."]),
        ("do", b"", "do", ["Reading additional input from stdin..."]),
        (None, "\ufeffmit BOM".encode(), "mit BOM", ["Reading prompt from stdin..."]),
    ],
)
def test_the_prompt_is_made_of_argument_and_stdin_as_the_contract_says(argument, data, text, notices):
    prompt, said = taken(argument, data)
    assert (prompt.text, prompt.late, said) == (text, None, notices)


@pytest.mark.parametrize(
    ("argument", "data"), [(None, b""), (None, b" \n\t"), ("-", b"\n"), (" ", b"x"), (None, b"\xff")]
)
def test_a_missing_prompt_is_one_sentence(argument: str | None, data: bytes):
    with pytest.raises(CodexError) as caught:
        taken(argument, data)
    assert "\n" not in str(caught.value)


def test_resume_leaves_stdin_alone_beside_a_prompt():
    prompt, said = taken("go on", None, read_beside=False)
    assert (prompt.text, prompt.late, said) == ("go on", None, [])


def test_an_open_but_silent_pipe_is_given_up_with_a_notice_and_remembered():
    prompt, said = taken("do", None)
    assert prompt.text == "do"
    assert prompt.late is not None
    assert "nothing on stdin after 1 s" in said[-1]


def test_the_null_device_is_not_read_and_not_mentioned():
    said = Said()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        assert take_prompt("do", said, descriptor=descriptor).text == "do"
    finally:
        os.close(descriptor)
    assert said == []


def test_piped_bytes_that_are_no_text_are_replaced_and_that_is_said():
    prompt, said = taken("do", b"a\xffb")
    assert "a\ufffdb" in prompt.text
    assert "not UTF-8" in said[-1]


def test_too_much_input_is_refused_with_one_sentence():
    with pytest.raises(CodexError, match="16 MiB"):
        taken("do", b"x" * (MAX_BYTES + 1))


def test_an_argument_that_is_not_utf8_is_made_sendable():
    prompt, _ = taken("caf\udce9", b"")
    assert prompt.text == "caf\ufffd"


@pytest.mark.parametrize(
    ("argument", "data", "text"),
    [(None, None, "tour"), (None, b"", "tour"), (None, b"mine", "mine"), ("own", b"", "own")],
)
def test_the_demo_asks_for_the_tour_when_nobody_says_anything(argument: str | None, data: bytes | None, text: str):
    with piped(data) as descriptor:
        assert take_demo_prompt(argument, Said(), "tour", descriptor=descriptor).text == text


def test_a_program_of_the_same_pipeline_is_waited_for_longer():
    # `sleep` holds the pipe as a sibling in our process group; the script prints the notice and ends.
    script = (
        "import codex_kernel.exec.stdin as s\n"
        "s._SILENCE_S, s._SILENT_PIPELINE_S = 0.01, 0.3\n"
        "s.take_prompt('do', print)\n"
    )
    line = f'sleep 3 | "{sys.executable}" -c "{script}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, start_new_session=True)
    assert "nothing on stdin after 0.3 s" in done.stdout


def test_the_stdin_block_ends_on_a_line_of_its_own():
    assert with_stdin("p", "x") == with_stdin("p", "x\n") == "p\n\n<stdin>\nx\n</stdin>"
