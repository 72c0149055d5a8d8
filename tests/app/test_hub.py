"""Events in, numbered patches out: as tables, and against a viewer that applies them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_app import asked
from codex_app.hub import PAGE, Hub
from codex_protocol import events as ev
from codex_protocol.attach import Snapshot, event_content
from codex_protocol.errors import UsageError
from codex_protocol.events import EventMsg, NumberedEvent
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.items import assistant_message, encode_item, user_message
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, WorkspaceWrite

BAD = "<img src=x onerror=alert(1)>\u202e"
CONFIGURED = ev.SessionConfigured(session_id="t1", model="m", cwd="/work", sandbox_policy=WorkspaceWrite())
SETTINGS = ev.TurnContextChanged(
    cwd="/work", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=WorkspaceWrite(), model="m"
)


def exec_begin(call_id: str = "c1", *command: str) -> ev.ExecCommandBegin:
    return ev.ExecCommandBegin(call_id=call_id, command=command or ("ls",), cwd="/work")


def exec_end(call_id: str = "c1", output: str = "", code: int = 0) -> ev.ExecCommandEnd:
    return ev.ExecCommandEnd(
        call_id=call_id,
        stdout=output,
        stderr="",
        aggregated_output=output,
        exit_code=code,
        duration=ev.Duration.of(1.5),
        formatted_output=output,
    )


def asking(id: str = "a1") -> ev.ExecApprovalRequest:
    return ev.ExecApprovalRequest(
        call_id="c1", approval_id=id, digest="d", command=("bash", "-lc", f"rm {BAD}"), cwd="/work", reason=BAD
    )


class Tab:
    """What the page's own script does with patches."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = {}
        self.asks: list[Any] = []

    def apply(self, patches: list[dict[str, Any]]) -> None:
        for patch in patches:
            match patch["op"]:
                case "reset":
                    self.items = dict(patch["items"])
                    self.state, self.asks = patch["state"], patch["asks"]
                case "put":
                    self.items[patch["id"]] = patch["item"]
                case "remove":
                    self.items.pop(patch["id"], None)
                case "state":
                    self.state = patch["state"]
                case "asks":
                    self.asks = patch["asks"]
                case _:
                    self._grow(self.items[patch["id"]], patch)

    def _grow(self, item: dict[str, Any], patch: dict[str, Any]) -> None:
        if "blocks" not in patch:
            item["lines"] += patch["lines"]
            item["tail"] = patch["tail"]
            return
        for number, html, appended in patch["blocks"]:
            if html is not None:
                item["blocks"] = [*item["blocks"][:number], *([html] if html else [])]
                item["tail"] = ""
            if appended:
                item["tail"] += appended


def patches_of(hub: Hub) -> list[dict[str, Any]]:
    batch = hub.flush()
    return [] if batch is None else msgspec.json.decode(batch.data)["patches"]


def feed(hub: Hub, *messages: EventMsg) -> None:
    for n, message in enumerate(messages, 1):
        hub.apply(NumberedEvent("b", n, ev.Event("1", message)))


def drawn(*messages: EventMsg) -> Tab:
    hub, tab = Hub(), Tab()
    feed(hub, *messages)
    tab.apply(patches_of(hub))
    return tab


@pytest.mark.parametrize(
    ("messages", "kinds"),
    [
        ([ev.UserMessage(message="hi")], ["user"]),
        ([ev.AgentMessageDelta(delta="he"), ev.AgentMessage(message="hello")], ["answer"]),
        ([ev.AgentMessage(message="  ")], []),
        ([ev.AgentMessageDelta(delta="he"), ev.StreamError(message="gone")], ["note"]),
        ([ev.AgentReasoningDelta(delta="h"), ev.AgentReasoning(text="hm")], ["reasoning"]),
        ([ev.AgentReasoning(text="hm"), ev.AgentReasoning(text="2")], ["reasoning", "reasoning"]),
        ([exec_begin(), exec_end()], ["command"]),
        ([exec_end("unknown")], []),
        ([ev.Error(message="x")], ["notice"]),
        ([ev.TaskStarted(), ev.TurnAborted()], ["notice"]),
        ([ev.TaskStarted(), ev.TaskComplete()], []),
        ([asking(), ev.ApprovalResolved(approval_id="a1", call_id="c1", decision=ReviewDecision.DENIED)], ["note"]),
        ([ev.ShutdownComplete()], []),
    ],
)  # fmt: skip
def test_each_event_becomes_what_the_page_shows(messages: list[EventMsg], kinds: list[str]) -> None:
    assert [item["kind"] for item in drawn(*messages).items.values()] == kinds


