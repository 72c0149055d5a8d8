"""Outliving: what a command leaves behind when it ends, times out or is told to."""

from __future__ import annotations

import time
from pathlib import Path

from tests.kernel.sandbox.escapes.case import Case, Room, eventually


def survived(room: Room) -> bool:
    """Whether a process of the command still runs; looked at when its end was reported."""
    return bool(room.survivors())


_UP = "while [ ! -e ready ]; do sleep 0.005; done"
_STAY = 'sh -c "echo x >$WORK/ready; exec sleep 1000" $WORK'

CASES = (
    Case("background-job", "B", f"{_STAY} & {_UP}", survived),
    Case("without-hang-up", "B", f"nohup {_STAY} >/dev/null 2>&1 & {_UP}", survived),
    Case("session-of-its-own", "B", f"setsid {_STAY} & {_UP}", survived),
    Case(
        "daemon-by-two-forks",
        "B",
        """
        # python
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.chdir("/"); os.closerange(0, 3)
                write(WORK + "/ready"); time.sleep(1000)
            os._exit(0)
        os.wait()
        while not os.path.exists("ready"): time.sleep(0.005)
        """,
        survived,
    ),
    Case(
        "deaf-to-signals",
        "B",
        f"""
        setsid sh -c 'trap "" TERM HUP INT QUIT; echo x >$WORK/ready; while :; do sleep 1000; done' $WORK &
        {_UP}
        """,
        survived,
    ),
    Case(
        "asleep-by-stop", "B", f"setsid sh -c 'echo x >$WORK/ready; kill -STOP $$' $WORK & {_UP}; sleep 0.02", survived
    ),
    Case(
        "rabbit",
        "B",
        """
        # python
        if os.fork() == 0:
            os.setsid(); rabbit()
        while not os.path.exists("beat"): time.sleep(0.005)
        """,
        lambda room: _beats(room),
    ),
    Case(
        "brother-instead-of-child",
        "B",
        """
        # python
        if call(56, 0x8000 | 17, 0, 0, 0, 0) == 0:  # CLONE_PARENT
            os.setsid(); write(WORK + "/ready"); time.sleep(1000)
        while not os.path.exists("ready"): time.sleep(0.005)
        """,
        survived,
    ),
    Case(
        "orphans-gathered-by-the-command",
        "B",
        """
        # python
        libc.prctl(36, 1, 0, 0, 0)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                write(WORK + "/ready"); time.sleep(1000)
            os._exit(0)
        while not os.path.exists("ready"): time.sleep(0.005)
        """,
        survived,
    ),
    Case(
        "many-at-once",
        "B",
        f"""
        for i in $(seq 30); do setsid sh -c 'sleep 1000; :' $WORK & done
        {_STAY} & {_UP}
        """,
        survived,
    ),
    Case("timed-out", "B", "setsid sh -c 'sleep 1000' $WORK & echo x >ready; wait", survived, ended_by_us=True),
    Case(
        "timed-out-deaf",
        "B",
        """
        trap '' TERM INT HUP
        setsid sh -c 'trap "" TERM INT HUP; sleep 1000; :' $WORK &
        sleep 0.02; echo x >ready
        while :; do sleep 1; done
        """,
        survived,
        ended_by_us=True,
    ),
    Case(
        "timed-out-rabbit",
        "B",
        """
        # python
        if os.fork() == 0:
            os.setsid(); rabbit()
        while not os.path.exists("beat"): time.sleep(0.005)
        write("ready"); time.sleep(1000)
        """,
        lambda room: _beats(room),
        ended_by_us=True,
    ),
    Case(
        "timed-out-stopped",
        "B",
        "setsid sh -c 'sleep 1000' $WORK & echo x >ready; kill -STOP $$",
        survived,
        ended_by_us=True,
    ),
    Case(
        "timed-out-on-a-terminal",
        "B",
        "setsid sh -c 'sleep 1000; :' $WORK & sleep 0.02; echo x >ready; wait",
        survived,
        ended_by_us=True,
        pty=True,
    ),
    Case(
        "writes-after-its-end",
        "B",
        f"setsid sh -c 'echo x >$WORK/ready; until [ -e $WORK/over ]; do sleep 0.01; done; echo x >$WORK/late' $WORK & "
        f"{_UP}",
        lambda room: _late(room),
    ),
)


def _beats(room: Room) -> bool:
    """Too quick to be seen in /proc: whether it goes on to leave traces."""
    return eventually(lambda: _grows(room.work / "beat"), 0.2)


def _grows(path: Path) -> bool:
    before = path.stat().st_size
    time.sleep(0.01)
    return path.stat().st_size > before


def _late(room: Room) -> bool:
    (room.work / "over").touch()
    return eventually((room.work / "late").exists, 1)
