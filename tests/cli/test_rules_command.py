import json
from pathlib import Path

import pytest

from codex_cli.main import main

RULES = 'prefix_rule(["git", ["status", "log"]], justification="ro")\nprefix_rule(["git"], "prompt")\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(folder))
    monkeypatch.chdir(work)
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_the_check_prints_every_rule_that_matches_and_the_strictest_decision(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.rules"
    file.write_text(RULES)
    check = ("execpolicy", "check", "-r", str(file))
    assert json.loads(said(capsys, *check, "git", "status", "--short")) == {
        "matchedRules": [
            {"prefixRuleMatch": {"matchedPrefix": ["git", "status"], "decision": "allow", "justification": "ro"}},
            {"prefixRuleMatch": {"matchedPrefix": ["git"], "decision": "prompt"}},
        ],
        "decision": "prompt",
    }
    assert said(capsys, *check, "ls", "-r") == '{"matchedRules":[]}\n'
    assert said(capsys, *check, "/usr/bin/git", "log") == '{"matchedRules":[]}\n'
    resolved = json.loads(said(capsys, *check, "--resolve-host-executables", "--pretty", "/usr/bin/git", "push"))
    assert resolved["matchedRules"][0]["prefixRuleMatch"]["resolvedProgram"] == "/usr/bin/git"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("execpolicy", "check", "ls"), 2, "--rules"),
        (("execpolicy", "check", "-r", "none.rules"), 2, "COMMAND"),
        (("execpolicy", "check", "-r", "none.rules", "ls"), 1, "none.rules"),
        (("execpolicy",), 2, "subcommand"),
        (("rules", "add"), 2, "WORD"),
        (("rules", "add", "--decision", "deny", "ls"), 2, "deny"),
        (("rules", "add", "bash", "-c"), 1, "would let anything run"),
        (("rules", "remove"), 2, "--at"),
        (("rules", "remove", "ls"), 1, "none of your own rules"),
        (("rules", "remove", "--at", "x:1", "ls"), 2, "--at"),
        (("hooks", "trust"), 2, "--all"),
        (("hooks", "trust", "7"), 1, "no hook 7"),
        (("hooks", "untrust", "--all", "1"), 2, "--all"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    text = said(capsys, *arguments, code=code)
    assert words in text
    assert "Traceback" not in text


def test_rules_are_added_listed_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "rules", "add", "--justification", "safe", "npm", "run", "--if-present")
    said(capsys, "rules", "add", "--decision", "forbidden", "rm")
    assert "already" in said(capsys, "rules", "add", "--decision", "forbidden", "rm")
    listed = json.loads(said(capsys, "rules", "list", "--json"))
    assert [(rule["pattern"], rule["decision"], rule["hits"]) for rule in listed] == [
        ([["npm"], ["run"], ["--if-present"]], "allow", 0),
        ([["rm"]], "forbidden", 0),
    ]
    assert "npm run --if-present  (safe)" in said(capsys, "rules", "list")
    place = f"{listed[1]['file']}:{listed[1]['line']}"
    said(capsys, "rules", "remove", "--at", place)
    said(capsys, "rules", "remove", "npm", "run", "--if-present")
    assert json.loads(said(capsys, "rules", "list", "--json")) == []


def test_a_projects_rules_count_only_when_it_is_trusted_and_are_not_edited(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work"
    (work / ".git").mkdir()
    (work / ".codex" / "rules").mkdir(parents=True)
    (work / ".codex" / "rules" / "p.rules").write_text('prefix_rule(["make"])')
    assert json.loads(said(capsys, "rules", "list", "--json")) == []
    (home / "config.toml").write_text(f'[projects."{work}"]\ntrust_level = "trusted"\n')
    assert [rule["pattern"] for rule in json.loads(said(capsys, "rules", "list", "--json"))] == [[["make"]]]
    assert "none of your own" in said(capsys, "rules", "remove", "make", code=1)


def test_hooks_are_listed_trusted_and_not_trusted_when_what_they_run_changes(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status() -> str:
        return json.loads(said(capsys, "hooks", "list", "--json"))["hooks"][0]["status"]

    script = tmp_path / "work" / "check.sh"
    script.write_text("exit 0\n")
    hook = {"type": "command", "command": "sh ./check.sh"}
    (home / "hooks.json").write_text(json.dumps({"hooks": {"Stop": [{"hooks": [hook]}]}}))
    (home / "config.toml").write_text("# mine\n")
    assert status() == "untrusted"
    said(capsys, "hooks", "trust", "1")
    assert status() == "trusted"
    assert (home / "config.toml").read_text().startswith("# mine\n")
    script.write_text("exit 1\n")
    assert status() == "modified"
    said(capsys, "hooks", "trust", "--all")
    assert status() == "trusted"
    hook["timeout"] = 5  # pyright: ignore
    (home / "hooks.json").write_text(json.dumps({"hooks": {"Stop": [{"hooks": [hook]}]}}))
    assert status() == "modified"
    said(capsys, "hooks", "untrust", "1")
    assert status() == "untrusted"
