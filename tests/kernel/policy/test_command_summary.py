"""The rows of spec/tools.md section 11, and what they must not hide."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.policy.command_kinds import kind_of
from codex_kernel.policy.command_summary import summarise
from codex_kernel.policy.command_words import quoted
from codex_protocol.parsed_commands import (
    FormatCommand,
    LintCommand,
    ListFilesCommand,
    NoopCommand,
    ReadCommand,
    SearchCommand,
    UnknownCommand,
)
from codex_protocol.parsed_commands import TestCommand as RunsTests

SCRIPTS = {
    "git status | wc -l": [UnknownCommand("git status | wc -l")],
    "echo foo > bar": [UnknownCommand("echo foo > bar")],
    "rg --version && node -v && pnpm -v && rg --files | wc -l && rg --files | head -n 40": [
        SearchCommand("rg --version", None, None),
        UnknownCommand("node -v"),
        UnknownCommand("pnpm -v"),
        SearchCommand("rg --files", None, None),
        UnknownCommand("head -n 40"),
    ],
    'rg -n "navigate-to-route" -S': [SearchCommand("rg -n navigate-to-route -S", "navigate-to-route", None)],
    "rg --files webview/src | sed -n": [SearchCommand("rg --files webview/src", None, "webview")],
    "cat webview/README.md": [ReadCommand("cat webview/README.md", "README.md")],
    "ls -la | sed -n '1,120p'": [ListFilesCommand("ls -la", None)],
    "cat tui/Cargo.toml | sed -n '1,200p'": [ReadCommand("cat tui/Cargo.toml | sed -n '1,200p'", "Cargo.toml")],
    "nl -ba core/src/parse_command.rs | sed -n '1200,1720p'": [
        ReadCommand("nl -ba core/src/parse_command.rs | sed -n '1200,1720p'", "parse_command.rs")
    ],
    'printf "\\n===== ansi-escape/Cargo.toml =====\\n"; cat -- ansi-escape/Cargo.toml': [
        ReadCommand("cat -- ansi-escape/Cargo.toml", "Cargo.toml")
    ],
    "yes | rg --files": [SearchCommand("rg --files", None, None)],
    "true && rg --files": [SearchCommand("rg --files", None, None)],
    "rg --files || true": [SearchCommand("rg --files", None, None)],
    "true": [NoopCommand("true")],
    "wc -l": [UnknownCommand("wc -l")],
    # What the sheet's rules would hide is shown.
    "rg -l foo | xargs rm": [SearchCommand("rg -l foo", "foo", None), UnknownCommand("xargs rm")],
    "rg -l foo | xargs wc -l": [SearchCommand("rg -l foo", "foo", None)],
    "cat a && sed -i s/x/y/ a": [ReadCommand("cat a", "a"), UnknownCommand("sed -i s/x/y/ a")],
    "ls | tee out": [ListFilesCommand("ls", None), UnknownCommand("tee out")],
    "ls | sort -o out": [ListFilesCommand("ls", None), UnknownCommand("sort -o out")],
    "find . -name '*.rs' -delete": [UnknownCommand("find . -name '*.rs' -delete")],
}

TOKENS = {
    "git status": [UnknownCommand("git status")],
    "npm run build": [UnknownCommand("npm run build")],
    "npm run lint -- --max-warnings 0 --format json": [
        LintCommand("npm run lint -- --max-warnings 0 --format json", "npm-script:lint", None)
    ],
    "npm t": [RunsTests("npm t")],
    "pnpm -r test": [RunsTests("pnpm -r test")],
    "yarn run fmt": [FormatCommand("yarn run fmt", "yarn-script:fmt", None)],
    "grep -R src/main.rs -n .": [SearchCommand("grep -R src/main.rs -n .", "src/main.rs", ".")],
    "cd codex-rs && rg --files": [UnknownCommand("cd codex-rs"), SearchCommand("rg --files", None, None)],
    "echo Running tests... && cargo test --all-features --quiet": [RunsTests("cargo test --all-features --quiet")],
    "cd core && cargo test -q x": [RunsTests("cargo test -q x")],
    "cargo fmt -- --config imports_granularity=Item && cargo test -p core": [
        FormatCommand("cargo fmt -- --config 'imports_granularity=Item'", "cargo fmt", None),
        RunsTests("cargo test -p core"),
    ],
    "rg foo ; echo done": [SearchCommand("rg foo", "foo", None), UnknownCommand("echo done")],
    "rg --colors=never -n foo src": [SearchCommand("rg '--colors=never' -n foo src", "foo", "src")],
    "ls -I '*.test.js'": [ListFilesCommand("ls -I '*.test.js'", None)],
    "ls --time-style=long-iso ./dist": [ListFilesCommand("ls '--time-style=long-iso' ./dist", ".")],
    "cat -- ./-strange-file-name": [ReadCommand("cat -- ./-strange-file-name", "-strange-file-name")],
    r'cat "pkg\src\main.rs"': [ReadCommand(r'cat "pkg\\src\\main.rs"', "main.rs")],
    "eslint -c .eslintrc.json src": [LintCommand("eslint -c .eslintrc.json src", "eslint", ("src",))],
    "ruff format pkg/": [FormatCommand("ruff format pkg/", "ruff", ("pkg/",))],
    "ruff check": [LintCommand("ruff check", "ruff", None)],
    "fd -t f src/": [SearchCommand("fd -t f src/", None, "src")],
    "fd main src": [SearchCommand("fd main src", "main", "src")],
    "fd main": [SearchCommand("fd main", "main", None)],
    "find . -name '*.rs'": [SearchCommand("find . -name '*.rs'", "*.rs", ".")],
    "sed -n '260,640p' f.rs | nl -ba": [ReadCommand("sed -n '260,640p' f.rs", "f.rs")],
    "pnpm exec vitest run": [UnknownCommand("pnpm exec vitest run")],
    "yes | rg --files": [SearchCommand("rg --files", None, None)],
    "head -n 5 a.c": [ReadCommand("head -n 5 a.c", "a.c")],
    "head -n5 a.c": [ReadCommand("head -n5 a.c", "a.c")],
    "head a.c": [UnknownCommand("head a.c")],
    "tail -n +7 a.c": [ReadCommand("tail -n +7 a.c", "a.c")],
    "cat a b": [UnknownCommand("cat a b")],
    "rg -g '*.py' foo": [SearchCommand("rg -g '*.py' foo", "foo", None)],
    "rg -e foo src": [SearchCommand("rg -e foo src", "foo", "src")],
    "npx prettier a.ts": [FormatCommand("npx prettier a.ts", "prettier", ("a.ts",))],
    "go fmt ./...": [FormatCommand("go fmt ./...", "go fmt", ("./...",))],
}


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", [("bash", "-lc"), ("/bin/zsh", "-c")])
def test_scripts_are_summed_up_as_the_sheet_says(script, shell):
    assert list(summarise((*shell, script))) == SCRIPTS[script]


@pytest.mark.parametrize("line", TOKENS)
def test_argument_lists_are_summed_up_as_the_sheet_says(line):
    assert list(summarise(tuple(shlex.split(line)))) == TOKENS[line]


def test_neighbours_that_say_the_same_are_one():
    assert summarise(("ls", "&&", "ls")) == (ListFilesCommand("ls", None),)


@pytest.mark.parametrize("argv", [(), ("",), ("bash", "-lc", ""), ("&&",), ("bash", "-lc", "'"), ("cat", "\ud800")])
def test_odd_input_is_summed_up_without_an_error(argv):
    assert isinstance(summarise(argv), tuple)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0$`"), min_size=1), min_size=1))
def test_quoting_is_undone_by_splitting(argv):
    assert shlex.split(quoted(argv)) == argv


@given(st.lists(st.text(), max_size=6))
def test_any_words_have_a_kind(argv):
    assert kind_of(tuple(argv)).cmd == quoted(argv)