def test_a_command_says_how_it_went() -> None:
    [item] = drawn(exec_begin(), exec_end(output="no\n", code=3)).items.values()
    assert (item["state"], item["exit_code"], item["lines"], item["duration"]) == ("failed", 3, "no\n", "1.50s")


def test_output_split_inside_a_character_is_whole() -> None:
    data = "né\n".encode()
    tab = drawn(
        exec_begin(),
        ev.ExecCommandOutputDelta(call_id="c1", stream="stdout", chunk=data[:2]),
        ev.ExecCommandOutputDelta(call_id="c1", stream="stdout", chunk=data[2:]),
    )
    assert tab.items["c1"]["lines"] == "né\n"


def test_untrusted_text_reaches_html_only_escaped_and_hidden_characters_are_shown() -> None:
    change = FileChange(add=AddedFile(f"{BAD}\n"))
    tab = drawn(
        ev.AgentMessage(message=BAD),
        ev.AgentReasoning(text=BAD),
        exec_begin("c1", "bash", "-lc", BAD),
        exec_end(output=BAD),
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes={f"/work/{BAD}": change}),
        ev.UserMessage(message=BAD),
        ev.Error(message=BAD),
        ev.ThreadNameUpdated(name=BAD),
        asking(),
    )
    everything = msgspec.json.encode([tab.items, tab.state, tab.asks]).decode()
    assert "\u202e" not in everything
    assert "U+202E" in everything
    html = [
        html for item in tab.items.values() for html in (*item.get("blocks", ()), item.get("html"), item.get("lines"))
    ]
    assert [part for part in html if part and "<img" in part] == []


def test_a_question_shows_the_exact_command_and_goes_when_it_is_answered() -> None:
    hub, tab = Hub(), Tab()
    feed(hub, asking())
    tab.apply(patches_of(hub))
    [ask] = tab.asks
    assert ask["exact"] == "rm <img src=x onerror=alert(1)><U+202E>"
    assert ["Run by", "bash -lc"] in ask["facts"]
    feed(hub, ev.ApprovalResolved(approval_id="a1", call_id="c1", decision=ReviewDecision.APPROVED, by="notebook"))
    tab.apply(patches_of(hub))
    assert tab.asks == []
    assert "by notebook" in list(tab.items.values())[-1]["text"]


def test_nothing_new_is_no_batch_and_numbers_leave_no_gap() -> None:
    hub = Hub()
    hub.flush()  # the head
    for text in "abc":
        feed(hub, ev.Warning(message=text))
        assert hub.flush() is not None
        assert hub.flush() is None
    assert hub.number == 4


def test_who_missed_batches_gets_them_and_who_is_too_far_behind_a_snapshot() -> None:
    hub = Hub()
    for text in "abc":
        feed(hub, ev.Warning(message=text))
        hub.flush()
    missed = hub.since(hub.boot, 1)
    assert missed is not None
    assert [batch.number for batch in missed] == [2, 3]
    assert hub.since(hub.boot, 3) == []
    assert hub.since("another", 1) is None
    assert hub.since(hub.boot, 4) is None
    for _ in range(40):
        feed(hub, ev.Warning(message="x" * 100_000))
        hub.flush()
    assert hub.since(hub.boot, 3) is None
    assert hub.since(hub.boot, hub.number - 1) is not None


