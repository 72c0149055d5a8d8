"""Which setting wins, and what a thread gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import TrustLevel, WireApi
from codex_protocol.errors import ConfigError, UsageError
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    Effort,
    ReadOnly,
    SandboxMode,
    Summary,
    WorkspaceWrite,
    mode_of,
)
from codex_store.home import Home
from codex_store.prices import Price
from tests.kernel.config.conftest import Load

FIXTURE = """
model = "o3"
approval_policy = "untrusted"
profile = "gpt3"

[model_providers.openai-chat-completions]
name = "OpenAI using Chat Completions"
base_url = "https://api.openai.com/v1"
env_key = "OPENAI_API_KEY"
wire_api = "chat"
request_max_retries = 4
stream_max_retries = 10
stream_idle_timeout_ms = 300000

[profiles.o3]
model = "o3"
model_provider = "openai"
approval_policy = "never"
model_reasoning_effort = "high"
model_reasoning_summary = "detailed"

[profiles.gpt3]
model = "gpt-3.5-turbo"
model_provider = "openai-chat-completions"

[profiles.zdr]
model = "o3"
model_provider = "openai"
approval_policy = "on-failure"
disable_response_storage = true
"""


def trust(home: Home, directory: Path) -> None:
    with home.config_file.open("a") as file:
        file.write(f'\n[projects."{directory}"]\ntrust_level = "trusted"\n')


def test_without_any_file_the_defaults_hold(load: Load, project: Path) -> None:
    config = load()
    assert (config.model, config.model_provider) == ("gpt-5.5", "openai")
    assert (config.cwd, config.project_root, config.trust) == (project, project, TrustLevel.UNKNOWN)
    assert (config.sandbox_policy, config.approval_policy) == (ReadOnly(), ApprovalPolicy.ON_REQUEST)
    assert config.warnings == ()
    assert config.provider.wire_api is WireApi.RESPONSES


@pytest.mark.parametrize(
    ("profile", "model", "provider", "approval", "effort", "summary"),
    [
        ("o3", "o3", "openai", "never", Effort.HIGH, Summary.DETAILED),
        ("gpt3", "gpt-3.5-turbo", "openai-chat-completions", "untrusted", None, Summary.AUTO),
        (None, "gpt-3.5-turbo", "openai-chat-completions", "untrusted", None, Summary.AUTO),
        ("zdr", "o3", "openai", "on-failure", None, Summary.AUTO),
    ],
)
def test_profiles_of_the_fixture_resolve_as_the_sheet_says(
    load: Load,
    home: Home,
    profile: str | None,
    model: str,
    provider: str,
    approval: str,
    effort: Effort | None,
    summary: Summary,
) -> None:
    home.config_file.write_text(FIXTURE)
    config = load(profile=profile)
    assert (config.model, config.model_provider, config.approval_policy) == (model, provider, approval)
    assert (config.model_reasoning_effort, config.model_reasoning_summary) == (effort, summary)
    assert (config.profile, config.file_opener, config.warnings) == (profile or "gpt3", "vscode", ())
    assert config.provider.stream_max_retries == (10 if provider.startswith("openai-") else 5)


def test_each_layer_wins_over_the_one_below(load: Load, home: Home, project: Path) -> None:
    home.config_file.write_text('model = "user"\n[profiles.p]\nmodel = "table"\n')
    trust(home, project)
    seen = [load().model, load(profile="p").model]
    home.profile_file("p").write_text('model = "file"\n')
    seen.append(load(profile="p").model)
    for folder, model in ((project, "root"), (project / "sub", "sub")):
        (folder / ".codex").mkdir()
        (folder / ".codex" / "config.toml").write_text(f'model = "{model}"\n')
    seen.append(load(profile="p", trust=True).model)
    seen.append(load(profile="p", cwd=project / "sub").model)
    seen.append(load(profile="p", cwd=project / "sub", trust=True).model)
    seen.append(load("model=typed", "profiles.p.model=no", profile="p").model)
    seen.append(load("model=typed", profile="p", config={"model": "object"}).model)
    seen.append(load("model=typed", profile="p", model="flag").model)
    assert seen == ["user", "table", "file", "root", "root", "sub", "typed", "object", "flag"]


def test_settings_that_a_command_could_plant_below_the_trusted_directory_are_not_obeyed(
    load: Load, home: Home, project: Path
) -> None:
    trust(home, project)
    planted = project / "sub" / ".codex"
    planted.mkdir(parents=True)
    (planted / "config.toml").write_text('model = "evil"\n[mcp_servers.evil]\ncommand = "/bin/sh"\n')
    config = load(cwd=project / "sub")
    assert config.trust is TrustLevel.TRUSTED
    assert config.model != "evil"
    assert "evil" not in config.mcp_servers
    assert any(str(planted) in warning for warning in config.warnings)
    trust(home, project / "sub")
    assert load(cwd=project / "sub").model == "evil"


def test_override_can_choose_and_change_a_profile(load: Load) -> None:
    assert load("profiles.p.model=x", "profile=p").model == "x"


def test_profile_sets_the_sandbox_too(load: Load, home: Home) -> None:
    home.config_file.write_text('sandbox_mode = "read-only"\n[profiles.p]\nsandbox_mode = "workspace-write"\n')
    assert mode_of(load(profile="p").sandbox_policy) is SandboxMode.WORKSPACE_WRITE


def test_profile_file_alone_is_enough(load: Load, home: Home) -> None:
    home.profile_file("work").write_text('model = "w"\n')
    assert load(profile="work").model == "w"


@pytest.mark.parametrize("name", ["nope", "../config", "a/b", ".x", "a\0b"])
def test_profile_that_is_nowhere_is_refused(load: Load, home: Home, name: str) -> None:
    (home.root.parent / "config.config.toml").write_text("model = 'x'")
    with pytest.raises(ConfigError, match=r"The profile .* is not defined: there is no .* and no file"):
        load(profile=name)


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        (
            'sandbox_mode = "danger-full-access"\n[sandbox_workspace_write]\nnetwork_access = false',
            {},
            DangerFullAccess(),
        ),
        ('sandbox_mode = "read-only"\n[sandbox_workspace_write]\nnetwork_access = true', {}, ReadOnly()),
        (
            'sandbox_mode = "workspace-write"\n[sandbox_workspace_write]\nwritable_roots = ["/my/workspace"]\n'
            "exclude_tmpdir_env_var = true\nexclude_slash_tmp = true",
            {},
            WorkspaceWrite(writable_roots=("/my/workspace",), exclude_tmpdir_env_var=True, exclude_slash_tmp=True),
        ),
        ("", {"sandbox_mode": SandboxMode.WORKSPACE_WRITE}, WorkspaceWrite()),
        ("", {"full_auto": True}, WorkspaceWrite()),
        ("", {"full_auto": True, "sandbox_mode": SandboxMode.READ_ONLY}, WorkspaceWrite()),
        ("", {"bypass": True}, DangerFullAccess()),
        ('sandbox_mode = "workspace-write"', {"sandbox_mode": SandboxMode.READ_ONLY}, ReadOnly()),
        ('default_permissions = ":workspace"', {}, WorkspaceWrite()),
        ('default_permissions = "mine"', {"sandbox_mode": SandboxMode.READ_ONLY}, ReadOnly()),
    ],
)
def test_sandbox_policy_follows_from(
    load: Load, home: Home, text: str, flags: dict[str, Any], expected: object
) -> None:
    home.config_file.write_text(text)
    assert load(**flags).sandbox_policy == expected


def test_trusted_directory_may_be_written_by_default_and_an_untrusted_one_not(
    load: Load, home: Home, project: Path
) -> None:
    trust(home, project)
    assert mode_of(load(cwd=project / "sub").sandbox_policy) is SandboxMode.WORKSPACE_WRITE
    assert mode_of(load(cwd=home.root).sandbox_policy) is SandboxMode.READ_ONLY


@pytest.mark.parametrize(
    ("flags", "approval"),
    [
        ({"full_auto": True}, ApprovalPolicy.ON_FAILURE),
        ({"full_auto": True, "approval_policy": ApprovalPolicy.NEVER}, ApprovalPolicy.NEVER),
        ({"bypass": True}, ApprovalPolicy.NEVER),
        ({"approval_policy": ApprovalPolicy.UNTRUSTED}, ApprovalPolicy.UNTRUSTED),
        ({}, ApprovalPolicy.ON_REQUEST),
    ],
)
def test_approval_policy_follows_from_flags(load: Load, flags: dict[str, Any], approval: ApprovalPolicy) -> None:
    assert load(**flags).approval_policy is approval


@pytest.mark.parametrize(
    "flags", [{"bypass": True, "full_auto": True}, {"bypass": True, "approval_policy": ApprovalPolicy.ON_REQUEST}]
)
def test_flags_that_contradict_each_other_are_a_usage_error(load: Load, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="cannot be used together"):
        load(**flags)


def test_working_directory_that_is_missing_is_refused(load: Load, project: Path) -> None:
    (project / "file").write_text("")
    with pytest.raises(ConfigError, match=r"The working directory .*/nowhere does not exist"):
        load(cd=Path("nowhere"))
    with pytest.raises(ConfigError, match="is not a directory"):
        load(cd=Path("file"))


def test_working_directory_is_resolved(load: Load, project: Path) -> None:
    (project / "link").symlink_to("sub")
    assert load(cd=Path("link")).cwd == project / "sub"


def test_added_directories_become_writable_and_must_exist(load: Load, project: Path) -> None:
    policy = load(add_dirs=("sub", "../home"), full_auto=True).sandbox_policy
    assert isinstance(policy, WorkspaceWrite)
    assert policy.writable_roots == (str(project / "sub"), str(project.parent / "home"))
    with pytest.raises(ConfigError, match="--add-dir nope: there is no such directory"):
        load(add_dirs=("nope",), full_auto=True)
    assert "--add-dir has no effect" in load(add_dirs=("sub",)).warnings[0]


def test_relative_paths_count_from_the_file_they_stand_in(load: Load, home: Home, project: Path) -> None:
    (home.root / "prompt.md").write_text("  from home \n")
    (project / "prompt.md").write_text("from project")
    home.config_file.write_text(
        'experimental_instructions_file = "prompt.md"\nsandbox_mode = "workspace-write"\n'
        '[sandbox_workspace_write]\nwritable_roots = ["extra"]\n'
    )
    config = load()
    assert config.base_instructions == "from home"
    assert config.sandbox_policy == WorkspaceWrite(writable_roots=(str(home.root / "extra"),))
    assert load("model_instructions_file=prompt.md").base_instructions == "from project"


@pytest.mark.parametrize(
    ("content", "says"), [(None, "does not exist"), (b"  \n", "is empty"), (b"\xff", "not UTF-8 text")]
)
def test_instructions_file_that_cannot_be_used_is_refused(
    load: Load, home: Home, content: bytes | None, says: str
) -> None:
    if content is not None:
        (home.root / "p.md").write_bytes(content)
    home.config_file.write_text('model_instructions_file = "p.md"\n')
    with pytest.raises(ConfigError, match=says):
        load()


@pytest.mark.parametrize(
    ("settings", "search"),
    [
        ((), "disabled"),
        (("web_search=live",), "live"),
        (('web_search="cached"',), "cached"),
        (("tools.web_search=true",), "live"),
        (("tools.web_search_request=true",), "live"),
        (("tools.web_search={}",), "live"),
        (("tools.web_search=false",), "disabled"),
        (("features.web_search_request=true",), "live"),
        (("features.web_search_cached=true",), "cached"),
        (("web_search=cached", "tools.web_search=true"), "cached"),
    ],
)
def test_web_search_in_every_form(load: Load, settings: tuple[str, ...], search: str) -> None:
    assert load(*settings).tools.web_search == search


def test_older_form_in_a_higher_layer_wins_over_todays_form_below(load: Load, home: Home) -> None:
    home.config_file.write_text('web_search = "live"\nmodel_instructions_file = "gone"\n')
    (home.root / "p.md").write_text("p")
    config = load("tools.web_search=false", f"experimental_instructions_file={home.root}/p.md")
    assert (config.tools.web_search, config.base_instructions) == ("disabled", "p")


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("tools.update_plan.enabled=false", "update_plan", False),
        ("tools.update_plan=false", "update_plan", False),
        ("experimental_use_exec_command_tool=true", "shell", "exec_command"),
        ("features.unified_exec=false", "shell", "shell"),
        ("features.view_image=false", "view_image", False),
        ("tools.view_image=false", "view_image", False),
        ("tools.apply_patch=none", "apply_patch", "none"),
    ],
)
def test_tool_setting_arrives(load: Load, setting: str, field: str, value: object) -> None:
    assert getattr(load(setting).tools, field) == value


def test_search_and_feature_flags_win(load: Load) -> None:
    assert load("web_search=disabled", search=True).tools.web_search == "live"
    assert load("features.view_image=true", disable=("view_image",)).tools.view_image is False
    with pytest.raises(ConfigError, match="There is no feature 'undo' here; there are hooks, "):
        load(enable=("undo",))


def test_originator_of_the_environment_wins_and_is_a_header_value(load: Load) -> None:
    env = {"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "codex_sdk_ts"}
    assert load("responses_originator_header_internal_override=x", env=env).originator == "codex_sdk_ts"
    assert load("responses_originator_header_internal_override=x").originator == "x"
    assert load(env={"CODEX_INTERNAL_ORIGINATOR_OVERRIDE": "a\r\nb: c"}).originator is None


def test_user_config_can_be_ignored_but_not_what_it_says_about_trust(load: Load, home: Home, project: Path) -> None:
    home.config_file.write_text('model = "x"\n')
    trust(home, project)
    config = load(ignore_user_config=True)
    assert (config.model, config.trust) == ("gpt-5.5", TrustLevel.TRUSTED)
    home.config_file.write_text("broken [")
    assert load(ignore_user_config=True).trust is TrustLevel.UNKNOWN


def test_prices_are_the_users_alone_and_none_is_built_in(load: Load, home: Home, project: Path) -> None:
    assert load().prices == {}
    home.config_file.write_text('[prices."m.1"]\ninput = 2\noutput = 8.5\ncurrency = "EUR"\n')
    trust(home, project)
    (project / ".codex").mkdir()
    (project / ".codex" / "config.toml").write_text('[prices."m.1"]\ninput = 0\noutput = 0\n')
    config = load()
    assert config.prices == {"m.1": Price(input=2, output=8.5, currency="EUR")}
    assert any("prices" in warning for warning in config.warnings)
    with pytest.raises(ConfigError, match=r"prices\.m\.input"):
        load("prices.m.input=-1", "prices.m.output=1")


def test_limits_and_git_writes_arrive(load: Load) -> None:
    sandbox = load(
        "sandbox_workspace_write.git_writes=true", "sandbox.limits.max_processes=7", 'sandbox.deny_read=["**/.env"]'
    ).sandbox
    assert (sandbox.git_writes, sandbox.limits.max_processes, sandbox.deny_read) == (True, 7, ("**/.env",))


def test_settings_upstream_has_and_we_do_not_are_told_where_they_matter(load: Load) -> None:
    warnings = load("cli_auth_credentials_store=keyring", "permissions.mine.extends=x").warnings
    assert ["not supported here" in warning for warning in warnings] == [True, True]


@pytest.mark.parametrize(("variable", "provider"), [("OPENAI_BASE_URL", "openai"), ("CODEX_OSS_BASE_URL", "oss")])
def test_a_variable_that_is_no_address_is_named(load: Load, variable: str, provider: str) -> None:
    with pytest.raises(ConfigError, match=f"^The variable {variable} is 'localhost'; it must start with http"):
        load(f"model_provider={provider}", env={variable: "localhost"})
    assert load("model_provider=lmstudio", env={variable: "localhost"}).provider.name == "LM Studio"


def test_providers_can_be_added_changed_and_chosen(load: Load) -> None:
    config = load('openai_base_url="http://typed/v1"', env={"OPENAI_BASE_URL": "http://env/v1"})
    assert config.provider.base_url == "http://typed/v1"
    assert load(env={"OPENAI_BASE_URL": " "}).provider.base_url is None
    openai = load("model_providers.openai.stream_max_retries=1", env={"OPENAI_BASE_URL": "http://env/v1"}).provider
    assert (openai.base_url, openai.stream_max_retries, openai.wire_api) == ("http://env/v1", 1, WireApi.RESPONSES)
    assert openai.requires_openai_auth
    added = load("model_provider=m", "model_providers.m.base_url=http://m/v1").provider
    assert (added.name, added.base_url, added.wire_api) == ("m", "http://m/v1", WireApi.RESPONSES)
    azure = load(
        "model_provider=azure",
        'model_providers.azure={name="Azure", base_url="https://x/openai", env_key="K", '
        'query_params={api-version="2025-04-01-preview"}}',
    ).provider
    assert (azure.env_key, azure.query_params) == ("K", {"api-version": "2025-04-01-preview"})


@pytest.mark.parametrize(
    ("flags", "settings", "env", "expected"),
    [
        ({"oss": True}, (), {}, ("oss", "gpt-oss:20b", "http://localhost:11434/v1")),
        ({"oss": True}, ("model=x",), {"CODEX_OSS_PORT": "1"}, ("oss", "gpt-oss:20b", "http://localhost:1/v1")),
        ({"oss": True}, (), {"CODEX_OSS_PORT": "x"}, ("oss", "gpt-oss:20b", "http://localhost:11434/v1")),
        ({"oss": True, "model": "m"}, (), {"CODEX_OSS_BASE_URL": "http://o"}, ("oss", "m", "http://o")),
        ({"oss": True}, ("oss_provider=lmstudio",), {}, ("lmstudio", "openai/gpt-oss-20b", "http://localhost:1234/v1")),
        ({}, ("model_provider=oss",), {}, ("oss", "gpt-oss:20b", "http://localhost:11434/v1")),
        ({}, ("model_provider=ollama", "model=x"), {}, ("ollama", "x", "http://localhost:11434/v1")),
        ({"demo": True}, ("model_provider=nope",), {}, ("demo", "demo", None)),
    ],
)
def test_local_and_demo_providers_bring_their_model(
    load: Load, flags: dict[str, Any], settings: tuple[str, ...], env: dict[str, str], expected: tuple[str, ...]
) -> None:
    config = load(*settings, env=env, **flags)
    assert (config.model_provider, config.model, config.provider.base_url) == expected
    assert config.show_raw_agent_reasoning is (expected[0] != "demo")


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("load()", {"tomllib", "tomlkit", "difflib", "codex_kernel.config.explain"}),
        ("""load('model="x"', 'openai_base_url="http://x"', 'web_search=live')""", {"tomllib", "tomlkit", "difflib"}),
    ],
)
def test_loading_imports_nothing_it_does_not_need(tmp_path: Path, code: str, absent: set[str]) -> None:
    script = (
        "import sys, pathlib\n"
        "from codex_kernel.config.load import load_config\n"
        "from codex_store.home import Home\n"
        f"home = Home(root=pathlib.Path({str(tmp_path)!r}))\n"
        "def load(*o): return load_config(home=home, cwd=home.root, overrides=o, env={})\n"
        f"{code}\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert absent.isdisjoint(done.stdout.split())
    assert {"dataclasses", "subprocess", "pydantic", "httpx", "argparse"}.isdisjoint(done.stdout.split())


def test_a_notify_program_that_is_not_there_is_told_at_the_start(load: Load) -> None:
    assert load('notify = ["/bin/sh", "-c", "true"]').warnings == ()
    (warning,) = load('notify = ["/no/such/program"]').warnings
    assert "'/no/such/program', which is no program here" in warning


def test_an_approval_mode_nobody_knows_is_told(load: Load) -> None:
    config = load(
        "mcp_servers.a.command=x",
        "mcp_servers.a.default_tools_approval_mode=aprove",
        "mcp_servers.a.tools.t.approval_mode=never",
        "mcp_servers.a.tools.u.approval_mode=approve",
    )
    assert [warning.partition(",")[0] for warning in config.warnings] == [
        "mcp_servers.a.default_tools_approval_mode is 'aprove'",
        "mcp_servers.a.tools.t.approval_mode is 'never'",
    ]
