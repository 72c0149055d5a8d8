"""`codex doctor` and `codex features`."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from codex_cli.main import main
from tests.support.model_server import ModelServer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("CODEX_HOME", str(folder))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.chdir(work)
    return folder


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """The exit code, each subject's last finding, and everything printed."""
    capsys.readouterr()
    code = main(["doctor", "--json", *arguments])
    out, err = capsys.readouterr()
    assert err == ""
    told = json.loads(out)
    assert told["ok"] is (code == 0)
    return code, {check["name"]: check for check in told["checks"]}, out


def provider(url: str, **more: str) -> list[str]:
    extra = "".join(f', {key}="{value}"' for key, value in more.items())
    return ["-c", f'model_providers.s={{name="S", base_url="{url}"{extra}}}', "-c", 'model_provider="s"']


def test_the_demo_model_needs_nothing_and_there_is_no_problem(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks, _ = report(capsys, "--demo")
    assert code == 0
    assert {"version", "git", "path", "home", "config", "login", "sandbox", "network", "jupyter", "browser"} <= set(
        checks
    )
    assert checks["config"]["facts"]["sandbox_mode"] == "read-only"
    assert 1 <= checks["sandbox"]["facts"]["rung"] <= 5


def test_a_provider_that_answers_is_told_with_its_status_and_gets_no_credential(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "sk-proj-secret-secret-secret")
    with ModelServer([]) as server:
        code, checks, printed = report(capsys, *provider(server.url.replace("//", "//me:pw@"), env_key="THE_KEY"))
        assert code == 0, printed
        assert checks["network"]["facts"]["url"].startswith("http://127.0.0.1:")
    assert checks["login"]["summary"] == "API key sk-proj-***ecret from THE_KEY"
    assert "secret-secret" not in printed
    assert "me:pw" not in printed
    assert checks["proxy"]["facts"] == {"proxy": None}


def test_what_is_missing_is_a_problem_with_a_remedy(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks, _ = report(capsys, *provider("http://127.0.0.1:9/v1", env_key="NO_SUCH_KEY"))
    assert code == 1
    assert (checks["login"]["state"], "NO_SUCH_KEY" in checks["login"]["summary"]) == ("problem", True)
    assert (checks["network"]["state"], checks["network"]["remedy"]) == ("problem", "start the server of that address")


def test_settings_that_cannot_be_used_do_not_hide_the_rest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("model = 3\n")
    code, checks, _ = report(capsys)
    assert code == 1
    assert "config.toml, line 1" in checks["config"]["summary"]
    assert "jupyter" in checks
    assert "network" not in checks


def test_proxy_and_certificates_in_use_are_named_without_passwords(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2@proxy.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "none.pem"))
    code, checks, printed = report(capsys, "--offline", *provider("https://model.example/v1"))
    assert code == 1
    assert checks["proxy"]["summary"] == "http://proxy.example:3128"
    assert "hunter2" not in printed
    assert checks["certificates"]["state"] == "problem"
    assert "none.pem" in checks["certificates"]["summary"]
    assert "not asked" in checks["network"]["summary"]


def test_another_codex_that_comes_first_is_named(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "bin" / "codex"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{other.parent}:/usr/bin:/bin")
    _, checks, _ = report(capsys, "--demo")
    assert checks["path"]["summary"] == f"another codex comes first: {other}"


def test_a_kernelspec_of_an_interpreter_that_is_gone_is_a_problem(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checks, _ = report(capsys, "--demo")
    assert checks["jupyter"]["remedy"] == "codex kernel install"
    place = tmp_path / "jupyter" / "kernels" / "codex"
    place.mkdir(parents=True)
    (place / "kernel.json").write_text(json.dumps({"argv": ["/gone/python"], "display_name": "C", "language": "c"}))
    code, checks, _ = report(capsys, "--demo")
    assert code == 1
    assert "/gone/python, which is gone" in checks["jupyter"]["summary"]


def test_a_server_whose_program_is_missing_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text('[mcp_servers.x]\ncommand = "no-such-program"\n')
    code, checks, _ = report(capsys, "--demo")
    assert (code, checks["mcp"]["state"]) == (0, "note")
    (home / "config.toml").write_text('[mcp_servers.x]\ncommand = "no-such-program"\nrequired = true\n')
    assert report(capsys, "--demo")[0] == 1


def test_for_people_a_remedy_stands_below_its_finding(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--offline", *provider("https://model.example/v1", env_key="NO_SUCH_KEY")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("PROBLEM login") for line in lines)
    place = next(number for number, line in enumerate(lines) if "jupyter" in line)
    assert lines[place + 1].strip() == "-> codex kernel install"


def test_features_are_listed_switched_and_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("# mine\nmodel = 'm'\n")
    assert main(["features", "disable", "hooks"]) == 0
    assert (home / "config.toml").read_text() == "# mine\nmodel = 'm'\n\n[features]\nhooks = false\n"
    capsys.readouterr()
    assert main(["features", "list", "--json"]) == 0
    states = {feature["name"]: feature["enabled"] for feature in json.loads(capsys.readouterr().out)}
    assert states["hooks"] is False
    assert states["view_image"] is True
    assert main(["features", "list", "-c", "features.hooks=true"]) == 0
    assert "hooks" in capsys.readouterr().out.splitlines()[0]
    before = (home / "config.toml").read_text()
    assert main(["features", "enable", "nope"]) == 1
    assert "there are hooks, " in capsys.readouterr().err
    assert (home / "config.toml").read_text() == before
