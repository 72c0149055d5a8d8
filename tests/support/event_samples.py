"""One event of every kind, with plain values, for tests that walk the whole vocabulary."""

from __future__ import annotations

from codex_protocol import events as ev
from codex_protocol.changes import NotReverted
from codex_protocol.file_changes import AddedFile, FileChange
from codex_protocol.policy import ApprovalPolicy, ReadOnly, ReviewDecision

_CALL = ev.McpInvocation("server", "tool", {"a": 1})
_ADD = {"/w/new": FileChange(add=AddedFile("x\n"))}


def every_event() -> list[ev.EventMsg]:
    """One of each; a test holds the list complete."""
    return [
        ev.SessionConfigured(session_id="T", model="m", cwd="/w"),
        ev.Error(message="error"),
        ev.Warning(message="warning"),
        ev.StreamError(message="cut", attempt=1, max_attempts=5),
        ev.TaskStarted(model_context_window=1000),
        ev.UserMessage(message="hi"),
        ev.TokenCount(input_tokens=1, output_tokens=1, total_tokens=2),
        ev.AgentMessageDelta(delta="hel"),
        ev.AgentMessage(message="hello"),
        ev.AgentReasoningSectionBreak(),
        ev.AgentReasoningDelta(delta="**Th"),
        ev.AgentReasoning(text="**Thought**"),
        ev.AgentReasoningRawContentDelta(delta="raw"),
        ev.AgentReasoningRawContent(text="raw"),
        ev.McpToolCallBegin(call_id="m", invocation=_CALL),
        ev.McpToolCallEnd(call_id="m", invocation=_CALL, duration=ev.Duration(0, 1), result={"Ok": {"content": []}}),
        ev.WebSearchBegin(call_id="w"),
        ev.WebSearchEnd(call_id="w", query="q"),
        ev.ExecCommandBegin(call_id="c", command=("ls",), cwd="/w"),
        ev.ExecCommandOutputDelta(call_id="c", stream="stdout", chunk=b"x"),
        ev.TerminalInteraction(call_id="c", process_id=1, stdin="y\n"),
        ev.ExecCommandEnd(
            call_id="c",
            stdout="x",
            stderr="",
            aggregated_output="x",
            exit_code=0,
            duration=ev.Duration(0, 1),
            formatted_output="x",
        ),
        ev.ExecApprovalRequest(call_id="c", approval_id="a", digest="d", command=("rm", "x"), cwd="/w"),
        ev.McpApprovalRequest(call_id="m", approval_id="e", digest="d", server="server", tool="tool"),
        ev.ElicitationRequest(id="q", server="server", message="Which one?"),
        ev.ElicitationResolved(id="q", server="server", action="cancel"),
        ev.ApplyPatchApprovalRequest(call_id="p", approval_id="b", digest="d", changes=_ADD),
        ev.ApprovalResolved(approval_id="a", call_id="c", decision=ReviewDecision.DENIED),
        ev.BackgroundEvent(message="remark"),
        ev.PatchApplyBegin(call_id="p", auto_approved=True, changes=_ADD),
        ev.PatchApplyEnd(call_id="p", stdout="ok", stderr="", success=True),
        ev.TurnDiff(unified_diff="diff"),
        ev.ChangesReverted(files=("a.py",), left=(NotReverted(path="b.py", why="it was changed since"),)),
        ev.PlanUpdate(explanation=None, plan=(ev.PlanStep("one", "pending"),)),
        ev.ImageViewed(call_id="i", path="/w/a.png"),
        ev.ContextCompacted(automatic=True, tokens_before=1000),
        ev.EnteredReviewMode(hint="of uncommitted changes"),
        ev.ExitedReviewMode(output=None),
        ev.ThreadNameUpdated(name="name"),
        ev.TurnContextChanged(cwd="/w", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=ReadOnly(), model="m"),
        ev.GetHistoryEntryResponse(offset=0, log_id=1),
        ev.McpListToolsResponse(tools={}),
        ev.ListCustomPromptsResponse(custom_prompts=()),
        ev.SkillsListed(
            skills=(ev.ListedSkill(name="pdf", description="Reads PDF", path="/s/pdf/SKILL.md", scope="user"),)
        ),
        ev.RulesListed(rules=(), user_file="/home/me/.codex/rules/default.rules"),
        ev.RulesPreviewed(prefixes=(("npm", "test"),), would_allow=("npm test",)),
        ev.ConversationHistory(conversation_id="T", entries=()),
        ev.TaskComplete(last_agent_message="hello"),
        ev.TurnAborted(),
        ev.ShutdownComplete(),
    ]
