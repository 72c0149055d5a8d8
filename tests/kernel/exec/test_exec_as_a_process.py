import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.model_server import ModelServer
from tests.support.our_command import COMMAND, OurCommand
from tests.support.replies import calls, says

WAIT_S = 30


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What comes until `wanted` has come, or the end."""
    seen = b""
    end = time.monotonic() + WAIT_S
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
        assert ready, f"{wanted!r} did not come, only {seen!r}"
        try:
            piece = os.read(descriptor, 1 << 16)
        except OSError:
            piece = b""  # the other side of a terminal was closed
        if not piece:
            return seen
        seen += piece
    return seen


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


# Input that comes late


def test_what_is_piped_in_after_the_start_joins_the_running_turn(codex: OurCommand, server: ModelServer):
    held = says("first", hold_after_events=1)
    server.script = [held, says("with it")]
    process = codex.start("exec", "explain")
    assert process.stdin is not None
    assert held.held.wait(WAIT_S)
    process.stdin.write("late line\n")
    process.stdin.close()
    rollout = _eventually(lambda: [path for path in codex.rollouts() if "late line" in path.read_text()])
    assert rollout
    held.release.set()
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read() == "with it\n"
    process.stderr.read()
    assert process.wait(timeout=WAIT_S) == 0
    process.stdout.close()
    process.stderr.close()
    assert server.requests[-1].input[-1]["content"][0]["text"] == "<stdin>\nlate line\n</stdin>"


def _eventually(look: Callable[[], list[Path]]) -> list[Path]:
    end = time.monotonic() + WAIT_S
    while not (found := look()) and time.monotonic() < end:
        select.select([], [], [], 0.02)
    return found


# Signals


@pytest.mark.parametrize(
    ("sent", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
@pytest.mark.parametrize("mode", [["--json"], []])
def test_a_signal_stops_the_command_and_ends_the_run_with_its_code(
    codex: OurCommand, server: ModelServer, sent: signal.Signals, code: int, said: str, mode: list[str]
):
    server.script = [calls("exec_command", {"cmd": "echo $$ > pid; exec sleep 1000"}), says("never")]
    process = codex.start("exec", *mode, "-s", "danger-full-access", "-o", "last", "x", stdin=subprocess.DEVNULL)
    child = _pid_in(codex.work / "pid")
    process.send_signal(sent)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == code
    assert err.splitlines()[-1] == said
    assert not alive(child)
    assert "turn.completed" not in out
    assert "turn.failed" not in out
    assert not (codex.work / "last").exists()


def test_a_thread_that_was_interrupted_can_be_resumed(codex: OurCommand, server: ModelServer):
    server.script = [calls("exec_command", {"cmd": "echo $$ > pid; exec sleep 1000"}), says("back")]
    process = codex.start("exec", "-s", "danger-full-access", "x", stdin=subprocess.DEVNULL)
    _pid_in(codex.work / "pid")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert codex.exec("resume", "--last", "go on").stdout == "back\n"
    assert len(server.requests[-1].outputs()) == 1


def test_an_interrupt_while_the_model_is_silent_ends_the_run(codex: OurCommand, server: ModelServer):
    held = says("never", hold_after_events=1)
    server.script = [held]
    process = codex.start("exec", "x", stdin=subprocess.DEVNULL)
    assert held.held.wait(WAIT_S)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out) == (130, "")


def test_a_second_interrupt_ends_at_once(codex: OurCommand, server: ModelServer):
    held = says("never", hold_after_events=1)
    server.script = [held]
    reader, writer = os.pipe()  # nobody reads: the first interrupt has to wait for its output to be taken
    os.set_blocking(writer, False)
    with open(writer, "wb", buffering=0, closefd=False) as full:
        while full.write(b" " * 4096):
            pass
    os.set_blocking(writer, True)
    process = codex.start("exec", "--json", "x", stdin=subprocess.DEVNULL, stdout=writer)
    os.close(writer)
    try:
        assert held.held.wait(WAIT_S)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=WAIT_S) == 130
    finally:
        os.close(reader)
        process.communicate()


def test_an_interrupt_while_the_prompt_is_read_is_130(codex: OurCommand):
    process = codex.start("exec")
    assert process.stderr is not None
    read_until(process.stderr.fileno(), b"Reading prompt")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 130


def _pid_in(file: Path) -> int:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if file.exists() and (text := file.read_text().strip()):
            return int(text)
        select.select([], [], [], 0.02)
    raise AssertionError(f"{file} was not written")


# Readers


def test_a_reader_that_goes_early_does_not_stop_the_work(codex: OurCommand, server: ModelServer):
    server.script = [calls("exec_command", {"cmd": "echo made > made"}), says("done")]
    line = " ".join(("'" + part + "'") for part in COMMAND) + " exec --json -s danger-full-access x | head -1"
    done = subprocess.run(
        ["bash", "-c", line + '; exit "${PIPESTATUS[0]}"'],
        cwd=codex.work,
        env=codex.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
    assert json.loads(done.stdout)["type"] == "thread.started"
    assert (codex.work / "made").exists()
    assert len(server.requests) == 2
    assert done.returncode == 1
    assert done.stderr.startswith("Error: stdout was closed by its reader")


def test_a_reader_that_stalls_does_not_stop_the_work_and_loses_nothing(codex: OurCommand, server: ModelServer):
    script = [calls("exec_command", {"cmd": "seq 1 20000", "max_output_tokens": 100}) for _ in range(8)]
    server.script = [*script, calls("exec_command", {"cmd": "echo made > made"}), says("done")]
    process = codex.start("exec", "--json", "-s", "danger-full-access", "x", stdin=subprocess.DEVNULL)
    end = time.monotonic() + WAIT_S
    while not (codex.work / "made").exists() and time.monotonic() < end:
        select.select([], [], [], 0.05)
    assert (codex.work / "made").exists()  # and nobody has read a byte of what was printed
    out, _ = process.communicate(timeout=WAIT_S)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (process.returncode, lines[-1]["type"]) == (0, "turn.completed")
    assert sum(line["type"] == "item.completed" for line in lines) == 10


def test_who_reads_stdout_to_its_end_before_stderr_gets_both(codex: OurCommand, server: ModelServer):
    server.script = [*(calls("exec_command", {"cmd": f"seq -f '%0390g' {n} 9999"}) for n in range(30)), says("done")]
    process = codex.start("exec", "-s", "danger-full-access", "x", stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read() == "done\n"
    assert len(process.stderr.read()) > 100_000  # more than a pipe holds
    assert process.wait(timeout=WAIT_S) == 0
    process.communicate()


def test_a_full_disk_is_one_sentence(codex: OurCommand):
    with open("/dev/full", "w") as full:
        done = codex.exec("--json", "x", code=1, stdout=full)
    assert "Error: stdout could not be written" in done.stderr


def with_closed(codex: OurCommand, descriptor: int) -> subprocess.CompletedProcess[str]:
    line = " ".join(("'" + part + "'") for part in COMMAND) + f" exec x </dev/null {descriptor}>&-"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=codex.work,
        env=codex.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )


def test_a_closed_stdout_is_one_sentence_and_no_traceback(codex: OurCommand):
    done = with_closed(codex, 1)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: stdout was closed")
    assert "Traceback" not in done.stderr


def test_a_closed_stderr_is_no_failure(codex: OurCommand):
    done = with_closed(codex, 2)
    assert (done.returncode, done.stdout) == (0, "the answer\n")


# Terminals


def on_terminal(codex: OurCommand, *arguments: str, **streams: int) -> tuple[bytes, int]:
    """What a terminal shows of a run, and the exit code."""
    ours, theirs = pty.openpty()
    given = {"stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": theirs, **streams}
    process = codex.start("exec", *arguments, env={"TERM": "xterm"}, **given)
    os.close(theirs)
    try:
        shown = read_until(ours, b"nothing ever says this")
        return shown, process.wait(timeout=WAIT_S)
    finally:
        os.close(ours)


def test_on_a_terminal_the_answer_stands_once_in_colour_below_a_status_line(codex: OurCommand, server: ModelServer):
    server.script = [says("the whole answer", delta_chars=3)]
    shown, code = on_terminal(codex, "do it")
    assert code == 0
    assert shown.count(b"the whole answer") == 1
    assert b"\x1b[1m" in shown
    assert b"Waiting for the model" in shown
    assert shown.rstrip().endswith(b"\x1b[0m")  # the last line is the tokens, the status line is gone


def test_with_stdout_in_a_pipe_the_answer_goes_to_both(codex: OurCommand, server: ModelServer):
    server.script = [says("the whole answer", delta_chars=3)]
    reader, writer = os.pipe()
    try:
        shown, code = on_terminal(codex, "do it", stdout=writer)
        os.close(writer)
        assert code == 0
        assert shown.count(b"the whole answer") == 1
        assert os.read(reader, 100) == b"the whole answer\n"
    finally:
        os.close(reader)


def test_with_stderr_in_a_pipe_a_terminal_gets_the_answer_alone_and_made_safe(codex: OurCommand, server: ModelServer):
    server.script = [says("an \x1b]0;evil\x07 answer")]
    with open(os.devnull, "w") as nowhere:
        shown, _ = on_terminal(codex, "do it", stderr=nowhere.fileno())
    assert shown.decode() == "an ␛]0;evil␇ answer\r\n"


def test_an_interrupt_on_a_terminal_leaves_no_status_line(codex: OurCommand, server: ModelServer):
    held = says("never", hold_after_events=1)
    server.script = [held]
    ours, theirs = pty.openpty()
    process = codex.start("exec", "x", env={"TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        read_until(ours, b"Waiting for the model")
        assert held.held.wait(WAIT_S)
        process.send_signal(signal.SIGINT)
        shown = read_until(ours, b"nothing ever says this")
        assert process.wait(timeout=WAIT_S) == 130
        assert shown.decode().rstrip().splitlines()[-1].endswith("interrupted")
    finally:
        os.close(ours)


def test_a_dumb_terminal_gets_no_codes(codex: OurCommand):
    ours, theirs = pty.openpty()
    process = codex.start("exec", "x", env={"TERM": "dumb"}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = read_until(ours, b"nothing ever says this")
        assert process.wait(timeout=WAIT_S) == 0
    finally:
        os.close(ours)
    assert b"\x1b" not in shown
    assert shown.count(b"the answer") == 1


def test_log_lines_stand_on_lines_of_their_own(codex: OurCommand, server: ModelServer):
    server.script = [says("the whole answer", delta_chars=3)]
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm", "CODEX_LOG": "debug"}
    process = codex.start("exec", "x", env=env, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        shown = read_until(ours, b"nothing ever says this").decode()
        assert process.wait(timeout=WAIT_S) == 0
    finally:
        os.close(ours)
    logged = [line for line in shown.splitlines() if " DEBUG " in line]
    assert logged
    assert not any("Ctrl-C stops\x1b[0m" in line.rpartition("\x1b[K")[2] for line in logged)


def test_a_folder_whose_name_is_a_terminal_command_is_named_but_not_obeyed(codex: OurCommand):
    folder = codex.home.parent / "evil\x1b]0;owned\x07"
    folder.mkdir()
    done = codex.exec("hi", cwd=folder, code=1)
    assert "evil" in done.stderr
    assert "\x1b" not in done.stderr
