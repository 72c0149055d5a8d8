from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_kernel.sandbox.attachment import Attachment, Gone
from codex_kernel.sandbox.command import with_network
from codex_kernel.sandbox.interface import Process
from codex_protocol.errors import UsageError
from codex_protocol.policy import DangerFullAccess, ReadOnly, WorkspaceWrite

COMMAND = (sys.executable, "-P", "-m", "codex_cli.main")


class Place:
    """A home and a workspace outside the temporary directory, and `codex sandbox` run there."""

    def __init__(self, folder: Path) -> None:
        self.home, self.work, self.outside = (folder / name for name in ("home", "work", "outside"))
        for directory in (self.home, self.work, self.outside):
            directory.mkdir()
        self.env = {
            name: value for name, value in os.environ.items() if name not in ("TMPDIR", "CODEX_SANDBOX_LOWEST_RUNG")
        } | {"CODEX_HOME": str(self.home), "HOME": str(folder)}

    def argv(self, *words: str, under: tuple[str, ...] = ("sandbox", "-s", "workspace-write")) -> list[str]:
        return [*COMMAND, *under, "--", *words]

    def run(
        self, *words: str, stdin: bytes = b"", under: tuple[str, ...] = ("sandbox", "-s", "workspace-write")
    ) -> subprocess.CompletedProcess[bytes]:
        argv = self.argv(*words, under=under) if words else [*COMMAND, *under]
        return subprocess.run(
            argv, input=stdin, capture_output=True, cwd=self.work, env=self.env, check=False, timeout=60
        )

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.argv(*words), cwd=self.work, env=self.env, **options)  # type: ignore[call-overload]


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="codex-command-", dir="/var/tmp"))
    yield Place(folder)
    shutil.rmtree(folder)


def test_the_exit_status_is_the_commands(place: Place) -> None:
    assert place.run("sh", "-c", "exit 7").returncode == 7


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_the_exit_status_after_a_signal_is_128_and_its_number(place: Place, name: str) -> None:
    number = getattr(signal, f"SIG{name}")
    assert place.run("sh", "-c", f"kill -{name} $$").returncode == 128 + number


def test_a_command_cannot_write_outside_and_can_inside(place: Place) -> None:
    done = place.run("sh", "-c", f"echo x >{place.work}/in; echo x >{place.outside}/out")
    assert done.returncode != 0
    assert (place.work / "in").exists()
    assert not (place.outside / "out").exists()


def test_every_byte_goes_through_pipes_both_ways(place: Place) -> None:
    data = bytes(range(256)) * 8192 + b"\n\0\r\n" + os.urandom(100_000)
    assert place.run("cat", stdin=data).stdout == data


def test_stderr_and_stdout_are_kept_apart(place: Place) -> None:
    done = place.run("sh", "-c", "printf out; printf err >&2")
    assert (done.stdout, done.stderr) == (b"out", b"err")


