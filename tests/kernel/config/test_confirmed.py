"""What a trusted project brings is obeyed as a person saw it, and as nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_kernel.config.confirmed import ConfirmedFiles
from codex_kernel.config.trust import record_trust
from codex_kernel.config.types import TrustLevel
from codex_protocol.errors import ConfigError
from codex_store.home import Home
from tests.kernel.config.conftest import Load
from tests.kernel.config.test_trust import make_worktree, set_project_config


def test_first_start_takes_what_is_there_and_later_changes_wait_for_a_person(
    load: Load, home: Home, project: Path
) -> None:
    set_project_config(project, 'model = "seen"')
    record_trust(home, project)
    assert (load().model, load().warnings) == ("seen", ())
    set_project_config(project, 'model = "changed"\n[mcp_servers.evil]\ncommand = "/bin/sh"\n')
    config = load()
    assert (config.model, config.mcp_servers) == ("gpt-5.5", {})
    assert config.warnings == (
        f"{project}/.codex/config.toml is not obeyed, because it was changed since you trusted it;"
        " if you want it as it is now, start once with --trust.",
    )
    assert load(trust=True).model == "changed"
    assert (load().model, load().warnings) == ("changed", ())


def test_content_that_was_confirmed_once_counts_again(load: Load, home: Home, project: Path) -> None:
    for model in ("one", "two"):
        set_project_config(project, f'model = "{model}"')
        load(trust=True)
    set_project_config(project, 'model = "one"')
    assert load().model == "one"


def test_what_appears_after_the_trust_is_new(load: Load, home: Home, project: Path) -> None:
    load(trust=True)
    set_project_config(project, "model = [broken")
    (warning,) = load().warnings
    assert warning.startswith(
        f"{project}/.codex/config.toml is not obeyed, because it is new since you trusted the pro"
    )


def test_start_above_writes_down_what_is_trusted_below_before_a_command_can_add_to_it(
    load: Load, home: Home, project: Path
) -> None:
    record_trust(home, project)
    load(cwd=project.parent)
    set_project_config(project, 'model = "planted"')
    assert load().model == "gpt-5.5"


@pytest.mark.parametrize("place", ["added", "temporary"])
def test_so_does_one_that_may_write_there_by_its_settings(
    load: Load, home: Home, project: Path, tmp_path: Path, place: str
) -> None:
    record_trust(home, project)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if place == "added":
        load(cwd=elsewhere, add_dirs=(str(tmp_path),), sandbox_mode="workspace-write")
    else:
        load(cwd=elsewhere, env={"TMPDIR": str(tmp_path)})
    set_project_config(project, 'model = "planted"')
    assert load().model == "gpt-5.5"


def test_deeper_settings_count_once_confirmed_from_there(load: Load, home: Home, project: Path) -> None:
    set_project_config(project / "sub", 'model = "deep"')
    record_trust(home, project)
    assert load(cwd=project / "sub").model == "gpt-5.5"
    assert load(cwd=project / "sub", trust=True).model == "deep"
    assert load(cwd=project / "sub").model == "deep"


def test_worktree_obeys_what_was_confirmed_in_the_repository_and_nothing_else(
    load: Load, home: Home, project: Path
) -> None:
    set_project_config(project, 'model = "of all"')
    load(trust=True)
    other = make_worktree(project, project.parent / "other")
    set_project_config(other, 'model = "of all"')
    assert load(cwd=other).model == "of all"
    set_project_config(other, 'model = "of one"')
    assert load(cwd=other).model == "gpt-5.5"


def test_program_of_a_projects_server_is_bound_to_its_content(load: Load, home: Home, project: Path) -> None:
    server = project / "server.py"
    server.write_text("print(1)\n")
    set_project_config(project, f'[mcp_servers.s]\ncommand = "python3"\nargs = ["{server.name}"]\n')
    assert load(trust=True).bound_servers["s"].keys() == {str(server)}
    assert "s" in load().mcp_servers
    server.write_text("print(2)\n")
    config = load()
    assert (config.mcp_servers, config.bound_servers) == ({}, {})
    (warning,) = config.warnings
    assert f"The MCP server s of {project}/.codex/config.toml is not started, because {server}" in warning
    assert "s" in load(trust=True).mcp_servers


def test_server_that_two_settings_files_describe_together_is_confirmed_at_once(
    load: Load, home: Home, project: Path
) -> None:
    (project / "sub" / "server.py").write_text("print(1)\n")
    set_project_config(project, '[mcp_servers.s]\ncommand = "python3"\n')
    set_project_config(project / "sub", '[mcp_servers.s]\nargs = ["server.py"]\n')
    assert "s" in load(cwd=project / "sub", trust=True).mcp_servers
    assert load(cwd=project / "sub").warnings == ()
    (project / "sub" / "server.py").write_text("print(2)\n")
    assert load(cwd=project / "sub").mcp_servers == {}


def test_program_that_was_not_there_is_none_that_was_confirmed(load: Load, home: Home, project: Path) -> None:
    set_project_config(project, '[mcp_servers.s]\ncommand = "python3"\nargs = ["later.py"]\n')
    assert "s" in load(trust=True).mcp_servers
    (project / "later.py").write_text("print(1)\n")
    assert load().mcp_servers == {}


def test_program_that_path_finds_inside_the_project_is_bound(
    load: Load, home: Home, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = project / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    set_project_config(project, '[mcp_servers.s]\ncommand = "tool"\n')
    assert "s" in load(trust=True).mcp_servers
    tool.write_text("#!/bin/sh\necho planted\n")
    assert load().mcp_servers == {}


def test_users_own_servers_are_not_bound(load: Load, home: Home, project: Path) -> None:
    home.config_file.write_text('[mcp_servers.s]\ncommand = "python3"\nargs = ["server.py"]\n')
    (project / "server.py").write_text("")
    record_trust(home, project)
    assert (load().bound_servers, list(load().mcp_servers)) == ({}, ["s"])


def test_broken_record_means_that_nothing_is_obeyed(load: Load, home: Home, project: Path) -> None:
    set_project_config(project, 'model = "x"')
    load(trust=True)
    record = home.workbench / "confirmed-files.json"
    record.write_text("{")
    config = load()
    assert config.model == "gpt-5.5"
    assert config.warnings[0].startswith(f"{record} cannot be read (")
    with pytest.raises(ConfigError):
        load(trust=True)


def test_nothing_is_written_for_who_trusts_nothing(load: Load, home: Home, project: Path) -> None:
    set_project_config(project, 'model = "x"')
    load()
    record_trust(home, project, TrustLevel.UNTRUSTED)
    load()
    assert not (home.workbench / "confirmed-files.json").exists()


def test_links_are_followed_once_and_pipes_not_waited_for(load: Load, home: Home, project: Path) -> None:
    skills = project / ".agents" / "skills"
    (skills / "one").mkdir(parents=True)
    (skills / "loop").symlink_to(skills)
    os.mkfifo(skills / "one" / "SKILL.md")
    (skills / os.fsdecode(b"\xff")).mkdir()
    (skills / os.fsdecode(b"\xff") / "SKILL.md").write_text("---\n---\n")
    load(trust=True)
    names = ConfirmedFiles(home).read()[str(project)]
    assert sorted(names) == [".agents/skills/\ufffd/SKILL.md"]


def test_users_home_is_not_looked_through_where_their_directory_is_trusted(load: Load, home: Home) -> None:
    user = home.root.parent
    home.root.rename(user / ".codex")
    home.root.symlink_to(user / ".codex")
    home.config_file.write_text('model = "x"\n')
    (user / ".agents" / "skills" / "s").mkdir(parents=True)
    (user / ".agents" / "skills" / "s" / "SKILL.md").write_text("---\n---\n")
    load(cwd=user, trust=True)
    assert list(ConfirmedFiles(home).read()[str(user)]) == [".agents/skills/s/SKILL.md"]


def test_file_that_only_lost_its_byte_order_mark_is_the_same(load: Load, home: Home, project: Path) -> None:
    set_project_config(project, '\ufeffmodel = "x"')
    load(trust=True)
    set_project_config(project, 'model = "x"')
    assert load().model == "x"
