import pytest

from codex_protocol import parsed_commands
from codex_protocol.parsed_commands import ListFilesCommand, NoopCommand, ReadCommand, SearchCommand, UnknownCommand
from codex_render.command_words import describe, script_of, typed

BASH = ("bash", "-lc", "the script")


def words(*parsed) -> list[str]:
    return [f"{step.verb} {step.what}" for step in describe(BASH, parsed)]


def test_neighbouring_reads_are_one_step():
    assert words(ReadCommand("cat a.py", "a.py"), ReadCommand("cat b.py", "b.py"), ReadCommand("cat a.py", "a.py")) == [
        "Read a.py, b.py"
    ]


def test_a_search_names_what_and_where():
    assert words(SearchCommand("rg foo src", "foo", "src")) == ["Search 'foo' in src"]
    assert words(SearchCommand("rg --files", None, None)) == ["Search rg --files"]


def test_listing_without_a_path_means_here():
    assert words(ListFilesCommand("ls", None)) == ["List the files here"]


def test_tests_are_run():
    assert words(parsed_commands.TestCommand("pytest -q")) == ["Run pytest -q"]


def test_one_unknown_step_makes_it_the_whole_script():
    assert words(ReadCommand("cat a", "a"), UnknownCommand("make")) == ["Run the script"]


def test_steps_that_do_nothing_are_left_out():
    assert words(NoopCommand("true"), ReadCommand("cat a", "a")) == ["Read a"]
    assert words(NoopCommand("true")) == ["Run the script"]
    assert words() == ["Run the script"]


@pytest.mark.parametrize(
    ("command", "script"),
    [
        (("bash", "-lc", " ls -l \n"), "ls -l"),
        (("/usr/bin/zsh", "-c", "x"), "x"),
        (("python", "-c", "print(1)"), "python -c 'print(1)'"),
        (("ls", "-l", "a b"), "ls -l 'a b'"),
    ],
)
def test_a_shell_around_a_script_is_not_shown(command: tuple[str, ...], script: str):
    assert script_of(command) == script


@pytest.mark.parametrize(
    ("chars", "words"),
    [
        ("yes\n", "“yes”"),
        ("two\nlines\n", "“two⏎lines”"),
        ("\x03", "Ctrl-C"),
        ("\x1b\x1a\x1c", "Esc Ctrl-Z Ctrl-\\"),
        ("\n", "Enter"),
        ("\x04\n", "Ctrl-D"),
        ("\x1b[2J", "“␛[2J”"),
        ("\x03" * 100, "Ctrl-C " * 10 + "…"),
    ],
)
def test_what_was_typed_is_told_in_keys_and_quotes(chars: str, words: str) -> None:
    assert typed(chars) == words


def test_of_much_that_was_typed_both_ends_are_told() -> None:
    assert len(typed("x" * 10_000)) < 250