def test_output_arrives_before_the_command_goes_on(place: Place) -> None:
    process = place.start("sh", "-c", "echo ready; read line; echo got $line", stdin=-1, stdout=-1)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdin.write(b"it\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"got it\n"
    assert process.wait(30) == 0
    process.stdin.close()
    process.stdout.close()


def test_a_file_as_stdin_and_stdout(place: Place) -> None:
    (place.work / "from").write_bytes(b"x" * 300_000)
    with (place.work / "from").open("rb") as stdin, (place.outside / "to").open("wb") as stdout:
        assert place.start("cat", stdin=stdin, stdout=stdout).wait(30) == 0
    assert (place.outside / "to").read_bytes() == b"x" * 300_000


def test_a_reader_that_goes_away_ends_the_command(place: Place) -> None:
    process = place.start("yes", stdout=-1, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 128 + signal.SIGPIPE


def _wait_for(path: Path) -> str:
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} never came"
        os.sched_yield()
    return path.read_text()


def test_an_interrupt_goes_to_the_command(place: Place) -> None:
    process = place.start("sh", "-c", "trap 'exit 42' INT; echo x >ready; while :; do sleep 0.01; done")
    _wait_for(place.work / "ready")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 42


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_what_ends_us_ends_the_whole_tree(place: Place, number: signal.Signals) -> None:
    process = place.start("sh", "-c", "setsid sh -c 'echo x >ready; exec sleep 98765' & exec sleep 98764")
    _wait_for(place.work / "ready")
    process.send_signal(number)
    assert process.wait(30) == (128 + number if number != signal.SIGKILL else -number)
    deadline = time.monotonic() + 30
    while _running("98765", "98764"):
        assert time.monotonic() < deadline


async def test_who_is_told_to_end_while_a_command_starts_ends_then() -> None:
    loop, cleaned_up = asyncio.get_running_loop(), []

    async def starting() -> Process:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            return await loop.create_future()
        finally:
            cleaned_up.append(True)

    try:
        with pytest.raises(Gone) as gone:
            await Attachment().started(starting())
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
    assert (gone.value.code, cleaned_up) == (143, [True])


def _running(*words: str) -> list[str]:
    found: list[str] = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            continue
        if text.startswith("sleep") and any(word in text.split("\0") for word in words):
            found.append(pid)
    return found


def test_a_daemon_that_was_started_does_not_stay(place: Place) -> None:
    assert place.run("sh", "-c", "setsid sleep 87654 & exit 0").returncode == 0
    assert not _running("87654")


def test_nothing_is_left_in_the_workspace(place: Place) -> None:
    place.run("true")
    assert list(place.work.iterdir()) == []


def test_debug_landlock_is_read_only_unless_full_auto_is_given(place: Place) -> None:
    assert place.run("touch", "one", under=("debug", "landlock")).returncode != 0
    assert place.run("touch", "two", under=("debug", "landlock", "--full-auto")).returncode == 0
    assert [path.name for path in place.work.iterdir()] == ["two"]


def test_debug_seatbelt_is_refused_with_a_sentence_off_macos(place: Place) -> None:
    done = place.run("ls", under=("debug", "seatbelt"))
    assert (done.returncode, done.stdout) == (1, b"")
    assert len(done.stderr.splitlines()) == 1


def test_another_directory_and_another_root(place: Place) -> None:
    there = place.work / "there"
    there.mkdir()
    under = ("sandbox", "-s", "workspace-write", "-C", "there", "--add-dir", str(place.outside))
    done = place.run("sh", "-c", f"pwd; echo x >in; echo x >{place.outside}/out; echo x >../up", under=under)
    assert done.stdout.decode().strip() == str(there)
    assert (there / "in").exists()
    assert (place.outside / "out").exists()
    assert not (place.work / "up").exists()


def test_a_setting_on_the_command_line_counts(place: Place) -> None:
    under = ("sandbox", "-s", "workspace-write", "-c", f'sandbox_workspace_write.writable_roots=["{place.outside}"]')
    assert place.run("touch", f"{place.outside}/new", under=under).returncode == 0


def test_secrets_of_the_environment_are_not_passed_on(place: Place) -> None:
    place.env["SOME_API_KEY"] = "sesame"
    done = place.run("env")
    assert b"sesame" not in done.stdout
    assert b"CODEX_SANDBOX_NETWORK_DISABLED=1" in done.stdout


def test_full_access_runs_it_as_it_is(place: Place) -> None:
    under = ("sandbox", "-s", "danger-full-access")
    assert place.run("touch", f"{place.outside}/new", under=under).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs COMMAND"),
        (("--network", "--sandbox", "read-only", "true"), "--network"),
        (("no-such-program",), "not found"),
        (("-C", "no-such-directory", "true"), "does not exist"),
    ],
)
def test_what_cannot_be_run_is_one_sentence(place: Place, words: tuple[str, ...], said: str) -> None:
    done = place.run(under=("sandbox", *words))
    assert done.returncode in (1, 2)
    assert said in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_network_is_opened_only_where_the_policy_has_one() -> None:
    assert with_network(WorkspaceWrite(), network=True) == WorkspaceWrite(network_access=True)
    assert with_network(WorkspaceWrite(), network=False) == WorkspaceWrite()
    assert with_network(DangerFullAccess(), network=True) == DangerFullAccess()
    with pytest.raises(UsageError):
        with_network(ReadOnly(), network=True)


def test_a_lower_rung_is_told_once_on_stderr_and_stdout_is_the_commands(place: Place) -> None:
    place.env["CODEX_SANDBOX_LOWEST_RUNG"] = "3"
    done = place.run("echo", "hello")
    assert done.stdout == b"hello\n"
    assert len(done.stderr.splitlines()) == 1
    assert b"Landlock and seccomp only" in done.stderr


def test_a_machine_that_cannot_confine_refuses_and_runs_nothing(place: Place) -> None:
    place.env["CODEX_SANDBOX_LOWEST_RUNG"] = "5"
    done = place.run("touch", "new")
    assert done.returncode == 1
    assert list(place.work.iterdir()) == []


# --explain


def test_explain_names_roots_protections_hidden_places_and_the_rung_and_runs_nothing(place: Place) -> None:
    (place.work / ".git").mkdir()
    under = ("sandbox", "-s", "workspace-write", "--explain", "touch", "new")
    text = place.run(under=under).stdout.decode()
    assert "Rung 1 of 5" in text
    writable, _, rest = text.partition("but not, there")
    assert str(place.work) in writable
    protected, _, rest = rest.partition("nor make these")
    assert f"{place.work}/.git" in protected
    absent, _, rest = rest.partition("They may read")
    assert f"{place.work}/.codex" in absent
    assert str(place.home) in rest
    assert not (place.work / "new").exists()
    assert not (place.work / ".codex").exists()


