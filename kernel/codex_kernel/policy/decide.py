"""The decision function for commands: may this one run, and how.

Source: design section 5, "The decision function"; spec/approvals-and-sandbox.md sections 2 and 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_kernel.policy.digest import command_digest
from codex_kernel.policy.interface import Ask, CommandQuestion, Decision, Deny, Run, Standing, unless_never
from codex_kernel.policy.preflight import CLEAR, Survey, survey
from codex_kernel.policy.rules import HookVerdict, NoRules, Rules
from codex_kernel.policy.ruling import allowed_by_rules, is_hidden_from_rules, ruling
from codex_kernel.policy.sentences import capital, listed
from codex_kernel.policy.trusted import is_trusted
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess, SandboxPolicy, has_network

if TYPE_CHECKING:
    from codex_kernel.policy.worktree import WorkTree

_NO_RULES = NoRules()
_NO_HOOKS = HookVerdict()
_UNSEEN = "it cannot be seen what it runs, and there are rules that ask or forbid"
_LEAVING = "leaving the sandbox needs approval"


async def decide_command(
    question: CommandQuestion,
    standing: Standing,
    *,
    rules: Rules = _NO_RULES,
    hook: HookVerdict = _NO_HOOKS,
    worktree: WorkTree | None = None,
) -> Decision:
    """Whether a command may run, and how.

    Looks at the disk, and at git through `worktree`, only for commands that remove or overwrite files.

    Args:
        question: The command.
        standing: What the thread and the machine bring to it.
        rules: The user's `.rules`.
        hook: What hooks said before.
        worktree: git's facts; None where there is no git: nothing then counts as tracked or ignored.
    """
    return judge(question, standing, rules=rules, hook=hook, lost=await survey(question, standing, worktree))


def judge(
    question: CommandQuestion,
    standing: Standing,
    *,
    rules: Rules = _NO_RULES,
    hook: HookVerdict = _NO_HOOKS,
    lost: Survey = CLEAR,
) -> Decision:
    """`decide_command` without input or output: `lost` is what the pre-flight found. First that applies wins."""
    full = isinstance(standing.sandbox_policy, DangerFullAccess)
    verdict = ruling(question.argv, rules)
    if verdict is not None and verdict.decision == "forbidden":
        return Deny(_sentence("a rule forbids it", verdict.justification, verdict.prefix), "rule")
    if hook.denied is not None:
        return Deny(hook.denied, "hook")
    later = _after_preflight(question, standing, rules)
    if isinstance(later, Deny):
        return later
    if verdict is not None and verdict.decision == "prompt" and not _approved(question, standing):
        why = _sentence("a rule wants it approved", verdict.justification, verdict.prefix)
        return unless_never(_rule_question(why, later, lost, standing), standing)
    if _asks_as_unseen(question, standing, rules, later):
        return _rule_question(_UNSEEN, later, lost, standing)
    if full:
        return _noted(later, lost)
    if not _holds_back(lost, later, question, standing):
        return _noted(later, lost)
    return unless_never(_preflight_question(later, lost), standing)


def _after_preflight(question: CommandQuestion, standing: Standing, rules: Rules) -> Decision:
    """Steps 5 to 7."""
    full = isinstance(standing.sandbox_policy, DangerFullAccess)
    if _approved(question, standing, confined=False) or allowed_by_rules(question.argv, rules):
        return Run(confined=False)
    if full:
        trusted = is_trusted(question.argv, confined=False)
        if standing.approval_policy is ApprovalPolicy.UNTRUSTED and not trusted:
            return Ask(question.justification, confined=False)
        return Run(confined=False)
    if _approved(question, standing, confined=True) and standing.rung <= 3 and not question.escalated:
        return Run(confined=True)
    if standing.rung >= 4:
        return unless_never(_unconfinable(question, standing), standing)
    by_policy = _by_policy(question, standing)
    if isinstance(by_policy, Run):
        return _on_rung_3(by_policy, standing) if standing.rung == 3 else by_policy
    return unless_never(by_policy, standing)


def _by_policy(question: CommandQuestion, standing: Standing) -> Run | Ask:
    """A confining sandbox policy that this machine enforces."""
    match standing.approval_policy:
        case ApprovalPolicy.NEVER:
            if question.escalated:
                return Ask(question.justification, confined=False, why=_LEAVING)
            return Run(confined=True)
        case ApprovalPolicy.ON_FAILURE:
            return Run(confined=True, escalate_on_denial=True)
        case ApprovalPolicy.ON_REQUEST:
            if question.escalated:
                return Ask(question.justification, confined=False, why=_LEAVING)
            return Run(confined=True)
        case ApprovalPolicy.UNTRUSTED:
            if not question.escalated and is_trusted(question.argv):
                return Run(confined=True, escalate_on_denial=True)
            why = "the approval policy asks before every command that is not known to be harmless"
            return Ask(question.justification, confined=False, why=why)


def _on_rung_3(run: Run, standing: Standing) -> Decision:
    """Landlock and seccomp alone: after one consent; what has network could reach our own server's credentials."""
    if has_network(standing.sandbox_policy):
        why = "with network it could reach this agent's own sockets and credentials, which cannot be hidden here"
        return unless_never(Ask(capital(why) + ".", confined=True, by="sandbox", why=why), standing)
    if standing.can_ask and not standing.consented:
        reason = (
            "Commands can only be confined by Landlock and seccomp on this machine (rung 3): files outside the "
            "writable directories stay readable and their modes and times changeable. Approving accepts that."
        )
        why = "this machine's weaker confinement (rung 3) was not accepted yet"
        return Ask(reason, confined=True, by="sandbox", why=why, consent=True)
    return run


