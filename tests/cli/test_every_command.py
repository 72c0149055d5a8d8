"""Every command of the tables: its help, a success, and each class of bad input with its exit code and one sentence.

The classes that the tables themselves tell (unknown options, missing and impossible values, too few and too many words)
are made from them. What only the command knows stands below, by its name: a command without cases fails.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from codex_cli.commands.root import ROOT
from codex_cli.main import main
from codex_cli.options import Command
from codex_cli.parser import options_of
from codex_store.rollout_reader import read_rollout
from codex_store.thread_changes import archive, set_name
from tests.support.rollouts import home_at, write_thread

Words = list[str]


class Case(NamedTuple):
    """What only the command knows."""

    works: Words | None
    """Arguments it succeeds with in the folder `here` makes; None where `elsewhere` tells what tries it."""
    refused: list[tuple[Words, int, str]]
    """Arguments, the exit code, and words of the one sentence."""
    stdin: str = ""
    elsewhere: str = ""


NOPE = "'nope'"
CASES: dict[str, Case] = {
    "": Case(
        [],
        [
            (["--port", "0"], 2, "1 to 65535"),
            (["-C", "/nowhere"], 2, "/nowhere"),
            (["-i", "/nowhere.png"], 2, "/nowhere.png"),
            (["--demo", "--oss"], 2, "contradict"),
        ],
    ),
    "exec": Case(
        ["--demo", "hello"],
        [
            (["--demo", "--oss", "x"], 2, "contradict"),
            (["--full-auto", "--yolo", "x"], 2, "contradict"),
            (["--demo", "-C", "/nowhere", "x"], 1, "/nowhere"),
            (["--demo", "-c", "model", "x"], 1, "model"),
            (["--demo", "-c", "model=3", "x"], 1, "model"),
            (["--demo", "-p", "nope", "x"], 1, NOPE),
            (["--demo", "--enable", "nope", "x"], 1, NOPE),
            (["--demo", "--output-schema", "/nowhere.json", "x"], 1, "/nowhere.json"),
            (["--", ""], 1, "prompt"),
        ],
    ),
    "exec resume": Case(
        ["--demo", "nightly", "hello"],
        [
            (["--demo"], 2, "--last"),
            (["--demo", "nope", "x"], 1, NOPE),
            (["--demo", "--last", "a", "b"], 2, "--last"),
        ],
    ),
    "exec fork": Case(
        ["--demo", "nightly", "hello"],
        [(["--demo"], 2, "--last"), (["--demo", "nope", "x"], 1, NOPE)],
    ),
    "exec review": Case(
        ["--demo", "look at a.txt"],
        [
            (["--demo"], 2, "in one way"),
            (["--demo", "--uncommitted", "--base", "main"], 2, "in one way"),
            (["--demo", "--uncommitted", "--title", "x"], 2, "--commit"),
            (["--demo", "--commit", "nope"], 1, "nope"),
        ],
    ),
    "review": Case(
        ["--demo", "look at a.txt"],
        [(["--demo"], 2, "in one way"), (["--demo", "--base", "nope"], 1, "nope")],
    ),
    "proto": Case(
        ["--demo"],
        [(["--demo", "-C", "/nowhere"], 1, "/nowhere"), (["-c", "model=3"], 1, "model")],
        stdin='{"id": "1", "op": {"type": "shutdown"}}\n',
    ),
    "login": Case(
        ["--api-key", "sk-proj-1234567890"],
        [
            (["--api-key", "k", "--device-auth"], 2, "contradict"),
            (["--api-key", " "], 1, "key"),
            (["-c", "model=3"], 1, "model"),
            (["--with-api-key"], 1, "key"),
        ],
    ),
    "login status": Case(None, [([], 1, "Not logged in")], elsewhere="tests/cli/test_login_command.py"),
    "logout": Case([], [(["-c", "model=3"], 1, "model")]),
    "sandbox": Case(
        ["true"],
        [
            ([], 2, "COMMAND"),
            (["no-such-program"], 1, "no-such-program"),
            (["-C", "/nowhere", "true"], 1, "/nowhere"),
            (["--network", "-s", "read-only", "true"], 2, "--network"),
            (["--full-auto", "-s", "read-only", "true"], 2, "contradict"),
        ],
    ),
    "debug": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_sandbox_command.py"),
    "debug landlock": Case(["true"], [(["no-such-program"], 1, "no-such-program")]),
    "debug seatbelt": Case(None, [(["true"], 1, "darwin")], elsewhere="tests/cli/test_sandbox_command.py"),
    "rules": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_rules_command.py"),
    "rules list": Case([], [(["-C", "/nowhere"], 1, "/nowhere")]),
    "rules add": Case(
        ["make", "test"],
        [(["bash", "-c"], 1, "would let anything run"), (["--justification", " ", "ls"], 1, "blank")],
    ),
    "rules remove": Case(
        ["git", "push"],
        [
            (["nope"], 1, "none of your own rules"),
            ([], 2, "--at"),
            (["--at", "x:1", "ls"], 2, "--at"),
            (["--at", "x:1"], 1, "x:1"),
        ],
    ),
    "execpolicy": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_rules_command.py"),
    "execpolicy check": Case(
        ["-r", "home/rules/default.rules", "git", "push"],
        [(["ls"], 2, "--rules"), (["-r", "/nowhere.rules", "ls"], 1, "/nowhere.rules")],
    ),
    "hooks": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_rules_command.py"),
    "hooks list": Case([], [(["-C", "/nowhere"], 1, "/nowhere")]),
    "hooks trust": Case(["1"], [([], 2, "--all"), (["7"], 1, "7"), (["x"], 1, "there is no hook x")]),
    "hooks untrust": Case(["1"], [([], 2, "--all"), (["7"], 1, "7")]),
    "features": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_doctor_and_features.py"),
    "features list": Case([], [(["-c", "features.hooks=3"], 1, "features.hooks")]),
    "features enable": Case(["hooks"], [(["nope"], 1, NOPE)]),
    "features disable": Case(["hooks"], [(["nope"], 1, NOPE)]),
    "doctor": Case(["--demo"], [(["-C", "/nowhere"], 1, "/nowhere")]),
    "completion": Case(["fish"], [(["tcsh"], 2, "'tcsh'")]),
    "help": Case(["exec", "resume"], [(["nope"], 2, "nope")]),
    "mcp": Case([], [(["-c", "model=3"], 1, "model")]),
    "mcp-server": Case([], [(["-c", "model=3"], 1, "model")]),
    "mcp list": Case(["--json"], [(["-c", "model=3"], 1, "model")]),
    "mcp get": Case(["files"], [(["nope"], 1, NOPE)]),
    "mcp add": Case(
        ["new", "--env", "A=1", "--", "program", "--flag"],
        [
            (["new"], 2, "--url"),
            (["a b", "--", "x"], 1, "'a b'"),
            (["new", "--url", "ftp://x"], 2, "http"),
            (["new", "--env", "A", "--", "x"], 2, "="),
            (["new", "--url", "http://x", "--env", "A=1"], 2, "--env"),
            (["new", "--bearer-token-env-var", "T", "--", "x"], 2, "--bearer-token-env-var"),
        ],
    ),
    "mcp remove": Case(["files"], []),
    "mcp login": Case(
        None,
        [(["nope"], 1, NOPE), (["files"], 1, "only servers with a URL"), (["web"], 1, "the login to 'web'")],
        elsewhere="tests/kernel/mcp_client/test_mcp_oauth.py",
    ),
    "mcp logout": Case(["web"], [(["nope"], 1, NOPE), (["files"], 1, "only servers with a URL")]),
    "threads": Case(["--json"], [(["--limit", "0"], 2, "above 0"), (["--limit", "x"], 2, "above 0")]),
    "resume": Case(
        ["nightly"], [([], 2, "--last"), (["nope"], 1, NOPE), (["--last", "--demo", "-C", "/nowhere"], 2, "/nowhere")]
    ),
    "fork": Case(["nightly", "go on"], [([], 2, "--last"), (["nope"], 1, NOPE)]),
    "search": Case(
        ["hello"], [(["..."], 2, "no word"), (["--limit", "-1", "x"], 2, "above 0"), (["zebra"], 1, "zebra")]
    ),
    "archive": Case(["nightly"], [(["nope"], 1, NOPE)]),
    "unarchive": Case(["put away"], [(["nope"], 1, NOPE)]),
    "delete": Case(["--yes", "nightly"], [(["nightly"], 2, "--yes"), (["--yes", "nope"], 1, NOPE)]),
    "export": Case(
        ["nightly", "--to", "html"],
        [
            ([], 2, "--last"),
            (["nope"], 1, NOPE),
            (["--last", "nightly"], 2, "--last"),
            (["nightly", "-o", "a.txt"], 2, "a.txt"),
            (["nightly", "-o", "/nowhere/x.md"], 1, "/nowhere"),
        ],
    ),
    "apply": Case(
        None, [(["nope"], 1, NOPE), (["nightly"], 1, "no patch")], elsewhere="tests/cli/test_apply_command.py"
    ),
    "kernel": Case(None, [([], 2, "subcommand")], elsewhere="tests/cli/test_kernel_and_threads.py"),
    "kernel install": Case(
        ["--prefix", "prefix"],
        [(["--user", "--sys-prefix"], 2, "contradict"), (["--prefix", "a.txt"], 1, "cannot be written")],
    ),
}
SERVING = ("mcp", "mcp-server", "proto")
"""They read this process's stdin to its end: run as programs of their own."""


