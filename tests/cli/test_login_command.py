import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest


def codex(home: Path, *arguments: str, code: int, stdin: str = "", **env: str) -> str:
    """What the command says on stderr; stdout stays empty."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "codex_cli.main", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=kept | {"CODEX_HOME": str(home)} | env,
    )
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr


def test_login_by_key_status_and_logout(tmp_path: Path):
    key = "sk-proj-1234567890ABCDE"
    assert codex(tmp_path, "login", "--with-api-key", code=0, stdin=key + "\n") == "Successfully logged in\n"
    auth = tmp_path / "auth.json"
    assert json.loads(auth.read_text())["OPENAI_API_KEY"] == key
    assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    assert codex(tmp_path, "login", "status", code=0) == "Logged in using an API key - sk-proj-***ABCDE\n"
    assert codex(tmp_path, "logout", code=0) == "Successfully logged out\n"
    assert codex(tmp_path, "logout", code=0) == "Not logged in\n"
    assert codex(tmp_path, "login", "status", code=1) == "Not logged in\n"


def test_a_key_on_the_command_line_works_too(tmp_path: Path):
    codex(tmp_path, "login", "--api-key", "sk-x", code=0)
    assert json.loads((tmp_path / "auth.json").read_text())["OPENAI_API_KEY"] == "sk-x"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["login", "--api-key"], 2),
        (["login", "bogus"], 2),
        (["login", "--api-key", "x", "--device-auth"], 2),
        (["login", "--with-api-key"], 1),
        (["login", "status", "-c", "broken"], 1),
    ],
)
def test_what_cannot_work_is_one_sentence(tmp_path: Path, arguments: list[str], code: int):
    said = codex(tmp_path, *arguments, code=code)
    assert "Traceback" not in said
    assert said.lower().startswith("error")


def test_a_broken_auth_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "auth.json").write_text("{")
    assert codex(tmp_path, "login", "status", code=1).startswith("Error checking login status: ")
