import io
import subprocess
import sys
from pathlib import Path

import pytest

from codex_kernel.patch.cli import FLAG, main

ADD = "*** Begin Patch\n*** Add File: cli_test.txt\n+hello\n*** End Patch"
UPDATE = "*** Begin Patch\n*** Update File: cli_test.txt\n@@\n-hello\n+world\n*** End Patch"


def run(*argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    return main(argv, io.BytesIO(stdin), out, err), out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def _in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_patch_comes_as_argument_or_on_stdin() -> None:
    assert run(ADD) == (0, "Success. Updated the following files:\nA cli_test.txt\n", "")
    assert Path("cli_test.txt").read_text() == "hello\n"
    assert run(stdin=UPDATE.encode()) == (0, "Success. Updated the following files:\nM cli_test.txt\n", "")
    assert Path("cli_test.txt").read_text() == "world\n"


def test_flag_form_ignores_what_follows_the_patch() -> None:
    assert run(FLAG, ADD, "more")[0] == 0


NOT_UTF8 = b"\xff".decode("utf-8", "surrogateescape")
REFUSED = {
    "two arguments": ([ADD, ADD], b"", 2, "Error: apply_patch accepts exactly one argument.\n"),
    "nothing": ([], b"", 2, "Usage: apply_patch 'PATCH'\n       echo 'PATCH' | apply_patch\n"),
    "bytes": ([NOT_UTF8], b"", 1, "Error: apply_patch requires a UTF-8 PATCH argument.\n"),
    "flag alone": ([FLAG], b"", 1, f"Error: {FLAG} requires a UTF-8 PATCH argument.\n"),
    "no patch": (
        ["bad"],
        b"",
        1,
        "Invalid patch: The first line of the patch must be '*** Begin Patch', it is 'bad'\n",
    ),
    "bad hunk": (
        ["*** Begin Patch\n*** Update File: f\n*** End Patch"],
        b"",
        1,
        "Invalid patch hunk on line 2: Update file hunk for path 'f' is empty\n",
    ),
    "no hunks": (["*** Begin Patch\n*** End Patch"], b"", 1, "No files were modified.\n"),
    "missing file": ([UPDATE], b"", 1, "cannot update cli_test.txt: there is no such file\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_applied_is_one_message_and_an_exit_status(name: str) -> None:
    argv, stdin, code, message = REFUSED[name]
    assert run(*argv, stdin=stdin) == (code, "", message)


def test_unreadable_stdin_is_said() -> None:
    code, out, err = run(stdin=b"\xff")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Failed to read PATCH from stdin.\n")


def test_a_confined_patch_starts_without_the_events_of_a_thread() -> None:
    code = (
        "import sys, codex_kernel.patch.cli; print([name for name in sys.modules if name == 'codex_protocol.events'])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"
