from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.search.ignore_rules import Rules


@pytest.mark.parametrize(
    ("pattern", "path", "out"),
    [
        ("*.log", "a.log", True),
        ("*.log", "d/a.log", True),
        ("/a.log", "d/a.log", False),
        ("d/*.log", "d/a.log", True),
        ("d/*.log", "x/d/a.log", False),
        ("**/d/x", "a/b/d/x", True),
        ("**/d/x", "d/x", True),
        ("a/**/x", "a/x", True),
        ("a/**/x", "a/b/c/x", True),
        ("a/**", "a/b", True),
        ("a/**", "a", False),
        ("b/", "b", False),
        ("[ab].txt", "a.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("[a-c].txt", "b.txt", True),
        ("[]x].txt", "].txt", True),
        ("[x.txt", "[x.txt", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("#x", "#x", False),
        ("\\#x", "#x", True),
        ("\\!x", "!x", True),
        ("x  ", "x", True),
        ("x\\ ", "x ", True),
        ("*", "anything", True),
        ("a.b", "axb", False),
        ("a\r", "a", True),
    ],
)
def test_patterns_mean_what_gits_manual_says(pattern: str, path: str, out: bool) -> None:
    assert Rules().with_file(pattern + "\n", "").leaves_out(path, is_directory=False) == out


def test_the_last_pattern_counts_and_directories_have_their_own() -> None:
    rules = Rules().with_file("*.log\nb/\n", "").with_file("!keep.log\n/only\n", "sub")
    assert rules.leaves_out("a.log", is_directory=False)
    assert rules.leaves_out("keep.log", is_directory=False)
    assert not rules.leaves_out("sub/x/keep.log", is_directory=False)
    assert rules.leaves_out("sub/only", is_directory=False)
    assert not rules.leaves_out("sub/x/only", is_directory=False)
    assert rules.leaves_out("b", is_directory=True)


PARTS = ["a", "b", "*", "**", "?", "[ab]", "[!a]", "a*", "*b", "ab", "\\a", "a.b", "[^b]"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ignored")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            lambda bang, slash, parts, end: bang + slash + "/".join(parts) + end,
            st.sampled_from(["", "", "!"]),
            st.sampled_from(["", "/"]),
            st.lists(st.sampled_from(PARTS), min_size=1, max_size=3),
            st.sampled_from(["", "/"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.lists(st.sampled_from(["a", "b", "ab", "bb", "a.b", "c"]), min_size=1, max_size=4).map("/".join),
        min_size=1,
        max_size=10,
        unique=True,
    ),
)
def test_git_leaves_out_the_same_files(repository: Path, patterns: list[str], paths: list[str]) -> None:
    (repository / ".gitignore").write_text("\n".join(patterns) + "\n")
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=repository,
        input="\0".join(paths).encode(),
        capture_output=True,
        check=False,
    )
    rules = Rules().with_file("\n".join(patterns) + "\n", "")

    def left_out(path: str) -> bool:
        parts = path.split("/")
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        return any(rules.leaves_out(each, is_directory=True) for each in above) or rules.leaves_out(
            path, is_directory=False
        )

    assert {path for path in paths if left_out(path)} == set(asked.stdout.decode().split("\0")) - {""}
