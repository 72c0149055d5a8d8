"""The decision function: every cell of the sheets' tables, the ladder, and the order of the steps."""

from pathlib import Path
from typing import Any, cast

import pytest

from codex_kernel.policy.decide import decide_command, judge
from codex_kernel.policy.decide_patch import decide_patch
from codex_kernel.policy.digest import command_digest
from codex_kernel.policy.interface import Ask, CommandQuestion, Decision, Deny, PatchQuestion, Run, Standing
from codex_kernel.policy.preflight import Survey
from codex_kernel.policy.rules import HookVerdict, RuleVerdict
from codex_protocol.file_changes import AddedFile, DeletedFile, FileChange, UpdatedFile
from codex_protocol.policy import ApprovalPolicy, DangerFullAccess, ReadOnly, SandboxPolicy, WorkspaceWrite

UNTRUSTED, ON_FAILURE = ApprovalPolicy.UNTRUSTED, ApprovalPolicy.ON_FAILURE
ON_REQUEST, NEVER = ApprovalPolicy.ON_REQUEST, ApprovalPolicy.NEVER
FULL, READ, WRITE = DangerFullAccess(), ReadOnly(), WorkspaceWrite()
NETWORK = WorkspaceWrite(network_access=True)
CWD = Path("/work-dir")
COMMAND = ("git", "commit")
PRECIOUS = Survey(touched=("/work-dir/a", "/work-dir/b"), precious=("/work-dir/a",))


def standing(approval=ON_REQUEST, sandbox: SandboxPolicy = WRITE, *, rung=1, can_ask=True, **more):
    return Standing(approval_policy=approval, sandbox_policy=sandbox, rung=rung, can_ask=can_ask, workspace=CWD, **more)


def question(argv=COMMAND, **more):
    return CommandQuestion(argv=argv, cwd=CWD, **more)


def reason(decision: Any) -> Any:
    return decision.reason


def short(decision: Decision) -> str:
    """A decision in a word, for tables."""
    match decision:
        case Run():
            word = "confined" if decision.confined else "free"
            return word + (" escalating" if decision.escalate_on_denial else "")
        case Ask():
            return "ask " + ("confined" if decision.confined else "free") + (" consent" if decision.consent else "")
        case Deny():
            return f"deny {decision.by}"


class Prefixes:
    """Rules by prefix, as `prefix_rule` makes them."""

    def __init__(self, **decisions: Any):
        self._rules = [(tuple(prefix), cast("Any", d)) for d, prefixes in decisions.items() for prefix in prefixes]

    @property
    def restricts(self):
        return any(decision != "allow" for _, decision in self._rules)

    def check(self, command):
        hits = [RuleVerdict(d, p, "because") for p, d in self._rules if tuple(command[: len(p)]) == p]
        order = ["allow", "prompt", "forbidden"]
        return max(hits, key=lambda hit: order.index(hit.decision), default=None)


@pytest.mark.parametrize(
    ("approval", "sandbox", "escalated", "expected"),
    [
        (UNTRUSTED, FULL, False, "ask free"),
        (UNTRUSTED, FULL, True, "ask free"),
        (UNTRUSTED, READ, False, "ask free"),
        (UNTRUSTED, WRITE, False, "ask free"),
        (UNTRUSTED, WRITE, True, "ask free"),
        (ON_FAILURE, FULL, False, "free"),
        (ON_FAILURE, READ, False, "confined escalating"),
        (ON_FAILURE, WRITE, False, "confined escalating"),
        (ON_FAILURE, WRITE, True, "confined escalating"),
        (ON_REQUEST, FULL, False, "free"),
        (ON_REQUEST, FULL, True, "free"),
        (ON_REQUEST, READ, False, "confined"),
        (ON_REQUEST, READ, True, "ask free"),
        (ON_REQUEST, WRITE, False, "confined"),
        (ON_REQUEST, WRITE, True, "ask free"),
        (NEVER, FULL, False, "free"),
        (NEVER, FULL, True, "free"),
        (NEVER, READ, False, "confined"),
        (NEVER, READ, True, "deny policy"),
        (NEVER, WRITE, False, "confined"),
        (NEVER, WRITE, True, "deny policy"),
    ],
)
@pytest.mark.parametrize("rung", [1, 2])
def test_commands_follow_the_sheets_table(approval, sandbox, escalated, expected, rung):
    assert short(judge(question(escalated=escalated), standing(approval, sandbox, rung=rung))) == expected


