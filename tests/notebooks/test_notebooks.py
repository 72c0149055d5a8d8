"""Every notebook runs from top to bottom, and shows what it says it shows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbclient import NotebookClient

from codex_client import Codex
from codex_client.papermill import SETTINGS
from codex_kernel.jupyter import setting_lines
from codex_protocol.kernel_options import OPTIONS_VARIABLE, KernelOptions, encode_options
from tests.support.codex_clients import end_servers, make_home
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, calls, patches, says

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
PATCH = """*** Begin Patch
*** Update File: prices.py
@@
+TAX_RATE = 1.19
+
+
 def total(prices):
-    return sum(prices) * 1.19
+    return sum(prices) * TAX_RATE
*** End Patch"""


def answer(request: Request) -> Reply:
    """As a model would, one call at a time."""
    done = sum("output" in item["type"] for item in _since_prompt(request))
    prompt = _prompt(request)
    if "tax rate" in prompt:
        steps = [calls("exec_command", {"cmd": "cat prices.py"}), patches(PATCH), says("The tax rate has a name now.")]
    elif "Describe" in prompt:
        steps = [says(json.dumps({"name": "prices", "functions": ["total"], "has_tests": False}))]
    elif "outside the sandbox" in prompt:
        wish = {"cmd": "true", "sandbox_permissions": "require_escalated", "justification": "you asked for it"}
        steps = [calls("exec_command", wish), says("It ran.")]
    else:
        steps = [says("Goodbye.")]
    return steps[min(done, len(steps) - 1)]


def _since_prompt(request: Request) -> list[dict[str, Any]]:
    items = request.input
    last = max(n for n, item in enumerate(items) if item.get("role") == "user")
    return items[last:]


def _prompt(request: Request) -> str:
    return _since_prompt(request)[0]["content"][0]["text"]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(answer) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A home whose kernels are found by Jupyter in this process's environment."""
    made = make_home(tmp_path, server)
    monkeypatch.setenv("CODEX_HOME", made["env"]["CODEX_HOME"])
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    _kernelspec(tmp_path / "jupyter" / "kernels" / "codex", "Codex", "codex", "codex_kernel.jupyter")
    _kernelspec(tmp_path / "jupyter" / "kernels" / "python3", "Python 3", "python", "ipykernel_launcher")
    yield made
    end_servers(made["env"]["CODEX_HOME"])


