"""The message field in a real browser: what it offers, takes, keeps, and brings back. One server serves all of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from e2e.axe import grave
from e2e.test_frame import tile
from e2e.test_page import message, opened, send
from e2e.test_screens import Screens, pictures

if TYPE_CHECKING:
    from e2e.conftest import Workbench

SETTINGS = ("-a", "never", "-s", "workspace-write")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFUlEQVR4nGP8z8DAwMDAxAADCBYAHgQCAc8eqjkAAAAASUVORK5CYII="
GIVE = """async ([how, name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0))
  const files = new DataTransfer()
  files.items.add(new File([bytes], name, {type}))
  const target = document.querySelector('textarea')
  const event = how === 'paste' ? new ClipboardEvent('paste', {clipboardData: files, bubbles: true, cancelable: true})
    : new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true})
  target.dispatchEvent(event)
}"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A server with prompts, a skill, a picture and a past."""
    from e2e.conftest import Workbench

    workbench = Workbench(tmp_path_factory.mktemp("composer"))
    (workbench.home / "prompts").mkdir()
    (workbench.home / "prompts" / "greet.md").write_text(
        "---\ndescription: say hello\nargument-hint: WHOM\n---\nSay hello to $1."
    )
    skill = workbench.home / "skills" / "brew"
    skill.mkdir(parents=True)
    (skill / "SKILL.md").write_text("---\nname: brew\ndescription: makes tea\n---\nBoil.")
    (workbench.work / "shot.png").write_bytes(base64.b64decode(PNG))
    (workbench.work / "a" / "kettles").mkdir(parents=True)
    (workbench.work / "a" / "kettles" / "kettle_test.py").write_text("")
    workbench.start(*SETTINGS)
    yield workbench
    workbench.end()