@pytest.mark.parametrize(
    ("approval", "sandbox", "escalated", "expected"),
    [
        (UNTRUSTED, FULL, False, "free"),
        (UNTRUSTED, READ, False, "confined escalating"),
        (UNTRUSTED, WRITE, False, "confined escalating"),
        (UNTRUSTED, WRITE, True, "ask free"),
        (ON_FAILURE, WRITE, False, "confined escalating"),
        (ON_REQUEST, READ, False, "confined"),
        (ON_REQUEST, READ, True, "ask free"),
        (NEVER, READ, False, "confined"),
    ],
)
def test_trusted_commands_skip_the_question_never_the_sandbox(approval, sandbox, escalated, expected):
    asked = question(("bash", "-lc", "ls && cat x"), escalated=escalated)
    assert short(judge(asked, standing(approval, sandbox))) == expected


def test_git_is_asked_about_when_nothing_would_hold_its_configuration():
    assert short(judge(question(("git", "status")), standing(UNTRUSTED, FULL))) == "ask free"
    assert short(judge(question(("git", "status")), standing(UNTRUSTED, WRITE))) == "confined escalating"


@pytest.mark.parametrize(
    ("approval", "sandbox", "consented", "can_ask", "expected"),
    [
        (ON_REQUEST, WRITE, False, True, "ask confined consent"),
        (ON_REQUEST, WRITE, True, True, "confined"),
        (ON_REQUEST, WRITE, False, False, "confined"),
        (ON_FAILURE, WRITE, True, True, "confined escalating"),
        (NEVER, WRITE, False, True, "ask confined consent"),
        (NEVER, WRITE, True, True, "confined"),
        (NEVER, WRITE, False, False, "confined"),
        (UNTRUSTED, WRITE, False, True, "ask free"),
        (ON_REQUEST, NETWORK, False, True, "ask confined"),
        (ON_REQUEST, NETWORK, True, True, "ask confined"),
        (ON_REQUEST, NETWORK, True, False, "ask confined"),
        (ON_FAILURE, NETWORK, True, True, "ask confined"),
        (NEVER, NETWORK, True, True, "deny sandbox"),
        (ON_REQUEST, FULL, False, True, "free"),
        (NEVER, FULL, False, True, "free"),
    ],
)
def test_rung_3_needs_one_consent_and_asks_for_what_has_network(approval, sandbox, consented, can_ask, expected):
    decision = judge(question(), standing(approval, sandbox, rung=3, consented=consented, can_ask=can_ask))
    assert short(decision) == expected


@pytest.mark.parametrize("rung", [4, 5])
@pytest.mark.parametrize(
    ("approval", "sandbox", "argv", "expected"),
    [
        (UNTRUSTED, WRITE, COMMAND, "ask free"),
        (ON_FAILURE, READ, COMMAND, "ask free"),
        (ON_REQUEST, WRITE, COMMAND, "ask free"),
        (ON_REQUEST, WRITE, ("ls",), "ask free"),
        (UNTRUSTED, READ, ("ls",), "ask free"),
        (NEVER, WRITE, COMMAND, "deny sandbox"),
        (NEVER, READ, ("ls",), "deny sandbox"),
        (NEVER, FULL, COMMAND, "free"),
        (ON_REQUEST, FULL, COMMAND, "free"),
    ],
)
def test_what_cannot_be_confined_asks_every_time(approval, sandbox, argv, expected, rung):
    assert short(judge(question(argv), standing(approval, sandbox, rung=rung))) == expected