def test_explain_needs_no_command(place: Place) -> None:
    done = place.run(under=("sandbox", "--explain"))
    assert done.returncode == 0
    assert b"read-only" in done.stdout
    assert b"nothing but" in done.stdout


def test_explain_tells_the_lower_rung_and_why(place: Place) -> None:
    place.env["CODEX_SANDBOX_LOWEST_RUNG"] = "3"
    text = place.run(under=("sandbox", "--explain")).stdout.decode()
    assert "Rung 3 of 5" in text
    assert "Landlock and seccomp only" in text


def test_explain_says_that_full_access_confines_nothing(place: Place) -> None:
    assert b"nothing confines" in place.run(under=("sandbox", "-s", "danger-full-access", "--explain")).stdout


# with a terminal


class Terminal:
    """A command line started on a terminal of its own."""

    def __init__(self, place: Place, *words: str, rows: int = 31, columns: int = 97) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.text = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *place.argv(*words)],
            cwd=place.work,
            env=place.env | {"TERM": "xterm", "PS1": "$ "},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )

    def until(self, wanted: bytes) -> bytes:
        """What it has written up to and with `wanted`."""
        deadline = time.monotonic() + 30
        while wanted not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} never came, only {self.text!r}"
            self.text += os.read(self.master, 65536)
        head, _, self.text = self.text.partition(wanted)
        return head + wanted

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def end(self) -> int:
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 65536)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


@pytest.fixture
def on_terminal(place: Place) -> Iterator[object]:
    terminals: list[Terminal] = []

    def start(*words: str) -> Terminal:
        terminals.append(Terminal(place, *words))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def test_a_terminal_gets_one_inside_with_its_size(on_terminal) -> None:
    terminal = on_terminal("sh", "-c", "test -t 0 && test -t 1 && tty && stty size")
    assert b"/dev/pts/" in terminal.until(b"31 97")
    assert terminal.end() == 0


def test_ctrl_c_goes_to_the_command(on_terminal) -> None:
    terminal = on_terminal("sh", "-c", "trap 'echo caught; exit 42' INT; echo ready; while :; do sleep 0.01; done")
    terminal.until(b"ready")
    terminal.type(b"\x03")
    terminal.until(b"caught")
    assert terminal.end() == 42


def test_the_terminal_is_as_before_when_the_command_ends(on_terminal) -> None:
    terminal = on_terminal("sh", "-c", "stty raw -echo; echo done")
    terminal.until(b"done")
    terminal.end()
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_the_terminal_is_as_before_when_we_are_told_to_end(on_terminal) -> None:
    terminal = on_terminal("sh", "-c", "echo ready; exec sleep 1000")
    terminal.until(b"ready")
    terminal.process.terminate()
    assert terminal.end() == 128 + signal.SIGTERM
    assert termios.tcgetattr(terminal.slave) == terminal.before


def test_a_window_that_changes_its_size_is_passed_on(on_terminal) -> None:
    terminal = on_terminal(
        "bash", "-c", "trap 'stty size' WINCH; trap exit INT; echo ready; while :; do sleep 0.01; done"
    )
    terminal.until(b"ready")
    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    terminal.until(b"40 120")
    terminal.type(b"\x03")
    terminal.end()


def test_a_shell_on_a_terminal_has_job_control(on_terminal) -> None:
    terminal = on_terminal("bash", "--norc", "-i")
    terminal.until(b"$ ")
    # It must not fork: a child of vfork that is stopped before exec holds its parent for good, sandbox or not.
    terminal.type(b'sh -c \'trap "echo on"ward CONT; echo rea""dy; while :; do read x; done\'\n')
    terminal.until(b"ready")
    terminal.type(b"\x1a")
    terminal.until(b"Stopped")
    terminal.type(b"fg\n")
    terminal.until(b"onward")  # the shell hands the terminal over before it wakes the job
    terminal.type(b"\x03")
    terminal.until(b"$ ")
    terminal.type(b"echo $?; exit 5\n")
    terminal.until(b"130")
    assert terminal.end() == 5


def test_end_of_input_on_a_terminal_reaches_the_command(on_terminal) -> None:
    terminal = on_terminal("cat")
    terminal.type(b"line\n")
    terminal.until(b"line\r\nline\r\n")
    terminal.type(b"\x04")
    assert terminal.end() == 0


def test_a_command_that_closes_its_terminal_before_it_ends_keeps_its_exit_status(on_terminal) -> None:
    terminal = on_terminal(
        "/usr/bin/python3", "-c", "import os, time; os.closerange(0, 3); time.sleep(0.3); os._exit(9)"
    )
    assert terminal.end() == 9


def test_output_that_goes_to_a_pipe_stays_without_a_terminal(place: Place) -> None:
    script = "import os, json; print(json.dumps([os.isatty(n) for n in range(3)]))"
    assert json.loads(place.run("/usr/bin/python3", "-c", script).stdout) == [False, False, False]