def chains(chain: tuple[Command, ...] = (ROOT,)) -> Iterator[tuple[Command, ...]]:
    """Every command that is not for later, with those above it."""
    yield chain
    for command in chain[-1].subcommands:
        if not command.later:
            yield from chains((*chain, command))


ALL = {" ".join(command.name for command in chain[1:]): chain for chain in chains()}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository with a home below it that holds threads, rules, hooks and MCP servers."""
    root = tmp_path / "home"
    (root / "rules").mkdir(parents=True)
    (root / "rules" / "default.rules").write_text('prefix_rule(["git", "push"], "prompt")\n')
    (root / "config.toml").write_text(
        '[mcp_servers.files]\ncommand = "true"\n[mcp_servers.web]\nurl = "http://127.0.0.1:9/mcp"\n'
        '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "true"\n'
    )
    (tmp_path / "a.txt").write_text("a\n")
    for arguments in (("init", "-q"), ("add", "a.txt"), ("commit", "-qm", "first")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    home = home_at(root)
    for name in ("nightly", "put away"):
        thread_id = read_rollout(write_thread(home, f"hello {name}", cwd=str(tmp_path))).meta.id
        set_name(home, thread_id, name)
    archive(home, thread_id)
    monkeypatch.setenv("CODEX_HOME", str(root))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("codex_app.server.run_page", lambda *arguments, **options: 0)
    with open(os.devnull) as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield tmp_path


def test_every_command_has_its_cases_and_no_other() -> None:
    assert set(CASES) == set(ALL)
    for case in CASES.values():
        assert (case.works is None) == bool(case.elsewhere)
        assert not case.elsewhere or (Path(__file__).parents[2] / case.elsewhere).is_file()


@pytest.mark.parametrize("name", ALL)
def test_help_tells_of_the_command_its_options_and_its_subcommands(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = ALL[name]
    assert main([*name.split(), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(chain[-1].summary)
    assert chain[-1].summary
    for option in options_of(chain):
        assert not option.help or option.names[-1] in out
    for command in chain[-1].subcommands:
        assert (f"\n  {command.name}" in out) is not bool(command.later)
    assert max(map(len, out.splitlines())) <= 100
    assert main(["help", *name.split()]) == 0
    assert capsys.readouterr().out == out


def run(arguments: Words, stdin: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    if arguments and arguments[0] in SERVING and len(arguments) < 4 and arguments[1:2] != ["list"]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "codex_cli.main", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stdout, done.stderr
    capsys.readouterr()
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.works is not None])
def test_it_works(name: str, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    code, _, err = run([*name.split(), *(case.works or [])], case.stdin, capfd)
    assert code == 0, err
    assert "rror: " not in err


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "words"),
    [(name, *refused) for name, case in CASES.items() for refused in case.refused],
)
def test_bad_input_is_one_sentence_and_an_exit_code(
    name: str,
    arguments: Words,
    expected: int,
    words: str,
    here: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = sorted(path.name for path in (here / "home").iterdir())
    config = (here / "home" / "config.toml").read_text()
    code, out, err = run([*name.split(), *arguments], "", capfd)
    assert code == expected, err
    assert words in (out if name == "doctor" else err)
    assert "Traceback" not in err
    if name != "doctor":
        sentences = [line for line in err.splitlines() if words in line and not line.startswith("Usage:")]
        assert len(sentences) == 1, err
    assert [line.startswith(("error: ", "Error: ")) for line in err.splitlines()].count(True) <= 1
    assert (here / "home" / "config.toml").read_text() == config
    assert set(before) <= {path.name for path in (here / "home").iterdir()}


def of_the_tables() -> Iterator[tuple[str, Words, str]]:
    """Bad command lines that the tables tell, for every command; and a word of the sentence."""
    for name, chain in ALL.items():
        command = chain[-1]
        yield name, ["--no-such-option"], "--no-such-option"
        for option in options_of(chain):
            if option.key in ("help", "version"):
                continue
            spelled = option.names[-1]
            if option.metavar is None:
                yield name, [f"{spelled}=x"], "takes no value"
                continue
            yield name, [spelled], option.metavar
            if option.choices:
                yield name, [spelled, "bogus"], "'bogus'"
        needed = [word for word in command.arguments if not word.startswith("[")]
        if needed:
            yield name, [], needed[0]
        if command.subcommands and not command.arguments and not command.options:
            yield name, ["bogus"], "'bogus'"
        if not command.rest and not (command.arguments and command.arguments[-1].rstrip("]").endswith("...")):
            words = [f"word{number}" for number in range(len(command.arguments) + 1)]
            if not (command.subcommands and not command.arguments):
                yield name, words, words[-1]


def test_what_the_tables_refuse_is_exit_2_and_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One test: there are hundreds of them, and each takes well under a millisecond."""
    monkeypatch.setenv("CODEX_HOME", str(tmp_path))

    def never(*arguments: Any) -> int:
        raise AssertionError("a malformed command line reached its command")

    monkeypatch.setattr("codex_cli.main._run", never)
    tried = 0
    for name, arguments, words in itertools.chain(of_the_tables()):
        line = [*name.split(), *arguments]
        assert main(line) == 2, line
        out, err = capsys.readouterr()
        first, *rest = err.splitlines()
        assert (out, first.startswith("error: "), words in first) == ("", True, True), (line, err)
        assert [row.partition(" ")[0] for row in rest] == ["Usage:", "For"], (line, err)
        tried += 1
    assert tried > 300