@pytest.mark.parametrize("approval", list(ApprovalPolicy))
@pytest.mark.parametrize("sandbox", [FULL, READ, WRITE])
def test_a_forbidding_rule_comes_before_everything(approval, sandbox):
    free = command_digest(COMMAND, CWD, FULL)
    decision = judge(
        question(),
        standing(approval, sandbox, approved_digests=frozenset({free})),
        rules=Prefixes(forbidden=[COMMAND], allow=[COMMAND]),
        hook=HookVerdict("no"),
        lost=PRECIOUS,
    )
    assert short(decision) == "deny rule"
    assert "because" in reason(decision)


@pytest.mark.parametrize(
    "argv",
    [
        ("git", "push", "-f"),
        ("bash", "-lc", "true && git push"),
        ("bash", "-lc", 'echo "$(git push)"'),
        ("bash", "-lc", "for r in a; do git push $r; done"),
        ("bash", "-c", "g() { git push; }; g > log"),
        ("sh", "-ec", "bash -c 'git push'"),
        ("env", "A=1", "git", "push"),
        ("sudo", "timeout", "5", "git", "push"),
        ("git", "-C", "x", "push"),
        ("bash", "-lc", "eval 'git push'"),
        ("xargs", "git", "push"),
        ("find", ".", "-exec", "git", "push", "{}", ";"),
    ],
)
def test_a_forbidden_command_is_found_wherever_it_stands(argv):
    assert short(judge(question(argv), standing(), rules=Prefixes(forbidden=[("git", "push")]))) == "deny rule"


@pytest.mark.parametrize(
    "script",
    [
        "ssh host git push",
        "echo git push | bash",
        "bash <<< 'git push'",
        "$x push",
        "$'git' push",
        "alias g=git; g push",
        'eval "$x"',
        "env -S 'git push'",
        "watch git push",
    ],
)
@pytest.mark.parametrize(
    ("approval", "sandbox", "expected"),
    [
        (ON_REQUEST, WRITE, "ask confined"),
        (ON_FAILURE, WRITE, "ask confined"),
        (UNTRUSTED, WRITE, "ask free"),
        (ON_REQUEST, FULL, "ask free"),
        (NEVER, WRITE, "confined"),
    ],
)
def test_what_hides_from_rules_that_ask_or_forbid_is_asked_about(script, approval, sandbox, expected):
    argv = ("bash", "-lc", script)
    rules = Prefixes(forbidden=[("git", "push")])
    assert short(judge(question(argv), standing(approval, sandbox), rules=rules)) == expected
    free = Prefixes(allow=[("git", "push")])
    if approval is ON_REQUEST:  # rules that only allow have nothing to lose
        assert short(judge(question(argv), standing(approval, sandbox), rules=free)) in ("confined", "free")


def test_what_is_hidden_in_traps_and_behind_builtin_is_found():
    rules = Prefixes(forbidden=[("git", "push")])
    for script in ("trap 'git push' EXIT", "builtin eval 'git push'", "command eval 'git push'"):
        assert short(judge(question(("bash", "-lc", script)), standing(), rules=rules)) == "deny rule"


def test_a_hook_denies_before_rules_ask_and_after_they_forbid():
    rules = Prefixes(prompt=[COMMAND])
    assert short(judge(question(), standing(), rules=rules, hook=HookVerdict("no"))) == "deny hook"