def _unconfinable(question: CommandQuestion, standing: Standing) -> Ask:
    why = f"commands cannot be confined on this machine (rung {standing.rung}), so each one needs approval"
    reason = f"{question.justification} ({why})" if question.justification else capital(why) + "."
    return Ask(reason, confined=False, by="sandbox", why=why)


def _approved(question: CommandQuestion, standing: Standing, *, confined: bool | None = None) -> bool:
    """Whether this exact command was approved for the thread, with (True), without (False) or with either leash."""
    if not standing.approved_digests:
        return False
    policies: list[SandboxPolicy] = []
    if confined is not True:
        policies.append(DangerFullAccess())
    if confined is not False:
        policies.append(standing.sandbox_policy)
    return any(
        command_digest(question.argv, question.cwd, policy, question.env) in standing.approved_digests
        for policy in policies
    )


def _holds_back(lost: Survey, later: Run | Ask, question: CommandQuestion, standing: Standing) -> bool:
    """Whether what would go must be asked for. Outside the roots the sandbox decides, where there is one."""
    if lost.precious or lost.unresolved:
        return True
    unconfined = isinstance(later, Run) and not later.confined
    return unconfined and bool(lost.outside) and not _approved(question, standing, confined=False)


def _preflight_question(later: Run | Ask, lost: Survey) -> Ask:
    paths = lost.precious or lost.outside
    if paths:
        what = f"it would destroy what cannot be had back: {listed(paths, lost.more)}"
    else:
        what = f"it cannot be told what it would destroy: {listed(lost.unresolved, 0)}"
    reason = capital(what) + "."
    if isinstance(later, Ask) and later.reason:
        reason = f"{reason} {later.reason}"
    return Ask(
        reason,
        confined=later.confined,
        would_touch=lost.touched,
        by="preflight",
        why=what,
        consent=isinstance(later, Ask) and later.consent,
        makes=lost.makes,
    )


def _asks_as_unseen(question: CommandQuestion, standing: Standing, rules: Rules, later: Run | Ask) -> bool:
    """Where people are asked at all, what hides from rules that ask or forbid is theirs to judge.

    Where they are not, the sandbox holds it: to refuse would stop every script with a variable for a program.
    """
    if isinstance(later, Ask) or standing.approval_policy is ApprovalPolicy.NEVER or _approved(question, standing):
        return False
    return is_hidden_from_rules(question.argv, rules) and not allowed_by_rules(question.argv, rules)


def _rule_question(why: str, later: Run | Ask, lost: Survey, standing: Standing) -> Ask:
    """A question on top of what would follow without the rule; it lists losses as the pre-flight does."""
    more = f" {later.reason}" if isinstance(later, Ask) and later.reason else ""
    asked = Ask(
        f"{capital(why)}.{more}",
        confined=later.confined,
        would_touch=lost.touched,
        by="rule",
        why=why,
        consent=isinstance(later, Ask) and later.consent,
        makes=lost.makes,
    )
    if isinstance(standing.sandbox_policy, DangerFullAccess) or not (lost.precious or lost.unresolved):
        return asked
    return msgspec.structs.replace(_preflight_question(asked, lost), by="rule", why=why)


def _noted(decision: Run | Ask, lost: Survey) -> Decision:
    return msgspec.structs.replace(decision, would_touch=lost.touched, makes=lost.makes)


def _sentence(what: str, justification: str | None, prefix: tuple[str, ...]) -> str:
    return f"{what} (`{' '.join(prefix)}`): {justification}" if justification else f"{what} (`{' '.join(prefix)}`)"
