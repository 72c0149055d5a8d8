from pathlib import Path

import pytest

from codex_kernel.policy.rule_book import Noting, RuleBook, load_rules
from codex_kernel.policy.rules_file import parse_rules
from codex_protocol.errors import ConfigError


def book(*sources: str) -> RuleBook:
    return RuleBook(parse_rules(source, f"{number}.rules") for number, source in enumerate(sources))


def decided(rules: RuleBook, command: str) -> str | None:
    verdict = rules.check(command.split())
    return verdict.decision if verdict else None


GIT = """
prefix_rule(pattern=["git", ["status", "log"]], justification="ro")
prefix_rule(pattern=["git", "push"], decision="prompt")
prefix_rule(pattern=["git", "push", "--force"], decision="forbidden", match=["git push --force x"])
prefix_rule(pattern=[["npm", "pnpm"], "test"])
"""


@pytest.mark.parametrize(
    ("command", "decision"),
    [
        ("git status", "allow"),
        ("git log --oneline -3", "allow"),
        ("git push origin", "prompt"),
        ("git push --force origin", "forbidden"),
        ("git push origin --force", "prompt"),
        ("git", None),
        ("gitk status", None),
        ("pnpm test", "allow"),
        ("yarn test", None),
        ("/usr/bin/git status", "allow"),
        ("/usr/bin/git push", "prompt"),
        ("/home/me/evil/git status", None),
        ("/usr/bin/../../tmp/git status", None),
        ("/home/me/evil/git push", "prompt"),
        ("./git push", None),
        ("/", None),
    ],
)
def test_a_command_gets_the_strictest_of_the_rules_it_begins_with(command: str, decision: str | None) -> None:
    assert decided(book(GIT), command) == decision


def test_a_longer_allow_does_not_beat_a_shorter_prompt_in_any_file() -> None:
    prompt = 'prefix_rule(["git"], "prompt", justification="look first")'
    allow = 'prefix_rule(["git", "status"])'
    for rules in (book(prompt, allow), book(allow, prompt), book(prompt + "\n" + allow)):
        verdict = rules.check(("git", "status"))
        assert verdict is not None
        assert (verdict.decision, verdict.justification, verdict.prefix) == ("prompt", "look first", ("git",))


def test_a_host_executable_says_which_paths_count_for_a_name() -> None:
    rules = book(GIT, 'host_executable(name="git", paths=["/opt/g/git"])')
    assert decided(rules, "/opt/g/git status") == "allow"
    assert decided(rules, "/usr/bin/git status") is None
    assert decided(rules, "/usr/bin/git push") is None
    assert decided(rules, "git status") == "allow"


def test_a_rule_for_the_path_itself_hides_those_for_the_name() -> None:
    rules = book('prefix_rule(["/usr/bin/git"])\nprefix_rule(["git"], "forbidden")')
    assert decided(rules, "/usr/bin/git status") == "allow"