@pytest.mark.parametrize(
    ("approval", "sandbox", "rung", "escalated", "expected"),
    [
        (ON_REQUEST, WRITE, 1, False, "ask confined"),
        (ON_REQUEST, WRITE, 1, True, "ask free"),
        (ON_REQUEST, FULL, 1, False, "ask free"),
        (ON_REQUEST, WRITE, 4, False, "ask free"),
        (ON_REQUEST, WRITE, 3, False, "ask confined consent"),
        (UNTRUSTED, WRITE, 1, False, "ask free"),
        (NEVER, WRITE, 1, False, "deny rule"),
        (NEVER, FULL, 1, False, "deny rule"),
    ],
)
def test_a_prompting_rule_asks_on_top_of_what_follows(approval, sandbox, rung, escalated, expected):
    decision = judge(
        question(escalated=escalated), standing(approval, sandbox, rung=rung), rules=Prefixes(prompt=[COMMAND])
    )
    assert short(decision) == expected


def test_a_question_that_also_gives_consent_says_what_is_accepted():
    for lost in (Survey(), PRECIOUS):
        ask = judge(question(), standing(rung=3), rules=Prefixes(prompt=[COMMAND]), lost=lost)
        assert short(ask).endswith(" consent")
        assert "rung 3" in reason(ask)
        assert "because" in reason(ask)


def test_a_prompting_rule_beats_a_more_specific_allowing_one():
    rules = Prefixes(prompt=[("git",)], allow=[("git", "commit")])
    assert short(judge(question(), standing(), rules=rules)) == "ask confined"


@pytest.mark.parametrize(("policy", "expected"), [(FULL, "free"), (WRITE, "confined")])
def test_a_command_approved_for_the_thread_runs_with_the_leash_it_was_approved_with(policy, expected):
    approved = frozenset({command_digest(COMMAND, CWD, policy)})
    for approval in (ON_REQUEST, UNTRUSTED, NEVER):
        place = standing(approval, WRITE, approved_digests=approved)
        assert short(judge(question(), place)) == expected
        assert short(judge(question(), place, rules=Prefixes(prompt=[COMMAND]))) == expected


def test_an_approval_covers_nothing_but_the_exact_command():
    place = standing(UNTRUSTED, approved_digests=frozenset({command_digest(COMMAND, CWD, FULL)}))
    assert short(judge(question((*COMMAND, "-a")), place)) == "ask free"
    assert short(judge(CommandQuestion(argv=COMMAND, cwd=CWD / "sub"), place)) == "ask free"
    assert short(judge(question(env={"A": "1"}), place)) == "ask free"


def test_an_approval_inside_the_sandbox_does_not_let_out():
    place = standing(ON_REQUEST, approved_digests=frozenset({command_digest(COMMAND, CWD, WRITE)}))
    assert short(judge(question(escalated=True), place)) == "ask free"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("make", "x"), "free"),
        (("bash", "-lc", "make x && make y | git add z"), "free"),
        (("timeout", "5", "make"), "free"),
        (("nice", "bash", "-lc", "make"), "confined"),
        (("bash", "-lc", "make; echo hi"), "confined"),
        (("bash", "-lc", "make > log"), "confined"),
        (("bash", "-lc", "make $X"), "confined"),
        (("bash", "-lc", "make *"), "confined"),
        (("bash", "-lc", "make src/*.c"), "free"),
        (("env", "A=1", "make"), "confined"),
        (("sudo", "make"), "confined"),
        (("sudo", "apt", "install"), "free"),
        (("sudo", "-u", "x", "rm"), "confined"),
        (("git", "-c", "a=b", "add"), "confined"),
        (("xargs", "make"), "confined"),
        (("ssh", "host"), "confined"),
        (("bash", "-lc", "x > y"), "free"),
        (("bash", "-c", "other > y"), "confined"),
    ],
)
def test_only_what_rules_allow_in_every_part_leaves_the_sandbox(argv, expected):
    rules = Prefixes(
        allow=[
            ("make",),
            ("git", "add"),
            ("sudo", "apt"),
            ("sudo",),
            ("xargs",),
            ("ssh",),
            ("bash", "-c"),
            ("bash", "-lc", "x > y"),
        ]
    )
    assert short(judge(question(argv), standing(), rules=rules)) == expected


