"""`codex apply`: the last change of a thread, and of a task in the cloud, carried into another checkout."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from threading import Thread

import pytest

from codex_cli.main import main
from codex_store.home import Home
from codex_store.threads import list_threads
from tests.support.model_server import ModelServer
from tests.support.replies import Reply, custom_call, says
from tests.support.rollouts import write_thread

BEFORE = "".join(f"line {number}\n" for number in range(1, 21))
PATCH = """*** Begin Patch
*** Update File: a.txt
@@
 line 9
-line 10
+line ten
 line 11
*** Add File: new/b.txt
+fresh
*** End Patch
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "home"
    root.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(root))
    return Home(root=root)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text(BEFORE)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
def other(checkout: Path, tmp_path: Path) -> Path:
    """Another checkout of the same repository."""
    folder = tmp_path / "other"
    git(checkout, "clone", "-q", ".", str(folder))
    (folder / "below").mkdir()
    return folder


@pytest.fixture
def thread(home: Home, checkout: Path) -> str:
    """A thread that patched its checkout."""
    with ModelServer([Reply(items=[custom_call("apply_patch", PATCH, call_id="c1")]), says("done")]) as server:
        provider = f'{{name="s", base_url="{server.url}", wire_api="responses"}}'
        settings = ["-c", f"model_providers.s={provider}", "-c", 'model_provider="s"', "-m", "gpt-5.5"]
        assert main(["exec", *settings, "-C", str(checkout), "--sandbox", "workspace-write", "go"]) == 0
    assert (checkout / "a.txt").read_text() != BEFORE
    return list_threads(home)[0].id


def test_the_change_of_a_thread_is_carried_into_another_checkout(
    thread: str, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["apply", thread, "-C", str(other / "below")]) == 0
    assert capsys.readouterr().out == "Applied:\n  a.txt\n  new/b.txt\n"
    assert (other / "a.txt").read_text() == BEFORE.replace("line 10\n", "line ten\n")
    assert (other / "new/b.txt").read_text() == "fresh\n"
    assert main(["a", thread, "-C", str(other)]) == 0
    assert "has this change already" in capsys.readouterr().out


def test_other_changes_of_the_same_file_are_kept(thread: str, other: Path) -> None:
    changed = BEFORE.replace("line 1\n", "first\n") + "last\n"
    (other / "a.txt").write_text(changed)
    assert main(["apply", thread, "-C", str(other)]) == 0
    assert (other / "a.txt").read_text() == changed.replace("line 10\n", "line ten\n")


def test_no_program_that_a_repository_names_is_run(thread: str, other: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    for when in ("clean", "smudge"):
        git(other, "config", f"filter.evil.{when}", f"sh -c 'touch {mark}; cat'")
    git(other, "config", "merge.evil.driver", f"touch {mark}")
    git(other, "config", "core.fsmonitor", f"touch {mark}")
    (other / ".gitattributes").write_text("* filter=evil merge=evil\n")
    git(other, "add", ".gitattributes")
    assert mark.exists()  # plain git runs them
    mark.unlink()
    assert main(["apply", thread, "-C", str(other)]) == 0
    assert "line ten" in (other / "a.txt").read_text()
    (other / "a.txt").write_text(BEFORE.replace("line 12\n", "mine\n"))
    main(["apply", thread, "-C", str(other)])  # by a merge
    assert not mark.exists()


def test_a_change_that_does_not_fit_changes_nothing(
    thread: str, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (other / "a.txt").write_text(BEFORE.replace("line 10\n", "mine\n"))
    assert main(["apply", thread, "-C", str(other)]) == 1
    assert "does not fit" in capsys.readouterr().err
    assert git(other, "status", "--porcelain") == " M a.txt\n"
    assert (other / "a.txt").read_text() == BEFORE.replace("line 10\n", "mine\n")


def test_a_change_that_conflicts_with_a_committed_one_is_merged_with_markers_and_said(
    thread: str, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (other / "a.txt").write_text(BEFORE.replace("line 10\n", "mine\n"))
    git(other, "commit", "-qam", "mine")
    assert main(["apply", thread, "-C", str(other)]) == 1
    said = capsys.readouterr().err
    assert "conflict markers" in said
    assert "a.txt" in said
    assert "<<<<<<<" in (other / "a.txt").read_text()


def test_outside_a_repository_and_without_a_change_it_is_one_sentence(
    home: Home, thread: str, tmp_path: Path, other: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    capsys.readouterr()
    assert main(["apply", thread, "-C", str(bare)]) == 1
    assert "not inside a git repository" in capsys.readouterr().err
    write_thread(home, "only words")
    words = next(info.id for info in list_threads(home) if info.preview == "only words")
    assert main(["apply", words, "-C", str(other)]) == 1
    assert capsys.readouterr().err.startswith("Error: no patch of the thread")
    assert main(["apply", "nope"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def login(home: Home) -> None:
    """A ChatGPT login that needs no renewal."""

    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    token = f"{part({'alg': 'none'})}.{part({'email': 'a@b.c', 'exp': 9_999_999_999})}.sig"
    tokens = {"id_token": token, "access_token": "secret-access", "refresh_token": "r", "account_id": "acc-1"}
    stored = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": "2999-01-01T00:00:00Z"}
    (home.root / "auth.json").write_text(json.dumps(stored))


class Tasks:
    """The cloud's service: one answer to every request; what was asked."""

    def __init__(self, status: int, body: bytes) -> None:
        from http.server import BaseHTTPRequestHandler, HTTPServer

        asked: list[tuple[str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, dict(self.headers)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                return

        self.asked = asked
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.setting = f'chatgpt_base_url="http://127.0.0.1:{self._server.server_port}/backend-api/"'

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def answer(diff: str) -> bytes:
    items = [{"type": "message"}, {"type": "pr", "output_diff": {"diff": diff}}]
    return json.dumps({"id": "x", "current_diff_task_turn": {"output_items": items, "more": 1}}).encode()


DIFF = "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n-line 1\n+first\n line 2\n"


def test_a_task_of_the_cloud_is_fetched_with_the_login_and_applied(
    home: Home, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login(home)
    tasks = Tasks(200, answer(DIFF))
    try:
        assert main(["apply", "task_e/../1", "-c", tasks.setting, "-C", str(checkout)]) == 0
    finally:
        tasks.close()
    assert (checkout / "a.txt").read_text().startswith("first\nline 2\n")
    ((path, headers),) = tasks.asked
    assert path == "/backend-api/wham/tasks/task_e%2F..%2F1"
    assert (headers["Authorization"], headers["chatgpt-account-id"]) == ("Bearer secret-access", "acc-1")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"no such task", "status 404: no such task"),
        (200, b"{}", "no turn with a diff"),
        (200, b'{"current_diff_task_turn": {"output_items": [{"type": "other"}]}}', "has made no diff"),
        (200, b"<html>", "cannot be read"),
        (200, answer(""), "changed nothing"),
        (200, answer("diff --git a/../x b/../x\n--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+bad\n"), "does not fit"),
    ],
)
def test_a_task_that_gives_no_diff_is_one_sentence_without_the_token(
    home: Home, checkout: Path, status: int, body: bytes, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    login(home)
    tasks = Tasks(status, body)
    try:
        assert main(["apply", "task_1", "-c", tasks.setting, "-C", str(checkout)]) == 1
    finally:
        tasks.close()
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert "secret-access" not in said
    assert git(checkout, "status", "--porcelain") == ""


def test_a_task_needs_a_chatgpt_login(home: Home, checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "task_1", "-C", str(checkout)]) == 1
    assert "codex login" in capsys.readouterr().err
