import pytest

from codex_kernel.policy.rule_book import RuleBook
from codex_kernel.policy.rule_suggestions import is_banned, suggestions, would_allow
from codex_kernel.policy.rules_file import parse_rules

EMPTY = RuleBook()


def offered(*argv: str, rules: str = "") -> list[list[str]]:
    found = suggestions(argv, RuleBook([parse_rules(rules, "x")]) if rules else EMPTY)
    return [[" ".join(prefix) for prefix in suggestion.prefixes] for suggestion in found]


def script(text: str) -> tuple[str, str, str]:
    return ("/bin/bash", "-lc", text)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("npm", "run", "test", "--", "-x"), [["npm run test -- -x"], ["npm run test"], ["npm run"], ["npm"]]),
        (("cargo", "build", "--release"), [["cargo build --release"], ["cargo build"], ["cargo"]]),
        (("git", "push", "origin", "main"), [["git push origin main"], ["git push origin"], ["git push"]]),
        (("make",), [["make"]]),
        (("python3", "-c", "print(1)"), [["python3 -c print(1)"]]),
        (("python3", "setup.py", "install"), [["python3 setup.py install"]]),
        (("rm", "-rf", "build"), [["rm -rf build"]]),
        (script("npm test"), [["npm test"], ["npm"]]),
        (script("cd web && npm test"), [["cd web", "npm test"], ["cd", "npm"]]),
        (script("npm test | tee log"), [["npm test", "tee log"], ["npm", "tee"]]),
        (script("echo $(date)"), [["/bin/bash -lc echo $(date)"]]),
        (script("a; b; c; d; e"), []),
        (("env", "A=1", "make"), [["env A=1 make"]]),
        (("x" * 400,), [["x" * 400]]),
        (("curl", "x" * 400), [["curl"]]),
        (("bash", "-lc", "x $(" + "y" * 400 + ")"), []),
    ],
)
def test_rules_are_offered_from_narrow_to_broad_and_never_an_interpreter(
    argv: tuple[str, ...], expected: list[list[str]]
) -> None:
    assert offered(*argv) == expected


def test_only_what_rules_do_not_allow_yet_needs_one() -> None:
    assert offered(*script("cd web && npm test"), rules='prefix_rule(["cd"])') == [["npm test"], ["npm"]]


def test_no_rule_is_offered_that_would_not_let_the_command_run() -> None:
    assert offered("npm", "test", rules='prefix_rule(["npm"], "prompt")') == []


@pytest.mark.parametrize(
    "prefix",
    [
        *(
            "",
            "python3",
            "python3.12 -",
            "python3 -m",
            "bash -lc",
            "sudo -n",
            "/usr/bin/env -i",
            "git",
            "npx",
            "node -e",
        ),
        *("npm exec", "npm exec --", "pnpm dlx", "uv run", "docker", "docker run -it", "nix run", "bundle exec"),
    ],
)
def test_a_rule_for_what_runs_anything_is_banned(prefix: str) -> None:
    assert is_banned(prefix.split())


@pytest.mark.parametrize(
    "prefix", ["git status", "python3 -m pytest", "bash run.sh", "npm", "env A=1 make", "uv run pytest", "npm run"]
)
def test_a_rule_that_names_what_is_run_is_not(prefix: str) -> None:
    assert not is_banned(prefix.split())


def test_the_preview_tells_what_else_would_have_run() -> None:
    earlier = [script("npm test"), ("npm", "ci"), ("ls",), script("npm test; ls"), ("npm", "ci"), ("git", "status")]
    rules = RuleBook([parse_rules('prefix_rule(["git"])', "x")])
    assert would_allow([("npm",)], rules, earlier) == ("npm test", "npm ci")
    assert would_allow([("npm", "test")], rules, earlier) == ("npm test",)
    assert would_allow([("git",)], rules, earlier) == ()