@pytest.mark.parametrize(
    ("approval", "sandbox", "rung", "escalated", "expected"),
    [
        (ON_REQUEST, WRITE, 1, False, "ask confined"),
        (ON_REQUEST, WRITE, 1, True, "ask free"),
        (ON_FAILURE, WRITE, 1, False, "ask confined"),
        (UNTRUSTED, WRITE, 1, False, "ask free"),
        (NEVER, WRITE, 1, False, "deny preflight"),
        (ON_REQUEST, WRITE, 3, False, "ask confined consent"),
        (ON_REQUEST, WRITE, 5, False, "ask free"),
        (ON_REQUEST, FULL, 1, False, "free"),
        (NEVER, FULL, 1, False, "free"),
    ],
)
def test_destroying_what_cannot_be_had_back_asks(approval, sandbox, rung, escalated, expected):
    decision = judge(question(escalated=escalated), standing(approval, sandbox, rung=rung), lost=PRECIOUS)
    assert short(decision) == expected
    if not isinstance(decision, Deny):
        assert decision.would_touch == PRECIOUS.touched
    else:
        assert "/work-dir/a" in decision.reason
        assert "never" in decision.reason


def test_the_preflight_asks_although_a_rule_allows_or_the_thread_approved():
    assert short(judge(question(), standing(), rules=Prefixes(allow=[COMMAND]), lost=PRECIOUS)) == "ask free"
    for policy, expected in ((FULL, "ask free"), (WRITE, "ask confined")):
        place = standing(approved_digests=frozenset({command_digest(COMMAND, CWD, policy)}))
        assert short(judge(question(), place, lost=PRECIOUS)) == expected


def test_what_can_be_had_back_runs_and_is_recorded():
    decision = judge(question(), standing(), lost=Survey(touched=("/work-dir/a",), makes=("/work-dir/b",)))
    assert decision == Run(confined=True, would_touch=("/work-dir/a",), makes=("/work-dir/b",))


def test_outside_the_roots_the_sandbox_decides_where_there_is_one():
    outside = Survey(touched=("/etc/x",), outside=("/etc/x",))
    assert short(judge(question(), standing(), lost=outside)) == "confined"
    assert short(judge(question(), standing(), rules=Prefixes(allow=[COMMAND]), lost=outside)) == "ask free"
    approved = standing(approved_digests=frozenset({command_digest(COMMAND, CWD, FULL)}))
    assert short(judge(question(), approved, lost=outside)) == "free"


def test_targets_that_cannot_be_told_ask():
    decision = judge(question(), standing(), lost=Survey(unresolved=("$X",)))
    assert short(decision) == "ask confined"
    assert "$X" in reason(decision)


def test_many_losses_are_listed_in_short():
    paths = tuple(f"/work-dir/{n}" for n in range(1000))
    decision = judge(question(), standing(NEVER), lost=Survey(touched=paths, precious=paths, more=234))
    assert "and 1229 more" in reason(decision)


def test_a_question_nobody_answers_becomes_a_denial_with_its_cause():
    ask = judge(question(), standing(can_ask=False), lost=PRECIOUS)
    assert isinstance(ask, Ask)
    denial = ask.unanswered()
    assert denial.by == "preflight"
    assert "/work-dir/a" in denial.reason
    assert "nobody can answer" in denial.reason


