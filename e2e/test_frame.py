"""The frame of the page: the list of threads, questions and their answers, rules, first runs, themes, notifications."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import BrowserContext, Page, expect

from codex_store.home import Home
from codex_store.running import running_threads
from e2e.test_page import ASK, SETTINGS, answer, message, opened, send
from tests.support.model_server import ModelServer
from tests.support.replies import calls, says

if TYPE_CHECKING:
    from e2e.conftest import Workbench

SERVER = Path(__file__).parents[1] / "tests" / "support" / "mcp_python_server.py"


def tile(page: Page, name: str | re.Pattern[str]):
    return page.locator(".tile").filter(has=page.locator(".name", has_text=name))


def tour(page: Page) -> None:
    send(page, "run `ls`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()


# The list of threads


def test_a_thread_is_named_archived_taken_back_and_deleted_by_keyboard(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    tour(page)
    expect(tile(page, "run `ls`")).to_be_visible()
    tile(page, "run `ls`").focus()
    page.keyboard.press("F2")
    page.get_by_role("textbox", name="Name").fill("kettle")
    page.keyboard.press("Enter")
    expect(tile(page, "kettle")).to_be_visible()
    expect(page.get_by_role("heading", name="kettle")).to_be_visible()
    tile(page, "kettle").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("button", name="More about kettle")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Archive")).click()
    expect(tile(page, "kettle")).to_have_count(0)
    page.get_by_role("button", name="archived …").click()
    expect(tile(page, "kettle")).to_be_visible()
    page.get_by_role("button", name="More about kettle").click()
    page.get_by_role("button", name="Take back").click()
    expect(tile(page, "kettle")).to_have_count(0)
    page.get_by_role("button", name=re.compile("^Only archived")).click()
    expect(tile(page, "kettle")).to_be_visible()
    tile(page, "kettle").focus()
    page.keyboard.press("Delete")
    dialog = page.get_by_role("dialog", name=re.compile("for good"))
    expect(dialog.get_by_role("button", name="No")).to_be_focused()
    dialog.get_by_role("button", name="Delete").click()
    expect(tile(page, "kettle")).to_have_count(0)
    assert not list((workbench.home / "sessions").rglob("*kettle*"))


def test_chips_say_what_they_hide_and_arrows_go_through_the_list(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    tour(page)
    other = workbench.work.parent / "other"
    other.mkdir()
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    page.get_by_role("button", name="New thread in another directory").click()
    page.get_by_role("combobox", name="Directory").fill(str(other))
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".head .path")).to_contain_text("other")
    tour(page)
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_role("searchbox").fill("ls")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".tile")).to_have_count(3)
    tile(page, "run `ls`").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Only this directory").click()
    chip = page.get_by_role("button", name=re.compile("Only in .* Hides threads outside"))
    expect(chip).to_be_visible()
    chip.click()
    expect(page.locator(".tile")).to_have_count(3)
    page.get_by_role("searchbox").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    focused = page.evaluate("document.activeElement.dataset.thread")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"#{focused}$"))


def test_a_running_thread_of_exec_is_followed_and_cannot_be_told_anything(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    gate = workbench.work / "go"
    prompt = "run `while [ ! -e go ]; do sleep 0.1; done; echo over-$((40+2))`"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CODEX_", "OPENAI_", "XDG_"))}
    run = subprocess.Popen(
        [sys.executable, "-P", "-m", "codex_cli.main", "exec", "--demo", "-s", "workspace-write", prompt],
        cwd=workbench.work,
        env={**kept, "CODEX_HOME": str(workbench.home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    workbench.also.append(run)
    expect(page.get_by_text("runs in another program")).to_be_visible(timeout=30_000)
    tile(page, "while").click()
    expect(page.locator("article.user")).to_contain_text("while [ ! -e go ]")
    expect(page.get_by_text("followed, read-only")).to_be_visible()
    send(page, "hello")
    expect(page.locator(".toast")).to_contain_text("another program runs this thread")
    gate.touch()
    expect(page.get_by_text("The command exited with code 0")).to_be_visible()
    expect(page.get_by_text("followed, read-only")).to_have_count(0)
    assert run.wait(20) == 0
    expect(page.locator("article.user")).to_have_count(1)


# Questions


def test_a_rule_is_kept_with_what_it_would_have_let_run_and_taken_back(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    send(page, "run `touch one`")
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.keyboard.press("a")
    words = page.get_by_label(re.compile("Commands that begin with these words"))
    expect(words).to_have_value("touch one")
    page.get_by_role("radio").nth(1).check()
    expect(words).to_have_value("touch")
    words.fill("touch one two")
    expect(page.get_by_text("It would have let no other command of this thread run.")).to_be_visible()
    words.fill("touch")
    expect(page.locator(".preview code")).to_have_text("touch one")
    page.get_by_role("button", name="Keep this rule and run it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    assert '["touch"]' in (workbench.home / "rules" / "default.rules").read_text()
    send(page, "run `touch two`")
    expect(page.get_by_text("exited with code 0")).to_have_count(2)
    send(page, "/rules")
    rules = page.get_by_role("dialog", name="Rules for commands")
    expect(rules).to_contain_text("spoke 1 times")
    rules.get_by_role("button", name="Take back the rule touch").click()
    page.get_by_role("button", name="Take it back").click()
    expect(rules).to_contain_text("No rules count here.")
    page.keyboard.press("Escape")
    send(page, "run `touch three`")
    expect(page.locator("dialog.question")).to_be_visible()


def test_a_no_carries_a_message_to_the_model(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    send(page, ASK)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    why = page.get_by_label("With a no: what it should do instead")
    why.press_sequentially("y, only list them")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not allowed by page")).to_be_visible()
    expect(page.locator("article.user")).to_have_count(2)
    expect(page.locator("article.user").last).to_contain_text("y, only list them")


def test_what_waits_in_another_thread_is_listed_and_answered_there_and_the_other_tab_is_told(
    workbench: Workbench, page: Page, context: BrowserContext
) -> None:
    opened(page, workbench.start(*SETTINGS))
    send(page, ASK)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    asking = context.new_page()
    asking.goto(page.url)
    expect(asking.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(1\)"))
    page.get_by_text("One question waits for you in another thread").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Run this")).click()
    expect(page.locator("dialog.question:not(.asleep)")).to_contain_text("In the thread")
    page.keyboard.press("y")
    expect(asking.get_by_text("Answered in another tab: allowed.")).to_be_visible()
    expect(asking.get_by_role("dialog")).to_have_count(0)
    expect(asking.get_by_text("exited with code 0")).to_be_visible()
    expect(page).not_to_have_title(re.compile(r"^\(1\)"))


def test_a_servers_form_is_filled_in_and_checked(workbench: Workbench, page: Page) -> None:
    (workbench.home / "config.toml").write_text(
        f"[mcp_servers.colours]\ncommand = {json.dumps(sys.executable)}\n"
        f"args = {json.dumps(['-P', str(SERVER), 'stdio'])}\n"
        "required = true\n"
    )
    script = [calls("mcp__colours__ask", {}, call_id="c1"), says("It has been asked.")]
    with ModelServer(script) as server:
        env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-test"}
        opened(page, workbench.start(*SETTINGS, demo=False, env=env))
        send(page, "ask me")
        dialog = page.get_by_role("dialog", name="colours asks you something")
        expect(dialog).to_contain_text("Which colour?")
        expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
        dialog.get_by_role("button", name="Answer", exact=False).first.focus()
        page.keyboard.press("y")
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_role("textbox").fill("green")
        dialog.get_by_role("button", name=re.compile("^Answery")).click()
        expect(page.get_by_text("It has been asked.")).to_be_visible()
        assert "accept green" in server.requests[-1].body.decode()


# First run, themes, notifications, narrow screens


def test_a_first_run_goes_on_with_the_demo(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(demo=False))
    page.get_by_role("dialog").get_by_role("button", name=re.compile("The demo")).click()
    expect(page.get_by_role("dialog", name="Do you trust this folder?")).to_be_visible()
    page.get_by_role("button", name=re.compile("No, only read")).click()
    expect(page.locator(".toast")).to_contain_text("Not trusted")
    expect(page.get_by_text("read-only", exact=True)).to_be_visible()
    tour(page)


def test_the_theme_is_switched_and_kept(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    dark, light = "rgb(16, 18, 20)", "rgb(255, 255, 255)"
    send(page, "/theme dark")
    expect(page.locator("body")).to_have_css("background-color", dark)
    page.reload()
    expect(page.locator("body")).to_have_css("background-color", dark)
    send(page, "/theme system")
    expect(page.locator("body")).to_have_css("background-color", light)


def test_who_looks_elsewhere_is_told_by_title_icon_and_notification(
    workbench: Workbench, page: Page, context: BrowserContext
) -> None:
    context.grant_permissions(["notifications"])
    context.add_init_script(
        "window.Notification = class { static permission = 'granted';"
        " static requestPermission = async () => 'granted';"
        " constructor(title) { document.documentElement.dataset.told = title } }"
    )
    opened(page, workbench.start(*SETTINGS))
    send(page, "/notify")
    expect(page.locator(".toast")).to_contain_text("Notifications are on")
    send(page, ASK)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    expect(page.locator('link[rel="icon"]')).to_have_attribute("href", "/assets/icon_waiting.svg")
    page.keyboard.press("Escape")
    page.keyboard.press("Alt+n")
    expect(page.get_by_text("What should be done here?")).to_be_visible()
    page.get_by_text("One question waits for you in another thread").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Run this")).click()
    answer(page, "y")
    expect(page.locator("html")).to_have_attribute("data-told", re.compile("is done"))


def test_on_a_phone_the_list_comes_first_and_a_question_is_read_and_answered(workbench: Workbench, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    link = workbench.start(*SETTINGS)
    opened(page, link)
    send(page, ASK)
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    page.goto(page.url.split("#")[0] + "?again")
    page.get_by_role("button", name="Answer later").click()
    expect(page.get_by_role("navigation", name="Threads")).to_be_visible()
    page.locator(".tile.asking").click()
    expect(page.locator("dialog.question:not(.asleep)")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name=re.compile("Yes, once")).click()
    expect(page.get_by_text("exited with code 0")).to_be_visible()


# What is lost


def test_a_kernel_that_is_killed_in_the_middle_of_a_turn_loses_and_doubles_nothing(
    workbench: Workbench, page: Page
) -> None:
    opened(page, workbench.start("-a", "never", "-s", "workspace-write"))
    send(page, "run `echo first-$((40+2))`")
    expect(page.get_by_text("exited with code 0")).to_be_visible()
    send(page, "run `touch began; sleep 30`")
    expect(page.locator(".command.running")).to_be_visible()
    message(page).fill("a draft")
    for thread in running_threads(Home(root=workbench.home)):
        os.kill(thread.pid, signal.SIGKILL)
    expect(page.get_by_text("the agent has ended")).to_be_visible()
    expect(message(page)).to_have_value("a draft")
    send(page, "and what came of it?")
    expect(page.get_by_text("The command did not end: aborted")).to_be_visible()
    for _ in range(2):
        expect(page.locator("article.user")).to_have_count(3)
        expect(page.get_by_text("exited with code 0")).to_have_count(1)
        page.reload()


def test_new_secrets_close_every_tab_that_was_open(workbench: Workbench, page: Page) -> None:
    opened(page, workbench.start(*SETTINGS))
    base = page.url.split("#")[0]
    workbench.stop()
    workbench.start(*SETTINGS, "--new-secrets", "--port", base.split(":")[2].strip("/"))
    assert page.context.request.get(base).status == 403
