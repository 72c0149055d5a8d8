"""What the inspector draws: its columns against `Codex.usage()`, its figures, and where a bar leads."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Plot
from hypothesis import given, settings
from hypothesis import strategies as st
from panel.io.state import set_curdoc

from codex_app.asked import Change
from codex_app.hub import Hub
from codex_app.places import prompt_of
from codex_app.views import columns as of
from codex_app.views.figures import Bars, Part
from codex_app.views.inspector import Inspector, asked_for
from codex_app.views.plots import AllPlots, ThreadPlots
from codex_app.views.settings import SettingsView
from codex_app.views.settings_model import STAYS, SettingsForm, change, checked
from codex_client import Codex
from codex_protocol import events as ev
from codex_protocol.events import NumberedEvent
from codex_protocol.items import assistant_message, user_message
from codex_protocol.policy import ApprovalPolicy, Summary
from codex_protocol.token_usage import TokenUsage
from codex_render.styles import DARK
from codex_store.home import Home
from codex_store.insight import FileNumbers, turn_numbers
from codex_store.prices import Price
from codex_store.rollout_writer import RolloutWriter
from codex_store.threads import find_thread
from codex_store.turn_records import TurnRecord, read_turns
from tests.support.busy_thread import WINDOW, write_busy_thread
from tests.support.rollouts import new_meta

PROMPTS = ["first", "second", "third"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))
    return Home(root=tmp_path)


def drawn(plots: ThreadPlots | AllPlots) -> None:
    put = plots.read()
    assert put is not None
    put()


def test_bars_of_a_thread_add_up_to_what_codex_usage_says(home: Home) -> None:
    thread = write_busy_thread(home, home.root, PROMPTS)
    write_busy_thread(home, home.root, ["another thread"])
    plots = ThreadPlots(home, thread)
    drawn(plots)
    shown = plots.tokens.source.data
    records = Codex().usage(thread)
    assert sum(shown["cached"]) == sum(each["cached_input_tokens"] for each in records) == 3000
    assert [a + b for a, b in zip(shown["input"], shown["cached"], strict=True)] == [
        each["input_tokens"] for each in records
    ]
    assert sum(shown["output"]) + sum(shown["reasoning"]) == sum(each["output_tokens"] for each in records)
    assert sum(shown["reasoning"]) == sum(each["reasoning_output_tokens"] for each in records)
    assert shown["total"] == [each["total_tokens"] for each in records]
    assert plots.requests.source.data["total"] == shown["total"]
    assert sum(plots.commands.source.data["command_s"]) == sum(each["duration_s"] for each in Codex().commands(thread))
    assert plots.files.source.data["path"][0] == "both.py"
    assert plots.files.source.data["patches"] == [3, 1, 1, 1]
    assert sum(plots.context.source.data["tokens"]) == 3060
    assert f"of {WINDOW:,}" in plots.context.source.tags[0]["words"]


def test_bars_of_all_threads_add_up_to_what_codex_usage_says(home: Home) -> None:
    write_busy_thread(home, home.root, PROMPTS)
    write_busy_thread(home, home.root, ["other"])
    plots = AllPlots(home)
    drawn(plots)
    records = Codex().usage()
    assert len(records) == 4
    assert sum(plots.tokens.source.data["total"]) == sum(each["total_tokens"] for each in records)
    assert plots.read() is None


def test_cost_is_shown_where_a_price_is_known_and_unknown_elsewhere(home: Home) -> None:
    thread = write_busy_thread(home, home.root, PROMPTS)
    plots = ThreadPlots(home, thread)
    drawn(plots)
    assert plots.tokens.source.data["cost"] == ["unknown"] * 3
    plots.set_prices({"demo": Price(input=1000, cached_input=0, output=0, currency="EUR")})
    drawn(plots)
    assert plots.tokens.source.data["cost"] == ["0.50 EUR", "1.00 EUR", "1.50 EUR"]
    assert plots.tokens.source.tags[0]["words"].endswith("Cost: 3.00 EUR.")


def test_nothing_is_put_again_when_nothing_happened(home: Home) -> None:
    thread = write_busy_thread(home, home.root, PROMPTS)
    plots = ThreadPlots(home, thread)
    drawn(plots)
    assert plots.read() is None
    assert ThreadPlots(home, "").read() is None
    assert ThreadPlots(home, "01a0000a-0000-7000-8000-000000000000").read() is None


def test_figures_take_the_colours_of_the_page_and_fill_no_background() -> None:
    bars = Bars("n", "Title", [Part("a", "a", 0), Part("b", "b", 2)], [("x", "X")])
    light = [glyph.fill_color for glyph in bars._glyphs]  # pyright: ignore[reportPrivateUsage]
    bars.theme(dark=True)
    assert [glyph.fill_color for glyph in bars._glyphs] != light  # pyright: ignore[reportPrivateUsage]
    plot: Any = bars.figure
    assert isinstance(plot, Plot)
    assert plot.background_fill_color is None
    assert plot.border_fill_color is None
    assert {axis.major_label_text_color for axis in plot.axis} == {DARK["muted"]}


def test_labels_of_lines_differ_even_when_files_are_called_alike() -> None:
    deep = "a" * 60
    found = of.file_columns([FileNumbers(f"{deep}/x.py", 1, 1), FileNumbers(f"b{deep}/x.py", 1, 1)])
    assert len(set(found["label"])) == 2


def test_an_address_is_believed_only_where_it_makes_sense() -> None:
    thread = "01a0000a-0000-7000-8000-000000000000"
    asked = asked_for({"thread": [thread.encode()], "view": [b"all"]})
    assert (asked.view, asked.thread_id) == ("all", thread)
    asked = asked_for({"thread": [b"../../etc/passwd"], "view": [b"\xff"]})
    assert (asked.view, asked.thread_id) == ("thread", "")
    assert asked_for({}).thread_id == ""


def test_a_turn_is_found_among_messages_that_begin_alike() -> None:
    turns = [
        TurnRecord(number=1, prompt="go on"),
        TurnRecord(number=2, prompt="other"),
        TurnRecord(number=3),
        TurnRecord(number=4, prompt="go on", status="taken back"),
        TurnRecord(number=5, prompt="go on"),
    ]
    assert prompt_of(turns, 1) == ("go on", 1)
    assert prompt_of(turns, 2) == prompt_of(turns, 3) == ("other", 0)
    assert prompt_of(turns, 5) == ("go on", 0)
    assert prompt_of([], 1) == ("", 0)
    hub = Hub()
    for n, text in enumerate(["go on", "other", "steering", "go on"]):
        hub.apply(NumberedEvent("b", n, ev.Event("1", ev.UserMessage(message=text))))
    assert [hub.said("go on", 1), hub.said("other", 0), hub.said("go on", 0)] == [0, 1, 3]
    assert hub.said("go on", 2) is None


def test_the_settings_form_says_what_is_wrong_at_its_field_and_asks_for_changes_alone() -> None:
    good = {"model": " m ", "effort": STAYS, "summary": "concise", "approval": "never", "sandbox": "read-only"}
    form = checked(good)
    assert isinstance(form, SettingsForm)
    now = {"model": "m", "approval": "on-request", "sandbox": "read-only"}
    assert change(form, now) == Change(approval=ApprovalPolicy.NEVER, summary=Summary.CONCISE)
    unchanged = checked({**good, "summary": STAYS})
    assert isinstance(unchanged, SettingsForm)
    assert change(unchanged, {**now, "approval": "never"}) is None
    wrong = checked({**good, "model": "a b", "approval": "always"})
    assert isinstance(wrong, dict)
    assert wrong["model"] == "A model's name has at least one character and no spaces."
    assert wrong["approval"].startswith("Input should be 'untrusted'")
    assert wrong.keys() == {"model", "approval"}
    for bad in ("", "a\u202eb", "x" * 201):
        assert isinstance(checked({**good, "model": bad}), dict), bad


usages = st.builds(
    lambda cached, fresh, output, reasoning: TokenUsage(
        input_tokens=cached + fresh,
        cached_input_tokens=cached,
        output_tokens=output + reasoning,
        reasoning_output_tokens=reasoning,
        total_tokens=cached + fresh + output + reasoning,
    ),
    *[st.integers(0, 2**40)] * 4,
)


@given(turns=st.lists(st.lists(usages, max_size=4), max_size=5))
@settings(max_examples=30, deadline=None)
def test_what_is_drawn_adds_up_to_codex_usage_whatever_was_counted(
    tmp_path_factory: pytest.TempPathFactory, turns: list[list[TokenUsage]]
) -> None:
    root = tmp_path_factory.mktemp("home", numbered=True)
    root.chmod(0o700)
    own = Home(root=root)
    thread = write_usages(own, turns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEX_HOME", str(root))
        records = Codex().usage(thread)
    read = read_turns(find_thread(own, thread).path)
    shown = of.turn_columns([turn_numbers(turn) for turn in read])
    told = [sum(shown[name]) for name in ("input", "cached", "output", "reasoning")]
    assert sum(told) == sum(shown["total"]) == sum(each["total_tokens"] for each in records)
    assert told[0] + told[1] == sum(each["input_tokens"] for each in records)
    assert told[1] == sum(each["cached_input_tokens"] for each in records)
    assert told[2] + told[3] == sum(each["output_tokens"] for each in records)
    assert told[3] == sum(each["reasoning_output_tokens"] for each in records)
    assert of.request_columns(read)["total"] == [each["total_tokens"] for each in records]
    assert len(records) == sum(used.total_tokens > 0 for turn in turns for used in turn)


def write_usages(home: Home, turns: list[list[TokenUsage]]) -> str:
    """A thread whose requests took so many tokens; its id."""
    meta = new_meta(str(home.root), source="page")
    total = TokenUsage()
    with RolloutWriter.create(home, meta) as writer:
        for counted in turns or [[]]:
            writer.event(ev.TaskStarted(model_context_window=WINDOW))
            writer.items(user_message("go"))
            for used in counted:
                total += used
                fields = {name: getattr(used, name) for name in used.__struct_fields__}
                writer.event(ev.TokenCount(**fields, total=total, model_context_window=WINDOW))
            writer.items(assistant_message("done"))
            writer.event(ev.TaskComplete(last_agent_message="done"))
    return meta.id


class Counted:
    """Plots that count how often they are read."""

    period_s = 0.5
    bars = ()

    def __init__(self) -> None:
        self.read_at: list[float] = []

    def set_prices(self, prices: object) -> None: ...

    def read(self) -> None:
        self.read_at.append(time.monotonic())


class Desk:
    """A desk that is used on the loop it was made on, or not at all."""

    def __init__(self, room: Any = None) -> None:
        self.changed: list[Any] = []
        self.watched = 0
        self._room = room
        self._thread = threading.get_ident()

    def watch(self, thread_id: str, watcher: Any) -> Any:
        assert threading.get_ident() == self._thread
        self.changed.append(watcher)
        self.watched += 1

        def end() -> None:
            assert threading.get_ident() == self._thread
            self.watched -= 1

        return end

    def opened(self, thread_id: str) -> Any:
        return self._room


async def called(how: str, call: Any, *arguments: Any) -> Any:
    """Call as Bokeh does: up to 3.9 on the loop, since 3.10 from a thread."""
    result = await asyncio.to_thread(call, *arguments) if how == "from a thread" else call(*arguments)
    await asyncio.sleep(0)
    return result


BOKEHS = pytest.mark.parametrize("how", ["on the loop", "from a thread"])


@BOKEHS
async def test_the_disk_is_looked_at_twice_a_second_at_most_and_never_while_hidden(how: str) -> None:
    desk: Any = Desk()
    plots: Any = Counted()
    document = Document()
    loop = asyncio.get_running_loop()

    def make() -> Inspector:
        with set_curdoc(document):
            return Inspector(desk, asked_for({"view": [b"thread"], "thread": [b"t"]}), plots, loop)

    frame = await called(how, make)

    async def stir(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            desk.changed[0]()
            await asyncio.sleep(0.01)

    await stir(0.3)
    assert plots.read_at == []
    take = frame._take  # pyright: ignore[reportPrivateUsage]
    await called(how, take, {"seen": [{"seen": True, "dark": False}]})
    while len(plots.read_at) < 3:
        await stir(0.1)
    assert all(later - earlier >= 0.49 for earlier, later in pairwise(plots.read_at))
    await called(how, take, {"seen": [{"seen": False, "dark": False}]})
    if (begun := frame._task) is not None:  # pyright: ignore[reportPrivateUsage] - a look that had begun
        await asyncio.wait({begun})
    before = len(plots.read_at)
    await stir(0.7)
    assert len(plots.read_at) == before


@BOKEHS
async def test_a_change_of_settings_is_asked_for_on_the_loop(how: str) -> None:
    loop, thread = asyncio.get_running_loop(), threading.get_ident()
    told: asyncio.Future[Any] = loop.create_future()

    async def submit(op: Any) -> None:
        assert threading.get_ident() == thread
        told.set_result(op)

    state = {"model": "m", "approval": "on-request", "sandbox": "read-only"}
    desk: Any = Desk(SimpleNamespace(hub=SimpleNamespace(drawing=SimpleNamespace(state=state)), submit=submit))
    document = Document()

    def make() -> SettingsView:
        with set_curdoc(document):
            return SettingsView(desk, "t", loop)

    view = await called(how, make)
    assert desk.watched == 1

    def change() -> None:
        view._fields["effort"].value = "high"  # pyright: ignore[reportPrivateUsage]
        view._submit()  # pyright: ignore[reportPrivateUsage]

    await called(how, change)
    op = await asyncio.wait_for(told, 30)
    assert (op.effort, op.model) == ("high", None)