@pytest.mark.parametrize("approval", list(ApprovalPolicy))
@pytest.mark.parametrize("sandbox", [FULL, READ, WRITE, NETWORK])
@pytest.mark.parametrize("rung", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("can_ask", [True, False])
@pytest.mark.parametrize("lost", [Survey(), PRECIOUS])
@pytest.mark.parametrize("escalated", [True, False])
def test_nothing_leaves_the_sandbox_unasked_unless_the_policy_is_full_access(
    approval, sandbox, rung, can_ask, lost, escalated
):
    decision = judge(question(escalated=escalated), standing(approval, sandbox, rung=rung, can_ask=can_ask), lost=lost)
    if isinstance(decision, Run) and not decision.confined:
        assert sandbox == FULL
    if isinstance(decision, Run) and rung >= 4:
        assert sandbox == FULL
    if approval is NEVER and isinstance(decision, Ask):
        assert decision.consent


async def test_a_harmless_command_is_decided_without_looking_at_the_disk():
    nowhere = Standing(
        approval_policy=ON_REQUEST, sandbox_policy=WRITE, rung=1, can_ask=True, workspace=Path("/nonexistent")
    )
    asked = CommandQuestion(argv=("make",), cwd=Path("/nonexistent"))
    assert await decide_command(asked, nowhere) == Run(confined=True)


ADD = FileChange(add=AddedFile("x"))
INSIDE, OUTSIDE = Path("/work-dir/a"), Path("/elsewhere/a")


def inside(path):
    return path.is_relative_to(CWD)


def nowhere(_path):
    return False


@pytest.mark.parametrize(
    ("approval", "sandbox", "path", "expected"),
    [
        (UNTRUSTED, READ, INSIDE, "ask confined"),
        (UNTRUSTED, WRITE, INSIDE, "ask confined"),
        (UNTRUSTED, WRITE, OUTSIDE, "ask free"),
        (UNTRUSTED, FULL, OUTSIDE, "ask free"),
        (ON_FAILURE, READ, INSIDE, "ask free"),
        (ON_FAILURE, WRITE, INSIDE, "confined"),
        (ON_FAILURE, WRITE, OUTSIDE, "ask free"),
        (ON_FAILURE, FULL, OUTSIDE, "free"),
        (ON_REQUEST, READ, INSIDE, "ask free"),
        (ON_REQUEST, WRITE, INSIDE, "confined"),
        (ON_REQUEST, WRITE, OUTSIDE, "ask free"),
        (ON_REQUEST, FULL, OUTSIDE, "free"),
        (NEVER, READ, INSIDE, "deny policy"),
        (NEVER, WRITE, INSIDE, "confined"),
        (NEVER, WRITE, OUTSIDE, "deny policy"),
        (NEVER, FULL, OUTSIDE, "free"),
    ],
)
@pytest.mark.parametrize("rung", [1, 5])
def test_patches_follow_the_sheets_table(approval, sandbox, path, expected, rung):
    may_write = nowhere if sandbox == READ else inside
    asked = PatchQuestion(changes={path: ADD}, cwd=CWD)
    decision = decide_patch(asked, standing(approval, sandbox, rung=rung), may_write=may_write)
    if approval is UNTRUSTED and sandbox == READ:
        expected = "ask free"
    assert short(decision) == expected


def test_an_empty_patch_is_refused():
    decision = decide_patch(PatchQuestion(changes={}, cwd=CWD), standing(), may_write=inside)
    assert decision == Deny("the patch is empty", "policy")


def test_a_hook_denies_a_patch():
    asked = PatchQuestion(changes={INSIDE: ADD}, cwd=CWD)
    assert short(decide_patch(asked, standing(), may_write=inside, hook=HookVerdict("no"))) == "deny hook"


@pytest.mark.parametrize(
    "changes",
    [
        {INSIDE: ADD, OUTSIDE: ADD},
        {OUTSIDE: FileChange(delete=DeletedFile(""))},
        {INSIDE: FileChange(update=UpdatedFile("", str(OUTSIDE)))},
        {INSIDE: FileChange(update=UpdatedFile("", "../elsewhere/a"))},
    ],
)
def test_every_path_a_patch_touches_counts(changes):
    decision = decide_patch(PatchQuestion(changes=changes, cwd=CWD), standing(NEVER), may_write=strictly_inside)
    assert short(decision) == "deny policy"
    assert "elsewhere" in reason(decision)


def strictly_inside(path):
    return path.is_relative_to(CWD) and ".." not in path.parts
