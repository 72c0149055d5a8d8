import asyncio
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import ConfigLayer
from codex_kernel.core.commands_so_far import commands_so_far
from codex_kernel.model.scripted import calls, says
from codex_protocol.errors import ConfigError
from codex_protocol.events import (
    ApprovalResolved,
    BackgroundEvent,
    Error,
    ExecApprovalRequest,
    ExecCommandBegin,
    RulesListed,
    RulesPreviewed,
    Warning,
)
from codex_protocol.items import FunctionCall, FunctionCallOutput, LocalShellAction, LocalShellCall
from codex_protocol.ops import AddRules, ExecApproval, ListRules, PreviewRules, RemoveRule
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, WorkspaceWrite
from codex_protocol.rules import RuleAmendment
from tests.support.threads import Watched, running

ASKING: dict[str, Any] = {"approval_policy": ApprovalPolicy.UNTRUSTED, "sandbox_policy": WorkspaceWrite()}


def rules_in(folder: Path, text: str) -> dict[str, Any]:
    """Settings of a thread whose user has these rules."""
    file = folder / "home" / "rules" / "default.rules"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return layers_of(folder)


def layers_of(folder: Path) -> dict[str, Any]:
    return {"layers": (ConfigLayer(kind="user", folder=folder / "home"),)}


def run(line: str) -> Any:
    return calls("exec_command", {"cmd": line, "login": False})


def outputs(watched: Watched) -> list[str]:
    return [item.text() for item in watched.thread.items if isinstance(item, FunctionCallOutput)]


async def test_a_command_that_rules_allow_runs_unasked_and_outside_the_sandbox(tmp_path: Path) -> None:
    config = ASKING | rules_in(tmp_path, 'prefix_rule(["touch"])')
    async with running(tmp_path, [run("touch a"), run("touch b; expr 1")], [says("ok")], can_ask=True, **config) as w:
        turn = asyncio.create_task(w.turn())
        asked = await w.until(ExecApprovalRequest)
        assert asked.command[-1] == "touch b; expr 1"
        w.thread.submit(ExecApproval(id=asked.approval_id, decision=ReviewDecision.DENIED))
        await turn
        assert [(begin.command[-1], begin.sandboxed) for begin in w.all(ExecCommandBegin)] == [("touch a", False)]


async def test_a_command_that_a_rule_forbids_does_not_run_and_the_model_reads_why(tmp_path: Path) -> None:
    config = rules_in(tmp_path, 'prefix_rule(["git", "push"], "forbidden", justification="releases are made by CI")')
    async with running(tmp_path, [run("git push"), run("echo $(git push)")], [says("ok")], **config) as w:
        await w.turn()
        assert w.sandbox.commands == []
        assert all("git push" in text and "releases are made by CI" in text for text in outputs(w))


async def test_a_rule_that_prompts_asks_even_where_nothing_else_would(tmp_path: Path) -> None:
    config = rules_in(tmp_path, 'prefix_rule(["ls"], "prompt")') | {
        "approval_policy": ApprovalPolicy.ON_REQUEST,
        "sandbox_policy": WorkspaceWrite(),
    }
    async with running(tmp_path, [run("ls")], [says("ok")], can_ask=True, **config) as w:
        turn = asyncio.create_task(w.turn())
        asked = await w.until(ExecApprovalRequest)
        assert asked.suggestions == ()
        w.thread.submit(ExecApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED))
        await turn
        assert len(w.sandbox.commands) == 1


async def test_rules_that_cannot_be_used_stop_the_thread_before_it_starts(tmp_path: Path) -> None:
    config = rules_in(tmp_path, "prefix_rule(\n")
    with pytest.raises(ConfigError, match=r"default\.rules:1: "):
        async with running(tmp_path, [says("ok")], **config):
            pass


async def test_rules_that_are_to_be_ignored_are_not_even_read(tmp_path: Path) -> None:
    config = rules_in(tmp_path, "prefix_rule(\n")
    async with running(tmp_path, [says("ok")], ignore_rules=True, **config) as w:
        await w.turn()
        w.thread.submit(AddRules(rules=(RuleAmendment(prefix=("ls",)),)))
        assert "--ignore-rules" in (await w.until(Error)).message


