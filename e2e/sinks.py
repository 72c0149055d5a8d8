"""Every place where text of somebody else reaches the page, in one table, and the texts that are tried in each.

A sink is a name and the events (or other words of the server) that carry the text there. `UNSEEN` are the kinds of
events whose texts the page does not show.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_protocol import events as ev
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.policy import ApprovalPolicy, ReviewDecision, SandboxFacts, WorkspaceWrite
from codex_protocol.rules import RuleSuggestion

CORPUS = (
    "<img src=x onerror=\"window.hit='img'\">",
    "<script>window.hit='script'</script><!-- <b>",
    "<svg onload=window.hit='svg'><a xlink:href=javascript:window.hit=1>x</a></svg>",
    "[link](javascript:window.hit='md') [two](data:text/html,<script>alert(1)</script>) <javascript:window.hit=2>",
    "![pixel](http://evil.example/p.png) ![p]( http://127.0.0.1:9/p.png )",
    "\"'><iframe srcdoc=\"<script>parent.hit='frame'</script>\"></iframe>",
    "</textarea></pre></code></title><style>@import url(http://evil.example/a.css);*{display:none}</style>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=window.hit=3&gt;">',
    "\x1b]8;;javascript:window.hit='osc'\x07click\x1b]8;;\x07 \x1b[31m<b onmouseover=window.hit=4>red",
    "\u202egnp.exe\u2066 zero\u200bwidth \x00\x07\x9b2J",
    "{{constructor.constructor('window.hit=5')()}} ${window.hit=6} <template><slot onslotchange=window.hit=7>",
    "```html\n<form action=http://evil.example><button autofocus onfocus=window.hit=8>x</form>\n```\n| <b> |\n|-|\n",
    "【F:javascript:window.hit=9†L1】 【F:/etc/passwd†L1】 <a href='vscode://file/x' onclick=window.hit=10>",
    "@@ -1 +1 @@\n-<del onclick=window.hit=11>\n+<ins>\ndiff --git a/<x> b/<x>\n",
    "<base href=http://evil.example/><link rel=stylesheet href=http://evil.example/a.css><meta http-equiv=refresh "
    "content='0;url=http://evil.example'>",
)


def _changes(bad: str) -> dict[str, FileChange]:
    return {f"/w/{bad.replace('/', '_')[:80]}": FileChange(add=AddedFile(f"{bad}\n"))}


def _invocation(bad: str) -> ev.McpInvocation:
    return ev.McpInvocation(bad, bad, {bad: bad})


def _end(bad: str, code: int = 0) -> ev.ExecCommandEnd:
    return ev.ExecCommandEnd(
        call_id="c",
        stdout=bad,
        stderr=bad,
        aggregated_output=bad,
        exit_code=code,
        duration=ev.Duration(0, 1),
        formatted_output=bad,
    )


SINKS: dict[str, Callable[[str], list[ev.EventMsg]]] = {
    "the head: directory, branch, model, provider, name, notice": lambda bad: [
        ev.SessionConfigured(
            session_id="T",
            model=bad,
            cwd=f"/w/{bad}",
            provider=bad,
            name=bad,
            branch=bad,
            sandbox_policy=WorkspaceWrite(),
            sandbox=SandboxFacts(rung=3, summary=bad, notice=bad),
        ),
        ev.TurnContextChanged(
            cwd=f"/w/{bad}", approval_policy=ApprovalPolicy.ON_REQUEST, sandbox_policy=WorkspaceWrite(), model=bad
        ),
        ev.ThreadNameUpdated(name=bad),
    ],
    "a person's message": lambda bad: [ev.UserMessage(message=bad)],
    "the model's answer, whole": lambda bad: [ev.AgentMessage(message=bad)],
    "the model's answer, piece by piece": lambda bad: [
        *[ev.AgentMessageDelta(delta=char) for char in bad],
        ev.AgentMessage(message=bad),
    ],
    "the model's answer, broken off": lambda bad: [ev.AgentMessageDelta(delta=bad), ev.AgentReasoningSectionBreak()],
    "reasoning": lambda bad: [
        ev.AgentReasoningDelta(delta=bad),
        ev.AgentReasoning(text=bad),
        ev.AgentReasoningRawContentDelta(delta=bad),
        ev.AgentReasoningRawContent(text=bad),
    ],
    "a command and its output": lambda bad: [
        ev.ExecCommandBegin(call_id="c", command=("bash", "-lc", bad), cwd=bad),
        ev.ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=bad.encode()),
        _end(bad, 1),
    ],
    "what is typed into a command": lambda bad: [
        ev.ExecCommandBegin(call_id="t", command=(bad, bad), cwd=bad),
        ev.TerminalInteraction(call_id="t", process_id=1, stdin=bad),
    ],
    "a patch: file names and lines": lambda bad: [
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes=_changes(bad)),
        ev.PatchApplyEnd(call_id="p", stdout=bad, stderr=bad, success=False),
        ev.TurnDiff(unified_diff=bad),
    ],
    "an MCP server's name, tool and answer": lambda bad: [
        ev.McpToolCallBegin(call_id="m", invocation=_invocation(bad)),
        ev.McpToolCallEnd(
            call_id="m",
            invocation=_invocation(bad),
            duration=ev.Duration(0, 1),
            result={"Ok": {"content": [{"type": "text", "text": bad}, {"type": bad, "data": bad, "mimeType": bad}]}},
        ),
        ev.McpToolCallBegin(call_id="n", invocation=_invocation(bad)),
        ev.McpToolCallEnd(call_id="n", invocation=_invocation(bad), duration=ev.Duration(0, 1), result={"Err": bad}),
    ],
    "a web search": lambda bad: [ev.WebSearchBegin(call_id="w"), ev.WebSearchEnd(call_id="w", query=bad)],
    "an image's path": lambda bad: [ev.ImageViewed(call_id="i", path=bad)],
    "the plan": lambda bad: [ev.TaskStarted(), ev.PlanUpdate(explanation=bad, plan=(ev.PlanStep(bad, "in_progress"),))],
    "errors, warnings and remarks": lambda bad: [
        ev.Error(message=bad),
        ev.Warning(message=bad),
        ev.StreamError(message=bad),
        ev.BackgroundEvent(message=bad),
    ],
    "compaction": lambda bad: [ev.ContextCompacted(automatic=True, summary=bad)],
    "a review": lambda bad: [ev.EnteredReviewMode(hint=bad), ev.ExitedReviewMode(output={"overall_explanation": bad})],
    "what was answered": lambda bad: [
        ev.ExecApprovalRequest(call_id="c", approval_id="z", digest="d", command=(bad,), cwd=bad),
        ev.ApprovalResolved(approval_id="z", call_id="c", decision=ReviewDecision.DENIED, by=bad),
    ],
    "a question about a command, with rules": lambda bad: [
        ev.ExecApprovalRequest(
            call_id="c",
            approval_id="a",
            digest="d",
            command=("bash", "-lc", bad),
            cwd=bad,
            reason=bad,
            would_touch=(bad,),
            sandbox=SandboxFacts(rung=1, summary=bad, notice=bad),
            suggestions=(RuleSuggestion(prefixes=((bad, bad),), would_allow=(bad,)),),
        )
    ],
    "a question about a patch": lambda bad: [
        ev.ApplyPatchApprovalRequest(
            call_id="p", approval_id="b", digest="d", changes=_changes(bad), reason=bad, grant_root=bad
        )
    ],
    "a question about an MCP call": lambda bad: [
        ev.McpApprovalRequest(
            call_id="m", approval_id="e", digest="d", server=bad, tool=bad, arguments={bad: bad}, reason=bad
        )
    ],
    "an MCP server's question, form and address": lambda bad: [
        ev.ElicitationRequest(
            id="q",
            server=bad,
            message=bad,
            schema={
                "properties": {
                    "a": {"type": "string", "title": bad, "description": bad, "default": bad, "format": bad},
                    "b": {"type": "string", "enum": [bad], "enumNames": [bad]},
                }
            },
        ),
        ev.ElicitationRequest(id="u", server=bad, message=bad, mode="url", url=f"javascript:{bad}"),
        ev.ElicitationResolved(id="v", server=bad, action="cancel", by=bad),
    ],
}
"""What a thread's events bring. What else the server tells gets the same texts from `sink_page.py`."""

UNSEEN = {
    "task_complete": "the answer was told before",
    "turn_aborted": "it says why in words of ours",
    "token_count": "numbers",
    "get_history_entry_response": "the composer's, which puts it into a text field",
    "mcp_list_tools_response": "not asked for",
    "list_custom_prompts_response": "the composer's list, which is text",
    "skills_listed": "the composer's list, which is text",
    "rules_listed": "the rules dialog asks for it",
    "rules_previewed": "the rules dialog asks for it",
    "conversation_history": "not asked for",
    "shutdown_complete": "no text",
    "changes_reverted": "told in words of ours",
    "hook_started": "not shown",
    "hook_completed": "not shown",
}


def kinds_in_table() -> set[str]:
    """The kinds of events that carry a text of the table."""
    return {message.__struct_config__.tag for make in SINKS.values() for message in make("x")}  # type: ignore[misc]
