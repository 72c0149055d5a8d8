"""Secrets in the environment, what the user's next programs start with, and privileges of programs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path

from tests.kernel.sandbox.escapes.case import SECRET, Case, Room

SECRET_VARIABLES = {"SOME_API_KEY": SECRET, "GITHUB_TOKEN": SECRET, "DB_SECRET_X": SECRET}
"""The runner's own environment has these."""


def _grown(name: str) -> object:
    return lambda room: "evil" in _text(room.user_home / name)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _agent(room: Room) -> None:
    """An ssh-agent, or any service whose socket the environment names."""
    path = f"/proc/self/fd/{os.open(room.outside, os.O_PATH)}/agent"
    room.listen(socket.AF_UNIX, socket.SOCK_STREAM, path)
    room.env["SSH_AUTH_SOCK"] = str(room.outside / "agent")


def _victim_with_secret(room: Room) -> None:
    room.victim(env={"LOGIN": SECRET, "PATH": "/usr/bin:/bin"})


def _other_user(room: Room) -> None:
    """A program that becomes another user when it is started."""
    program = room.work / "become"
    shutil.copy("/usr/bin/id", program)
    os.chown(program, 12345, 12345)
    program.chmod(0o6755)


def _with_capability(room: Room) -> None:
    program = room.work / "able"
    shutil.copy("/usr/bin/cat", program)
    subprocess.run(["setcap", "cap_net_admin+ep", program], check=True)


@cache
def _no_setcap() -> str | None:
    return None if shutil.which("setcap") else "there is no setcap"


CASES = (
    Case("key-in-the-environment", "B", "echo $SOME_API_KEY", Room.told),
    Case("token-in-the-environment", "B", "printenv GITHUB_TOKEN", Room.told),
    Case("every-variable", "B", "env", Room.told),
    Case("environment-of-the-parent", "B", "tr '\\0' '\\n' </proc/$PPID/environ", Room.told),
    Case(
        "environment-of-every-visible-process",
        "NL",
        "cat /proc/[0-9]*/environ",
        Room.told,
        before=_victim_with_secret,
        root=False,
    ),
    Case(
        "environment-of-every-visible-process-as-root",
        "B",
        "cat /proc/[0-9]*/environ",
        Room.told,
        before=_victim_with_secret,
        root=True,
    ),
    Case(
        "memory-of-the-parent",
        "NL",
        """
        # python
        parent = os.getppid()
        memory_ = open(f"/proc/{parent}/mem", "rb")
        for line in open(f"/proc/{parent}/maps"):
            if "[stack]" in line or "[heap]" in line:
                start, end = (int(x, 16) for x in line.split()[0].split("-"))
                memory_.seek(start)
                if b"sesame" in memory_.read(end - start): print("sesame-4711")
        """,
        Room.told,
        by_root="B",
    ),
    Case("start-file-of-the-users-shell", "NL", "echo evil >>$HOME/.bashrc", _grown(".bashrc")),
    Case("new-start-file", "NL", "echo evil >$HOME/.profile", _grown(".profile")),
    Case("settings-of-git", "NL", "unset GIT_CONFIG_GLOBAL; git config --global core.pager evil", _grown(".gitconfig")),
    Case("program-on-the-path", "NL", "mkdir -p $HOME/bin && echo evil >$HOME/bin/ls", _grown("bin/ls")),
    Case(
        "allowed-keys-of-ssh",
        "NL",
        "mkdir -p $HOME/.ssh; echo evil >>$HOME/.ssh/authorized_keys",
        _grown(".ssh/authorized_keys"),
    ),
    Case(
        "temporary-directory-elsewhere",
        "NL",
        "TMPDIR=$OUTSIDE mktemp",
        lambda room: len(list(room.outside.iterdir())) > 1,
    ),
    Case(
        "runtime-directory-of-the-user",
        "NL",
        "echo x >$XDG_RUNTIME_DIR/new",
        Room.new,
        before=lambda room: room.env.update(XDG_RUNTIME_DIR=str(room.outside)),
    ),
    Case(
        "service-that-the-environment-names",
        "S",
        """
        # python
        os.chdir(os.path.dirname(os.environ['SSH_AUTH_SOCK'])); socket.socket(1, 1).connect('agent')
        """,
        Room.reached,
        before=_agent,
    ),
    Case(
        "become-another-user",
        "B",
        "./become -u | grep -q 12345 && echo $MARK",
        Room.marked,
        before=_other_user,
        root=True,
    ),
    Case(
        "gain-a-capability",
        "B",
        "./able /proc/self/status | grep CapEff | grep -qv 0000000000000000 && echo $MARK",
        Room.marked,
        before=_with_capability,
        root=True,
        not_here=_no_setcap,
    ),
    Case("new-privileges", "B", "grep -q '^NoNewPrivs:.0' /proc/self/status && echo $MARK", Room.marked),
)
