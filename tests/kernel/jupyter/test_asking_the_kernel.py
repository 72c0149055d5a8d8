"""Completion, inspection and history: what a front end asks while somebody types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_kernel.jupyter.input_history import InputHistory
from codex_kernel.model.scripted import says
from tests.support.kernels import Client, running_kernel


async def complete(client: Client, code: str, cursor: int | None = None) -> tuple[list[str], str]:
    """The matches, and what of the code they replace."""
    content = {"code": code, "cursor_pos": len(code) if cursor is None else cursor}
    reply = (await client.request("complete_request", content))["content"]
    return reply["matches"], code[reply["cursor_start"] : reply["cursor_end"]]


async def test_completion_offers_what_fits_the_word_at_the_cursor(tmp_path: Path):
    (tmp_path / "home" / "prompts").mkdir(parents=True)
    work = tmp_path / "work"
    (work / "src").mkdir(parents=True)
    (work / "src" / "engine.py").write_text("x")
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        assert await complete(client, "/sta") == (["/status"], "/sta")
        assert await complete(client, "look into @engi") == (["@src/engine.py"], "@engi")
        assert await complete(client, "@engi and more", 5) == (["@src/engine.py"], "@engi")
        assert await complete(client, "%sand") == (["%sandbox"], "%sand")
        assert await complete(client, "%model x\n%approval on-") == (["on-failure", "on-request"], "on-")
        assert (await complete(client, "%cd s"))[0] == ["src/"]
        assert await complete(client, "/approvals au") == (["auto"], "au")
        assert (await complete(client, "no /sta"))[0] == []
        assert (await complete(client, ""))[0] == []
        assert "@src/" in (await complete(client, "@"))[0]


async def test_a_position_is_counted_in_characters_also_beyond_the_basic_plane(tmp_path: Path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "notes.md").write_text("x")
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()
        assert await complete(client, "👍👍 @note") == (["@notes.md"], "@note")


async def test_inspection_shows_the_head_of_a_file_and_nothing_outside_the_directory(tmp_path: Path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "notes.md").write_text("first line\u202e\n" * 200)
    (work / "blob").write_bytes(b"\0\1")
    (work / "link").symlink_to("/etc/passwd")
    (tmp_path / "secret").write_text("secret")
    async with running_kernel(tmp_path) as bench:
        client = await bench.client()

        async def about(code: str) -> str:
            reply = (await client.request("inspect_request", {"code": code, "cursor_pos": 2, "detail_level": 0}))[
                "content"
            ]
            return reply["data"].get("text/plain", "") if reply["found"] else ""

        assert "first line<U+202E>" in await about("@notes.md")
        assert len(await about("@notes.md")) < 2_000
        assert "not text" in await about("@blob")
        for outside in ("@../secret", "@link", "@/etc/passwd", "@" + "x" * 5000, "@\0"):
            assert await about(outside) == ""
        assert "tokens" in await about("/status")


def asked(history: InputHistory, **content: Any) -> list[Any]:
    return history.answer(content)


def test_inputs_survive_the_kernel_and_are_asked_for_by_session_line_and_pattern(tmp_path: Path):
    file = tmp_path / "inputs.sqlite"
    first = InputHistory("a", file)
    for line, text in enumerate(("make it", "test it", "make it"), 1):
        first.add(line, text)
    first.close()
    second = InputHistory("b", file)
    second.add(1, "make it")
    second.add(2, "ship it")
    assert asked(second, hist_access_type="tail", n=3) == [(1, 3, "make it"), (2, 1, "make it"), (2, 2, "ship it")]
    assert asked(second, hist_access_type="range", session=0, start=1, stop=2) == [(2, 1, "make it")]
    assert asked(second, hist_access_type="range", session=-1, start=2) == [(1, 2, "test it"), (1, 3, "make it")]
    assert asked(second, hist_access_type="range", session=1, start=1, stop=2) == [(1, 1, "make it")]
    assert asked(second, hist_access_type="search", pattern="make*", unique=True) == [(2, 1, "make it")]
    assert asked(second, hist_access_type="search", pattern="*it", n=2) == [(2, 1, "make it"), (2, 2, "ship it")]
    assert asked(second, hist_access_type="search", pattern="?ake it", output=True)[0] == (1, 1, ("make it", None))
    assert (file.stat().st_mode & 0o777) == 0o600
    second.close()


def test_a_damaged_history_costs_the_history_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = tmp_path / "inputs.sqlite"
    file.write_bytes(b"this is no database, and longer than a header of one would be" * 10)
    history = InputHistory("a", file)
    history.add(1, "x")
    assert asked(history, hist_access_type="tail", n=1) == [(1, 1, "x")]
    history.close()
    assert "memory" in caplog.text


async def test_inputs_are_not_kept_where_the_history_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text('[history]\npersistence = "none"\n')
    monkeypatch.setenv("CODEX_HOME", str(home))
    async with running_kernel(tmp_path, [says("x")]) as bench:
        client = await bench.client()
        await client.execute("a secret")
        reply = await client.request("history_request", {"hist_access_type": "tail", "n": 9})
        assert reply["content"]["history"] == []


async def test_settings_lines_apply_before_the_prompt_below_them(tmp_path: Path):
    async with running_kernel(tmp_path, [says("x")]) as bench:
        client = await bench.client()
        reply, _ = await client.execute("%model gpt-5 high\n%sandbox read-only\nhello")
        assert reply["status"] == "ok"
        thread = await bench.kernel.agent.thread()
        assert (thread.context.model, thread.context.effort) == ("gpt-5", "high")
        for wrong in ("%sandbox everything", "%modle x", "%effort", "%cd /no/such/place"):
            reply, outputs = await client.execute(wrong)
            assert reply["status"] == "error", wrong
            assert len([output for output in outputs if output["type"] == "error"]) == 1
