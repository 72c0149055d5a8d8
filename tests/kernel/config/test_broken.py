"""Settings that cannot be used: one sentence that names file, line and key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.config.explain import line_of
from codex_kernel.config.layers import Layer, checked, read_layer
from codex_kernel.config.reference import all_keys
from codex_protocol.errors import CodexError, ConfigError
from codex_store.home import Home
from tests.kernel.config.conftest import Load


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '\napproval_policy = "unless-allow-listed"',
            'line 2: approval_policy is \'unless-allow-listed\', which is none of "untrusted", "on-',
        ),
        ('sandbox_mode = "rw"', 'line 1: sandbox_mode is \'rw\', which is none of "read-only", "workspace-write", "da'),
        ("model = 3", "line 1: model must be a string, not 3."),
        ("model = true", "line 1: model must be a string, not true."),
        ("model = 2024-01-01", "line 1: model must be a string, not a date or time."),
        ('\n\nmodel_context_window = "big"', "line 3: model_context_window must be a whole number, 1 or more, not a s"),
        ("model_context_window = 0", "line 1: model_context_window must be a whole number, 1 or more, not 0."),
        ("project_doc_max_bytes = -1", "line 1: project_doc_max_bytes must be a whole number, 0 or more, not -1."),
        ('notify = "say"', "line 1: notify must be a list of strings, not a string."),
        ("notify = [1]", "line 1: notify must be a list of strings, not a list with 1 in it."),
        ('notify = ["a", ["b"]]', "line 1: notify must be a list of strings, not a list with a list in it."),
        ('\nnotify = ["a\\u0000b"]', "line 2: notify holds a zero byte, which no name and no text may have."),
        ('[tools]\n"a\\u0000" = 1', "holds a zero byte, which no name and no text may have."),
        ("[prices.m]\ninput = -1", "line 2: prices.m.input must be a number, 0 or more, not -1."),
        ("[prices.m]\ninput = nan", "line 2: prices.m.input must be a number, 0 or more, not nan."),
        ("[history]\nmax_bytes = 0", "line 2: history.max_bytes must be a whole number, 1 or more, not 0."),
        (
            "[sandbox.limits]\nmax_processes = 4611686018427387904",
            "line 2: sandbox.limits.max_processes must be less t",
        ),
        ('[mcp_servers.a]\ncommand = ""', "line 1: mcp_servers.a needs either a command or a url."),
        (
            '[mcp_servers.a]\ncommand = "x"\ntool_timeout_sec = nan',
            "line 3: mcp_servers.a.tool_timeout_sec must be mor",
        ),
        (
            'model_provider = "m"\n[model_providers.m]\nbase_url = "http://"',
            "line 3: The base URL of provider 'm' is 'htt",
        ),
        ('model_provider = "m"\n[model_providers.m]\nbase_url = "http://a b/v1"', "and a host."),
        ('\nmodel = " "', "line 2: The model's name is empty."),
        ('chatgpt_base_url = "x"', "line 1: chatgpt_base_url must start with http:// or https://."),
        ('model_instructions_file = "/"', "line 1: The instructions file / is a directory."),
        ("tools = 1", "line 1: tools must be a table, not 1."),
        ("[tools]\nupdate_plan = 1", "line 2: tools.update_plan must be true or false or a table, not 1."),
        ("[shell_environment_policy]\n\nset = { A = 1 }", "line 3: shell_environment_policy.set.A must be a string"),
        (
            '[model_providers.m]\nname = "m"\nwire_api = "grpc"',
            'line 3: model_providers.m.wire_api is \'grpc\', which is none of "responses", "chat".',
        ),
        ('[mcp_servers."a.b".env]\nX = 1', 'line 2: mcp_servers."a.b".env.X must be a string, not 1.'),
        ("[profiles.p]\nmodel = 1", "line 2: profiles.p.model must be a string, not 1."),
        (
            '[projects."/a"]\ntrust_level = "yes"',
            'line 2: projects."/a".trust_level is \'yes\', which is none of "trusted", "untrusted".',
        ),
        ("[history]\nmax_bytes = 'x'", "line 2: history.max_bytes must be a whole number, 1 or more, not a string."),
        ("features = { a = 1 }", "line 1: features.a must be true or false, not 1."),
        ('x = """\nmodel\n"""\nmodel = 1', "line 4: model must be a string, not 1."),
        ("model = ", "line 1: this is not valid TOML: invalid value."),
        ("\nmodel 1", "line 2: this is not valid TOML: expected '=' after a key in a key/value pair."),
        ("a = 1\na = 2", "line 2: this is not valid TOML: cannot overwrite a value."),
        ("a = [" + "[" * 3000, "it is nested too deeply."),
        ('model_provider = "zzz"', "line 1: The model provider 'zzz' is not defined; there are demo, lm"),
        (
            "\napproval_policy = { granular = { rules = true } }",
            "line 2: approval_policy is a table, but granular policies are not",
        ),
        ('default_permissions = "mine"', "line 1: default_permissions is 'mine', but permission profiles are"),
        ("[mcp_servers.x]\nargs = []", "line 1: mcp_servers.x needs either a command or a url."),
        ("[mcp_servers.x]\ncommand = 'a'\nurl = 'http://b'", "line 1: mcp_servers.x needs either a command or a url."),
        ("[mcp_servers.x]\nurl = 'file:///b'", "line 2: mcp_servers.x.url must start with http:// or https://."),
        ('[mcp_servers."x y"]\ncommand = "a"', "a server's name has only letters"),
        ("[mcp_servers.x]\ncommand = 'a'\ntool_timeout_sec = 0", "line 3: mcp_servers.x.tool_timeout_sec must be more"),
        ("[sandbox.limits]\nmax_processes = 0", "line 2: sandbox.limits.max_processes must be more than 0."),
        (
            'model_provider = "m"\n[model_providers.m]\nbase_url = "localhost"',
            "line 3: The base URL of provider 'm' is 'localhost'; it must start with http",
        ),
        ('model_provider = "m"\n[model_providers.m]\nname = "M"', "line 2: Provider 'm' has no base_url"),
    ],
)
def test_broken_config_gets_one_sentence(load: Load, home: Home, text: str, says: str) -> None:
    home.config_file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load()
    message = str(raised.value)
    assert message.startswith(str(home.config_file))
    assert says in message
    assert "\n" not in message
    assert message.endswith(".")
    assert raised.value.file == str(home.config_file)


def test_broken_override_is_said_to_be_on_the_command_line(load: Load) -> None:
    with pytest.raises(ConfigError, match="On the command line: model must be a string, not 3"):
        load("model=3")


def test_broken_unused_profile_is_found(load: Load, home: Home) -> None:
    home.profile_file("p").write_text("model = 1\n")
    load()
    with pytest.raises(ConfigError, match=r"p\.config\.toml, line 1: model must be"):
        load(profile="p")


def test_config_that_is_no_file_is_refused_at_once(home: Home) -> None:
    home.config_file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_layer(home.config_file, "user")
    home.config_file.rmdir()
    os.mkfifo(home.config_file)
    with pytest.raises(ConfigError, match="it is not a file"):
        read_layer(home.config_file, "user")


def test_config_that_is_no_text_is_refused_with_its_line(home: Home) -> None:
    home.config_file.write_bytes(b'model = "x"\nmodel = "\xff"\n')
    with pytest.raises(ConfigError, match="line 2: this is not UTF-8 text"):
        read_layer(home.config_file, "user")


def test_byte_order_mark_is_no_mistake(load: Load, home: Home) -> None:
    home.config_file.write_bytes(b'\xef\xbb\xbfmodel = "x"\n')
    assert load().model == "x"


def test_unreadable_config_is_refused(load: Load, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.config_file.write_text("")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: Permission denied"):
        load()


def test_unknown_keys_are_warned_about_with_the_key_they_resemble(load: Load, home: Home) -> None:
    home.config_file.write_text('modle = "x"\n[tools]\nview_imag = true\n[mcp_servers.x]\ncommand = "c"\nzzzzz = 1\n')
    assert load("approval_polcy=never").warnings == (
        f"{home.config_file}, line 1: unknown key modle is ignored; did you mean model?",
        f"{home.config_file}, line 3: unknown key tools.view_imag is ignored; did you mean tools.view_image?",
        f"{home.config_file}, line 6: unknown key mcp_servers.x.zzzzz is ignored.",
        "On the command line: unknown key approval_polcy is ignored; did you mean approval_policy?",
    )


@pytest.mark.parametrize("where", ["file", "override", "profile"])
def test_strict_refuses_an_unknown_key(load: Load, home: Home, where: str) -> None:
    if where == "file":
        home.config_file.write_text("modle = 1\n")
    home.profile_file("p").write_text("modle = 1\n" if where == "profile" else "")
    with pytest.raises(ConfigError, match="unknown key modle; did you mean model"):
        load(*(["modle=1"] if where == "override" else []), strict=True, profile="p")


def test_keys_of_upstreams_programs_are_no_mistake(load: Load, home: Home) -> None:
    home.config_file.write_text(
        '[tui]\ntheme = "x"\n[notice]\na = 1\n[profiles.p.tui]\na = 1\n[hooks.state."x"]\nenabled = true\n'
    )
    assert load(strict=True).warnings == ()


KEYS = [entry.path for entry in all_keys()]
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.just("/x"), st.datetimes()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(key=st.sampled_from(KEYS), value=VALUES)
def test_any_value_for_any_key_is_used_or_refused_in_one_sentence(load: Load, key: str, value: object) -> None:
    if key == "experimental_resume" or key.endswith("instructions_file"):
        value = "x" if isinstance(value, str) else value  # a NUL in a path is tried elsewhere
    try:
        load(config={key.replace("<id>", "x").replace("<name>", "x").replace("<path>", "x"): value})
    except CodexError as error:
        assert str(error).endswith(".")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017


TOML_PARTS = st.sampled_from(
    ["a = 1", "[b]", "c = [\n1,\n2\n]", 'd = """\nx = 1\n"""', "# note", "", "[[e]]", "f.g = {h = 1}"]
)


@given(st.lists(TOML_PARTS, unique=True))
def test_line_of_a_key_is_where_its_statement_begins(parts: list[str]) -> None:
    text = "\n".join([*parts, "[last.table]", "key = [", "1]"])
    above = sum(part.count("\n") + 1 for part in parts)
    assert line_of(text, ("last", "table")) == above + 1
    assert line_of(text, ("last", "table", "key")) == above + 2
    assert line_of(text, ("last", "table", "nothing")) is None


def test_line_is_found_quickly_in_a_long_file() -> None:
    text = "".join(f"[t{i}]\nk = {i}\n" for i in range(1500))
    assert line_of(text, ("t1234", "k")) == 2470


def test_checking_finds_no_fault_in_an_empty_layer() -> None:
    layer = Layer(kind="user", tree={}, file=Path("/x"))
    assert checked(layer) is layer
