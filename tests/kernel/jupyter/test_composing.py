"""What a composer asks the kernel beside the thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_kernel.model.scripted import says
from tests.support.kernels import Client, running_kernel


async def query(client: Client, name: str, /, **arguments: Any) -> Any:
    reply = await client.ask(type="query", name=name, arguments=arguments)
    return reply["value"] if reply["type"] == "result" else reply


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(home))
    return home


async def test_prompts_are_offered_with_what_they_take_and_expanded_with_it(tmp_path: Path, home: Path):
    (home / "prompts").mkdir()
    (home / "prompts" / "fix.md").write_text("---\ndescription: mend a file\nargument-hint: FILE\n---\nMend $1.")
    async with running_kernel(tmp_path, [says("one")]) as bench:
        client = await bench.client()
        found = await query(client, "suggestions")
        assert {"name": "fix", "about": "mend a file", "argument": "FILE"} in found["prompts"]
        assert await query(client, "prompt", name="fix", argument="a.py") == "Mend a.py."
        assert "AGENTS.md" in await query(client, "prompt", name="init")
        assert "no prompt 'none'" in (await query(client, "prompt", name="none"))["message"]


async def test_presets_keep_the_writable_roots_of_the_settings(tmp_path: Path, home: Path):
    (home / "config.toml").write_text(
        'sandbox_mode = "workspace-write"\n[sandbox_workspace_write]\nwritable_roots = ["/srv/cache"]\n'
    )
    async with running_kernel(tmp_path, [says("one")]) as bench:
        client = await bench.client()
        found = {preset["sandbox_mode"]: preset["sandbox_policy"] for preset in await query(client, "presets")}
        assert found["workspace-write"]["writable_roots"] == ["/srv/cache"]
        assert found.keys() == {"read-only", "workspace-write", "danger-full-access"}


async def test_the_leash_names_the_files_that_instruct(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "AGENTS.md").write_text("Be brief.")
    async with running_kernel(tmp_path, [says("one")]) as bench:
        client = await bench.client()
        told = await query(client, "leash")
        assert [Path(path).name for path in told["instructions"]] == ["AGENTS.md"]
        assert (told["servers"], told["rules"]) == ([], [])
        assert await query(client, "running") == []
        assert await query(client, "end_running") == 0


async def test_prices_are_those_of_the_settings(tmp_path: Path, home: Path):
    (home / "config.toml").write_text('[prices."gpt-5.5"]\ninput = 2\noutput = 8\n')
    async with running_kernel(tmp_path, [says("one")]) as bench:
        found = await query(await bench.client(), "prices")
        assert found == {"gpt-5.5": {"input": 2, "output": 8, "cached_input": None, "currency": "USD"}}
