import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.peers import november

COMMAND = [sys.executable, "-P", "-m", "codex_cli.main", "mcp"]


def mcp(home: Path, *arguments: str, code: int = 0, command: list[str] | None = None) -> str:
    """What `codex mcp …` prints: on stdout when it worked, on stderr when not."""
    done = subprocess.run(
        [*(command or COMMAND), *arguments],
        env={**os.environ, "CODEX_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if code else done.stdout


def test_a_server_is_added_shown_and_removed_and_the_file_keeps_its_comments(tmp_path: Path):
    config = tmp_path / "config.toml"
    config.write_text('# mine\nmodel = "gpt-5.5" # keep this\n')
    said = mcp(tmp_path, "add", "files", "--env", "A=b=c", "--", "npx", "-y", "some-server", "--flag")
    assert said == "Added global MCP server 'files'.\n"
    assert config.read_text() == (
        '# mine\nmodel = "gpt-5.5" # keep this\n\n[mcp_servers.files]\ncommand = "npx"\n'
        'args = ["-y", "some-server", "--flag"]\n\n[mcp_servers.files.env]\nA = "b=c"\n'
    )
    assert "command: npx" in mcp(tmp_path, "get", "files")
    assert "b=c" not in mcp(tmp_path, "get", "files")
    assert mcp(tmp_path, "remove", "files") == "Removed global MCP server 'files'.\n"
    assert config.read_text().strip() == '# mine\nmodel = "gpt-5.5" # keep this'
    assert "No MCP servers configured yet" in mcp(tmp_path, "list")


def test_adding_a_server_again_replaces_it(tmp_path: Path):
    mcp(tmp_path, "add", "x", "--env", "A=1", "--", "one", "two")
    mcp(tmp_path, "add", "x", "--url", "https://example.org/mcp")
    assert json.loads(mcp(tmp_path, "get", "x", "--json"))["transport"]["url"] == "https://example.org/mcp"
    assert "command" not in (tmp_path / "config.toml").read_text()


def test_json_is_what_upstream_prints(tmp_path: Path):
    (tmp_path / "config.toml").write_text(
        '[mcp_servers.a]\ncommand = "npx"\nargs = ["-y"]\n[mcp_servers.a.env]\nK = "V"\n'
        '[mcp_servers.b]\nurl = "http://localhost:1/mcp"\nbearer_token_env_var = "TOK"\ntool_timeout_sec = 7.0\n'
        '[mcp_servers.c]\ncommand = "c"\nenabled = false\nenabled_tools = ["t"]\nstartup_timeout_sec = 3.0\n'
    )
    theirs = [str(november().command), "mcp"]
    for arguments in (("list", "--json"), ("get", "a", "--json"), ("get", "b", "--json"), ("get", "c", "--json")):
        expected = json.loads(mcp(tmp_path, *arguments, command=theirs))
        assert json.loads(mcp(tmp_path, *arguments)) == expected


def test_a_list_for_people_hides_values(tmp_path: Path):
    mcp(tmp_path, "add", "a", "--env", "TOKEN=secret", "--", "run", "me")
    mcp(tmp_path, "add", "b", "--url", "http://localhost/mcp", "--bearer-token-env-var", "TOK")
    listed = mcp(tmp_path, "list")
    assert "TOKEN=*****" in listed
    assert "secret" not in listed
    assert "http://localhost/mcp" in listed
    assert "Bearer token" in listed


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "bad name", "--", "x"), 1, "invalid server name 'bad name'"),
        (("add", "x"), 2, "give either --url URL or, after '--', the server's command"),
        (("add", "x", "--url", "http://a", "--", "y"), 2, "give either --url URL"),
        (("add", "x", "--url", "ftp://a"), 2, "must start with http:// or https://"),
        (("add", "x", "--env", "A", "--", "y"), 2, "'--env A' has no '='"),
        (("add", "x", "--env", "A=1", "--url", "http://a"), 2, "'--env' is for servers"),
        (("add", "x", "--bearer-token-env-var", "T", "--", "y"), 2, "is for servers with a URL"),
        (("add", "x", "-y"), 2, "unknown option '-y'"),
        (("get", "x"), 1, "No MCP server named 'x' found."),
        (("login", "x"), 1, "No MCP server named 'x' found."),
        (("logout", "x"), 1, "No MCP server named 'x' found."),
        (("get",), 2, "NAME"),
    ],
)
def test_bad_input_gets_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str):
    assert said in mcp(tmp_path, *arguments, code=code)


def test_a_server_that_is_not_there_is_removed_without_harm(tmp_path: Path):
    assert mcp(tmp_path, "remove", "x") == "No MCP server named 'x' found.\n"
    assert not (tmp_path / "config.toml").exists()


def test_a_login_is_for_servers_with_an_address(tmp_path: Path):
    mcp(tmp_path, "add", "x", "--", "y")
    assert "only servers with a URL have a login" in mcp(tmp_path, "login", "x", code=1)
    assert "only servers with a URL have a login" in mcp(tmp_path, "logout", "x", code=1)


def test_a_broken_config_file_is_left_alone(tmp_path: Path):
    (tmp_path / "config.toml").write_text("model = \n")
    mcp(tmp_path, "add", "x", "--", "y", code=1)
    assert (tmp_path / "config.toml").read_text() == "model = \n"


@pytest.mark.parametrize("command", ["list", "get", "add", "remove", "login", "logout"])
def test_every_subcommand_has_help(tmp_path: Path, command: str):
    assert f"codex mcp {command}" in mcp(tmp_path, command, "--help")


def test_listing_loads_no_sdk(tmp_path: Path):
    mcp(tmp_path, "add", "b", "--url", "http://localhost/mcp")
    program = "import sys; from codex_cli.main import main; main(['mcp', 'list']); print('mcp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "CODEX_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "False"
