"""The bundle of bytecode beside an installation: what it serves, what it never serves, and who writes it."""

from __future__ import annotations

import compileall
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codex_cli.bytecode_bundle import BytecodeBundle
from tests.support.model_server import ModelServer
from tests.support.our_command import OurCommand
from tests.support.replies import calls, says

KERNEL = Path(__file__).parents[2] / "kernel"
COMMAND = """
import json, os, sys
from codex_cli.main import main
code = main()
told = {}
for name, module in list(sys.modules.items()):
    spec = getattr(module, "__spec__", None)
    if not getattr(spec, "origin", None) or not spec.origin.endswith(".py"):
        continue
    functions = (value for value in vars(module).values() if getattr(value, "__module__", "") == name)
    told[name] = {
        "loader": type(spec.loader).__name__,
        "same": spec.loader is module.__loader__,
        "file": [module.__file__, module.__cached__, spec.origin, spec.cached, spec.has_location],
        "package": [module.__package__, spec.parent, vars(module).get("__path__"), spec.submodule_search_locations],
        "code": next((one.__code__.co_filename for one in functions if hasattr(one, "__code__")), None),
    }
with open(os.environ["TOLD"], "w") as file:
    json.dump(told, file)
sys.exit(code)
"""
HOOK = """
import sys
from importlib.machinery import PathFinder, SourceFileLoader

class Hooked(SourceFileLoader):
    pass

class Hook:
    def find_spec(self, name, path=None, target=None):
        if name != "codex_kernel.model.sse":
            return None
        spec = PathFinder.find_spec(name, path, target)
        spec.loader = Hooked(name, spec.origin)
        return spec

sys.meta_path.insert(0, Hook())
"""


