import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.hooks.definitions import EVENTS
from codex_kernel.hooks.process import Finished
from codex_kernel.hooks.results import HookResult, result_of


def said(event: str, answer: Any) -> HookResult:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return result_of(event, Finished(code=0, stdout=text))


def specific(event: str, **fields: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": event, **fields}}


@pytest.mark.parametrize(
    ("event", "answer", "result"),
    [
        ("Stop", "", HookResult()),
        ("Stop", "all is well", HookResult()),
        ("SessionStart", "be brief\n", HookResult(context="be brief")),
        ("UserPromptSubmit", "be brief", HookResult(context="be brief")),
        ("Stop", {}, HookResult()),
        ("Stop", {"decision": "block", "reason": "go on"}, HookResult(blocked="go on")),
        ("Stop", {"continue": False, "stopReason": "enough"}, HookResult(stopped=True, stop_reason="enough")),
        ("PreCompact", {"continue": False}, HookResult(stopped=True)),
        ("Interrupt", {"systemMessage": "bye", "suppressOutput": True}, HookResult(message="bye")),
        ("PostToolUse", specific("PostToolUse", additionalContext="note"), HookResult(context="note")),
        (
            "PreToolUse",
            specific("PreToolUse", permissionDecision="deny", permissionDecisionReason="no"),
            HookResult(blocked="no"),
        ),
        (
            "PreToolUse",
            specific("PreToolUse", permissionDecision="allow", updatedInput={"command": "ls"}),
            HookResult(updated_input={"command": "ls"}),
        ),
        ("PermissionRequest", specific("PermissionRequest"), HookResult()),
        (
            "PermissionRequest",
            specific("PermissionRequest", decision={"behavior": "allow"}),
            HookResult(permission="allow"),
        ),
        (
            "PermissionRequest",
            specific("PermissionRequest", decision={"behavior": "deny", "message": "not now"}),
            HookResult(permission="deny", blocked="not now"),
        ),
    ],
)
def test_an_answer_means_what_the_sheet_says(event: str, answer: Any, result: HookResult) -> None:
    assert said(event, answer) == result


@pytest.mark.parametrize("reserved", [{"updatedInput": {}}, {"updatedPermissions": []}, {"interrupt": True}])
def test_an_approval_with_words_that_are_reserved_is_a_denial(reserved: dict[str, Any]) -> None:
    decision = {"behavior": "allow", **reserved}
    assert said("PermissionRequest", specific("PermissionRequest", decision=decision)).permission == "deny"


@pytest.mark.parametrize(
    ("event", "answer"),
    [
        ("Stop", "{"),
        ("Stop", "[1]"),
        ("Stop", "[" * 50_000),
        ("Stop", {"unknown": 1}),
        ("Stop", {"decision": "approve"}),
        ("Stop", {"decision": "block"}),
        ("Stop", {"decision": "block", "reason": " "}),
        ("Stop", {"continue": "no"}),
        ("Stop", {"systemMessage": 1}),
        ("Stop", {"hookSpecificOutput": []}),
        ("Stop", specific("PreToolUse")),
        ("Stop", specific("Stop", additionalContext="x")),
        ("PreToolUse", {"decision": "approve"}),
        ("PreToolUse", {"continue": False}),
        ("PreToolUse", specific("PreToolUse", permissionDecision="allow")),
        ("PreToolUse", specific("PreToolUse", permissionDecision="ask")),
        ("PreToolUse", specific("PreToolUse", updatedInput={"command": "ls"})),
        ("PreToolUse", specific("PreToolUse", permissionDecision="allow", updatedInput="ls")),
        ("PermissionRequest", {"decision": "block", "reason": "x"}),
        ("PermissionRequest", specific("PermissionRequest", decision="allow")),
        ("PermissionRequest", specific("PermissionRequest", decision={"behavior": "maybe"})),
        ("SessionEnd", {"decision": "block", "reason": "x"}),
    ],
)
def test_an_answer_that_does_not_fit_counts_for_nothing(event: str, answer: Any) -> None:
    found = said(event, answer)
    assert found.failed
    assert found == HookResult(failed=found.failed)


@pytest.mark.parametrize(
    ("event", "finished", "result"),
    [
        ("PreToolUse", Finished(code=2, stderr="no\n"), HookResult(blocked="no")),
        ("PermissionRequest", Finished(code=2, stderr="no"), HookResult(blocked="no", permission="deny")),
    ],
)
def test_exit_2_objects_with_what_stderr_says(event: str, finished: Finished, result: HookResult) -> None:
    assert result_of(event, finished) == result


@pytest.mark.parametrize(
    ("event", "finished"),
    [
        ("PreToolUse", Finished(code=2)),
        ("SessionStart", Finished(code=2, stderr="no")),
        ("PreToolUse", Finished(code=1, stdout='{"decision":"block","reason":"x"}')),
        ("PreToolUse", Finished(failure="it took longer than 1 seconds")),
        ("PreToolUse", Finished(code=-9)),
    ],
)
def test_a_hook_that_fails_never_stops_the_work(event: str, finished: Finished) -> None:
    found = result_of(event, finished)
    assert found == HookResult(failed=found.failed)
    assert found.failed


def test_a_flood_of_context_is_cut_and_the_cut_is_marked() -> None:
    context = said("SessionStart", "x" * 1_000_000).context
    assert context is not None
    assert len(context) < 11_000
    assert context.endswith("[cut: 990000 more characters]")


_KEYS = (
    *("decision", "reason", "continue", "hookSpecificOutput", "hookEventName", "behavior", "updatedInput"),
    *("permissionDecision", "permissionDecisionReason", "additionalContext", "systemMessage", "stopReason", "x"),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(EVENTS), _JSON)
def test_any_answer_is_understood_or_counts_as_failed(event: str, answer: Any) -> None:
    found = said(event, answer)
    assert found.failed is None or found == HookResult(failed=found.failed)
