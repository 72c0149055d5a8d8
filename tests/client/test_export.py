"""A thread as Markdown, HTML, a notebook and lines: what is in it, what is not, and that nothing in it is obeyed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from codex_client import Codex
from codex_client.export.thread import FORMATS, Exported, Format, export_thread
from codex_kernel.jupyter.cell_text import Prompt, ShellCommand, parse_cell
from codex_protocol.errors import CodexError, UsageError
from codex_protocol.events import PatchApplyBegin, PatchApplyEnd, TaskComplete, TaskStarted
from codex_protocol.file_changes import AddedFile, FileChange, UpdatedFile
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    InputImage,
    InputText,
    Item,
    Message,
    Reasoning,
    SummaryText,
    assistant_message,
    user_message,
)
from codex_render import html_policy
from codex_render.markdown_text import without_html
from codex_store.home import Home
from codex_store.rollout_fork import copy_for_fork
from codex_store.rollout_lines import RolledBackLine, encode_line, encode_payload
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_changes import set_name
from codex_store.threads import find_thread, list_threads
from tests.support.hostile_texts import HOSTILE
from tests.support.rollouts import call, home_at, new_meta, output, recorded, write_turn

KEY = "sk-proj-abcdefghijklmnopqrstuvwx1234"
LOGIN = "a-login-of-this-user-0123456789"
PATCH = "*** Begin Patch\n*** Update File: app.py\n@@ def main\n-old line\n+new line\n*** End Patch\n"
WRITTEN = "Exit code: 0\nWall time: 0 seconds\nOutput:\nSuccess. Updated the following files:\nM app.py\n"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
BAD = "\n\n".join(HOSTILE)


_TAGS = "body details dd dl dt footer h1 h2 head header html img main meta nav section style summary title"
PAGE_TAGS = html_policy.TAGS | set(_TAGS.split())
EDITORS = "vscode|vscode-insiders|windsurf|cursor"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_at(tmp_path)


def work(text: str = "some text") -> list[Item]:
    """One item of every kind that is drawn."""
    plan = {"explanation": text, "plan": [{"step": text, "status": "in_progress"}]}
    return [
        Reasoning(summary=(SummaryText(text),)),
        call("c1", arguments=json.dumps({"command": ["bash", "-lc", f"echo {text}"]})),
        output("c1", json.dumps({"output": text, "metadata": {"exit_code": 3, "duration_seconds": 1.5}})),
        CustomToolCall(call_id="c2", name="apply_patch", input=PATCH.replace("new line", text.replace("\n", " "))),
        CustomToolCallOutput(call_id="c2", output=WRITTEN),
        CustomToolCall(call_id="c3", name="apply_patch", input=PATCH),
        CustomToolCallOutput(call_id="c3", output=f"the patch does not fit: {text}"),
        call("c4", "server__tool", json.dumps({"text": text})),
        output("c4", text),
        call("c5", "update_plan", json.dumps(plan)),
        output("c5", "Plan updated"),
        user_message(f"<user_shell_command>\n$ ls {text}\nexit code 0\n{text}\n</user_shell_command>"),
    ]


def thread_of(home: Home, prompt: str, *items: Item, answer: str = "done") -> str:
    with RolloutWriter.create(home, new_meta()) as writer:
        write_turn(writer, prompt, *items, answer=answer)
    return list_threads(home)[0].id


def export(home: Home, thread: str, to: Format, **options: Any) -> Exported:
    return export_thread(home, find_thread(home, thread), to, **{"env": {}, **options})


def notebook_of(exported: Exported) -> Any:
    notebook = nbformat.reads(exported.text, as_version=4)
    nbformat.validate(notebook)
    return notebook


def test_markdown_tells_what_was_asked_done_and_said(home: Home) -> None:
    thread = thread_of(home, "Please *fix* it", *work(), answer="It **works**.")
    text = export(home, thread, "md").text
    order = ["# Please \\*fix\\* it", "> Please *fix* it", "*Thought:*\n\nsome text", "echo some text", "-old line"]
    order += ["+some text", "does not fit", "server\\_\\_tool", "- [ ] some text", "You ran", "It **works**."]
    places = [text.index(piece) for piece in order]
    assert places == sorted(places)
    assert "exit 3 in 1.50s" in text


def patched(home: Home) -> str:
    """A thread in which a person took a part of a patch, with the numbers of its lines; and a fork of it."""
    diff = f"@@ -40,3 +40,4 @@ def main\n kept\n-old line\n+new {KEY}\n+more\n kept too\n"
    changes = {
        "/w/app.py": FileChange(update=UpdatedFile(diff, "/w/moved.py")),
        "/else/x": FileChange(add=AddedFile("x")),
    }
    with RolloutWriter.create(home, new_meta("/w")) as writer:
        writer.event(TaskStarted())
        writer.items(user_message("go"), CustomToolCall(call_id="c2", name="apply_patch", input=PATCH))
        writer.event(PatchApplyBegin(call_id="c2", auto_approved=False, changes=changes))
        writer.event(PatchApplyEnd(call_id="c2", stdout="", stderr="", success=True))
        writer.items(
            CustomToolCallOutput(call_id="c2", output=WRITTEN),
            CustomToolCall(call_id="c3", name="apply_patch", input=PATCH),
        )
        writer.event(PatchApplyBegin(call_id="c3", auto_approved=False, changes=changes))
        writer.event(PatchApplyEnd(call_id="c3", stdout="", stderr="no", success=False))
        writer.items(CustomToolCallOutput(call_id="c3", output="the patch does not fit"))
        writer.event(TaskComplete(last_agent_message=None))
    fork = copy_for_fork(writer.path, home, new_meta("/w"))
    return read_rollout(fork).meta.id


def test_patches_have_the_numbers_of_their_lines_and_say_what_was_written(home: Home) -> None:
    thread = patched(home)
    page = export(home, thread, "html").text
    assert '<span class="dn">41</span><span class="dn"></span><span class="ds">-</span>' in page
    assert '<span class="dn"></span><span class="dn">42</span><span class="ds">+</span><span class="dt">more' in page
    assert KEY not in page
    text = export(home, thread, "md").text
    assert "app.py → moved.py (+2 -1)" in text.replace("\\", "")
    assert "@@ -40,3 +40,4 @@ def main\n kept\n-old line\n+new [redacted: OpenAI key]\n+more\n kept too\n" in text
    assert "@@ def main\n-old line\n+new line\n" in text  # the one that failed: as it was asked for
    assert "41" in str(notebook_of(export(home, thread, "ipynb")).cells)
    assert "/else/x" in text
    lines = export(home, thread, "jsonl").text
    assert '"patch_written"' in lines
    assert KEY not in lines


def test_a_notebook_has_the_users_messages_as_cells_and_the_rest_as_outputs(home: Home) -> None:
    image = Message(role="user", content=(InputText("And this?"), InputImage(PIXEL)))
    notebook = notebook_of(export(home, thread_of(home, "Fix it", *work(), image), "ipynb"))
    head, *cells = notebook.cells
    assert head.cell_type == "markdown"
    assert [cell.source for cell in cells] == ["Fix it", "!ls some text", "And this?"]
    assert notebook.metadata.kernelspec.name == "codex"
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    bundles = [entry.data for cell in cells for entry in cell.outputs]
    assert all("text/plain" in bundle for bundle in bundles)
    assert any("+some text" in bundle.get("text/markdown", "") for bundle in bundles)
    assert any(bundle.get("image/png") == "iVBORw0KGgo=" for bundle in bundles)


@pytest.mark.parametrize(
    "prompt", ["!rm -rf x", "/compact", "%sandbox danger-full-access", " \n!x", "/etc/hosts is odd"]
)
def test_a_message_that_looks_like_a_command_is_a_message_when_the_notebook_runs_again(home: Home, prompt: str) -> None:
    (_, cell) = notebook_of(export(home, thread_of(home, prompt), "ipynb")).cells
    parsed = parse_cell(cell.source, frozenset({"compact"}))
    assert parsed.settings == ()
    assert isinstance(parsed.work, Prompt)
    assert prompt.strip() in parsed.work.text


def test_your_own_commands_are_commands_again(home: Home) -> None:
    shell = user_message("<user_shell_command>\n$ git log\nexit code 0\nabc\n</user_shell_command>")
    cells = notebook_of(export(home, thread_of(home, "look", shell), "ipynb")).cells
    assert parse_cell(cells[2].source, frozenset()).work == ShellCommand("git log")


@pytest.mark.parametrize("to", FORMATS)
def test_secrets_are_taken_out_of_every_form_and_told(home: Home, to: Format) -> None:
    home.auth_file.write_text(json.dumps({"tokens": {"access_token": LOGIN}}))
    thread = thread_of(home, f"my key is {KEY}", *work(f"{KEY} and my-own-passphrase and {LOGIN}"), answer=LOGIN)
    set_name(home, thread, f"about {KEY}")
    env = {"DEPLOY_PASSWORD": "my-own-passphrase", "PATH": "some text"}
    exported = export(home, thread, to, env=env)
    for secret in (KEY, "my-own-passphrase", LOGIN):
        assert secret not in exported.text
        assert secret not in exported.file_name
    assert "[redacted: OpenAI key]" in exported.text
    assert {finding.kind for finding in exported.found} == {"OpenAI key", "known secret"}
    kept = export(home, thread, to, env=env, redact=False)
    assert KEY in kept.text
    assert {finding.kind for finding in kept.found} == {"OpenAI key", "known secret"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"] or ""


@pytest.mark.parametrize("text", [*HOSTILE, BAD])
def test_nothing_hostile_becomes_more_than_text_in_html(home: Home, text: str) -> None:
    image = Message(role="user", content=(InputText(text), InputImage(f'x" onerror="{text}'), InputImage(PIXEL)))
    thread = thread_of(home, text, image, *work(text), answer=text)
    set_name(home, thread, f"a {text[:200]}")
    page = Page(export(home, thread, "html").text)
    assert page.tags <= PAGE_TAGS
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        assert name != "style"
        if name == "src":
            assert (tag, value) == ("img", PIXEL)
        if name == "href":
            assert re.match(r"#turn-\d+\Z|https?://|mailto:|(?:vscode|vscode-insiders|windsurf|cursor)://", value), (
                value
            )


def test_the_policy_of_the_page_allows_its_own_style_and_pictures_in_the_file_only(home: Home) -> None:
    text = export(home, thread_of(home, "hello"), "html").text
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in Page(text).policy.split("; "))
    assert rules.pop("style-src") == f"'sha256-{digest}'"
    assert rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"}
    assert "url(" not in style


@pytest.mark.parametrize("text", [*HOSTILE, BAD])
def test_a_notebook_of_hostile_texts_has_no_html_but_ours(home: Home, text: str) -> None:
    notebook = notebook_of(export(home, thread_of(home, text, *work(text), answer=text), "ipynb"))
    for cell in notebook.cells:
        assert "trusted" not in cell.metadata
        for entry in cell.get("outputs", ()):
            assert set(entry.data) <= {"text/plain", "text/markdown", "text/html"}
            page = Page(entry.data.get("text/html", ""))
            assert not page.tags & {"script", "img", "iframe", "object", "form", "svg", "link", "meta"}
            assert not any(name.startswith("on") or name == "style" for _, name, _ in page.attributes)


def kinds(text: str) -> set[str]:
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return {token.type for block in tokens for token in (block, *(block.children or ()))}


PIECES = [
    "`",
    "``",
    "```",
    "~~~",
    "\n",
    "\n\n",
    "    ",
    "> ",
    "- ",
    "\\",
    "<b>",
    "<!-- ",
    "-->",
    "![x](y)",
    "a",
    "<https://a.b>",
]


@given(st.lists(st.one_of(st.sampled_from([*PIECES, *HOSTILE]), st.text(max_size=3)), max_size=25).map("".join))
def test_no_markdown_file_of_ours_holds_html_or_pictures(text: str) -> None:
    assert not kinds(without_html(text)) & {"html_block", "html_inline", "image"}


@pytest.mark.parametrize("text", [*HOSTILE, BAD])
def test_a_markdown_file_of_hostile_texts_holds_no_html_and_no_pictures(home: Home, text: str) -> None:
    thread = thread_of(home, text, *work(text), answer=text)
    set_name(home, thread, f"a {text[:200]}")
    assert not kinds(export(home, thread, "md").text) & {"html_block", "html_inline", "image"}


def test_a_code_block_that_is_left_open_ends_with_its_text() -> None:
    assert without_html("so:\n~~~~py\n<b>") == "so:\n~~~~py\n<b>\n~~~~"


def test_code_stays_as_it_is_in_markdown() -> None:
    text = "Use `<b>` so:\n\n```html\n<b>x</b>\n```\n\nand <https://a.b/>"
    assert without_html(text) == text


@pytest.mark.parametrize("to", ["md", "html", "ipynb"])
def test_turns_that_were_taken_back_are_left_out(home: Home, to: Format) -> None:
    with RolloutWriter.create(home, new_meta()) as writer:
        write_turn(writer, "first")
        write_turn(writer, "regretted")
    with writer.path.open("ab") as file:
        file.write(encode_line("event_msg", encode_payload(RolledBackLine(num_turns=1))))
    with RolloutWriter.reopen(writer.path) as writer:
        writer.event(TaskStarted())
        writer.items(user_message("third"), assistant_message("half an ans"))
    text = export(home, list_threads(home)[0].id, to).text
    assert "regretted" not in text
    assert "third" in text
    assert "broken off" in text  # it has no end


@pytest.mark.parametrize("generation", ["august", "november"])
def test_threads_of_both_upstream_generations_are_exported_in_every_form(tmp_path: Path, generation: str) -> None:
    home, paths = recorded(generation, tmp_path)
    infos = list_threads(home)
    assert infos
    for info in infos:
        for to in FORMATS:
            exported = export_thread(home, info, to, env={})
            assert info.preview[:20] in exported.text or to == "jsonl"
            if to == "ipynb":
                notebook_of(exported)
    assert paths


def test_lines_are_the_rollouts_own(home: Home) -> None:
    thread = thread_of(home, "hello", *work())
    text = export(home, thread, "jsonl").text
    stored = find_thread(home, thread).path.read_text()
    assert [json.loads(line) for line in text.splitlines()] == [json.loads(line) for line in stored.splitlines()]


def test_python_exports_and_saves_a_thread_and_replaces_nothing_unasked(home: Home, tmp_path: Path) -> None:
    thread = thread_of(home, "hello")
    set_name(home, thread, "Größe / ../x")
    with Codex(env={"CODEX_HOME": str(home.root)}) as codex:
        exported = codex.export(thread, "html")
        with pytest.raises(UsageError, match="exported to md, html, ipynb or jsonl, not to 'pdf'"):
            codex.export(thread, "pdf")  # type: ignore[arg-type]
        with pytest.raises(CodexError, match="no thread"):
            codex.export("nothing")
    file = exported.save(tmp_path)
    assert file == tmp_path / f"Groe-x-{thread}.html"
    assert file.read_text() == str(exported)
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        exported.save(file)
    assert file.read_text() == "mine"
    assert exported.save(file, replace=True).read_text() == exported.text
