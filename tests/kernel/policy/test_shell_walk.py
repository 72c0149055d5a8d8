"""Every command of a script, wherever it hides, and what is said about the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.policy.shell_variables import TEMPORARY
from codex_kernel.policy.shell_walk import all_commands
from tests.support.growth import assert_linear_in

FOUND = {
    "ls && rm a": [["ls"], ["rm", "a"]],
    "(cd a; rm b)": [["cd", "a"], ["rm", "b"]],
    "{ rm b; }": [["rm", "b"]],
    "for f in x; do rm y; done": [["rm", "y"]],
    "while read l; do rm y; done < in": [["read", "l"], ["rm", "y"]],
    "if a; then b; elif c; then d; else e; fi": [["a"], ["b"], ["c"], ["d"], ["e"]],
    "case x in y) rm z;; esac": [["rm", "z"]],
    "f() { rm x; }; f": [["rm", "x"], ["f"]],
    "echo $(rm x)": [["echo", "$(rm x)"], ["rm", "x"]],
    'echo "a `rm x`"': [["echo", '"a `rm x`"'], ["rm", "x"]],
    "diff <(rm x) y": [["diff", "<(rm x)", "y"], ["rm", "x"]],
    "A=$(rm x) make": [["make"], ["rm", "x"]],
    "! rm x": [["rm", "x"]],
    "rm x &": [["rm", "x"]],
    "time rm x": [["time", "rm", "x"]],
    "cat <<EOF\n$(rm x)\nEOF\nrm y": [["cat"], ["rm", "x"], ["rm", "y"]],
    "cat <<'EOF'\n$(rm x)\nEOF": [["cat"]],
    "cat <<EOF > o && rm y\nb\nEOF": [["cat"], ["rm", "y"]],
    "eval 'rm x; ls'": [["eval", "rm x; ls"], ["rm", "x"], ["ls"]],
    "rm > log x y": [["rm", "x", "y"]],
    "D=build; rm -r $D": [["rm", "-r", "build"]],
    'D="a b"\nrm "$D/c"': [["rm", "a b/c"]],
    "D=a; D=b; rm $D": [["rm", "$D"]],
    'D="a b"; rm $D': [["rm", "$D"]],
    "rm $D; D=a": [["rm", "$D"]],
    "(D=a); rm $D": [["rm", "$D"]],
    "if x; then D=a; fi; rm $D": [["x"], ["rm", "$D"]],
    "read D; rm $D": [["read", "D"], ["rm", "$D"]],
    "D=$(mktemp -d); rm -rf $D/x": [["mktemp", "-d"], ["rm", "-rf", f"{TEMPORARY}/x"]],
    "test -f x && [ -f y ] && rm z": [["test", "-f", "x"], ["rm", "z"]],
}


@pytest.mark.parametrize("script", FOUND)
def test_every_command_is_found(script):
    found = all_commands(script)
    assert [list(command.argv) for command in found.commands] == FOUND[script]
    assert found.complete


@pytest.mark.parametrize(
    "script", ["$X a", 'eval "$X"', "ls &&", "'", "if", "a" * 300_000, "ls |" * 3_000, "(" * 1_000, "a \0 b", "\ud800"]
)
def test_what_cannot_be_looked_into_is_said_so(script):
    assert not all_commands(script).complete


@pytest.mark.parametrize(
    ("script", "redirects"),
    [
        ("ls > a", [(">", "a")]),
        ("ls >> a 2> b", [(">>", "a"), (">", "b")]),
        ("ls &> a", [("&>", "a")]),
        ("ls >& a", [("&>", "a")]),
        ("ls 2>&1", []),
        ("ls >&-", []),
        ("ls >| a", [(">|", "a")]),
        ("cat < a", [("<", "a")]),
        ("{ ls; } > a", [(">", "a")]),
        ("cat <<EOF > a\nx\nEOF", [(">", "a")]),
        ("> a ls", [(">", "a")]),
    ],
)
def test_redirections_are_found(script, redirects):
    command = all_commands(script).commands[0]
    assert [(redirect.operator, redirect.target.text) for redirect in command.redirects] == redirects


def test_a_redirection_without_a_command_is_found():
    (command,) = all_commands("> a").commands
    assert command.argv == ()
    assert command.redirects[0].target.text == "a"


@pytest.mark.parametrize(
    ("script", "changes"),
    [
        ("cd a && rm x", [("a", True)]),
        ("cd a; rm x", [("a", False)]),
        ("cd a || exit 1\nrm x", [("a", True)]),
        ("(cd a && ls); rm x", []),
        ("cd a && ls; rm x", [("a", False)]),
        ("cd a && cd b && rm x", [("a", True), ("b", True)]),
        ("pushd a && rm x", [("a", True)]),
        ("cd a | rm x", []),
    ],
)
def test_the_directory_of_each_command_is_followed(script, changes):
    command = all_commands(script).commands[-1]
    assert [(change.to.text, change.certain) for change in command.changes] == changes


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("abrm $(){}[]<>|&;'\"`\\\n#=!*?~/-0"), max_size=60))
def test_no_script_makes_the_walk_fail(script):
    all_commands(script)


@pytest.mark.parametrize(
    "piece",
    ["$(", '"$(', "((", "{ ", "a=(", "ls | ", "f() ", "${", "case x in ", "if ", "<<A\n", "`", "'", "\\"],
)
def test_hostile_scripts_are_read_in_linear_time(piece):
    assert_linear_in(lambda count: all_commands(piece * count), 20_000)
