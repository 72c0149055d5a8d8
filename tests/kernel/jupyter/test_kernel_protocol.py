"""The Jupyter project's own test of kernels, complete."""

from __future__ import annotations

import subprocess

import jupyter_kernel_test
import pytest

from tests.support.kernels import install_spec

SPEC = "codex-under-test"


@pytest.fixture(scope="module", autouse=True)
def _spec_and_repository(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("protocol")
    work = folder / "work"
    work.mkdir()
    (work / "notes.md").write_text("what I know\n")
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    patch = pytest.MonkeyPatch()
    patch.setenv("JUPYTER_PATH", str(install_spec(folder, SPEC)))
    patch.chdir(work)
    yield
    patch.undo()


class TestKernel(jupyter_kernel_test.KernelTests):
    kernel_name = SPEC
    language_name = "codex"
    file_extension = ".md"
    code_hello_world = "!echo hello, world"
    code_stderr = "!echo oops >&2"
    completion_samples = (
        {"text": "/sta", "matches": {"/status"}},
        {"text": "%sandbox read", "matches": {"read-only"}},
        {"text": "look at @notes", "matches": {"@notes.md"}},
    )
    complete_code_samples = ("hello", "/status", "```\nx\n```")
    incomplete_code_samples = ("one\\", "```python\nx = 1")
    code_page_something = "/diff"
    code_generate_error = "/stauts"
    code_execute_result = (
        {"code": "/plan", "result": "the model has no plan"},
        {"code": "/mcp"},
        {"code": "/help", "mime": "text/markdown"},
        {"code": "/status"},
    )
    code_display_data = ({"code": "hello", "mime": "text/markdown"},)
    code_history_pattern = "/stat??"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "@notes.md"
    code_clear_output = "/clear"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = SPEC
    support_iopub_welcome = True
