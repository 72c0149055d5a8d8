"""Trusted commands: the rows of both sheets, and everything that must never be trusted."""

import pytest

from codex_kernel.policy.trusted import is_trusted

TRUSTED = [
    "ls",
    "git status",
    "sed -n 1,5p file.txt",
    "sed -n 5p",
    "nl -nrz Cargo.toml",
    "find . -name file.txt",
    "rg Cargo.toml -n",
    "cat a b",
    "cd x",
    "echo a",
    "false",
    "true",
    "grep -R x .",
    "head -n 3 a",
    "tail -f a",
    "pwd",
    "wc -l",
    "which a",
    "cut -f1",
    "expr 1 + 1",
    "id",
    "paste a b",
    "rev a",
    "seq 3",
    "stat a",
    "tr a b",
    "uname -a",
    "uniq -c",
    "uniq a",
    "whoami",
    "numfmt 5",
    "tac a",
    "base64 -d a",
    "sort -rn -k 2 a",
    "sort -t, -k2 a",
    "git log --oneline -5",
    "git log -c",
    "git diff HEAD~1 -- --output=x",
    "git show abc",
    "git branch",
    "git branch -a -vv",
    "git branch --list feature/x",
    "git branch --contains HEAD",
    "git branch --show-current",
    "git --no-pager log",
    "rg -ez x",
    "rg -- --pre",
    "timeout 5 ls",
    "nice -n 5 rg x",
    "env ls",
    "time -p ls",
    "stdbuf -oL rg x",
]

NEVER = [
    "",
    "foo",
    "/bin/ls",
    "./ls",
    "git",
    "git fetch",
    "git -C x status",
    "git -c core.pager=x log",
    "git --exec-path=x status",
    "git -p log",
    "git commit",
    "git log --output=x",
    "git log --output x",
    "git diff --outp=x",
    "git diff --ext-diff",
    "git show --ext",
    "git log --textconv",
    "git diff -Oorder",
    "git log --open-files-in-pager",
    "git log --show-signature",
    "git log --format=%G?",
    "git branch new",
    "git branch -d old",
    "git branch -D old",
    "git branch -m a b",
    "git branch -f a",
    "git branch --edit-description",
    "git branch -v new",
    "git branch --set-upstream-to=x",
    "sed -n xp file.txt",
    "sed 1,5p file.txt",
    "sed -n 1p -i",
    "sed -n 1p -fevil",
    "sed -n 1,5w out",
    "sed -n e file",
    "sed -n 1p a b",
    "sed -i s/a/b/ x",
    "find . -exec rm {} ;",
    "find . -execdir rm {} ;",
    "find . -ok rm {} ;",
    "find . -okdir rm {} ;",
    "find . -delete",
    "find . -fls f",
    "find . -fprint f",
    "find . -fprint0 f",
    "find . -fprintf f x",
    "rg --search-zip files",
    "rg -z files",
    "rg -iz files",
    "rg -A3 -z5",
    "rg --pre pwned files",
    "rg --pre=pwned files",
    "rg --hostname-bin pwned",
    "rg --hostname-bin=pwned",
    "uniq in out",
    "uniq -- in out",
    "base64 -o out",
    "base64 -do out",
    "base64 --output=out",
    "base64 --out=out",
    "sort -o out a",
    "sort -oout a",
    "sort -no out",
    "sort --output=a a",
    "sort --outp=a a",
    "sort --compress-program=x a",
    "sort --compress=x a",
    "sort -T /x a",
    "sort --files0-from=x",
    "cargo check",
    "cargo build",
    "env A=1 ls",
    "env -S ls",
    "env",
    "sudo ls",
    "nohup ls",
    "xargs ls",
    "time -o out ls",
    "time",
    "timeout 5 rm x",
    "/tmp/timeout 5 ls",
    "python -c pass",
    "awk 1",
    "tee x",
    "bash -lc git status",
]


@pytest.mark.parametrize("line", TRUSTED)
def test_harmless_commands_are_trusted(line):
    assert is_trusted(tuple(line.split()))


@pytest.mark.parametrize("line", NEVER)
def test_what_can_write_or_run_is_not_trusted(line):
    assert not is_trusted(tuple(line.split()))


SCRIPTS = {
    "ls": True,
    "ls -1": True,
    "git status": True,
    'grep -R "Cargo.toml" -n': True,
    "sed -n 1,5p file.txt": True,
    "sed -n '1,5p' file.txt": True,
    "find . -name file.txt": True,
    'grep -R "Cargo.toml" -n || true': True,
    "ls && pwd": True,
    "echo 'hi' ; ls": True,
    "ls | wc -l": True,
    "rg x | sort | uniq -c | head": True,
    "ls *.py": True,
    "wc -l src/*.py": True,
    "find src/* -name x": True,
    "rg x src/*": True,
    "'git status'": False,
    "find . -name file.txt -delete": False,
    "find . -name *.py": False,
    "find *": False,
    "rg x *": False,
    "sed -n 1,5p *": False,
    "git log *": False,
    "ls && rm -rf /": False,
    "(ls)": False,
    "ls || (pwd && echo hi)": False,
    "ls > out.txt": False,
    "echo $(rm x)": False,
    "bash -c ls": False,
    "": False,
    "-x": False,
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", [("bash", "-lc"), ("/bin/sh", "-c"), ("zsh", "-l", "-c")])
def test_scripts_are_trusted_when_every_command_is(script, shell):
    assert is_trusted((*shell, script)) is SCRIPTS[script]


def test_git_is_not_trusted_without_a_sandbox():
    assert not is_trusted(("git", "status"), confined=False)
    assert not is_trusted(("bash", "-lc", "ls && git status"), confined=False)
    assert is_trusted(("ls",), confined=False)


def test_arguments_behind_a_script_are_not_looked_through():
    assert not is_trusted(("bash", "-lc", "ls", "x"))
