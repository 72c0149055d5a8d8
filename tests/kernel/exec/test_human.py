import re
from pathlib import PurePath

import pytest

from codex_kernel.exec.blocks import command_block, command_title, patch_block
from codex_kernel.exec.human import HumanOptions, HumanView
from codex_protocol import events as ev
from codex_protocol.file_changes import FileChange, UpdatedFile
from codex_protocol.parsed_commands import ReadCommand
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, SandboxFacts
from codex_protocol.token_usage import TokenUsage
from codex_render.screen import Screen
from codex_render.terminal import Paint

PLAIN = Paint(False)


class Reader:
    """What a person sees; time stands still unless it is moved."""

    def __init__(
        self,
        *,
        live: bool = False,
        answer_elsewhere: bool = False,
        hide_reasoning: bool = False,
        paint: Paint = PLAIN,
    ) -> None:
        self.written = ""
        self.now = 100.0
        screen = Screen(self._take, live=live, width=lambda: 100)
        options = HumanOptions(
            prompt="do it",
            version="9",
            stream_answer=live,
            answer_elsewhere=answer_elsewhere,
            hide_reasoning=hide_reasoning,
        )
        self.view = HumanView(screen, paint, options, now=lambda: self.now)

    def _take(self, data: bytes) -> None:
        self.written += data.decode()

    def shows(self, *events: ev.EventMsg) -> str:
        for event in events:
            self.view.show(event)
        self.view.finish()
        return self.written


def began(call_id: str, *parsed, script: str = "make") -> ev.ExecCommandBegin:
    return ev.ExecCommandBegin(call_id=call_id, command=("bash", "-lc", script), cwd="/w", parsed_cmd=parsed)


def ended(call_id: str, code: int = 0, output: str = "") -> ev.ExecCommandEnd:
    return ev.ExecCommandEnd(
        call_id=call_id,
        stdout=output,
        stderr="",
        aggregated_output=output,
        exit_code=code,
        duration=ev.Duration.of(0.25),
        formatted_output=output,
    )


def session(**fields) -> ev.SessionConfigured:
    facts = SandboxFacts(rung=3, summary="workspace-write [workdir]", notice="No user namespaces here.")
    return ev.SessionConfigured(
        session_id="T-1",
        model="gpt",
        provider="openai",
        cwd="/w",
        approval_policy=ApprovalPolicy.NEVER,
        sandbox=facts,
        **fields,
    )


def test_the_banner_says_where_who_and_what_is_allowed():
    text = Reader().shows(session())
    for piece in ("/w", "gpt", "openai", "never", "workspace-write [workdir] (rung 3 of 5)", "T-1", "> do it"):
        assert piece in text
    assert "note: No user namespaces here." in text


def test_every_screen_says_that_it_is_the_demo_model():
    text = Reader().shows(ev.SessionConfigured(session_id="T", model="demo", provider="demo"))
    assert "demo model" in text


def test_looking_around_takes_one_line():
    assert (
        Reader().shows(
            began("a", ReadCommand("cat a.py", "a.py"), ReadCommand("cat b.py", "b.py")),
            ended("a", 0, "lots\n" * 50),
        )
        == "• Read a.py, b.py 250ms\n"
    )


def test_a_short_command_is_one_block():
    text = Reader().shows(began("a", script="make all"), ended("a", 2, "error: x\n"))
    assert text == "• Run make all\n  error: x\n  ✗ exit 2 in 250ms\n"


def test_a_slow_command_has_its_title_in_a_log_before_it_ends():
    reader = Reader()
    reader.view.show(began("a", script="make all"))
    reader.now += 2
    reader.view.tick()
    reader.view.tick()
    assert reader.written == "• Run make all\n"
    assert reader.shows(ended("a")) == "• Run make all\n  ✔ done in 250ms\n"


def test_a_slow_command_is_titled_again_when_something_stands_between():
    reader = Reader()
    reader.view.show(began("a", script="one"))
    reader.now += 2
    reader.view.tick()
    text = reader.shows(began("b", script="two"), ended("b"), ended("a"))
    assert text == "• Run one\n• Run two\n  ✔ done in 250ms\n• Run one\n  ✔ done in 250ms\n"