def test_a_long_thread_is_shown_from_its_end_and_read_backwards_without_gap() -> None:
    hub = Hub()
    feed(hub, *(ev.Warning(message=str(n)) for n in range(2 * PAGE + 5)))
    hub.flush()
    whole = hub.snapshot()
    seen = whole["items"]
    assert (len(seen), whole["more"]) == (PAGE, True)
    while whole["more"]:
        whole = hub.older(seen[0][0])
        seen = [*whole["items"], *seen]
    assert [item["text"] for _, item in seen] == [str(n) for n in range(2 * PAGE + 5)]


def test_a_snapshot_draws_what_was_stored_and_the_running_turn_on_top() -> None:
    stored = [user_message("first"), assistant_message("answer")]
    events = [ev.TaskStarted(), ev.UserMessage(message="second"), exec_begin(), asking()]
    told = [event_content(NumberedEvent("b", n, ev.Event("1", msg))) for n, msg in enumerate(events, 1)]
    hub, tab = Hub(), Tab()
    feed(hub, ev.Warning(message="gone with the snapshot"))
    hub.apply(
        Snapshot(
            configured=CONFIGURED,
            settings=SETTINGS,
            items=tuple(msgspec.json.decode(encode_item(item)) for item in stored),
            events=tuple(msgspec.json.decode(msgspec.json.encode(content)) for content in told),
            pending=(asking(),),
        )
    )
    tab.apply(patches_of(hub))
    assert [item["kind"] for item in tab.items.values()] == ["user", "answer", "user", "command"]
    assert tab.state["busy"] is True
    assert tab.state["approval"] == "never"
    assert [ask["id"] for ask in tab.asks] == ["a1"]


_steps = st.lists(
    st.one_of(
        st.text("ab\n`*- ", max_size=12).map(lambda text: ev.AgentMessageDelta(delta=text)),
        st.text("xy\n\r", max_size=8).map(
            lambda text: ev.ExecCommandOutputDelta(call_id="c1", stream="stdout", chunk=text.encode())
        ),
        st.sampled_from(
            [exec_begin(), exec_end(output="end\n"), ev.AgentReasoningDelta(delta="t"), ev.TaskStarted(), None, None]
        ),
        st.sampled_from([ev.StreamError(message="e"), ev.TurnAborted(), ev.UserMessage(message="u"), asking()]),
    ),
    max_size=40,
)


def joined(hub: Hub) -> Tab:
    tab = Tab()
    tab.apply(msgspec.json.decode(msgspec.json.encode([hub.snapshot()])))
    return tab


@given(_steps)
def test_whoever_joins_at_any_moment_sees_in_the_end_what_all_see(steps: list[EventMsg | None]) -> None:
    hub, tabs = Hub(), [Tab()]
    for step in [*steps, None]:
        if step is not None:
            feed(hub, step)
            tabs.append(joined(hub))  # between two batches
            continue
        patches = patches_of(hub)
        for tab in tabs:
            tab.apply(msgspec.json.decode(msgspec.json.encode(patches)))
        now = joined(hub)
        for tab in tabs:
            assert tab.items == now.items
            assert tab.asks == now.asks
            assert tab.state == now.state


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{}",
        '{"type":"nope"}',
        '{"type":"send"}',
        '{"type":"send","id":"x","text":"short id"}',
        '{"type":"answer","id":"a","decision":"always"}',
        '{"type":"interrupt","extra":1}',
        '{"type":"change","sandbox":"none"}',
        '{"type":"ack","n":"1"}',
        b"\xff\xfe",
    ],
)
def test_what_the_page_may_not_say_is_refused(message: str | bytes) -> None:
    with pytest.raises(UsageError):
        asked.decode(message)


def test_who_does_not_show_an_entry_can_tell_a_new_one_from_one_that_changed() -> None:
    hub = Hub()
    told: list[list[bool]] = []
    for msg in (exec_begin(), exec_end()):
        hub.apply(NumberedEvent("b", len(told), ev.Event("s", msg)))
        batch = hub.flush()
        assert batch is not None
        patches = msgspec.json.decode(batch.data)["patches"]
        told.append([patch.get("fresh", False) for patch in patches if patch["op"] == "put"])
    assert told == [[True], [False]]
