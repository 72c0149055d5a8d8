"""What a cell shows: readable text with every rich form, and nothing a model, tool or file wrote is obeyed."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import msgspec
import pytest

from codex_kernel.jupyter.growing_text import _end_of_whole_blocks as end_of_whole_blocks  # pyright: ignore
from codex_protocol.events import Duration, ExecCommandBegin, ExecCommandEnd, PlanStep, SessionConfigured
from codex_protocol.file_changes import AddedFile, FileChange, UpdatedFile
from codex_protocol.parsed_commands import ListFilesCommand
from codex_render import bundles

EVIL = "<script>alert(1)</script> ![x](http://evil/p.png) \u202e[31m ```` ``` </pre>"


def ended(output: str, code: int = 0) -> ExecCommandEnd:
    return ExecCommandEnd(
        call_id="c",
        stdout=output,
        stderr="",
        aggregated_output=output,
        exit_code=code,
        duration=Duration(1, 0),
        formatted_output=output,
    )


BEGAN = ExecCommandBegin(call_id="c", command=("bash", "-lc", EVIL), cwd="/w")
ALL: list[dict[str, Any]] = [
    bundles.plain(EVIL),
    bundles.markdown(EVIL),
    bundles.growing_markdown(EVIL),
    bundles.banner(SessionConfigured(session_id="t", model=EVIL, cwd=EVIL, provider="p")),
    bundles.running_command(BEGAN, EVIL),
    bundles.ended_command(BEGAN, ended(EVIL, 1)),
    bundles.ended_command(None, ended(EVIL)),
    bundles.changes({f"/w/{EVIL}": FileChange(add=AddedFile(EVIL))}, PurePath("/w")),
    bundles.unified_diff(f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{EVIL}\n"),
    bundles.plan((PlanStep(EVIL, "in_progress"),), EVIL),
]


@pytest.mark.parametrize("bundle", ALL)
def test_every_form_has_readable_text_and_none_can_run_or_fetch_anything(bundle: dict[str, Any]):
    assert bundle["text/plain"].strip()
    for text in bundle.values():
        assert "\u202e" not in text
        assert "\x1b" not in text
    html = bundle.get("text/html", "")
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("</pre>") == html.count("<pre")


@pytest.mark.parametrize("bundle", ALL)
def test_markdown_shows_no_picture_from_elsewhere(bundle: dict[str, Any]):
    markdown = bundle.get("text/markdown", "")
    outside = []
    fence = ""
    for line in markdown.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line[: len(line) - len(line.lstrip("`"))]
        else:
            outside.append(line)
    assert all("![" not in line.replace("\\!", "") for line in outside)


def test_a_long_output_is_cut_in_the_middle_and_says_so():
    bundle = bundles.ended_command(BEGAN, ended("\n".join(f"line {n}" for n in range(5000))))
    assert "line 0" in bundle["text/plain"]
    assert "line 4999" in bundle["text/plain"]
    assert "lines not shown" in bundle["text/plain"]
    assert sum(map(len, bundle.values())) < 60_000


def test_a_command_that_only_looks_takes_one_line_but_not_when_the_user_typed_it():
    looked = ExecCommandBegin(
        call_id="1", command=("bash", "-lc", "ls"), cwd="/w", parsed_cmd=(ListFilesCommand(cmd="ls", path=None),)
    )
    typed = msgspec.structs.replace(looked, source="user_shell")
    assert "a.py" not in bundles.ended_command(looked, ended("a.py\n"))["text/plain"]
    bundle = bundles.ended_command(typed, ended("a.py\n"))
    assert bundle["text/plain"].startswith("• Run ls\n  a.py\n")
    assert "a.py" in bundle["text/html"]


def test_files_of_a_patch_are_named_from_the_threads_directory_in_every_form():
    update = UpdatedFile("@@ -1 +1 @@\n-a\n+b", move_path="/w/new.py")
    bundle = bundles.changes({"/w/old.py": FileChange(update=update)}, PurePath("/w"))
    assert all("new.py" in text and "/w/" not in text for text in bundle.values())


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("one\n", ""),
        ("one\n\ntwo", "one\n\n"),
        ("```\ncode\n\nmore\n", ""),
        ("```\ncode\n\nmore\n```\n\nafter", "```\ncode\n\nmore\n```\n\n"),
        ("~~~\n```\n\n~~~\n\nx", "~~~\n```\n\n~~~\n\n"),
    ],
)
def test_a_console_gets_a_block_when_it_is_whole(text: str, whole: str):
    assert text[: end_of_whole_blocks(text)] == whole
