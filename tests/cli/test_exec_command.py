from pathlib import Path

import pytest

from codex_cli.commands.root import ROOT
from codex_cli.exec_command import request_of
from codex_cli.parser import CommandLineError, parse
from codex_kernel.exec.request import Earlier, ExecRequest, ReviewTarget
from codex_protocol.policy import SandboxMode


def request(*arguments: str) -> ExecRequest:
    return request_of(parse(ROOT, list(arguments)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["exec", "hi"], ExecRequest(prompt="hi")),
        (["exec"], ExecRequest()),
        (["e", "-", "--json", "--ephemeral"], ExecRequest(prompt="-", json=True, ephemeral=True)),
        (
            ["exec", "-s", "workspace-write", "-C", "d", "-o", "f", "--output-schema", "s", "--color", "never", "x"],
            ExecRequest(
                prompt="x",
                sandbox_mode=SandboxMode.WORKSPACE_WRITE,
                cwd=Path("d"),
                last_message_file=Path("f"),
                output_schema_file=Path("s"),
                colour="never",
            ),
        ),
        (["exec", "resume", "ID"], ExecRequest(earlier=Earlier(how="resume", name="ID"))),
        (["exec", "resume", "ID", "go on"], ExecRequest(prompt="go on", earlier=Earlier(how="resume", name="ID"))),
        (
            ["exec", "resume", "--last", "--all", "go on"],
            ExecRequest(prompt="go on", earlier=Earlier(how="resume", everywhere=True)),
        ),
        (["exec", "fork", "name", "-"], ExecRequest(prompt="-", earlier=Earlier(how="fork", name="name"))),
        (["exec", "review", "--uncommitted"], ExecRequest(review=ReviewTarget(uncommitted=True))),
        (["review", "--base", "main"], ExecRequest(review=ReviewTarget(base="main"))),
        (
            ["exec", "review", "--commit", "abc", "--title", "T"],
            ExecRequest(review=ReviewTarget(commit="abc", title="T")),
        ),
        (["exec", "review", "look at x"], ExecRequest(prompt="look at x", review=ReviewTarget())),
        (["--yolo", "exec", "x"], ExecRequest(prompt="x", bypass=True)),
        (["exec", "--demo", "--trust", "--search"], ExecRequest(demo=True, trust=True, search=True)),
    ],
)
def test_a_command_line_becomes_the_request_it_describes(arguments: list[str], expected: ExecRequest):
    assert request(*arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["exec", "--full-auto", "--yolo", "x"],
        ["exec", "resume"],
        ["exec", "resume", "--last", "ID", "prompt"],
        ["exec", "review"],
        ["exec", "review", "--uncommitted", "--base", "main"],
        ["exec", "review", "--uncommitted", "--title", "T"],
        ["exec", "review", "--uncommitted", "and a prompt"],
        ["exec", "--demo", "--oss"],
    ],
)
def test_options_that_contradict_each_other_are_refused(arguments: list[str]):
    with pytest.raises(CommandLineError):
        request(*arguments)
