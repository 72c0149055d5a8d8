"""Scripts inside argument lists, and patches sent as commands."""

import pytest

from codex_kernel.policy.shell_script import PatchScript, patch_in_script, script_of
from tests.support.growth import assert_linear_in

PATCH = "*** Begin Patch\n*** Add File: a.txt\n+it's $HOME `x`\n+\tb\n*** End Patch"


@pytest.mark.parametrize(
    ("argv", "script"),
    [
        (("bash", "-lc", "ls"), "ls"),
        (("bash", "-c", "ls"), "ls"),
        (("sh", "-c", "ls"), "ls"),
        (("zsh", "-lc", "ls"), "ls"),
        (("/bin/bash", "-lc", "ls"), "ls"),
        (("/usr/local/bin/zsh", "-l", "-c", "ls"), "ls"),
        (("bash", "--login", "-c", "ls"), "ls"),
        (("bash", "-lc", ""), ""),
        (("bash", "-lc", "ls", "x"), None),
        (("bash", "-lc"), None),
        (("bash", "-ic", "ls"), None),
        (("bash", "ls"), None),
        (("./bash", "-lc", "ls"), None),
        (("bash", "-c", "-x"), None),
        (("bash", "-c", "+x"), None),
        (("python", "-c", "ls"), None),
        ((), None),
    ],
)
def test_the_script_of_a_shell_is_found(argv, script):
    assert script_of(argv) == script


SCRIPTS = [
    f"apply_patch <<EOF\n{PATCH}\nEOF",
    f"apply_patch <<'PATCH'\n{PATCH}\nPATCH\n",
    f'applypatch <<"END OF PATCH"\n{PATCH}\nEND OF PATCH\n\n',
    f"  apply_patch << \\EOF\n{PATCH}\nEOF",
    f"apply_patch <<'EOF'\r\n{PATCH}\nEOF\r\n",
    f"\napply_patch <<'EOF'\n{PATCH}\n",
]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("shell", [("bash", "-lc"), ("/bin/sh", "-c")])
def test_a_patch_in_a_heredoc_is_found(script, shell):
    assert patch_in_script((*shell, script)) == PatchScript(PATCH)


@pytest.mark.parametrize("name", ["apply_patch", "applypatch"])
def test_a_patch_as_an_argument_is_found(name):
    assert patch_in_script((name, PATCH)) == PatchScript(PATCH)
    quoted = PATCH.replace("'", "'\\''")
    assert patch_in_script(("bash", "-lc", f"{name} '{quoted}'")) == PatchScript(PATCH)
    assert patch_in_script(("bash", "-lc", f"cd sub && {name} '{quoted}'")) == PatchScript(PATCH, "sub")


@pytest.mark.parametrize(
    ("word", "directory"),
    [("sub", "sub"), ("'a b'", "a b"), ('"a b"', "a b"), (r"a\ b", "a b"), ("-- sub", "sub"), ("/x/y", "/x/y")],
)
@pytest.mark.parametrize("joint", [" && ", "; ", "\n"])
def test_the_directory_of_a_leading_cd_is_kept(word, directory, joint):
    script = f"cd {word}{joint}apply_patch <<'EOF'\n{PATCH}\nEOF"
    assert patch_in_script(("bash", "-lc", script)) == PatchScript(PATCH, directory)


def test_tabs_before_a_dashed_heredoc_are_stripped():
    script = "apply_patch <<-EOF\n\t*** Begin Patch\n\tx\n\tEOF"
    assert patch_in_script(("bash", "-lc", script)) == PatchScript("*** Begin Patch\nx")


@pytest.mark.parametrize(
    "script",
    [
        "ls",
        "apply_patch",
        "apply_patch < file",
        "apply_patch_foo <<EOF\nx\nEOF",
        f"apply_patch <<EOF\n{PATCH}\nEOF\nrm -rf x",
        f"apply_patch <<EOF && rm x\n{PATCH}\nEOF",
        f"cd $X && apply_patch <<EOF\n{PATCH}\nEOF",
        f"cd a b && apply_patch <<EOF\n{PATCH}\nEOF",
        f"cd * && apply_patch <<EOF\n{PATCH}\nEOF",
        f"cd ~ && apply_patch <<EOF\n{PATCH}\nEOF",
        f"cd x | apply_patch <<EOF\n{PATCH}\nEOF",
        "cd x || apply_patch 'p'",
        "echo apply_patch",
        "apply_patch a b",
        f"rm x; apply_patch <<EOF\n{PATCH}\nEOF",
        f"sudo apply_patch <<EOF\n{PATCH}\nEOF",
    ],
)
def test_a_script_that_does_anything_besides_is_no_patch(script):
    assert patch_in_script(("bash", "-lc", script)) is None


def test_a_large_patch_is_found_in_linear_time():
    def find(lines: int) -> None:
        patch = "*** Begin Patch\n*** Add File: a\n" + "+a | b ( c $( `\n" * lines + "*** End Patch"
        found = patch_in_script(("bash", "-lc", f"apply_patch <<'EOF'\n{patch}\nEOF\n"))
        assert found == PatchScript(patch)

    assert_linear_in(find, 100_000)