@dataclass
class Installation:
    """A copy of the packages beside a script, as `pip` would put them, but that it tells what was loaded."""

    root: Path
    ours: OurCommand

    @property
    def bundle(self) -> Path:
        return self.root / f"codex_cli/__pycache__/exec.{sys.implementation.cache_tag}.bundle"

    def run(
        self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None, first: str = ""
    ) -> dict[str, Any]:
        """Every module that a run ended with, by name; `first` is done before ours is imported."""
        (self.root / "codex").write_text(first + COMMAND, encoding="utf-8")
        told = self.root / "told.json"
        command = [sys.executable, str(self.root / "codex"), "exec", *(arguments or ("go",))]
        inherited = {key: value for key, value in self.ours.environment().items() if not key.startswith("PYTHON")}
        done = subprocess.run(
            command,
            cwd=self.ours.work,
            env={**inherited, "TOLD": str(told), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return json.loads(told.read_text("utf-8"))

    def edit(self, file: str, text: str) -> None:
        """Append to a source."""
        path = self.root / file
        path.write_text(path.read_text("utf-8") + text, encoding="utf-8")


def bundled(told: dict[str, Any]) -> set[str]:
    return {name for name, module in told.items() if module["loader"] == "_BundleLoader"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with their `.pyc` files, as an installation has them."""
    root = tmp_path_factory.mktemp("compiled")
    for package in KERNEL.glob("codex_*"):
        shutil.copytree(package, root / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(root, quiet=1)
    return root


@pytest.fixture
def installation(compiled: Path, tmp_path: Path) -> Iterator[Installation]:
    root = tmp_path / "bin"
    shutil.copytree(compiled, root)
    with ModelServer([says("done")] * 20) as server:
        made = Installation(root, OurCommand(tmp_path, server))
        made.run(env={"PYTHONDONTWRITEBYTECODE": "1"})  # the first start in a home tries what the sandbox can do
        yield made


def test_the_second_start_takes_from_the_bundle_what_the_first_one_loaded(installation: Installation) -> None:
    first, second = installation.run(), installation.run()
    assert bundled(first) == set()
    assert {"codex_kernel.core.thread", "codex_protocol.events", "asyncio.events", "msgspec", "typing"} <= bundled(
        second
    )
    assert set(second) == set(first)
    files = [name for name in first.keys() - bundled(second) if name.startswith("codex_")]
    assert {name.partition(".")[2] for name in files} <= {
        "", "main", "parser", "options", "errors", "bytecode_bundle",
        *(f"commands.{name}" for name in ("root", "leash", "machine", "mcp", "shared", "threads", "turns")), "commands",
    }  # fmt: skip


def test_a_module_from_the_bundle_is_as_python_would_have_loaded_it(installation: Installation) -> None:
    first, second = installation.run(), installation.run()
    for told in (first, second):
        assert all(module["same"] for module in told.values())
        for module in told.values():
            del module["loader"]
    assert second == first


def test_a_source_that_has_changed_counts_at_once_and_is_in_the_next_bundle(installation: Installation) -> None:
    installation.run()
    installation.edit("codex_kernel/exec/json_lines.py", "\nimport this\n")
    second, third = installation.run("--json", "go"), installation.run("--json", "go")
    assert "this" in second
    assert "codex_kernel.exec.json_lines" not in bundled(second)
    assert {"codex_kernel.exec.json_lines", "this"} <= bundled(third)


def test_a_source_of_another_time_counts_though_it_is_as_long_as_before(installation: Installation) -> None:
    installation.run()
    path = installation.root / "codex_kernel/exec/json_lines.py"
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert "codex_kernel.exec.json_lines" not in bundled(installation.run())


def test_a_source_counts_though_an_installer_gave_it_the_size_and_the_time_of_the_one_before(
    installation: Installation,
) -> None:
    installation.run()
    path = installation.root / "codex_kernel/exec/json_lines.py"
    before = path.stat()
    path.unlink()
    shutil.copyfile(KERNEL / "codex_kernel/exec/json_lines.py", path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (before.st_mtime_ns, before.st_size)
    assert "codex_kernel.exec.json_lines" not in bundled(installation.run())


def test_a_source_that_is_gone_is_not_served(installation: Installation) -> None:
    installation.run()
    shutil.move(installation.root / "codex_kernel/model/sse.py", installation.root / "sse.py")
    installation.run(code=1)


@pytest.mark.parametrize("keep", [0, 1, 100, 2_000, 500_000, -1])
def test_a_torn_bundle_is_as_good_as_none_and_made_anew(installation: Installation, keep: int) -> None:
    installation.run()
    whole = installation.bundle.read_bytes()
    installation.bundle.write_bytes(whole[:keep])
    assert bundled(installation.run()) == set()
    assert len(bundled(installation.run())) > 200


@pytest.mark.parametrize("old", [sys.version.split()[0], "'", repr(sys.path[-1])])
def test_a_bundle_of_another_python_or_search_path_is_not_used(installation: Installation, old: str) -> None:
    installation.run()
    head, line, rest = installation.bundle.read_bytes().partition(b"\n")
    changed = head.replace(old.encode(), b"other", 1)
    assert changed != head
    installation.bundle.write_bytes(changed + line + rest)
    assert bundled(installation.run()) == set()


def test_who_wants_no_bytecode_written_gets_none(installation: Installation) -> None:
    assert installation.run(env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert not installation.bundle.exists()


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONPYCACHEPREFIX"])
def test_modules_that_may_come_from_elsewhere_are_left_to_python(installation: Installation, name: str) -> None:
    installation.run()
    assert bundled(installation.run(env={name: str(installation.root / "elsewhere")})) == set()
    assert len(bundled(installation.run())) > 200


def test_an_installation_that_cannot_be_written_works_as_well(installation: Installation) -> None:
    shutil.rmtree(installation.bundle.parent)
    installation.bundle.parent.write_text("a file, so that even root can put nothing there")
    assert bundled(installation.run()) == bundled(installation.run()) == set()
    assert [path.name for path in installation.root.rglob("*.bundle*")] == []


def test_a_module_that_cannot_be_looked_at_does_not_spoil_a_run_that_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd:
        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    bundle = BytecodeBundle(str(tmp_path / "some.bundle"))
    monkeypatch.setitem(sys.modules, "odd", Odd())
    bundle.keep()


def test_a_run_that_failed_makes_no_bundle(installation: Installation) -> None:
    installation.run("-c", "model_provider=nobody", "go", code=1)
    assert not installation.bundle.exists()


@pytest.fixture
def calling(installation: Installation, tmp_path: Path) -> Iterator[Installation]:
    """Its runs call a tool."""
    with ModelServer([calls("exec_command", {"cmd": "true"}), says("done")] * 4) as server:
        installation.ours = OurCommand(tmp_path / "tools", server)
        yield installation


UNCONFINED = "--dangerously-bypass-approvals-and-sandbox"


def test_what_calls_load_of_our_own_is_in_the_bundle_too(calling: Installation) -> None:
    first, second = calling.run(UNCONFINED, "go"), calling.run(UNCONFINED, "go")
    assert bundled(first) == set()
    assert {"codex_kernel.core.calls", "codex_kernel.core.judge"} <= bundled(second)
    assert len(bundled(second)) > 200


def test_what_calls_load_of_other_packages_is_left_in_its_own_files(calling: Installation) -> None:
    sdk = some_modules(calling.root, "sdk")
    calling.edit("codex_kernel/core/calls.py", f"\nimport {', '.join(sdk)}\n")
    calling.run(UNCONFINED, "go")
    told = calling.run(UNCONFINED, "go")
    assert set(sdk) <= set(told)
    assert bundled(told) & {*sdk, "codex_kernel.core.calls"} == {"codex_kernel.core.calls"}


def test_the_sdk_of_mcp_is_left_in_its_own_files(installation: Installation) -> None:
    program = str(KERNEL.parent / "tests/support/mcp_python_server.py")
    server = {"command": sys.executable, "args": [program, "stdio"], "required": True}
    settings = [f"mcp_servers.docs.{key}={json.dumps(value)}" for key, value in server.items()]
    options = [word for setting in settings for word in ("-c", setting)]
    installation.run(*options, "go")
    told = installation.run(*options, "go")
    assert {"mcp.client.session", "pydantic.main"} <= set(told)
    assert {name.partition(".")[0] for name in bundled(told)} & {"mcp", "mcp_types", "pydantic", "anyio"} == set()
    assert len(bundled(told)) > 200


def test_a_finder_of_somebody_else_is_asked_first_and_what_it_made_is_nobody_elses(installation: Installation) -> None:
    installation.run()
    told = installation.run(first=HOOK)
    assert told["codex_kernel.model.sse"]["loader"] == "Hooked"
    assert len(bundled(told)) > 200
    installation.bundle.unlink()
    installation.run(first=HOOK)
    assert len(bundled(installation.run())) > 200
    assert "codex_kernel.model.sse" not in bundled(installation.run())


def test_a_search_path_that_moves_with_the_working_directory_has_no_bundle(installation: Installation) -> None:
    installation.run(first='import sys; sys.path.append("")\n')
    assert not installation.bundle.exists()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], set[str]]:
    """Loads modules that lie in `tmp_path` and keeps `some.bundle` there: which of them came from it."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)

    def start(names: list[str]) -> set[str]:
        bundle = BytecodeBundle(str(tmp_path / "some.bundle"))
        with monkeypatch.context() as patch:
            patch.setattr(sys, "meta_path", [bundle, *sys.meta_path])
            loaded = {name: importlib.import_module(name) for name in names}
            bundle.keep()
        for name in names:
            del sys.modules[name]
        return {name for name, module in loaded.items() if type(module.__loader__).__name__ == "_BundleLoader"}

    return start


def some_modules(folder: Path, way: str) -> list[str]:
    """Ten modules that can be imported from there."""
    names = [f"{way}_{number}" for number in range(10)]
    for name in names:
        (folder / f"{name}.py").write_text("VALUE = 1\n")
    return names


def test_a_bundle_grows_by_what_another_way_to_start_needs(
    tmp_path: Path, start: Callable[[list[str]], set[str]]
) -> None:
    one, other = some_modules(tmp_path, "plain_start"), some_modules(tmp_path, "other_start")
    assert start(one) == set()
    assert start(one) == set(one)
    assert start(other) == set()
    assert start(one) == set(one)
    assert start(other) == set(other)
    few = other[:3]
    file = tmp_path / "some.bundle"
    before = file.read_bytes()
    for name in few:
        (tmp_path / f"{name}.py").write_text("VALUE = 22\n")
    assert start(few) == set()
    assert file.read_bytes() != before


def test_others_may_never_write_a_bundle(tmp_path: Path, start: Callable[[list[str]], set[str]]) -> None:
    umask = os.umask(0)
    try:
        start(some_modules(tmp_path, "any_start"))
    finally:
        os.umask(umask)
    assert (tmp_path / "some.bundle").stat().st_mode & 0o777 == 0o644


def test_what_would_end_a_run_that_is_done_does_not(
    tmp_path: Path, start: Callable[[list[str]], set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    heard: list[int] = []
    former = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in signals}
    replace = os.replace

    def replace_among_signals(part: str, file: str) -> None:
        for number in signals:
            signal.raise_signal(number)
        replace(part, file)

    try:
        monkeypatch.setattr(os, "replace", replace_among_signals)
        start(some_modules(tmp_path, "any_start"))
        assert heard == []
        assert (tmp_path / "some.bundle").exists()
        for number in signals:
            signal.raise_signal(number)
        assert heard == [*signals]
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
