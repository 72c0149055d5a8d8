from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import peers
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, custom_call, function_call, patches, says

ADD = "*** Begin Patch\n*** Add File: notes/new.txt\n+one\n+two\n+three\n*** End Patch\n"
EDIT = """*** Begin Patch
*** Update File: notes/new.txt
@@
 one
-two
+2
 three
*** Update File: source.py
*** Move to: moved.py
@@ def second():
-    return 2
+    return "zwei"
*** Delete File: old.txt
*** End Patch
"""
STALE = "*** Begin Patch\n*** Update File: moved.py\n@@\n-not there\n+never\n*** End Patch\n"


def session_id(request: Request) -> int:
    """The number of the session that the call `open` left running, as its output tells."""
    words = str(request.outputs()["open"]).split()
    return int(words[words.index("ID", words.index("session")) + 1])


Step = Reply | Callable[[Request], Reply]
STEPS: Sequence[Step] = (
    calls("exec_command", {"cmd": "printf 'written\\n' > written.txt; mkdir notes; printf gone > old.txt"}),
    patches(ADD),
    calls("exec_command", {"cmd": "echo before; echo to stderr >&2; exit 3"}, call_id="failing"),
    patches(EDIT),
    patches(STALE, call_id="stale"),
    Reply(
        items=[
            function_call("exec_command", {"cmd": "echo left > left.txt"}),
            function_call("exec_command", {"cmd": "echo right > right.txt"}),
        ]
    ),
    calls(
        "exec_command",
        {
            "cmd": 'read line; echo "heard $line" > heard.txt; test -t 0 && echo tty > tty.txt',
            "tty": True,
            "yield_time_ms": 250,
        },
        call_id="open",
    ),
    lambda request: calls("write_stdin", {"session_id": session_id(request), "chars": "hello\n"}, call_id="write"),
    Reply(items=[function_call("no_such_tool", {"a": 1}, call_id="unknown")]),
    Reply(items=[function_call("exec_command", '{"cmd": ', call_id="broken")]),
    Reply(items=[custom_call("apply_patch", "not a patch", call_id="garbage")]),
    says("Done."),
)


@dataclass(frozen=True)
class Played:
    files: dict[str, str]
    outputs: dict[str, str]
    stdout: str


def play(command: Path, config: Callable[[str], str], scratch: Path) -> Played:
    home, work = scratch / "home", scratch / "work"
    home.mkdir(parents=True)
    work.mkdir()
    (work / "source.py").write_text("def first():\n    return 2\n\n\ndef second():\n    return 2\n", encoding="utf-8")

    def answer(request: Request) -> Reply:
        step = STEPS[request.number]
        return step if isinstance(step, Reply) else step(request)

    with ModelServer(answer) as server:
        (home / "config.toml").write_text(config(server.url), encoding="utf-8")
        done = subprocess.run(
            [command, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "go"],
            cwd=work,
            env={"PATH": os.environ["PATH"], "HOME": str(scratch), "CODEX_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == len(STEPS), done.stderr
    files = {path.relative_to(work).as_posix(): path.read_text("utf-8") for path in work.rglob("*") if path.is_file()}
    return Played(files, {key: str(text) for key, text in server.requests[-1].outputs().items()}, done.stdout)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Played:
    peer = peers.november()
    return play(peer.command, peer.config, tmp_path_factory.mktemp("upstream"))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Played:
    command = Path(sys.executable).with_name("codex")
    return play(command, peers.november().config, tmp_path_factory.mktemp("ours"))


def test_the_script_does_upstream_what_it_is_meant_to_do(upstream: Played) -> None:
    assert upstream.files == {
        "written.txt": "written\n",
        "notes/new.txt": "one\n2\nthree\n",
        "moved.py": 'def first():\n    return 2\n\n\ndef second():\n    return "zwei"\n',
        "left.txt": "left\n",
        "right.txt": "right\n",
        "heard.txt": "heard hello\n",
        "tty.txt": "tty\n",
    }


def test_one_script_leaves_the_same_files_as_upstream(ours: Played, upstream: Played) -> None:
    assert ours.files == upstream.files


def test_one_script_gives_the_same_answer_as_upstream(ours: Played, upstream: Played) -> None:
    assert ours.stdout == upstream.stdout == "Done.\n"


@pytest.mark.parametrize(
    ("call_id", "word"),
    [("failing", "Process exited with code 3"), ("failing", "to stderr"), ("unknown", "no_such_tool")],
)
def test_the_model_is_told_alike(ours: Played, upstream: Played, call_id: str, word: str) -> None:
    assert word in upstream.outputs[call_id]
    assert word in ours.outputs[call_id]


@pytest.mark.parametrize("call_id", ["stale", "broken", "garbage"])
def test_the_model_is_told_what_it_got_wrong(ours: Played, upstream: Played, call_id: str) -> None:
    assert len(upstream.outputs[call_id]) > 20
    assert len(ours.outputs[call_id]) > 20
