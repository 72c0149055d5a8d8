"""Starts measured processes and reports what they cost; a program of its own, so small that it distorts nothing.

A process starts with its parent's peak memory as its own first peak: started from the benchmark itself, everybody would
seem to need as much as the benchmark. One JSON request a line on stdin, one JSON answer a line on stdout:

    {"argvs": [[…], …], "env": {…}, "cwd": "…", "stdout": "…"}  ->  {"start_s": …, "runs": [{…}, …], "left": …}
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def start(argv: list[str], env: dict[str, str], cwd: str, stdout: str, stderr: str) -> int:
    """The pid of `argv`, in a session of its own, with nothing on stdin."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir(cwd)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(stdout, flags, 0o600), 1)
        os.dup2(os.open(stderr, flags, 0o600), 2)
        os.closerange(3, 64)
        os.execve(argv[0], argv, env)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error}\n".encode())
    os._exit(127)


def bytes_written(pid: int) -> int:
    """What a process and its reaped children sent to the storage layer; works on a zombie."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as file:
            fields = dict(line.split(": ") for line in file.read().splitlines())
        return int(fields["write_bytes"])
    except OSError:
        return 0


def reap(pid: int) -> dict[str, float]:
    """The cost of an ended process and of the children it waited for."""
    written = bytes_written(pid)
    _, status, usage = os.wait4(pid, 0)
    return {
        "exit": os.waitstatus_to_exitcode(status),
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "rss_kb": usage.ru_maxrss,
        "written": written,
    }


def left_behind() -> list[int]:
    """Processes that the measured ones have left: they are children of this one now."""
    me = os.getpid()
    with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def measure(request: dict[str, object]) -> dict[str, object]:
    """Start all commands of a request at once and wait for all; what they leave is ended and its cost is added."""
    argvs: list[list[str]] = request["argvs"]  # type: ignore[assignment]  # as the docstring above says
    begun = time.monotonic()
    running: dict[int, int] = {}
    starts: list[float] = []
    for number, argv in enumerate(argvs):
        out = f"{request['stdout']}.{number}"
        starts.append(time.monotonic())
        pid = start(argv, request["env"], str(request["cwd"]), out, out + ".err")  # type: ignore[arg-type]  # the same
        running[pid] = number
    runs: list[dict[str, float]] = [{} for _ in argvs]
    strays: list[dict[str, float]] = []
    while running:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        now = time.monotonic()
        assert ended is not None
        cost = reap(ended.si_pid)
        if (number := running.pop(ended.si_pid, None)) is None:
            strays.append(cost)
        else:
            runs[number] = {**cost, "start_s": starts[number], "end_s": now}
    left = left_behind()
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    while left_behind():
        strays.append(reap(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid))  # type: ignore[union-attr]  # a child is there
    return {"start_s": begun, "runs": runs, "strays": strays, "left": len(left)}


def main() -> None:
    """Serve requests until stdin closes."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        print(json.dumps(measure(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
