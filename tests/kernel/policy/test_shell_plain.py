"""Scripts of plain commands: the sheet's cases, and real bash as the judge over generated scripts."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.policy.shell_plain import plain_commands, plain_words

PLAIN = {
    "ls": [["ls"]],
    "ls && pwd; echo 'hi there' | wc -l": [["ls"], ["pwd"], ["echo", "hi there"], ["wc", "-l"]],
    'echo "hello world"': [["echo", "hello world"]],
    "echo 123 456": [["echo", "123", "456"]],
    "ls\npwd\n\n  wc -l\n": [["ls"], ["pwd"], ["wc", "-l"]],
    "ls;": [["ls"]],
    "echo a;ls|wc||true": [["echo", "a"], ["ls"], ["wc"], ["true"]],
    'rg --glob="*.py" -n': [["rg", "--glob=*.py", "-n"]],
    "grep \"\" ''": [["grep", "", ""]],
    r"echo a\ b \* \"": [["echo", "a b", "*", '"']],
    r'''echo "a\"b\$c\d"''': [["echo", r'a"b$c\d']],
    "echo 'a\nb'": [["echo", "a\nb"]],
    "git diff HEAD~1 HEAD@{1}": [["git", "diff", "HEAD~1", "HEAD@{1}"]],
    "echo x=y a#b": [["echo", "x=y", "a#b"]],
    "echo ünïcödé 'x\u00e9'": [["echo", "ünïcödé", "x\u00e9"]],
}

NOT_PLAIN = [
    "",
    "   \n",
    "(ls)",
    "ls || (pwd && echo hi)",
    "ls > out.txt",
    "ls 2>&1",
    "ls < in",
    "cat <<EOF\nx\nEOF",
    "cat <<< x",
    "echo $(pwd)",
    "echo `pwd`",
    "echo $HOME",
    "echo ${HOME}",
    'echo "hi $USER"',
    'echo "`pwd`"',
    "echo $((1+1))",
    "FOO=bar ls",
    "FOO=bar",
    "a[0]=1 ls",
    "ls &&",
    "ls |",
    "&& ls",
    "ls ;; pwd",
    "echo hi & echo bye",
    "ls &",
    "ls |& wc",
    "! ls",
    "time ls",
    "coproc ls",
    "{ ls; }",
    "if true; then ls; fi",
    "for f in a; do ls; done",
    "while true; do ls; done",
    "case x in x) ls;; esac",
    "f() { ls; }",
    "function f { ls; }",
    "[[ -f x ]]",
    "[ -f x ]",
    "((1))",
    "export A=1",
    "declare A",
    "unset A",
    "ls # comment",
    "# comment\nls",
    "echo $'x'",
    'echo $"x"',
    "ls \\\n -l",
    'echo "a\\\nb"',
    "ls ~",
    "ls ~root/x",
    "echo a=~",
    "echo {a,b}",
    "echo {1..3}",
    'echo {a,"b"}',
    "echo a{b,c}d",
    "=ls",
    "echo =ls",
    "*",
    "*/ls",
    "echo 'unfinished",
    'echo "unfinished',
    "echo \\",
    "diff <(ls) <(pwd)",
    "ls\r\npwd",
    "echo a\u00a0b",
    "echo a\u2028ls",
    "echo a\u200bb",
    "echo \x1b[31m",
    "echo \x0bls",
    "ls \ud800",
    "ls \0 pwd",
    "'' ls",
    "echo a(b)",
    "echo [\\0",
    "echo ${x:=y}",
    "if",
    "then ls",
    "ls " + "| ls " * 4000,
    "(" * 5000,
    "a=(" * 3000,
]


@pytest.mark.parametrize("script", PLAIN)
def test_plain_scripts_are_taken_apart_in_order(script):
    assert plain_commands(script) == tuple(tuple(words) for words in PLAIN[script])


@pytest.mark.parametrize("script", NOT_PLAIN)
def test_whatever_else_a_script_does_it_is_not_plain(script):
    assert plain_commands(script) is None


def test_unquoted_wildcards_are_marked_and_quoted_ones_are_not():
    words = plain_words("ls *.py 'a*' a\\* b\"*\"?")
    assert words is not None
    assert [word.pattern for word in words[0]] == [None, "*.py", None, None, "b[*]?"]


BASH = "/bin/bash"
QUIET = st.sampled_from(
    (
        "a",
        "b1",
        "c",
        "-n",
        "--x=y",
        "'q r'",
        '"d q"',
        '""',
        "''",
        r"\ ",
        r"\*",
        r"\\",
        '"\\""',
        '"a\\b"',
        "*",
        "?z",
        "1",
    )
)
LOUD = st.one_of(
    st.sampled_from(list("~}#!=%@+^:,./()<>&é[]")),
    st.sampled_from(("$x", "$(p)", "`p`", "${y}", "{a,b}", "{a", "\\\n", "$'z'", "[ab]", "0x1", "-0", "2", "[[", "]]")),
    st.sampled_from(("if", "then", "fi", "do", "time", "case", "in")),
)
PIECES = st.one_of(QUIET, QUIET, QUIET, LOUD)
GAPS = st.sampled_from(["", "", " ", " ", " ", "\t", "\n", " && ", " || ", " | ", ";", "; ", " & ", " # ", ";;", "|&"])
SCRIPTS = st.lists(st.tuples(PIECES, GAPS), min_size=1, max_size=8).map(
    lambda parts: "".join(piece + gap for piece, gap in parts)
)
HARMLESS = "".join(chr(n) for n in range(32, 127)) + "\n\té\u00a0\\\\''\"\"  "


def _as_bash_runs_it(commands, script, tmp):
    """The argument lists bash really runs, each command name replaced by a recorder."""
    record = tmp / "record"
    record.write_bytes(b"")
    prelude = "".join(f'{name}() {{ __r {name} "$@"; }}\n' for name in dict.fromkeys(c[0] for c in commands))
    recorder = f"""__r() {{ printf '%s\\0' "$@" END-OF-COMMAND >> {record}; }}\n"""
    prelude += "set -f\n"  # wildcards stay as they are, as we say they do
    subprocess.run(
        [BASH, "--noprofile", "--norc", "-c", recorder + prelude + 'eval "$1"', "bash", script],
        env={"PATH": "/nonexistent"},
        cwd=tmp,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    words = record.read_bytes().decode().split("\0")
    ran, current = [], []
    for word in words[:-1]:
        if word == "END-OF-COMMAND":
            ran.append(tuple(current))
            current = []
        else:
            current.append(word)
    return ran


def _check_against_bash(script, tmp):
    commands = plain_commands(script)
    if commands is None:
        return
    syntax = subprocess.run([BASH, "-n", "-c", "--", script], capture_output=True, timeout=20, check=False)
    assert syntax.returncode == 0, (script, syntax.stderr)
    names = [command[0] for command in commands]
    if not all(name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit() for name in names):
        return
    if any(
        name in {"eval", "exec", "exit", "return", "source", "cd", "set", "alias", "break", "continue"}
        for name in names
    ):
        return
    # `&&` and `||` may leave commands out: all that ran must be among ours, in our order but for pipes.
    ran = _as_bash_runs_it(commands, script, tmp)
    if "&&" not in script and "||" not in script:
        assert sorted(ran) == sorted(commands), script
    else:
        assert all(command in commands for command in ran), script


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(script=SCRIPTS)
def test_what_we_call_plain_is_exactly_what_bash_runs(script, tmp_path):
    _check_against_bash(script, tmp_path)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(words=st.lists(st.text(st.sampled_from(HARMLESS), max_size=6), min_size=1, max_size=4))
def test_random_text_behind_a_command_is_plain_only_where_bash_agrees(words, tmp_path):
    _check_against_bash("rec " + " ".join(words), tmp_path)


@pytest.mark.parametrize("script", PLAIN)
def test_the_sheets_plain_scripts_are_what_bash_runs(script, tmp_path):
    _check_against_bash(script, tmp_path)