def test_a_remark_before_a_command_is_not_kept_back_until_it_ends():
    reader = Reader()
    reader.view.show(ev.AgentMessage(message="I will build it."))
    reader.view.show(began("a", script="make"))
    assert "I will build it.\n" in reader.written


def test_a_very_long_command_line_is_cut_in_its_middle():
    [title] = command_title(began("a", script="x" * 1000 + "END"), PLAIN)
    assert len(title) < 220
    assert title.endswith("END")
    assert "…" in title


def test_on_a_terminal_a_running_command_stands_in_the_status_line_only():
    reader = Reader(live=True)
    reader.view.show(began("a", script="make"))
    reader.now += 65
    reader.view.tick()
    assert "• Run" not in reader.written
    assert reader.written.endswith("\r\x1b[KRun make · 1m05s · Ctrl-C stops")
    assert reader.shows(ended("a")).endswith("\r\x1b[K")


def test_long_output_keeps_head_and_tail_and_marks_the_cut():
    lines = command_block(began("a"), ended("a", 1, "".join(f"line {n}\n" for n in range(1000))), PLAIN, titled=False)
    assert lines[0] == "  line 0"
    assert "  … 986 lines not shown" in lines
    assert lines[-2] == "  line 999"
    assert len(lines) == 16


def test_a_line_without_end_is_cut_and_the_cut_is_counted():
    lines = command_block(began("a"), ended("a", 0, "x" * 100_000), PLAIN, titled=False)
    assert lines[0].endswith("… (99,600 characters not shown)")


def test_a_command_that_still_runs_at_the_end_is_named():
    text = Reader().shows(
        began("c1", script="make"), ended("c1"), began("c2", script="serve"), ev.TaskComplete(last_agent_message="up")
    )
    assert "Run serve\n  still running; ends with this run\n" in text
    assert text.count("still running") == 1


def test_what_the_model_types_into_a_command_is_shown():
    typing = ev.TerminalInteraction(call_id="c1", process_id=7, stdin="\x1b[2Jrm -r x\n")
    text = Reader().shows(began("c1", script="bash -i"), typing)
    assert "Typed “␛[2Jrm -r x” into bash -i" in text


def test_a_patch_shows_relative_names_numbers_and_counts():
    changes = {"/w/src/a.py": FileChange(update=UpdatedFile("@@ -1,2 +1,2 @@\n a\n-b\n+c\n"))}
    lines = patch_block(
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes=changes),
        ev.PatchApplyEnd(call_id="p", stdout="", stderr="", success=True),
        PurePath("/w"),
        PLAIN,
    )
    assert lines == ["• Edit src/a.py (+1 -1)", "     1  a", "     2 -b", "     2 +c"]


def test_a_patch_that_failed_says_why():
    text = Reader().shows(
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes={}),
        ev.PatchApplyEnd(call_id="p", stdout="", stderr="disk full", success=False),
    )
    assert text == "✗ Patch not applied\n  disk full\n"


def test_the_plan_is_drawn_as_a_checklist():
    text = Reader().shows(ev.PlanUpdate(explanation="because", plan=(ev.PlanStep("one", "completed"),)))
    assert text == "• Plan because\n  ✔ one\n"


def test_a_streamed_answer_stands_there_once():
    reader = Reader(live=True)
    for delta in ("Hel", "lo\n", "you"):
        reader.view.show(ev.AgentMessageDelta(delta=delta))
    text = reader.shows(ev.AgentMessage(message="Hello\nyou"), ev.TaskComplete(last_agent_message="Hello\nyou"))
    assert text.count("Hello\nyou\n") == 1


def test_an_answer_whose_stream_broke_off_is_shown_whole_once_more():
    reader = Reader(live=True)
    reader.view.show(ev.AgentMessageDelta(delta="Hel"))
    text = reader.shows(
        ev.StreamError(message="cut", attempt=1, max_attempts=5),
        ev.AgentMessageDelta(delta="Hello"),
        ev.AgentMessage(message="Hello"),
        ev.TaskComplete(last_agent_message="Hello"),
    )
    assert "asking again (1 of 5): cut" in text
    assert text.count("Hello\n") == 1


def test_the_last_answer_is_left_to_stdout_where_both_go_to_one_place():
    text = Reader(answer_elsewhere=True).shows(
        ev.AgentMessage(message="on the way"),
        began("a", ReadCommand("cat a", "a")),
        ended("a"),
        ev.AgentMessage(message="the answer"),
        ev.TaskComplete(last_agent_message="the answer"),
    )
    assert "on the way" in text
    assert "the answer" not in text


