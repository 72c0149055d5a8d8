import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.policy.rule_edit import append_rules, remove_rule, rule_of
from codex_kernel.policy.rule_hits import RuleHits
from codex_kernel.policy.rules_file import PrefixRule, parse_rules
from codex_protocol.errors import ConfigError
from codex_protocol.rules import RuleAmendment

SOURCE = """# mine
prefix_rule(["a"])  # about a

prefix_rule(
    pattern = ["b"],  # inside
    decision = "prompt",
)
# about c
for w in ["c"]:
    prefix_rule([w])
prefix_rule(["d"]); prefix_rule(["e"])
"""


def rule(*words: str, **more: str) -> PrefixRule:
    return rule_of(RuleAmendment(prefix=words, **more))


def test_a_rule_is_appended_as_one_line_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "rules" / "default.rules"
    assert append_rules(file, [rule("echo", "one")])
    assert file.read_text() == 'prefix_rule(pattern=["echo", "one"], decision="allow")\n'
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("# kept\nx = 1  # no line end")
    append_rules(file, [rule("a", 'q"\\', decision="prompt", justification="why\nnot")])
    assert file.read_text().startswith("# kept\nx = 1  # no line end\nprefix_rule(")
    assert [found.justification for found in parse_rules(file.read_text(), "x").rules] == ["why\nnot"]


def test_a_rule_that_is_there_already_is_not_written_twice(tmp_path: Path) -> None:
    file = tmp_path / "default.rules"
    append_rules(file, [rule("a")])
    assert append_rules(file, [rule("a"), rule("b")]) == (rule("b"),)
    assert append_rules(file, [rule("a")]) == ()
    assert len(file.read_text().splitlines()) == 2


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_any_words_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    file = tmp_path_factory.mktemp("rules") / "default.rules"
    made = PrefixRule(pattern=tuple((word,) for word in words), decision="allow")
    try:
        append_rules(file, [made])
    except (ConfigError, UnicodeEncodeError):
        return
    assert [found.pattern for found in parse_rules(file.read_bytes().decode(), "x").rules] == [made.pattern]


@pytest.mark.parametrize("words", [(), ("",), ("a", ""), ("python3",), ("bash", "-c"), ("a\ud800",)])
def test_a_rule_for_nothing_for_everything_or_for_no_text_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        rule(*words)


def test_an_interpreter_may_be_forbidden() -> None:
    assert rule("python3", decision="forbidden").decision == "forbidden"


def test_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "default.rules"
    file.write_text("prefix_rule(")
    with pytest.raises(ConfigError, match=r"default\.rules:1"):
        append_rules(file, [rule("a")])
    assert file.read_text() == "prefix_rule("
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("line", "gone"),
    [(2, 'prefix_rule(["a"])  # about a\n'), (4, SOURCE[SOURCE.index("prefix_rule(\n") : SOURCE.index("# about c")])],
)
def test_a_rule_is_taken_out_with_its_lines_and_nothing_else(tmp_path: Path, line: int, gone: str) -> None:
    file = tmp_path / "x.rules"
    file.write_text(SOURCE)
    file.chmod(0o644)
    removed = remove_rule(file, line)
    assert removed.line == line
    assert file.read_text() == SOURCE.replace(gone, "")
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(("line", "words"), [(10, "by hand"), (11, "by hand"), (1, "no rule begins"), (99, "no rule")])
def test_what_is_no_plain_call_of_its_own_is_left_to_the_person(tmp_path: Path, line: int, words: str) -> None:
    file = tmp_path / "x.rules"
    file.write_text(SOURCE)
    with pytest.raises(ConfigError, match=words):
        remove_rule(file, line)
    assert file.read_text() == SOURCE


def test_of_rules_appended_at_once_none_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "default.rules"
    threads = [threading.Thread(target=append_rules, args=(file, [rule(f"w{n}")])) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(parse_rules(file.read_text(), "x").rules) == 16


def test_a_link_to_the_rules_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "my.rules", tmp_path / "default.rules"
    real.parent.mkdir()
    real.write_text("# mine\n")
    link.symlink_to(real)
    append_rules(link, [rule("a")])
    assert link.is_symlink()
    assert "prefix_rule" in real.read_text()


def test_hits_are_counted_and_a_broken_count_is_no_trouble(tmp_path: Path) -> None:
    hits = RuleHits(tmp_path / "workbench")
    assert hits.read() == {}
    hits.add(["a", "b"])
    hits.add(["a"])
    hits.add([])
    assert {key: hit.times for key, hit in hits.read().items()} == {"a": 2, "b": 1}
    (tmp_path / "workbench" / "rule-hits.json").write_text('[1, {"a": ')
    assert hits.read() == {}
    hits.add(["a"])
    assert hits.read()["a"].times == 1
    (tmp_path / "workbench" / "rule-hits.json").write_text('{"a": [1], "b": ["x", 1], "c": [2, "t"], "d": {}}')
    assert list(hits.read()) == ["c"]
