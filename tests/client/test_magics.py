"""`%%codex` in a Python notebook, run by nbclient on ipykernel, and in a bare IPython shell."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from codex_client.magics import Complaint, Magics, ThreadTable
from tests.support.codex_clients import end_servers, make_home
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, says


def answer(request: Request) -> Reply:
    prompts = [item["content"][0]["text"] for item in request.input if item.get("role") == "user"]
    if "output" in request.input[-1]["type"]:
        return says("it ran")
    if "ask" in prompts[-1]:
        return calls("exec_command", {"cmd": "true", "sandbox_permissions": "require_escalated", "justification": "so"})
    if "json" in prompts[-1]:
        return says('{"size": 3}')
    return says(f"**heard** {len(prompts)} messages")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(answer) as made:
        yield made


@pytest.fixture
def work(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    settings = make_home(tmp_path, server)
    monkeypatch.setenv("CODEX_HOME", settings["env"]["CODEX_HOME"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    folder = tmp_path / "jupyter" / "kernels" / "python3"
    folder.mkdir(parents=True)
    argv = [sys.executable, "-P", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "P", "language": "python"}))
    yield Path(settings["cwd"])
    end_servers(settings["env"]["CODEX_HOME"])


def run(cwd: Path, *cells: str, allow_errors: bool = False) -> list[str]:
    """What each cell shows, as text."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in ("%load_ext codex_client", *cells)])
    where = {"metadata": {"path": str(cwd)}}
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=allow_errors, resources=where)
    client.execute()
    nbformat.validate(notebook)
    return ["".join(_text(output) for output in cell.outputs) for cell in notebook.cells[1:]]


def _text(output: Any) -> str:
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return output.get("text", "") or output.data.get("text/plain", "")


def test_cells_are_turns_of_one_thread_and_results_show_themselves(work: Path) -> None:
    first, second, other, table = run(
        work,
        "%%codex -s read-only\nhello",
        "%%codex -o kept\nand again",
        "%%codex --thread apart\nhello",
        "print(kept.status)\n%codex_threads",
    )
    assert "**heard**" in first
    count = [int(shown.split("heard** ")[1].split()[0]) for shown in (first, second, other)]
    assert count[1] > count[0] == count[2]
    assert "completed" in table


def test_a_schema_and_context_come_from_the_notebook(work: Path, server: ModelServer) -> None:
    define = "from pydantic import BaseModel\nclass Size(BaseModel):\n    size: int\nrows = [1, 2]"
    _, shown, value = run(work, define, "%%codex --schema Size --context rows -o size\njson please", "size")
    assert "Size(size=3)" in shown
    assert value == "Size(size=3)"
    assert "<data name=" in server.requests[0].body.decode()


def test_what_is_wrong_is_one_sentence(work: Path) -> None:
    shown = run(
        work,
        "%%codex --colour red\nhello",
        "%%codex --schema Nothing\nhello",
        "%%codex -s open\nhello",
        "%%codex\n  ",
        "%%codex -C /nowhere/at/all\nhello",
        allow_errors=True,
    )
    for text, said in zip(
        shown, ("no option --colour", "no variable 'Nothing'", "invalid choice", "empty", "does not exist"), strict=True
    ):
        assert said in text
        assert text.startswith("codex: ")
        assert "Traceback" not in text
        assert len(text.splitlines()) == 1


def test_nobody_at_the_notebook_denies(work: Path) -> None:
    (shown,) = run(work, "%%codex\nask me")
    assert "it ran" in shown


def test_a_person_at_the_notebook_is_asked_below_the_cell(work: Path) -> None:
    asked: list[str] = []
    shown: list[str] = []
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(work))
    try:

        def type_in(message: Any) -> None:
            asked.append(message["content"]["prompt"])
            client.input("y")

        def see(message: Any) -> None:
            if message["msg_type"] == "execute_result":
                shown.append(message["content"]["data"]["text/plain"])

        client.execute_interactive("%load_ext codex_client", timeout=30)
        cell = "%%codex -o result\nask me"
        client.execute_interactive(cell, allow_stdin=True, stdin_hook=type_in, output_hook=see, timeout=30)
        check = "[(each.decision.value, each.by) for each in result.approvals]"
        client.execute_interactive(check, output_hook=see, timeout=30)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert len(asked) == 1
    assert "$ true" in asked[0]
    assert "[y]es, [a]lways" in asked[0]
    assert "it ran" in shown[0]
    assert shown[-1] == "[('approved', 'notebook')]"


def test_a_complaint_has_no_traceback() -> None:
    shell = SimpleNamespace(user_ns={})
    with pytest.raises(Complaint) as caught:
        Magics(shell).cell("--nonsense", "x")
    assert caught.value._render_traceback_() == [f"codex: {caught.value}"]  # pyright: ignore[reportPrivateUsage]


def test_an_empty_table_says_so() -> None:
    assert repr(ThreadTable()) == "no threads yet"
    assert ThreadTable()._repr_html_() == "<p>no threads yet</p>"  # pyright: ignore[reportPrivateUsage]