async def test_always_allow_offers_breadths_with_a_preview_and_the_next_command_runs_unasked(tmp_path: Path) -> None:
    script = [[run("expr 1")], [run("uniq --version")], [run("make -v")], [run("make -q x")], [says("ok")]]
    async with running(tmp_path, *script, can_ask=True, **ASKING, **layers_of(tmp_path)) as w:
        turn = asyncio.create_task(w.turn())
        asked = await w.until(ExecApprovalRequest)
        assert [suggestion.prefixes for suggestion in asked.suggestions] == [(("make", "-v"),), (("make",),)]
        assert asked.suggestions[1].would_allow == ("make -v",)
        amendment = RuleAmendment(prefix=asked.suggestions[1].prefixes[0])
        op = ExecApproval(id=asked.approval_id, decision=ReviewDecision.APPROVED, amendments=(amendment,), by="test")
        w.thread.submit(op)
        await turn
        assert len(w.all(ExecApprovalRequest)) == 1
        assert [begin.command[-1] for begin in w.all(ExecCommandBegin)][-2:] == ["make -v", "make -q x"]
        file = tmp_path / "home" / "rules" / "default.rules"
        assert file.read_text() == 'prefix_rule(pattern=["make"], decision="allow")\n'
        assert str(file) in w.all(BackgroundEvent)[0].message


@pytest.mark.parametrize(
    ("answer", "amendment"),
    [
        (ReviewDecision.APPROVED, RuleAmendment(prefix=("bash", "-c"))),
        (ReviewDecision.APPROVED, RuleAmendment(prefix=("make",), decision="forbidden")),
        (ReviewDecision.DENIED, RuleAmendment(prefix=("make",))),
        (ReviewDecision.APPROVED, RuleAmendment(prefix=())),
    ],
)
async def test_a_rule_that_cannot_be_is_said_so_and_the_answer_still_counts(
    tmp_path: Path, answer: ReviewDecision, amendment: RuleAmendment
) -> None:
    async with running(tmp_path, [run("make -v")], [says("ok")], can_ask=True, **ASKING, **layers_of(tmp_path)) as w:
        turn = asyncio.create_task(w.turn())
        asked = await w.until(ExecApprovalRequest)
        w.thread.submit(ExecApproval(id=asked.approval_id, decision=answer, amendments=(amendment,)))
        await turn
        assert w.all(ApprovalResolved)[0].decision is answer
        assert "No rule was added" in w.all(Warning)[0].message
        assert not (tmp_path / "home" / "rules").exists()


async def test_an_answer_that_comes_too_late_adds_no_rule(tmp_path: Path) -> None:
    async with running(tmp_path, [says("ok")], **layers_of(tmp_path)) as w:
        amendment = RuleAmendment(prefix=("make",))
        w.thread.submit(ExecApproval(id="gone", decision=ReviewDecision.APPROVED, amendments=(amendment,)))
        await w.until(Warning)
        assert not (tmp_path / "home" / "rules").exists()


async def test_rules_are_listed_with_hits_previewed_added_and_removed(tmp_path: Path) -> None:
    config = rules_in(tmp_path, '# mine\nprefix_rule(["true"])\n')
    async with running(tmp_path, [run("true"), run("true x"), run("false")], [says("ok")], **config) as w:
        await w.turn()
        w.thread.submit(ListRules())
        listed = await w.until(RulesListed)
        assert [(rule.pattern, rule.hits, rule.line) for rule in listed.rules] == [((("true",),), 2, 2)]
        w.thread.submit(PreviewRules(prefixes=(("false",), ())))
        assert (await w.until(RulesPreviewed)).would_allow == ("false",)
        w.thread.submit(AddRules(rules=(RuleAmendment(prefix=("false",), decision="prompt"),)))
        assert [rule.decision for rule in (await w.until(RulesListed, 2)).rules] == ["allow", "prompt"]
        first = listed.rules[0]
        w.thread.submit(RemoveRule(file=first.file, line=first.line, pattern=(("other",),)))
        assert "not there any more" in (await w.until(Error)).message
        w.thread.submit(RemoveRule(file=first.file, line=first.line, pattern=first.pattern))
        assert [rule.decision for rule in (await w.until(RulesListed, 3)).rules] == ["prompt"]
        w.thread.submit(RemoveRule(file=str(tmp_path / "other.rules"), line=1, pattern=first.pattern))
        assert "none of your own" in (await w.until(Error, 2)).message


def test_the_commands_so_far_are_told_newest_first_and_broken_calls_left_out() -> None:
    def call(name: str, arguments: str) -> FunctionCall:
        return FunctionCall(name=name, arguments=arguments, call_id="c")

    local = LocalShellCall(call_id="l", status="completed", action=LocalShellAction(command=("ls",)))
    items = [
        call("exec_command", '{"cmd": "a", "login": false, "shell": "/bin/sh"}'),
        call("shell", '{"command": ["b", "c"]}'),
        local,
        call("exec_command", '{"cmd": "d"}'),
        local,
        call("exec_command", "{"),
        call("exec_command", "[]"),
        call("exec_command", '{"cmd": 1}'),
        call("shell", '{"command": [1]}'),
        call("view_image", '{"path": "x"}'),
    ]
    assert commands_so_far(items) == (("ls",), ("/bin/bash", "-lc", "d"), ("b", "c"), ("/bin/sh", "-c", "a"))
