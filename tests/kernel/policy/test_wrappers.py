"""Commands that run commands are seen through, or said not to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.policy.wrappers import command_of, unwrap, unwrap_all

FAITHFUL = {
    "env ls -l": "ls -l",
    "/usr/bin/env ls": "ls",
    "nice ls": "ls",
    "nice -n 10 ls": "ls",
    "nice -10 ls": "ls",
    "nice --adjustment=5 ls": "ls",
    "timeout 10 ls": "ls",
    "timeout -s KILL -k 5 10 ls": "ls",
    "timeout --signal=KILL --kill-after 5 10 ls": "ls",
    "time ls": "ls",
    "time -p ls": "ls",
    "stdbuf -oL -e0 ls": "ls",
    "stdbuf --output=L ls": None,
    "command ls": "ls",
    "env -- ls": "ls",
}
CHANGED = {
    "env A=1 ls": "ls",
    "env -i ls": "ls",
    "env - ls": "ls",
    "env -u X ls": "ls",
    "env -C dir ls": "ls",
    "env --chdir=dir ls": "ls",
    "nohup ls": "ls",
    "setsid -f ls": "ls",
    "time -o out ls": "ls",
    "sudo ls": "ls",
    "sudo -u root -E ls": "ls",
    "sudo A=1 ls": "ls",
    "doas -u x ls": "ls",
    "exec ls": "ls",
    "busybox rm x": "rm x",
    "git -C dir push": "git push",
    "git --git-dir=x push": "git push",
    "git --git-dir x push": "git push",
    "git --no-pager push": "git push",
}
MORE = {
    "xargs rm": "rm",
    "xargs -0 -n 1 -P4 rm -f": "rm -f",
    "xargs -I{} rm {}": "rm {}",
    "xargs --null rm": "rm",
    "find . -exec rm {} ;": "rm {}",
    "find . -name x -execdir rm {} +": "rm {}",
    "fd x -x rm": "rm",
    "fd x --exec-batch rm -f": "rm -f",
}
UNKNOWN = [
    "env -S ls",
    "env --split-string=ls",
    "timeout --what 3 ls",
    "sudo -i",
    "sudo -e file",
    "ssh host ls",
    "su -c ls",
    "watch ls",
    "parallel ls",
    "flock f ls",
    "strace ls",
    "tmux new-session ls",
    "hyperfine ls",
    "pkexec ls",
    "proxychains ls",
    "git -c alias.x=!ls x",
    "git --exec-path=x status",
    "git -p log",
    "nice -z ls",
    "bash --rcfile x -c ls",
    "bash",
    "sh -s name",
    "bash -",
    "fd -Hx ls",
]
NOT = ["ls", "git push", "find . -name x", "fd x", "bash run.sh", "command -v ls", "python -c x", "", "bash --version"]


def seen(line):
    unwrapped = unwrap(command_of(tuple(line.split())))
    assert unwrapped is not None
    return unwrapped


@pytest.mark.parametrize("line", [line for line in FAITHFUL if FAITHFUL[line]])
def test_a_transparent_wrapper_yields_the_same_command(line):
    (inner,) = seen(line).inner
    assert " ".join(inner.command.argv) == FAITHFUL[line]
    assert inner.faithful
    assert inner.start is not None
    assert tuple(line.split())[inner.start :] == inner.command.argv


@pytest.mark.parametrize("line", CHANGED)
def test_a_wrapper_that_changes_how_a_command_runs_is_not_faithful(line):
    (inner,) = seen(line).inner
    assert " ".join(inner.command.argv) == CHANGED[line]
    assert not inner.faithful


@pytest.mark.parametrize("line", MORE)
def test_a_wrapper_that_adds_arguments_says_so(line):
    (inner,) = seen(line).inner
    assert " ".join(inner.command.argv) == MORE[line]
    assert inner.more
    assert not inner.faithful


@pytest.mark.parametrize("line", UNKNOWN)
def test_what_cannot_be_seen_through_is_said_so(line):
    assert not seen(line).complete


@pytest.mark.parametrize("line", NOT)
def test_other_commands_are_no_wrappers(line):
    assert unwrap(command_of(tuple(line.split()))) is None


@pytest.mark.parametrize(
    "argv",
    [
        ("bash", "-lc", "ls; rm x"),
        ("sh", "-euo", "pipefail", "-c", "ls; rm x", "name", "arg"),
        ("bash", "-O", "extglob", "-c", "ls; rm x"),
        ("/bin/dash", "-c", "ls; (rm x)"),
        ("bash", "--norc", "-c", "--", "ls; rm x"),
    ],
)
def test_the_commands_of_a_script_are_seen(argv):
    unwrapped = unwrap(command_of(argv))
    assert unwrapped is not None
    assert [inner.command.argv for inner in unwrapped.inner] == [("ls",), ("rm", "x")]
    assert unwrapped.complete


def test_wrappers_inside_wrappers_are_seen_through():
    commands, complete = unwrap_all(command_of(("sudo", "env", "A=1", "bash", "-c", "timeout 5 git -C x push")))
    assert commands[-1].argv == ("git", "push")
    assert complete


def test_endless_wrapping_is_given_up():
    assert unwrap_all(command_of((*["env"] * 50, "ls")))[1] is False


def test_the_directory_a_wrapper_sets_is_kept():
    for line in ("env -C dir ls", "git -C dir push"):
        assert seen(line).inner[0].command.changes[0].to.text == "dir"


@given(st.lists(st.sampled_from(["env", "git", "-C", "-c", "xargs", "--", "-", "a=b", "find", "-exec", ";", "x", ""])))
def test_no_arguments_make_it_fail(argv):
    unwrap_all(command_of(tuple(argv)))
