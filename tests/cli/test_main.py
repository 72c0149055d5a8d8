import os
import subprocess
import sys
from pathlib import Path

import pytest

from codex_cli.commands.root import ROOT
from codex_cli.main import main
from codex_protocol.version import VERSION


def run(*arguments: str, code: int, **options) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codex_cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_the_version_is_the_packages_own(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"codex-cli {VERSION}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["help"], ["exec", "-h"], ["help", "exec", "resume"], ["help", "e"]])
def test_help_goes_to_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "Usage: codex" in out
    assert err == ""


def test_help_lists_only_what_works(capsys: pytest.CaptureFixture[str]):
    main(["--help"])
    listed = capsys.readouterr().out
    for command in ROOT.subcommands:
        assert (f"\n  {command.name}" in listed) == (not command.later)


def test_no_help_line_is_wider_than_a_hundred_columns(capsys: pytest.CaptureFixture[str]):
    for words in ([], ["exec"], ["sandbox"], ["exec", "review"]):
        main(["help", *words])
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


@pytest.mark.parametrize("name", [command.name for command in ROOT.subcommands if command.later])
def test_what_comes_later_says_so_in_one_sentence(name: str, capsys: pytest.CaptureFixture[str]):
    assert main([name, "--whatever", "x"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("Error: ")


@pytest.mark.parametrize("arguments", [["--port", "0"], ["--port", "x"], ["-C", "/nowhere"], ["-i", "/nowhere.png"]])
def test_the_page_does_not_start_with_what_it_cannot_use(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([*arguments, "--no-browser"]) == 2
    assert arguments[1] in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["exec", "--nope"], ["exec", "-m"], ["debug"], ["help", "nope"], ["completion", "tcsh"], ["exec", "a", "b"]],
)
def test_wrong_usage_is_exit_2_with_one_error_line(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.startswith("error: ") for line in err.splitlines()].count(True) == 1


def test_a_reader_that_goes_early_is_no_traceback():
    line = f'"{sys.executable}" -P -m codex_cli.main completion bash | head -c 10 >/dev/null; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_closed_stdout_never_becomes_another_file(tmp_path: Path):
    script = (
        "import sys; sys.argv=['codex']\n"
        "from codex_cli.main import main\n"
        "main(['help', 'nope'])\n"
        f"opened = open({str(tmp_path / 'victim')!r}, 'w')\n"
        "sys.exit(opened.fileno() < 3)\n"
    )
    done = subprocess.run(["bash", "-c", f'"{sys.executable}" -c "$0" >&- 2>&- <&-', script], check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        "",
        "exec --demo hi",
        "proto",
        "mcp-server",
        "mcp list",
        "sandbox ls",
        "rules list",
        "hooks list",
        "features list",
    ],
)
def test_a_removed_directory_is_one_sentence(tmp_path: Path, command: str):
    done = in_removed_directory(tmp_path, command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Error: the current directory does not exist any more")


def test_from_a_removed_directory_another_one_can_be_named(tmp_path: Path):
    done = in_removed_directory(tmp_path, f"exec --demo -C {tmp_path} hi")
    assert (done.returncode, "demo model" in done.stdout) == (0, True)


def in_removed_directory(tmp_path: Path, command: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "home").mkdir()
    gone = f'mkdir "{tmp_path}/gone" && cd "{tmp_path}/gone" && rmdir "{tmp_path}/gone"'
    program = f'"{sys.executable}" -P -m codex_cli.main {command}'
    return subprocess.run(
        ["bash", "-c", f"{gone} && exec {program}"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "CODEX_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_an_unexpected_failure_is_one_sentence_that_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("codex_cli.main._run", lambda parsed: 1 // 0)
    assert main(["exec", "x"]) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "CODEX_LOG=debug" in err
    assert err.count("\n") == 1


PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch\n"


def test_the_hidden_flag_applies_a_patch_in_the_current_directory(tmp_path: Path):
    done = run("--codex-run-as-apply-patch", PATCH, code=0, cwd=tmp_path)
    assert done.stdout == "Success. Updated the following files:\nA new.txt\n"
    assert (tmp_path / "new.txt").read_text() == "hello\n"


@pytest.mark.parametrize("name", ["apply_patch", "applypatch"])
def test_the_name_of_the_program_makes_it_the_patch_tool(tmp_path: Path, name: str):
    program = tmp_path / name
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom codex_cli.main import main\nsys.exit(main())\n")
    program.chmod(0o755)
    done = subprocess.run([program], input=PATCH, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, (tmp_path / "new.txt").exists()) == (0, True), done.stderr


def test_a_bad_patch_is_exit_1(tmp_path: Path):
    done = run("--codex-run-as-apply-patch", "no patch", code=1, cwd=tmp_path)
    assert done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "level"),
    [
        ("RUST_LOG", "", "ERROR"),
        ("RUST_LOG", "debug", "DEBUG"),
        ("CODEX_LOG", "warn", "WARNING"),
        ("RUST_LOG", "nonsense", "ERROR"),
        ("RUST_LOG", "error,codex_kernel::core=debug", "ERROR"),
        ("CODEX_LOG", "off", "CRITICAL"),
    ],
)
def test_the_log_level_comes_from_the_environment(variable: str, value: str, level: str):
    script = (
        "import logging, os\n"
        "from codex_cli.log_setup import configure_logging\n"
        "configure_logging(os.environ)\n"
        "print(logging.getLevelName(min(logging.getLogger().level, logging.CRITICAL)),"
        " logging.getLevelName(logging.getLogger('codex_kernel.core').getEffectiveLevel()))\n"
    )
    env = {key: text for key, text in os.environ.items() if key not in ("RUST_LOG", "CODEX_LOG")} | {variable: value}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.split()[0] == level
    if "core=debug" in value:
        assert done.stdout.split()[1] == "DEBUG"


def test_a_log_file_is_private_rotates_and_leaves_stderr_alone(tmp_path: Path):
    file = tmp_path / "codex.log"
    script = (
        "import logging, os\n"
        "from codex_cli import log_file, log_setup\n"
        "log_file.MAX_BYTES = 2000\n"
        "log_setup.configure_logging(os.environ)\n"
        "for number in range(400):\n"
        "    logging.getLogger('codex_kernel').error('line %d.', number)\n"
    )
    env = os.environ | {"CODEX_LOG_FILE": str(file)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stderr == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codex.log", *(f"codex.log.{n}" for n in (1, 2, 3))]
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    assert file.read_text().endswith("line 399.\n")


def test_a_log_file_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    done = run("rules", "list", code=1, env=os.environ | {"CODEX_LOG_FILE": str(tmp_path / "none" / "x.log")})
    assert done.stderr.startswith("Error: the log file ")
    assert done.stderr.count("\n") == 1