def test_network_rules_are_kept() -> None:
    rules = book(
        'network_rule("example.org", "https", "forbidden")\n'
        'network_rule(host="localhost", protocol="http", decision="allow")'
    )
    assert [(rule.host, rule.decision) for rule in rules.network] == [("example.org", "deny"), ("localhost", "allow")]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("prefix_rule(pattern=[])", "pattern has to be a list that is not empty"),
        ('prefix_rule(pattern="git")', "pattern has to be a list that is not empty, not a string"),
        ('prefix_rule(pattern=["git", []])', "pattern has to be a list that is not empty"),
        ('prefix_rule(pattern=["git", ["a", 1]])', "pattern has to hold strings"),
        ('prefix_rule(pattern=["git", [["a"]]])', "pattern has to hold strings"),
        ('prefix_rule(pattern=["git", ""])', "pattern has to hold strings that are not empty"),
        ('prefix_rule(["git"], decision="deny")', "decision has to be one of allow, prompt, forbidden, not 'deny'"),
        ('prefix_rule(["git"], decision=None)', "decision has to be one of"),
        ('prefix_rule(["git"], justification=" ")', "justification"),
        ('prefix_rule(["git"], match=["gti x"])', "does not match its example `gti x`"),
        ('prefix_rule(["git"], match=[["gti", "x"]])', "does not match its example `gti x`"),
        ('prefix_rule(["git"], not_match=["git x"])', "matches `git x`, which it should not"),
        ('prefix_rule(["git"], match=["git \'x"])', "cannot be split"),
        ('prefix_rule(["git"], match="git")', "match has to be a list"),
        ('prefix_rule(["git"], colour="red")', "no free argument 'colour'"),
        ('prefix_rule(["git"], pattern=["x"])', "no free argument 'pattern'"),
        ("prefix_rule()", "lacks pattern"),
        ("prefix_rule(1, 2, 3, 4, 5, 6)", "takes pattern"),
        ('network_rule("*.example.org", "https", "allow")', "one concrete host"),
        ('network_rule("example.org", "ftp", "allow")', "protocol has to be one of"),
        ('network_rule("example.org")', "lacks protocol, decision"),
        ('host_executable("a/b", ["/a/b"])', "bare program name"),
        ('host_executable("git", ["git"])', "absolute paths"),
        ('host_executable("git", ["/usr/bin/gti"])', "end with /git"),
        ('prefix_rule(["git"]', "syntax"),
        ('unknown_rule(["git"])', "there is no unknown_rule"),
    ],
)
def test_a_wrong_file_is_refused_with_path_and_line(source: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rules("# first\n\n" + source, "/home/me/x.rules")
    assert str(caught.value).startswith("/home/me/x.rules:3: ")
    assert words in str(caught.value)
    assert caught.value.line == 3


def test_too_many_rules_are_refused() -> None:
    with pytest.raises(ConfigError, match="more than 5000"):
        parse_rules('[prefix_rule(["a"]) for i in range(5001)]', "x.rules")


def test_layers_add_up_and_only_their_rules_files_are_read(tmp_path: Path) -> None:
    user, project = tmp_path / "user", tmp_path / "project"
    for folder in (user, project):
        (folder / "rules").mkdir(parents=True)
    (user / "rules" / "b.rules").write_text('prefix_rule(["b"])')
    (user / "rules" / "a.rules").write_text('prefix_rule(["a"])')
    (user / "rules" / "notes.txt").write_text("(((")
    (user / "rules" / ".#a.rules").write_text("(((")
    (project / "rules" / "p.rules").write_text('prefix_rule(["a"], "forbidden")')
    rules = load_rules([user, project, tmp_path / "none"])
    assert [rule.pattern for rule in rules.rules] == [(("a",),), (("b",),), (("a",),)]
    assert decided(rules, "a") == "forbidden"


def test_of_a_file_that_does_not_count_in_full_only_what_forbids_and_asks_does(tmp_path: Path) -> None:
    path = tmp_path / "rules" / "x.rules"
    path.parent.mkdir()
    path.write_text(
        'prefix_rule(["a"])\nprefix_rule(["b"], "prompt")\nprefix_rule(["c"], "forbidden")\n'
        'host_executable("ls", ["/tmp/ls"])\n'
    )
    rules = load_rules([tmp_path], lambda file, text: file != path or text != path.read_text())
    assert [decided(rules, word) for word in ("a", "b", "c")] == [None, "prompt", "forbidden"]
    allowing = rules.with_rules(parse_rules('prefix_rule(["ls"])', "y.rules").rules)
    assert decided(allowing, "/tmp/ls") is None


@pytest.mark.parametrize("made", ["folder", "binary", "pipe", "long"])
def test_what_is_no_rules_file_is_refused_and_not_waited_for(tmp_path: Path, made: str) -> None:
    import os

    path = tmp_path / "rules" / "x.rules"
    path.parent.mkdir()
    match made:
        case "folder":
            path.mkdir()
        case "binary":
            path.write_bytes(b"# ok\n\xff\n")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.write_bytes(b"#" * 600_000)
    with pytest.raises(ConfigError, match=r"x\.rules"):
        load_rules([tmp_path])


def test_what_spoke_to_a_question_is_noted() -> None:
    noting = Noting(book(GIT))
    noting.check(("git", "push", "--force"))
    noting.check(("ls",))
    assert [rule.line for rule in noting.spoke.values()] == [3, 4]


def test_rules_kept_in_a_file_instead_of_a_folder_are_not_lost_silently(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text('prefix_rule(["rm"], decision="forbidden")')
    with pytest.raises(ConfigError, match="rules are read from a folder of that name"):
        load_rules([tmp_path])
    assert load_rules([tmp_path / "rules"]).rules == ()  # the settings folder itself is none
