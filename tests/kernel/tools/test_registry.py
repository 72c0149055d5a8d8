"""Which tools are offered, and which one a call means."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from codex_kernel.config.types import ModelProvider, ToolSettings, WireApi
from codex_kernel.core.settings import TurnSettings
from codex_kernel.model.interface import FreeformTool, FunctionTool, LocalShellTool, WebSearchTool
from codex_kernel.tools.registry import ToolRegistry
from codex_protocol.items import CustomToolCall, FunctionCall
from tests.support.threads import make_config

CHAT = ModelProvider(name="m", base_url="http://127.0.0.1:9", wire_api=WireApi.CHAT)


def offered(folder: Path, **changes):
    settings = TurnSettings.of(make_config(folder, **changes))
    return ToolRegistry().offered(settings.offer(confinable=True))


def names(specs) -> list[str]:
    return [getattr(spec, "name", type(spec).__name__) for spec in specs]


def test_the_usual_offer(tmp_path: Path):
    specs = offered(tmp_path)
    assert names(specs) == ["exec_command", "write_stdin", "update_plan", "apply_patch", "view_image"]
    assert isinstance(specs[3], FreeformTool)


def test_chat_providers_get_functions_only(tmp_path: Path):
    specs = offered(tmp_path, provider=CHAT, tools=ToolSettings(web_search="live"))
    assert all(isinstance(spec, FunctionTool) for spec in specs)
    assert "apply_patch" in names(specs)


def test_settings_switch_tools_off_and_on(tmp_path: Path):
    quiet = ToolSettings(view_image=False, update_plan=False, apply_patch="none", shell="shell", web_search="cached")
    specs = offered(tmp_path, tools=quiet)
    assert names(specs) == ["shell", "WebSearchTool"]
    assert specs[-1] == WebSearchTool(live=False)


def test_a_model_with_a_shell_of_its_own_gets_that_one(tmp_path: Path):
    specs = offered(tmp_path, model="codex-mini-latest")
    assert isinstance(specs[0], LocalShellTool)
    assert "exec_command" not in names(specs)


@pytest.mark.parametrize(
    "name", ["shell", "container.exec", "exec_command", "write_stdin", "apply_patch", "view_image"]
)
def test_every_form_is_understood_whatever_is_offered(name: str):
    assert ToolRegistry().find(FunctionCall(name=name, arguments="{}", call_id="c")) is not None


def test_a_name_nobody_answers_to_is_found_nowhere():
    assert ToolRegistry().find(CustomToolCall(name="nothing", input="", call_id="c")) is None


def test_every_schema_names_its_required_fields_and_refuses_others(tmp_path: Path):
    for spec in offered(tmp_path, provider=CHAT):
        schema = msgspec.to_builtins(spec)["parameters"]
        assert set(schema["required"]) <= set(schema["properties"])
        assert schema["additionalProperties"] is False