def _kernelspec(folder: Path, name: str, language: str, module: str) -> None:
    folder.mkdir(parents=True)
    argv = [sys.executable, "-P", "-m", module, "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": language, "interrupt_mode": "message"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def run(name: str, cwd: Path, kernel: str) -> Any:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    NotebookClient(notebook, timeout=60, kernel_name=kernel, resources={"metadata": {"path": str(cwd)}}).execute()
    if folder := os.environ.get("KEEP_NOTEBOOKS"):
        nbformat.write(notebook, Path(folder) / name)
    return notebook


def shown(notebook: Any, mime: str = "text/plain") -> str:
    """Everything the cells show."""
    parts: list[str] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            parts.append(output.get("text", "") or output.get("data", {}).get(mime, ""))
    return "\n".join(parts)


def test_first_steps_run_on_the_codex_kernel(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = KernelOptions(flags={"demo": True, "sandbox_mode": "workspace-write"})
    monkeypatch.setenv(OPTIONS_VARIABLE, encode_options(options))
    work = Path(settings["cwd"])
    (work / "app.py").write_text("print('hello')\n")
    notebook = run("01-first-steps.ipynb", work, "codex")
    text = shown(notebook)
    own, tour = ("\n".join(output["data"]["text/plain"] for output in notebook.cells[n].outputs) for n in (2, 4))
    assert "• Run ls\n  app.py\n" in own
    assert tour.count("• Plan") == 1
    assert "Tour of work" in text
    assert (work / "CODEX_TOUR.md").exists()
    assert "rung" in text


def test_python_drives_threads(settings: dict[str, Any], tmp_path: Path) -> None:
    notebook = run("02-driving-threads.ipynb", tmp_path, "python3")
    text = shown(notebook)
    assert "+TAX_RATE = 1.19" in text
    assert "Module(name='prices', functions=['total'], has_tests=False)" in text
    assert "('true', 'approved', 'notebook')" in text
    assert "TaskComplete" in text
    assert "1 file changed (+4 -1)" in shown(notebook, "text/html")


def test_threads_are_data(settings: dict[str, Any], tmp_path: Path) -> None:
    with Codex(**settings, sandbox="danger-full-access", approval_policy="never") as codex:
        (Path(settings["cwd"]) / "prices.py").write_text("def total(prices):\n    return sum(prices) * 1.19\n")
        codex.thread_start().run("In prices.py, give the tax rate a name.")
        codex.thread_start().run("Say hello.")
    notebook = run("03-threads-as-data.ipynb", tmp_path, "python3")
    text = shown(notebook)
    assert "give the tax rate a name" in text
    assert "prompt" in text
    assert "cat" in text
    assert "Warning" not in text
    assert sum("bokeh" in str(output.get("data", {})) for cell in notebook.cells for output in cell.get("outputs", ()))


def test_many_directories_take_parameters_by_papermill(settings: dict[str, Any], tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    papermill.execute_notebook(
        NOTEBOOKS / "04-many-directories.ipynb",
        tmp_path / "out.ipynb",
        parameters={"directories": [str(folder) for folder in folders], "at_once": 1},
        kernel_name="python3",
        progress_bar=False,
        cwd=tmp_path,
    )
    if folder := os.environ.get("KEEP_NOTEBOOKS"):
        (Path(folder) / "04-many-directories.ipynb").write_bytes((tmp_path / "out.ipynb").read_bytes())
    text = shown(nbformat.read(tmp_path / "out.ipynb", as_version=4))
    assert "one done" in text
    assert "two done" in text
    assert all((folder / "CODEX_TOUR.md").exists() for folder in folders)


def test_first_steps_take_parameters_by_papermill_as_settings_and_as_words(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPTIONS_VARIABLE, encode_options(KernelOptions(flags={"demo": True})))
    work = Path(settings["cwd"])
    (work / "app.py").write_text("print('hello')\n")
    papermill.execute_notebook(
        NOTEBOOKS / "01-first-steps.ipynb",
        tmp_path / "out.ipynb",
        parameters={"sandbox": "workspace-write", "name": "nightly", "audience": "new colleagues"},
        kernel_name="codex",
        progress_bar=False,
        cwd=work,
    )
    notebook = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    (added,) = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", ())]
    assert added.source.startswith("%sandbox workspace-write\n%name nightly\n")
    assert added.source.endswith("\n- audience: new colleagues")
    assert "the thread is called nightly" in shown(notebook)
    assert (work / "CODEX_TOUR.md").exists()  # the first setting counted: it may write


def test_papermill_knows_the_settings_of_the_kernel() -> None:
    assert frozenset(setting_lines.SETTINGS) == SETTINGS


def test_an_exported_thread_runs_again_on_the_codex_kernel(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Path(settings["cwd"])
    (work / "app.py").write_text("print('hello')\n")
    with Codex(**settings, demo=True, sandbox="workspace-write") as codex:
        thread = codex.thread_start()
        thread.run("Give me a tour of this directory and write it down.")
        thread.run_command("ls *.md")
        thread.run("run `head -n 1 CODEX_TOUR.md`")
        exported = codex.export(thread.id, "ipynb")
    notebook = nbformat.reads(exported.text, as_version=4)
    before = shown(notebook)
    for text in ("app.py", "CODEX_TOUR.md", "# Tour of work"):
        assert text in before
    (work / "CODEX_TOUR.md").unlink()
    options = KernelOptions(flags={"demo": True, "sandbox_mode": "workspace-write"})
    monkeypatch.setenv(OPTIONS_VARIABLE, encode_options(options))
    for cell in notebook.cells:
        cell.get("outputs", []).clear()
    NotebookClient(notebook, timeout=60, kernel_name="codex", resources={"metadata": {"path": str(work)}}).execute()
    assert "# Tour of work" in shown(notebook)
    assert (work / "CODEX_TOUR.md").exists()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