@pytest.fixture
def field(shared: Workbench, page: Page) -> Page:
    """A tab with a new thread in it."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, shared.start(*SETTINGS))
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    message(page).focus()
    return page


def options(page: Page) -> list[str]:
    return page.get_by_role("option").all_inner_texts()


def chosen(page: Page):
    return page.locator(".popup [aria-selected=true]")


def settled(page: Page) -> None:
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def answered(page: Page, text: str) -> None:
    """Send a message that the demo answers with one more, and wait for that."""
    before = page.locator("article.answer").count()
    send(page, text)
    expect(page.locator("article.answer")).to_have_count(before + 1)
    settled(page)


def give(page: Page, how: str, name: str, kind: str, data: str) -> None:
    page.evaluate(GIVE, [how, name, kind, data])


def paste(page: Page, text: str) -> None:
    message(page).focus()
    page.evaluate(
        """text => {
          const data = new DataTransfer()
          data.setData('text/plain', text)
          const event = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
          const field = document.querySelector('textarea')
          if (field.dispatchEvent(event)) document.execCommand('insertText', false, text)
        }""",
        text,
    )


def test_a_slash_offers_eight_commands_by_their_letters_above_the_field(field: Page) -> None:
    page = field
    page.keyboard.type("/")
    expect(page.get_by_role("option")).to_have_count(8)
    page.keyboard.type("sttus")
    expect(chosen(page)).to_contain_text("/status")
    assert page.locator(".popup [aria-selected=true] .hit").all_inner_texts() == ["st", "tus"]
    popup, caret = page.locator(".popup").bounding_box(), message(page).bounding_box()
    assert popup is not None
    assert caret is not None
    assert popup["y"] + popup["height"] <= caret["y"]
    page.keyboard.press("Tab")
    expect(message(page)).to_have_value("/status ")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Status")).to_contain_text("workspace-write")


def test_lists_wrap_and_escape_closes_them_and_leaves_the_text(field: Page) -> None:
    page = field
    page.keyboard.type("/re")
    first = chosen(page).inner_text()
    page.keyboard.press("ArrowUp")
    assert chosen(page).inner_text() == options(page)[-1] != first
    page.keyboard.press("ArrowDown")
    assert chosen(page).inner_text() == first
    page.keyboard.press("Escape")
    expect(page.locator(".popup")).to_be_hidden()
    expect(message(page)).to_have_value("/re")
    page.keyboard.type("n")
    expect(page.locator(".popup")).to_be_visible()


def test_at_finds_files_and_takes_the_chosen_path_and_attaches_an_image(field: Page) -> None:
    page = field
    page.keyboard.type("see @kettle")
    expect(page.get_by_role("option")).not_to_have_count(0)
    expect(page.locator(".popup .dim", has_text="a/kettles/").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".popup")).to_be_hidden()
    page.keyboard.type("_t")
    expect(chosen(page)).to_contain_text("kettle_test.py")
    page.keyboard.press("Enter")
    expect(message(page)).to_have_value("see a/kettles/kettle_test.py ")
    page.keyboard.type("@shot")
    expect(chosen(page)).to_contain_text("shot.png")
    page.keyboard.press("Tab")
    expect(message(page)).to_have_value("see a/kettles/kettle_test.py ")
    expect(page.get_by_label("Attached files")).to_contain_text("shot.png")
    page.keyboard.press("Enter")
    expect(page.locator("article.user img")).to_have_js_property("naturalWidth", 2)


def test_prompts_take_arguments_and_skills_are_offered(field: Page) -> None:
    page = field
    page.keyboard.type("use $br")
    expect(chosen(page)).to_contain_text("makes tea")
    page.keyboard.press("Tab")
    expect(message(page)).to_have_value("use $brew ")
    message(page).fill("")
    page.keyboard.type("/gree")
    expect(chosen(page)).to_contain_text("WHOM say hello")
    page.keyboard.press("Enter")
    expect(message(page)).to_have_value("/greet ")
    page.keyboard.type('"my friend"')
    message(page).evaluate(
        """field => {  // all before the server can answer
          const enter = {key: 'Enter', bubbles: true, cancelable: true}
          for (const _ of [1, 2]) field.dispatchEvent(new KeyboardEvent('keydown', enter))
          setTimeout(() => { field.value = 'next'; field.dispatchEvent(new Event('input')) })
        }"""
    )
    expect(page.locator("article.user .said")).to_have_text(["Say hello to my friend."])
    settled(page)
    expect(page.locator("article.user")).to_have_count(1)
    expect(message(page)).to_have_value("next")


def test_a_pasted_image_and_a_dropped_text_become_chips_and_go_with_the_message(field: Page) -> None:
    page = field
    give(page, "paste", "one.png", "image/png", PNG)
    give(page, "drop", "notes.md", "text/markdown", base64.b64encode(b"# Notes\nboil first").decode())
    chips = page.get_by_label("Attached files").get_by_role("listitem")
    expect(chips).to_have_count(2)
    expect(chips.locator("img")).to_have_js_property("naturalWidth", 2)
    give(page, "drop", "tool", "application/x-executable", base64.b64encode(b"\x7fELF\0").decode())
    expect(page.locator(".toast")).to_contain_text("tool is neither text nor")
    page.reload()
    expect(chips).to_have_count(2)
    message(page).focus()
    page.keyboard.type("look")
    page.keyboard.press("Enter")
    expect(page.locator("article.user img")).to_have_js_property("naturalWidth", 2)
    expect(page.locator("article.user .said")).to_contain_text("boil first")
    expect(chips).to_have_count(0)
    settled(page)
    page.reload()
    expect(page.locator("article.user img")).to_have_js_property("naturalWidth", 2)


def test_a_long_paste_is_a_label_that_goes_as_one_and_is_sent_whole(field: Page) -> None:
    page = field
    paste(page, "x" * 1500)
    expect(message(page)).to_have_value("[Pasted Content 1500 chars]")
    page.keyboard.press("Backspace")
    expect(message(page)).to_have_value("")
    paste(page, "y" * 1200)
    page.keyboard.type(" end")
    page.reload()
    expect(message(page)).to_have_value("[Pasted Content 1200 chars] end")
    message(page).press("Enter")
    expect(page.locator("article.user .said")).to_have_text("y" * 1200 + " end")


def test_up_brings_back_what_was_written_also_in_other_threads_and_other_tabs(field: Page, shared: Workbench) -> None:
    page = field
    answered(page, "first of the past")
    answered(page, "second\nof the past")
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    page.reload()
    expect(page.get_by_text("connected")).to_be_visible()
    message(page).focus()
    page.keyboard.press("ArrowUp")
    expect(message(page)).to_have_value("second\nof the past")
    page.keyboard.press("ArrowUp")
    expect(message(page)).to_have_value("first of the past")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(message(page)).to_have_value("")
    page.keyboard.type("a draft")
    page.keyboard.press("ArrowUp")
    expect(message(page)).to_have_value("a draft")


def test_what_is_written_while_a_thread_opens_is_for_that_one(field: Page) -> None:
    page = field
    answered(page, "where it goes")
    first = page.url
    page.keyboard.type("begun")
    page.keyboard.press("Alt+n")
    expect(message(page)).to_have_value("")
    expect(page).not_to_have_url(first)
    page.keyboard.type("draft of two")
    second = page.url
    tile(page, "where it goes").evaluate(
        """tile => {  // all at once, so that nothing can come from the server in between
          tile.click()
          const field = document.querySelector('textarea')
          field.value += ' and ended'
          field.dispatchEvent(new Event('input'))
          field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, cancelable: true}))
        }"""
    )
    expect(page.locator("article.user .said")).to_have_text(["where it goes", "begun and ended"])
    expect(page).to_have_url(first)
    expect(message(page)).to_have_value("")
    settled(page)
    page.goto(second)
    expect(message(page)).to_have_value("draft of two")
    expect(page.locator("article.user")).to_have_count(0)


def test_a_message_that_could_not_be_sent_comes_back_to_its_own_thread(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    answered(page, "the one")
    page.keyboard.press("Alt+n")
    expect(page.locator("article.user")).to_have_count(0)
    answered(page, "the other")
    tile(page, "the one").click()
    said = page.locator("article.user .said")
    expect(said).to_have_text(["the one"])
    expect(tile(page, "the other")).to_be_visible()
    workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    send(page, "not lost")
    expect(message(page)).to_have_value("")
    tile(page, "the other").click()
    expect(page.locator(".toast")).to_contain_text("Not sent")
    expect(message(page)).to_have_value("")
    workbench.start(*SETTINGS)
    expect(page.get_by_text("● connected")).to_be_visible()
    expect(said).to_have_text(["the other"])
    tile(page, "the one").click()
    expect(said).to_have_text(["the one"])
    expect(message(page)).to_have_value("not lost")
    workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    message(page).press("Enter")
    expect(message(page)).to_have_value("")
    there = page.url
    page.goto("about:blank")
    workbench.start(*SETTINGS)
    page.goto(there)
    expect(said).to_have_text(["the one"])
    expect(message(page)).to_have_value("not lost")


def test_a_file_that_comes_after_its_thread_was_left_is_attached_there(field: Page) -> None:
    page = field
    answered(page, "with a file")
    held: list[Route] = []
    page.route("**/upload", lambda route: held.append(route))
    with page.expect_request("**/upload"):
        give(page, "paste", "one.png", "image/png", PNG)
    chips = page.get_by_label("Attached files").get_by_role("listitem")
    expect(chips).to_contain_text("sending one.png")
    page.keyboard.press("Alt+n")
    expect(page.locator("article.user")).to_have_count(0)
    with page.expect_response("**/upload"):
        held[0].continue_()
    expect(chips).to_have_count(0)
    tile(page, "with a file").click()
    expect(chips).to_contain_text("one.png")


def test_each_thread_keeps_its_draft_also_for_a_new_tab(field: Page) -> None:
    page = field
    page.keyboard.type("draft of one")
    first = page.url
    page.keyboard.press("Alt+n")
    expect(message(page)).to_have_value("")
    expect(page.get_by_text("connected")).to_be_visible()
    expect(page).not_to_have_url(first)
    page.keyboard.type("draft of two")
    other = page.context.new_page()
    other.goto(first)
    expect(message(other)).to_have_value("draft of one")
    other.goto("about:blank")
    other.close()
    page.goto(first)
    expect(message(page)).to_have_value("draft of one")


def test_queued_messages_are_seen_edited_removed_survive_reload_and_go_one_by_one(field: Page) -> None:
    page = field
    send(page, "run `sleep 4`")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    queued = page.get_by_label("Queued messages").get_by_role("listitem")
    for text in ("one", "two", "three"):
        message(page).fill(text)
        page.keyboard.press("Tab")
    expect(queued).to_have_count(3)
    queued.filter(has_text="two").get_by_role("button", name="remove").click()
    page.reload()
    expect(queued).to_have_count(2)
    queued.filter(has_text="three").get_by_role("button", name="edit").click()
    expect(message(page)).to_have_value("three")
    page.keyboard.type("!")
    page.keyboard.press("Tab")
    expect(queued.last).to_contain_text("three!")
    expect(page.locator("article.user .said")).to_have_text(["run `sleep 4`", "one", "three!"])
    expect(queued).to_have_count(0)


def test_escape_stops_the_turn_and_only_that_and_gives_back_what_was_queued(field: Page) -> None:
    page = field
    send(page, "run `sleep 30`")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    message(page).fill("later")
    page.keyboard.press("Tab")
    message(page).fill("unsent")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Say what to do differently")).to_be_visible()
    expect(message(page)).to_have_value("later\nunsent")
    expect(page.get_by_label("Queued messages")).to_be_hidden()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator(".hint")).to_be_hidden()
    expect(page.locator("article.user")).to_have_count(1)


def test_enter_while_a_turn_runs_steers_it(field: Page) -> None:
    page = field
    send(page, "run `sleep 2`")
    expect(page.get_by_role("button", name="Steer")).to_be_visible()
    send(page, "and say so")
    expect(page.locator("article.user").last).to_contain_text("while it worked")
    settled(page)


def test_a_key_of_an_input_method_sends_nothing_and_shift_enter_breaks_the_line(field: Page) -> None:
    page = field
    page.keyboard.type("日本")
    message(page).evaluate(
        "field => field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    expect(message(page)).to_have_value("日本")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("x")
    expect(message(page)).to_have_value("日本\nx")
    assert page.locator("article.user").count() == 0
    page.keyboard.press("Enter")
    expect(page.locator("article.user .said")).to_have_text("日本\nx")


def test_a_message_that_is_sent_twice_is_one_message(field: Page) -> None:
    page = field
    message(page).fill("once")
    page.evaluate("document.querySelector('form').requestSubmit(); document.querySelector('form').requestSubmit()")
    settled(page)
    expect(page.locator("article.user")).to_have_count(1)


def test_escape_twice_edits_an_earlier_message_in_a_branch_and_the_other_stays(field: Page) -> None:
    page = field
    give(page, "paste", "one.png", "image/png", PNG)
    expect(page.get_by_label("Attached files").get_by_role("listitem")).to_have_count(1)
    for text in ("first\n\nof two parts", "second", "third"):
        answered(page, text)
    old = page.url
    preview = page.get_by_role("dialog", name="Edit an earlier message")
    page.keyboard.press("Escape")
    expect(page.locator(".hint")).to_have_text("Esc edit prev")
    page.keyboard.press("Shift+a")
    expect(page.locator(".hint")).to_be_hidden()
    page.keyboard.press("Backspace")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(preview.locator("[aria-selected=true]")).to_have_text("third")
    page.keyboard.press("Escape")
    expect(preview.locator("[aria-selected=true]")).to_have_text("second")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(preview.locator("[aria-selected=true]")).to_have_text("third")
    page.keyboard.press("q")
    expect(preview).to_be_hidden()
    for _ in range(4):
        page.keyboard.press("Escape")
    expect(preview.locator("[aria-selected=true]")).to_contain_text("first")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is a branch of another one")).to_be_visible()
    expect(message(page)).to_have_value("first\n\nof two parts")
    expect(page.get_by_label("Attached files").locator("img")).to_have_js_property("naturalWidth", 2)
    expect(page.locator("article.user")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("article.user img")).to_have_js_property("naturalWidth", 2)
    page.get_by_role("link", name="Show the other branch").click()
    expect(page).to_have_url(old)
    expect(page.locator("article.user")).to_have_count(3)


def test_actions_of_a_message_copy_it_link_to_it_and_edit_from_it(field: Page) -> None:
    page = field
    for text in ("alpha", "beta"):
        answered(page, text)
    first = page.locator("article.user").first
    first.hover()
    first.get_by_role("button", name="Copy this message").click()
    assert page.evaluate("navigator.clipboard.readText()") == "alpha"
    first.hover()
    first.get_by_role("button", name="Copy a link").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.endsWith('/0'))")
    link = page.evaluate("navigator.clipboard.readText()")
    answer = page.locator("article.answer").last
    answer.hover()
    answer.get_by_role("button", name="Copy this answer").click()
    page.wait_for_function("navigator.clipboard.readText().then(text => text.includes('`codex login`'))")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator("article.user.shown-once")).to_have_text(re.compile("alpha"))
    second = page.locator("article.user").last
    second.hover()
    second.get_by_role("button", name="Edit this message").click()
    expect(message(page)).to_have_value("beta")
    expect(page.locator("article.user")).to_have_count(1)
    expect(page.get_by_text("From here on this thread is a branch")).to_be_visible()


def test_long_output_is_shown_in_part_and_whole_on_demand(field: Page) -> None:
    page = field
    send(page, "run `seq 1 500`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    page.locator(".command summary").click()
    output = page.get_by_label("Output", exact=True)
    expect(output).to_contain_text("… 400 more lines")
    assert "\n250\n" not in output.inner_text()
    output.get_by_role("button").click()
    expect(output).to_contain_text("\n250\n")


def test_status_presets_and_effort_between_turns(field: Page, shared: Workbench) -> None:
    page = field
    (shared.work / "AGENTS.md").write_text("Be brief.")
    send(page, "/status")
    status = page.get_by_role("dialog", name="Status")
    for fact in ("demo", "Account", "Context left", "Tokens", "AGENTS.md", "MCP servers", "Rules"):
        expect(status).to_contain_text(fact)
    page.keyboard.press("Escape")
    send(page, "/permissions")
    page.get_by_role("button", name="Read only").click()
    expect(page.locator(".head")).to_contain_text("read-only")
    send(page, "/model")
    page.get_by_role("button", name="high").click()
    expect(page.locator(".foot")).to_contain_text("demo high")
    send(page, "/summary detailed")
    told = 0
    for _ in range(20):  # the thread tells of it a moment later; a dialog shows what was so when it opened
        send(page, "/summary ")
        expect(page.get_by_role("dialog", name="How much of its thinking is told?")).to_be_visible()
        told = page.get_by_role("button", name="detailed ✓").count()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        if told:
            break
    assert told
    send(page, "run `touch made-it`")
    expect(page.get_by_text("did not end").or_(page.get_by_text("exited with code"))).to_be_visible()
    assert not (shared.work / "made-it").exists()


def test_commands_say_what_there_is_and_quit_closes_the_page(field: Page) -> None:
    page = field
    for line, said in (
        ("/mcp", "No MCP servers are configured"),
        ("/ps", "No command runs on"),
        ("/stop", "Nothing runs"),
        ("/copy", "no answer to copy"),
        ("/resume no such thread", "No other thread is called"),
    ):
        send(page, line)
        expect(page.locator(".toast")).to_contain_text(said)
    send(page, "/mention")
    expect(message(page)).to_have_value("@")
    send(page, "/skills")
    expect(page.get_by_role("dialog", name="Skills")).to_contain_text("$brew")
    page.keyboard.press("Escape")
    send(page, "/fork")
    expect(page.locator(".toast")).not_to_contain_text("internal")
    page.keyboard.press("Alt+k")
    expect(page.get_by_role("dialog", name="Commands")).to_contain_text("/compact")
    page.keyboard.press("Escape")
    send(page, "/exit")
    expect(page.get_by_role("heading", name="Closed")).to_be_visible()


def test_a_draft_and_a_branch_outlive_the_server(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    answered(page, "something")
    message(page).fill("kept draft")
    assert "running threads go on" in workbench.stop()
    expect(page.get_by_text("no connection")).to_be_visible()
    workbench.start(*SETTINGS)
    expect(page.get_by_text("● connected")).to_be_visible()
    expect(message(page)).to_have_value("kept draft")
    page.reload()
    expect(message(page)).to_have_value("kept draft")


def test_axe_finds_nothing_serious_while_one_writes_and_goes_back(field: Page) -> None:
    page = field
    screens = Screens(page, pictures())
    page.keyboard.type("/re")
    expect(page.get_by_role("option")).not_to_have_count(0)
    screens.take("popup")
    message(page).fill("")
    give(page, "paste", "one.png", "image/png", PNG)
    expect(page.get_by_label("Attached files").locator("img")).to_have_js_property("naturalWidth", 2)
    paste(page, "x" * 1500)
    screens.take("chips")
    message(page).press("Enter")
    expect(page.locator("article.answer")).to_have_count(1)
    settled(page)
    send(page, "run `sleep 20`")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    message(page).fill("afterwards")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Queued messages").get_by_role("listitem")).to_have_count(1)
    screens.take("queued")
    page.keyboard.press("Escape")
    expect(message(page)).to_have_value("afterwards")
    message(page).fill("")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog").get_by_role("option")).to_have_count(2)
    screens.take("backtrack")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is a branch of another one")).to_be_visible()
    screens.take("branch")
    page.keyboard.press("Alt+k")
    expect(page.get_by_role("dialog", name="Commands")).to_be_visible()
    screens.take("commands")
    assert screens.found == []


def test_any_two_messages_of_the_tree_are_compared_alone_or_with_what_was_before(field: Page) -> None:
    page = field
    for command in ("echo one > one.txt", "echo two > two.txt; echo more >> one.txt", "rm one.txt"):
        before = page.get_by_text("exited with code 0").count()
        send(page, f"run `{command}`")
        expect(page.get_by_text("exited with code 0")).to_have_count(before + 1)
        settled(page)
    page.keyboard.press("Alt+b")
    tree = page.get_by_role("dialog", name="Branches of this thread")
    expect(tree.locator(".prompt")).to_have_count(3)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    expect(tree.locator(".marked")).to_contain_text("compare with")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    left, right = tree.locator(".sides > section").nth(0), tree.locator(".sides > section").nth(1)
    expect(left.locator(".added .dt")).to_have_text(["one"])
    expect(right.locator(".added .dt")).to_have_text(["one", "more", "two"])
    expect(tree.get_by_text("Files: 1 changed otherwise, 1 only on the right.")).to_be_visible()
    page.keyboard.press("a")
    expect(right.locator(".added .dt")).to_have_text(["more", "two"])
    expect(tree.get_by_role("button", name="All that the branch had changed by then")).to_be_visible()
    page.keyboard.press("j")
    expect(left.locator(".diff-hunk").first).to_be_focused()
    page.keyboard.press("a")
    tree.get_by_role("tree").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    expect(right.locator(".diff-file")).to_have_count(1)
    expect(right.locator(".added .dt")).to_have_text(["two"])
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert grave(page) == [], theme
    tree.locator(".prompt").first.dblclick()
    expect(tree).to_be_hidden()
    expect(page.locator("article.user").first).to_be_in_viewport()


def test_branches_stand_in_a_tree_to_jump_fork_and_compare_by_keyboard(field: Page) -> None:
    page = field
    answered(page, "root one")
    first = page.url
    send(page, "run `echo left > left.txt`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    settled(page)
    for _ in range(2):
        page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is a branch of another one")).to_be_visible()
    send(page, "run `echo right > right.txt`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    settled(page)
    page.keyboard.press("Alt+b")
    tree = page.get_by_role("dialog", name="Branches of this thread")
    prompts = tree.locator(".prompt")
    expect(prompts).to_have_text(["root one", "run `echo right > right.txt`", "run `echo left > left.txt`"])
    expect(tree.locator("[aria-selected=true]")).to_contain_text("right")
    page.keyboard.press("c")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    expect(tree.get_by_label("Left: run `echo right > right.txt`")).to_contain_text("right.txt")
    expect(tree.get_by_label("Right: run `echo left > left.txt`")).to_contain_text("left.txt")
    expect(tree.get_by_text("Files: 1 only on the left, 1 only on the right.")).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(first)
    expect(page.locator("article.user.shown-once")).to_contain_text("root one")
    page.keyboard.press("Alt+b")
    expect(tree).to_be_visible()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("f")
    expect(page.get_by_text("From here on this thread is a branch")).to_be_visible()
    expect(page.locator("article.user")).to_have_count(1)
