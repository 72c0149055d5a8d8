import json
from pathlib import Path
from typing import Any

import pytest

from codex_kernel.config.types import ConfigLayer, HookTable
from codex_kernel.hooks.definitions import Configured, configured
from codex_kernel.hooks.trust import Trust, content_hash, forget_trust, record_trust


def of(folder: Path, table: Any, *, project: bool = False) -> Configured:
    """The hooks of one `hooks.json`; `table` may be any text too."""
    text = table if isinstance(table, str) else json.dumps({"hooks": table})
    (folder / "hooks.json").write_text(text)
    kind = "project" if project else "user"
    return configured([ConfigLayer(kind=kind, folder=folder)], [])


def group(command: str = "true", **more: Any) -> dict[str, Any]:
    return {"hooks": [{"type": "command", "command": command, **more}]}


def test_files_and_tables_add_up_in_order_with_keys_of_their_own(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    (tmp_path / "hooks.json").write_text(json.dumps({"hooks": {"UserPromptSubmit": [group("a"), group("b")]}}))
    table = {"Stop": [group("c")], "state": {"x": {}}}
    found = configured([ConfigLayer(kind="user", folder=tmp_path)], [HookTable(file=config, kind="user", table=table)])
    assert [(one.command, one.order, one.key) for one in found.handlers] == [
        ("a", 0, f"{tmp_path}/hooks.json:user_prompt_submit:0:0"),
        ("b", 1, f"{tmp_path}/hooks.json:user_prompt_submit:1:0"),
        ("c", 2, f"{config}:stop:0:0"),
    ]
    assert "both count" in found.notices[0]


@pytest.mark.parametrize(
    ("timeout", "event", "seconds", "noticed"),
    [
        (None, "Stop", 600.0, False),
        (0, "Stop", 1.0, False),
        (2.5, "Stop", 2.5, False),
        (99_999, "Stop", 3600.0, True),
        (10, "SessionEnd", 3.0, True),
        (None, "Interrupt", 3.0, False),
        ("10", "Stop", 600.0, True),
        (True, "Stop", 600.0, True),
    ],
)
def test_a_timeout_is_kept_within_bounds(
    tmp_path: Path, timeout: object, event: str, seconds: float, noticed: bool
) -> None:
    found = of(tmp_path, {event: [group(timeout=timeout)]})
    assert found.handlers[0].timeout_s == seconds
    assert bool(found.notices) is noticed


@pytest.mark.parametrize(
    ("matcher", "subjects", "matches"),
    [
        (None, ("Bash",), True),
        ("", ("Bash",), True),
        ("*", ("Bash",), True),
        ("Ba", ("Bash",), True),
        ("^Edit$", ("apply_patch", "Edit", "Write"), True),
        ("Bash|Edit", ("view_image",), False),
        ("mcp__.*", ("mcp__files__read",), True),
        ("Bash", (), True),
    ],
)
def test_a_matcher_is_compared_with_every_name_of_a_tool(
    tmp_path: Path, matcher: str | None, subjects: tuple[str, ...], matches: bool
) -> None:
    found = of(tmp_path, {"PreToolUse": [{**group(), "matcher": matcher}]})
    assert found.handlers[0].matches(subjects) is matches


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", 'key "hooks"'),
        ('{"hooks": []}', 'key "hooks"'),
        ("[" * 50_000, "not valid JSON"),
        ({"Nonsense": [group()]}, "not known"),
        ({"SubagentStop": [group()]}, "does not happen here"),
        ({"Stop": group()}, "has to be a list"),
        ({"Stop": ["x"]}, "no list of hooks"),
        ({"Stop": [{"hooks": "x"}]}, "no list of hooks"),
        ({"Stop": [{"hooks": ["x"]}]}, "is no table"),
        ({"Stop": [{"hooks": [{"type": "prompt", "prompt": "x"}]}]}, "not supported"),
        ({"Stop": [{"hooks": [{"type": "command"}]}]}, "no command"),
        ({"Stop": [group("a\0b")]}, "no command"),
        ({"PreToolUse": [{**group(), "matcher": "("}]}, "no regular expression"),
        ({"PreToolUse": [{**group(), "matcher": "a" * 600}]}, "at most"),
        ({"PreToolUse": [{**group(), "matcher": 1}]}, "at most"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_a_sentence(tmp_path: Path, table: Any, words: str) -> None:
    found = of(tmp_path, table)
    assert found.handlers == ()
    assert words in found.notices[0]


def test_too_many_hooks_are_cut(tmp_path: Path) -> None:
    found = of(tmp_path, {"Stop": [group()] * 300})
    assert len(found.handlers) == 200
    assert "first 200" in found.notices[-1]


def test_only_the_users_own_settings_can_trust(tmp_path: Path) -> None:
    handler = of(tmp_path, {"Stop": [group()]}, project=True).handlers[0]
    state = {"state": {handler.key: {"workbench_hash": content_hash(handler, tmp_path)}}}

    def status(kind: Any) -> str:
        return Trust([HookTable(file=tmp_path / "c", kind=kind, table=state)]).status(handler, tmp_path)

    assert status("user") == "trusted"
    assert status("project") == "untrusted"


@pytest.mark.parametrize(
    "state",
    [{}, {"trusted_hash": "sha256:0"}, {"workbench_hash": 1}, {"enabled": True}, []],
)
def test_upstreams_record_and_broken_ones_are_no_trust(tmp_path: Path, state: Any) -> None:
    handler = of(tmp_path, {"Stop": [group()]}).handlers[0]
    tables = [HookTable(file=tmp_path / "c", kind="user", table={"state": {handler.key: state}})]
    assert Trust(tables).status(handler, tmp_path) == "untrusted"


def test_a_disabled_hook_stays_off_whatever_is_bypassed(tmp_path: Path) -> None:
    handler = of(tmp_path, {"Stop": [group()]}).handlers[0]
    tables = [HookTable(file=tmp_path / "c", kind="user", table={"state": {handler.key: {"enabled": False}}})]
    assert Trust(tables, bypass=True).status(handler, tmp_path) == "disabled"
    assert Trust([], bypass=True).status(handler, tmp_path) == "trusted"


@pytest.mark.parametrize(
    "command",
    ["sh check.sh", "./check.sh --now", "cd . && sh 'check.sh'; true", "env X=check.sh sh $X", "sh $HOME/check.sh"],
)
def test_trust_is_bound_to_the_files_a_command_names(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    handler = of(tmp_path, {"Stop": [group(command)]}).handlers[0]
    script = tmp_path / "check.sh"
    without = content_hash(handler, tmp_path)
    script.write_text("exit 0")
    before = content_hash(handler, tmp_path)
    script.write_text("exit 1")
    assert len({without, before, content_hash(handler, tmp_path)}) == 3


def test_trust_is_written_beside_what_else_stands_there_and_forgotten(tmp_path: Path) -> None:
    handler = of(tmp_path, {"Stop": [group()]}).handlers[0]
    config = tmp_path / "config.toml"
    config.write_text(f'# mine\n[hooks.state."{handler.key}"]\ntrusted_hash = "sha256:upstream"\n')
    record_trust(config, handler, tmp_path)
    text = config.read_text()
    assert text.startswith("# mine\n")
    assert 'trusted_hash = "sha256:upstream"' in text
    assert content_hash(handler, tmp_path) in text
    assert forget_trust(config, handler)
    assert not forget_trust(config, handler)
    assert "upstream" in config.read_text()