def test_a_log_of_its_own_has_the_last_answer_too():
    text = Reader().shows(ev.AgentMessage(message="the answer"), ev.TaskComplete(last_agent_message="the answer"))
    assert "the answer\n" in text


def test_reasoning_is_shown_unless_it_is_to_be_hidden():
    assert "because" in Reader().shows(ev.AgentReasoning(text="because"))
    assert "because" not in Reader(hide_reasoning=True).shows(ev.AgentReasoning(text="because"))


def test_the_status_line_names_what_the_model_thinks_about():
    reader = Reader(live=True)
    reader.view.show(ev.AgentReasoningDelta(delta="**Reading the te"))
    reader.view.show(ev.AgentReasoningDelta(delta="sts**\n\nfirst"))
    reader.view.tick()
    assert "Thinking: Reading the tests" in reader.written


def test_a_denied_command_says_so_and_why():
    asked = ev.ExecApprovalRequest(
        call_id="c", approval_id="a", digest="d", command=("bash", "-lc", "rm -rf build"), cwd="/w"
    )
    denied = ev.ApprovalResolved(approval_id="a", call_id="c", decision=ReviewDecision.DENIED)
    assert Reader().shows(asked, denied) == "✗ Not allowed: run rm -rf build (nobody can be asked here)\n"


def test_tokens_and_time_stand_at_the_end():
    reader = Reader()
    reader.view.show(
        ev.TokenCount(
            input_tokens=1,
            output_tokens=1,
            total_tokens=2,
            total=TokenUsage(input_tokens=1200, cached_input_tokens=200, output_tokens=345),
        )
    )
    reader.now += 61
    text = reader.shows(ev.TaskComplete(last_agent_message="x"))
    assert text.endswith("tokens used: 1,345 (input 1,000 + 200 cached, output 345) · time: 1m01s\n")


@pytest.mark.parametrize(
    "event",
    [
        ev.AgentMessage(message="\x1b]0;owned\x07 \u202e"),
        ev.AgentReasoning(text="\x1b]0;owned\x07 \u202e"),
        ev.Warning(message="\x1b]0;owned\x07 \u202e"),
        ev.Error(message="\x1b]0;owned\x07 \u202e"),
        ev.PlanUpdate(explanation="\x1b]0;owned\x07", plan=(ev.PlanStep("\x1b]0;owned\x07", "pending"),)),
        ended("x", 1, "\x1b]0;owned\x07 \u202e"),
        ev.ImageViewed(call_id="c", path="\x1b]0;owned\x07"),
        ev.BackgroundEvent(message="\x1b]0;owned\x07"),
        ev.WebSearchEnd(call_id="c", query="\x1b]0;owned\x07"),
        ev.McpToolCallEnd(
            call_id="c",
            invocation=ev.McpInvocation("\x1b]0;", "\x1b]0;", {"\x1b]0;": "\u202e"}),
            duration=ev.Duration(0, 0),
            result={"Ok": {"content": [{"type": "text", "text": "\x1b]0;owned\x07"}]}},
        ),
    ],
)
@pytest.mark.parametrize("live", [False, True])
def test_no_text_of_a_model_or_a_tool_reaches_the_terminal_as_a_command(event: ev.EventMsg, live: bool):
    text = Reader(live=live).shows(event, ev.TaskComplete()).replace("\r\x1b[K", "")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_every_event_of_the_vocabulary_is_taken():
    from tests.support.event_samples import every_event

    reader = Reader(live=True)
    for event in every_event():
        reader.view.show(event)
    reader.view.finish()


def test_an_answer_that_streams_in_colour_says_the_same_with_its_marks_coloured() -> None:
    deltas = [ev.AgentMessageDelta(delta=piece) for piece in ("It is **", "bold** and `co", "de`.\n\n``", "`\nx\n```")]
    message = ev.AgentMessage(message="".join(delta.delta for delta in deltas))
    plain = Reader(live=True).shows(*deltas, message)
    coloured = Reader(live=True, paint=Paint(True)).shows(*deltas, message)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert "\x1b[1m**bold**\x1b[22m" in coloured
    assert "\x1b[36m`code`\x1b[39m" in coloured
