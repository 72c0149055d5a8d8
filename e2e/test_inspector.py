"""The inspector in a real browser: plots that Panel draws, where their bars lead, themes, keys, coming back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.sync_api import FrameLocator, Page, expect

from codex_render.styles import DARK, LIGHT
from codex_store.home import Home
from e2e.axe import grave
from e2e.test_page import SETTINGS, message, opened, over, send
from tests.support.busy_thread import write_busy_thread

if TYPE_CHECKING:
    from e2e.conftest import Workbench

LATE = """log => {
  const more = document.createElement('article')
  more.style.height = '400px'
  log.querySelector('.entries').append(more)
  log.dispatchEvent(new Event('scroll'))  // of a movement before: it comes a frame late
}"""
HOSTILE = "<img src=x onerror=alert(1)> $$\\frac{1}{2}$$ https://evil.example/x.js"
PROMPTS = [f"Step {number} of the work" for number in range(1, 41)]


def busy(workbench: Workbench) -> str:
    """A thread with forty turns in the home; its id."""
    workbench.home.chmod(0o700)
    return write_busy_thread(Home(root=workbench.home), workbench.work, PROMPTS)


def show(page: Page, link: str, thread: str) -> None:
    opened(page, link)
    page.goto(f"{link.split('/open')[0]}/#{thread}")
    expect(page.get_by_text("Answer 40")).to_be_visible()


def plots(page: Page) -> FrameLocator:
    """The frame, once it has drawn."""
    frame = page.frame_locator("#inspector iframe")
    expect(frame.get_by_role("heading", name="Tokens by turn")).to_be_visible()
    expect(frame.locator("#at-tokens .bk-Plot")).to_be_visible()
    return frame


def labels_are(page: Page, colour: str) -> None:
    """Wait until Bokeh draws the labels of an axis in that colour."""
    label = "Bokeh.documents[0].get_model_by_name('tokens').below[0].major_label_text_color"
    for _ in range(900):
        if page.frames[1].evaluate(label) == colour:
            return
        page.wait_for_timeout(100)
    raise AssertionError(page.frames[1].evaluate(label))


def watch_policy(page: Page) -> None:
    """Count what the content policy stopped, in the page and in its frames."""
    page.add_init_script(
        "addEventListener('securitypolicyviolation', event => { (top.stopped ??= []).push(event.violatedDirective) })"
    )


def distance(page: Page) -> int:
    """Pixels from what is seen of the conversation to its end."""
    return page.locator(".log").evaluate("log => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight)")


def until(page: Page, condition: Callable[[], bool]) -> None:
    for _ in range(900):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def test_the_end_of_the_conversation_stays_in_sight_until_somebody_goes_up(workbench: Workbench, page: Page) -> None:
    thread = busy(workbench)
    show(page, workbench.start(*SETTINGS), thread)
    until(page, lambda: distance(page) == 0)
    log = page.locator(".log")
    log.evaluate(LATE)
    until(page, lambda: distance(page) == 0)
    page.set_viewport_size({"width": 800, "height": 500})
    until(page, lambda: distance(page) == 0)
    log.focus()
    page.keyboard.press("PageUp")
    until(page, lambda: distance(page) > 100)
    log.evaluate(LATE)
    until(page, lambda: distance(page) > 500)
    page.keyboard.press("End")
    until(page, lambda: distance(page) == 0)
    log.evaluate(LATE)
    until(page, lambda: distance(page) == 0)


def test_a_bar_leads_to_its_turn_and_the_table_says_the_same_by_keyboard(workbench: Workbench, page: Page) -> None:
    watch_policy(page)
    thread = busy(workbench)
    write_busy_thread(Home(root=workbench.home), workbench.work, [HOSTILE])
    show(page, workbench.start(*SETTINGS), thread)
    page.keyboard.press("Alt+p")
    frame = plots(page)
    total = sum(number * 1000 + 100 for number in range(1, 41))
    expect(frame.get_by_text(f"{total:,} tokens in 40 requests of 40 turns")).to_be_visible()
    expect(frame.get_by_text("Cost: unknown.")).to_be_visible()
    box = frame.locator("#at-tokens .bk-Plot").bounding_box()
    assert box is not None
    expect(page.locator("article.user").filter(has_text="Step 40 of")).to_be_in_viewport()
    newest = box["x"] + box["width"] - 12, box["y"] + box["height"] - 40  # its bar stands at the right
    shown = page.locator("article.user.shown-once").filter(has_text="Step 40 of")

    def leads() -> bool:
        page.mouse.click(*newest)  # Bokeh takes no click before it has painted
        page.wait_for_timeout(300)
        return shown.count() == 1

    until(page, leads)
    expect(page.locator("article.user").filter(has_text="Step 40 of")).to_be_in_viewport()
    frame.locator("section[data-place=tokens] summary").focus()
    page.keyboard.press("Enter")
    first = frame.locator("section[data-place=tokens] .go").first
    expect(first).to_have_text("1")
    first.focus()
    page.keyboard.press("Enter")
    begun = page.locator("article.user").filter(has_text="Step 1 of")  # it was not loaded before
    expect(begun).to_be_in_viewport()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert grave(page) + grave(page.frames[1]) == [], theme
    frame.get_by_role("button", name="All threads").click()
    expect(frame.get_by_role("heading", name="Tokens by thread")).to_be_visible()
    frame.locator("section[data-place=tokens] summary").click()
    expect(frame.locator("section[data-place=tokens] .go", has_text="<img src=x")).to_be_visible()
    assert frame.locator("img, section script").count() == 0
    assert page.evaluate("window.stopped ?? []") == []


def test_plots_follow_a_running_thread_and_the_theme_and_stop_when_closed(workbench: Workbench, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    thread = busy(workbench)
    show(page, workbench.start(*SETTINGS), thread)
    page.keyboard.press("Alt+p")
    frame = plots(page)
    expect(frame.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    labels_are(page, LIGHT["muted"])
    page.emulate_media(color_scheme="dark")
    expect(frame.locator("body")).to_have_css("background-color", "rgb(16, 18, 20)")
    labels_are(page, DARK["muted"])
    send(page, "run `ls`")
    expect(frame.get_by_text("41 commands ran for")).to_be_visible()
    over(page)
    frame.locator("summary").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_be_hidden()
    expect(page.locator("iframe")).to_have_count(0)
    expect(message(page)).to_be_focused()


def test_tabs_are_walked_by_arrows_and_the_pane_covers_a_narrow_page(workbench: Workbench, page: Page) -> None:
    thread = busy(workbench)
    page.set_viewport_size({"width": 390, "height": 800})
    show(page, workbench.start(*SETTINGS), thread)
    page.keyboard.press("Alt+p")
    plots(page)
    expect(page.get_by_role("tab", selected=True)).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#inspector").bounding_box()
    assert box is not None
    assert box["width"] == 390
    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_be_hidden()


def test_the_inspector_comes_back_after_the_server_did(workbench: Workbench, page: Page) -> None:
    thread = busy(workbench)
    show(page, workbench.start(*SETTINGS), thread)
    page.keyboard.press("Alt+p")
    plots(page)
    workbench.stop()
    expect(page.locator("#inspector iframe")).to_have_count(0)
    workbench.start(*SETTINGS)
    plots(page)


def test_settings_are_a_form_that_says_what_is_wrong_and_status_follows(workbench: Workbench, page: Page) -> None:
    watch_policy(page)
    opened(page, workbench.start(*SETTINGS))
    message(page).fill("/settings")
    page.keyboard.press("Enter")
    frame = page.frame_locator("#inspector iframe")
    model = frame.get_by_label("Model")
    expect(model).to_have_value("demo")
    expect(frame.get_by_label("When you are asked")).to_have_value("untrusted")
    model.fill("two words")
    frame.get_by_role("button", name="Change").click()
    expect(frame.get_by_role("alert").filter(has_text="no spaces")).to_be_visible()
    expect(page.get_by_text("asks: untrusted")).to_be_visible()
    model.fill("other-model")
    frame.get_by_label("When you are asked").select_option("on-request")
    frame.get_by_label("What commands may touch").select_option("read-only")
    frame.get_by_role("button", name="Change").click()
    expect(frame.get_by_text("Counts from the next turn on.")).to_be_visible()
    expect(page.get_by_text("asks: on-request")).to_be_visible()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert grave(page.frames[1]) == [], theme
    page.get_by_role("tab", name="Settings").focus()
    page.keyboard.press("ArrowRight")
    status = page.get_by_role("tabpanel", name="Status")
    expect(status).to_contain_text("other-model (demo)")
    expect(status).to_contain_text("read-only")
    message(page).fill("/rename Kettle")
    page.keyboard.press("Enter")
    send(page, "run `ls`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    assert page.evaluate("window.stopped ?? []") == []
