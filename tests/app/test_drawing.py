"""What the page is told of messages, files, images and long things, without a browser."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec
import pytest

from codex_app.drawing import Drawing
from codex_app.hub import PAGE, Hub
from codex_protocol import events as ev
from codex_protocol.attach import Snapshot
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Item,
    Message,
    assistant_message,
    encode_item,
    user_message,
)
from codex_protocol.parsed_commands import ReadCommand
from codex_render import markdown_stream
from codex_render.file_links import OpenFile
from codex_render.markdown import Block
from tests.app.test_hub import CONFIGURED, SETTINGS, exec_begin, exec_end
from tests.app.test_uploads import PNG

URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def drawn(*messages: ev.EventMsg, configured: ev.SessionConfigured = CONFIGURED) -> Drawing:
    drawing = Drawing()
    for msg in (configured, *messages):
        drawing.draw(ev.Event("s", msg))
    return drawing


def restored(*items: Item, **configured: object) -> Drawing:
    return Drawing.of(
        Snapshot(
            configured=msgspec.structs.replace(CONFIGURED, **configured),
            settings=SETTINGS,
            items=tuple(msgspec.json.decode(encode_item(item)) for item in items),
            events=(),
        )
    )


def fields(drawing: Drawing, kind: str) -> list[dict[str, object]]:
    return [entry.view() for entry in drawing.entries.values() if entry.fields["kind"] == kind]


def test_a_session_runs_on_when_its_turn_ends_and_shows_what_it_prints() -> None:
    served = ev.ExecCommandOutputDelta(call_id="c1", stream="stdout", chunk=b"ready\n")
    drawing = drawn(exec_begin("c1"), ev.TaskComplete(), served)
    assert drawing.entries["c1"].growth() == {"lines": "ready\n", "tail": ""}
    assert fields(drawing, "command")[0]["state"] == "running"
    drawing.draw(ev.Event("s", exec_end("c1")))
    assert fields(drawing, "command")[0]["state"] != "running"


def test_what_the_model_types_into_a_command_stands_there() -> None:
    drawing = drawn(exec_begin("c1"), ev.TerminalInteraction(call_id="c1", process_id=1, stdin="<b>y\n"))
    assert fields(drawing, "note")[0]["text"].startswith("Typed “<b>y” into ")


def test_messages_of_the_users_are_numbered_alike_live_and_from_disk() -> None:
    live = drawn(
        ev.UserMessage(message="one"),
        ev.UserMessage(message="while", steered=True),
        ev.UserMessage(message="<environment_context>"),
        ev.UserMessage(message="two"),
    )
    stored = restored(
        user_message("<environment_context>x"), user_message("one"), user_message("while"), user_message("two")
    )
    assert [entry["number"] for entry in fields(live, "user")] == [0, 1, None, 2]
    assert [(entry["number"], entry["text"]) for entry in fields(stored, "user")] == [
        (0, "one"),
        (1, "while"),
        (2, "two"),
    ]


def test_an_image_that_was_sent_is_shown_and_not_its_name_for_the_model(tmp_path: Path) -> None:
    path = tmp_path / "shot.png"
    path.write_bytes(PNG)
    live = drawn(ev.UserMessage(message="look", images=(str(path), URL)))
    named = InputText(f'<image name=[Image #1] path="{path}">')
    message = Message(role="user", content=(InputText("look"), named, InputImage(URL), InputText("</image>")))
    for drawing, count in ((live, 2), (restored(message), 1)):
        (entry,) = fields(drawing, "user")
        assert str(entry["text"]).strip() == "look"
        images = entry["images"]
        assert isinstance(images, list)
        assert [drawing.pictures.read(image["id"]) for image in images] == [("image/png", PNG)] * count


def test_long_output_is_sent_in_part_and_whole_when_asked_for() -> None:
    output = "".join(f"line {number}\n" for number in range(1, 1001))
    drawing = drawn(exec_begin(), exec_end(output=output))
    (entry,) = fields(drawing, "command")
    assert entry["omitted"] == 900
    assert str(entry["first"]).startswith("line 1\n")
    assert str(entry["lines"]).endswith("line 1000\n")
    assert "line 500\n" not in str(entry)
    assert drawing.entries["c1"].whole_html() == output


def test_a_large_patch_is_counted_and_drawn_when_asked_for() -> None:
    content = "".join(f"<b>{number}</b>\n" for number in range(5000))
    change = FileChange(add=AddedFile(content))
    drawing = drawn(ev.PatchApplyBegin(call_id="p", auto_approved=True, changes={"/work/big.html": change}))
    (entry,) = fields(drawing, "patch")
    assert (entry["large"], entry["html"], entry["files"]) == (True, "", [["big.html", 5000, 0]])
    whole = drawing.entries["p"].whole_html()
    assert "&lt;b&gt;4999" in whole
    assert "<b>" not in whole


def test_what_a_server_was_asked_and_the_images_it_sent_are_shown() -> None:
    called = ev.McpInvocation(server="s", tool="shoot", arguments={"of": "the <screen>"})
    image = {"type": "image", "data": base64.b64encode(PNG).decode(), "mimeType": "text/html"}
    drawing = drawn(
        ev.McpToolCallBegin(call_id="m", invocation=called),
        ev.McpToolCallEnd(
            call_id="m", invocation=called, duration=ev.Duration.of(1), result={"Ok": {"content": [image]}}
        ),
    )
    (entry,) = fields(drawing, "tool")
    assert '"of": "the <screen>"' in str(entry["given"])
    images = entry["images"]
    assert isinstance(images, list)
    assert [drawing.pictures.read(shown["id"]) for shown in images] == [("image/png", PNG)]


def test_a_branch_says_where_it_comes_from_behind_what_it_shares() -> None:
    fork = restored(user_message("one"), assistant_message("done"), forked_from="t0")
    assert [entry.fields["kind"] for entry in fork.entries.values()] == ["user", "answer", "branch"]
    later = restored(user_message("one"), forked_from="t0", resumed=True)
    assert [entry.fields["kind"] for entry in later.entries.values()] == ["branch", "user"]
    assert later.state["forked_from"] == "t0"


def test_files_that_an_answer_names_open_in_the_editor_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    configured = msgspec.structs.replace(CONFIGURED, cwd=str(tmp_path), file_opener="cursor")
    drawing = drawn(ev.AgentMessage(message="See 【F:a.py†L5】 and missing.py:3."), configured=configured)
    html = str(fields(drawing, "answer")[0]["blocks"])
    assert f'href="cursor://file{tmp_path}/a.py:5"' in html
    assert "missing.py:3" in html
    assert "missing.py:3</a>" not in html


def test_a_stored_thread_shows_patches_as_diffs_and_commands_with_how_they_ended() -> None:
    update = "*** Update File: a.py\n@@ def f():\n one\n-two\n+2\n"
    patch = f"*** Begin Patch\n{update}*** Add File: /work/b.py\n+new\n*** End Patch"
    drawing = restored(
        FunctionCall(name="shell", arguments='{"command":["bash","-lc","ls nope"]}', call_id="c1"),
        FunctionCallOutput(call_id="c1", output="Exit code: 2\nWall time: 1.5 seconds\nOutput:\nno such file\n"),
        CustomToolCall(name="apply_patch", input=patch, call_id="c2"),
        CustomToolCallOutput(call_id="c2", output="Success. Updated the following files:\nM a.py\nA b.py\n"),
        CustomToolCall(name="apply_patch", input=patch, call_id="c3"),
        CustomToolCallOutput(call_id="c3", output="a.py has no line two"),
        FunctionCall(name="update_plan", arguments='{"plan":[]}', call_id="c4"),
    )
    command, done, failed = (entry.view() for entry in drawing.entries.values())
    assert (command["state"], command["exit_code"], command["duration"]) == ("failed", 2, "1.50s")
    assert command["lines"] == "no such file\n"
    assert (done["kind"], done["state"], done["files"]) == ("patch", "done", [["a.py", 1, 1], ["b.py", 1, 0]])
    assert 'class="dl added"' in str(done["html"])
    assert (failed["state"], failed["error"]) == ("failed", "a.py has no line two")


def test_commands_from_disk_say_what_they_do_as_they_did_live() -> None:
    call = FunctionCall(name="shell", arguments='{"command":["bash","-lc","cat a.py && cat b.py"]}', call_id="c1")
    parsed = tuple(ReadCommand(cmd=f"cat {name}", name=name) for name in ("a.py", "b.py"))
    snapshot = Snapshot(
        configured=CONFIGURED,
        settings=SETTINGS,
        items=(msgspec.json.decode(encode_item(call)),),
        parsed={"c1": parsed},
        events=(),
    )
    (command,) = (entry.view() for entry in Drawing.of(snapshot).entries.values())
    assert command["steps"] == [["Read", "a.py, b.py"]]
    assert command["script"] == "cat a.py && cat b.py"


def test_what_is_no_whole_patch_is_shown_as_it_was_called() -> None:
    drawing = restored(CustomToolCall(name="apply_patch", input="*** Begin Patch\n<b>", call_id="c1"))
    (entry,) = (entry.view() for entry in drawing.entries.values())
    assert (entry["kind"], entry["script"], entry["state"]) == ("command", "*** Begin Patch\n<b>", "failed")


def test_of_a_long_thread_only_what_is_shown_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    render = markdown_stream.render_block

    def counted(block: Block, lines: list[str], open_file: OpenFile | None) -> str:
        drawn.append(lines[block.start])
        return render(block, lines, open_file)

    monkeypatch.setattr(markdown_stream, "render_block", counted)
    hub = Hub()
    items = [encode_item(assistant_message(f"answer {n}")) for n in range(4 * PAGE)]
    told = tuple(msgspec.json.decode(item) for item in items)
    hub.apply(Snapshot(configured=CONFIGURED, settings=SETTINGS, items=told, events=()))
    hub.flush()
    hub.snapshot()
    assert drawn == [f"answer {n}" for n in range(3 * PAGE, 4 * PAGE)]
    older = hub.older(
        next(id for id, entry in hub.drawing.entries.items() if getattr(entry, "text", "") == f"answer {3 * PAGE}")
    )
    assert older["items"][0][1]["blocks"] == [f"<p>answer {2 * PAGE}</p>\n"]
