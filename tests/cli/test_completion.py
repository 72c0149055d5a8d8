import os
import select
import subprocess
from pathlib import Path

import pytest

from codex_cli.completion import completion_script
from codex_protocol.errors import UsageError


def bash_completes(line: str, cwd: Path) -> list[str]:
    """What bash itself offers at the end of `line`."""
    words = line.split(" ")
    script = (
        f"{completion_script('bash')}\n"
        f"COMP_WORDS=({' '.join(_quoted(word) for word in words)}); COMP_CWORD={len(words) - 1}\n"
        f"COMP_LINE={_quoted(line)}; COMP_POINT={len(line)}\n"
        "compopt() { :; }\n"  # bash allows it only while a person completes
        "_codex; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    )
    done = subprocess.run(["bash", "--norc", "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(word for word in done.stdout.splitlines() if word)


def _quoted(word: str) -> str:
    return "'" + word + "'"


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("codex lo", ["login", "logout"]),
        ("codex exec re", ["resume", "review"]),
        ("codex e fo", ["fork"]),
        ("codex exec --js", ["--json"]),
        ("codex exec resume --la", ["--last"]),
        ("codex exec --json resume --al", ["--all"]),
        ("codex exec -s wo", ["workspace-write"]),
        ("codex --sandbox re", ["read-only"]),
        ("codex exec --color a", ["always", "auto"]),
        ("codex completion z", ["zsh"]),
        ("codex help deb", ["debug"]),
        ("codex debug l", ["landlock"]),
        ("codex login sta", ["status"]),
        ("codex mc", ["mcp", "mcp-server"]),
        ("codex ar", ["archive"]),
        ("codex fo", ["fork"]),
        ("codex resume --las", ["--last"]),
        ("codex fork --sandb", ["--sandbox"]),
        ("codex delete --y", ["--yes"]),
        ("codex search --l", ["--limit"]),
        ("codex doctor --off", ["--offline"]),
        ("codex features e", ["enable"]),
        ("codex apply --c", ["--cd", "--config"]),
        ("codex mcp lo", ["login", "logout"]),
        ("codex exec -m ", []),
    ],
)
def test_bash_offers_what_the_parser_takes(line: str, offered: list[str], tmp_path: Path):
    assert bash_completes(line, tmp_path) == offered


def test_bash_offers_files_and_directories_where_they_belong(tmp_path: Path):
    (tmp_path / "picture one.png").touch()
    (tmp_path / "place").mkdir()
    assert bash_completes("codex exec -i pic", tmp_path) == ["picture one.png"]
    assert bash_completes("codex exec -C p", tmp_path) == ["place"]


def test_hidden_spellings_are_never_offered(tmp_path: Path):
    offered = bash_completes("codex exec --", tmp_path)
    assert "--json" in offered
    assert not {"--yolo", "--experimental-json", "--thread-source"} & set(offered)


def test_a_tab_in_an_interactive_bash_completes(tmp_path: Path):
    (tmp_path / "codex.bash").write_text(completion_script("bash"))
    ours, theirs = os.openpty()
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=tmp_path,
        start_new_session=True,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "HOME": str(tmp_path), "PS1": "READY> "},
    )
    os.close(theirs)
    try:
        _read_until(ours, b"READY> ")
        os.write(ours, b"source codex.bash\n")
        _read_until(ours, b"READY> ")
        os.write(ours, b"codex exec --output-sch\t")
        _read_until(ours, b"--output-schema ")
        os.write(ours, b"\x15codex sand\t")
        _read_until(ours, b"codex sandbox ")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


def _read_until(descriptor: int, wanted: bytes) -> None:
    seen = b""
    while wanted not in seen:
        ready, _, _ = select.select([descriptor], [], [], 20)
        assert ready, f"{wanted!r} did not come, only {seen!r}"
        seen += os.read(descriptor, 1 << 16)


def test_zsh_takes_the_script_and_defines_a_function_for_every_command(tmp_path: Path):
    script = tmp_path / "_codex"
    script.write_text(completion_script("zsh"))
    names = "_codex _codex__exec__resume _codex__debug__landlock"
    check = f"autoload -U compinit; compinit -D; source {script}; whence -w {names}"
    done = subprocess.run(["zsh", "-f", "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count(": function") == 3


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("codex lo", ["login", "logout"]),
        ("codex exec --json re", ["resume", "review"]),
        ("codex exec -s wo", ["workspace-write"]),
        ("codex exec --output-sch", ["--output-schema"]),
    ],
)
def test_fish_offers_what_the_parser_takes(line: str, offered: list[str], tmp_path: Path):
    script = tmp_path / "codex.fish"
    script.write_text(completion_script("fish"))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb"},
    )
    assert [row.split("\t")[0] for row in done.stdout.splitlines()] == offered


def test_an_unknown_shell_is_refused_with_the_ones_there_are():
    with pytest.raises(UsageError, match="bash, zsh, fish"):
        completion_script("powershell")
