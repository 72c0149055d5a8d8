"""The conversation methods against `codex mcp` as a process of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.mcp_server.test_mcp_served import SHELL, Served, serving
from tests.support.replies import calls, says

GO = [{"type": "text", "data": {"text": "go"}}]


def new(client: Served, **params: Any) -> str:
    answer = client.ask("newConversation", {"cwd": str(client.codex.work), **params})
    return answer["result"]["conversationId"]


def listen(client: Served, conversation: str) -> str:
    return client.ask("addConversationListener", {"conversationId": conversation})["result"]["subscriptionId"]


def say(client: Served, conversation: str, items: Any = GO) -> dict[str, Any]:
    return client.ask("sendUserMessage", {"conversationId": conversation, "items": items})


def test_a_conversation_asks_runs_and_tells(tmp_path: Path):
    script = [calls("shell", {"command": ["touch", "made"]}, call_id="c1"), says("done")]
    with serving(tmp_path, script) as client:
        answer = client.ask(
            "newConversation",
            {"cwd": str(client.codex.work), "approvalPolicy": "untrusted", "sandbox": "danger-full-access"},
        )
        assert answer["result"]["model"] == "gpt-5.5"
        conversation = answer["result"]["conversationId"]
        listen(client, conversation)
        assert say(client, conversation)["result"] == {}
        asked = client.until(lambda m: m.get("method") == "execCommandApproval")
        assert asked["params"] == {
            "conversation_id": conversation,
            "call_id": "c1",
            "command": ["touch", "made"],
            "cwd": str(client.codex.work),
        } | {key: asked["params"][key] for key in ("reason",) if key in asked["params"]}
        client.answer(asked["id"], {"decision": "approved"})
        end = client.event("task_complete")
        assert end["method"] == "codex/event/task_complete"
        assert end["params"]["conversationId"] == conversation
        assert "_meta" not in end["params"]
        kinds = [m["params"]["msg"]["type"] for m in client.seen if m.get("method", "").startswith("codex/event/")]
        assert "session_configured" not in kinds
        assert kinds.index("exec_approval_request") < kinds.index("exec_command_begin")
        assert (client.codex.work / "made").exists()


def test_what_happened_before_somebody_listened_is_told_then_and_approvals_do_not_wait_for_listeners(tmp_path: Path):
    script = [calls("shell", {"command": ["touch", "made"]}), says("done")]
    with serving(tmp_path, script) as client:
        conversation = new(client, approvalPolicy="untrusted", sandbox="danger-full-access")
        say(client, conversation)
        asked = client.until(lambda m: m.get("method") == "execCommandApproval")
        assert not [m for m in client.seen if m.get("method", "").startswith("codex/event")]
        subscription = listen(client, conversation)
        client.answer(asked["id"], {"decision": "approved"})
        client.event("task_complete")
        kinds = [m["params"]["msg"]["type"] for m in client.seen if m.get("method", "").startswith("codex/event/")]
        assert kinds[0] == "task_started"
        assert client.ask("removeConversationListener", {"subscriptionId": subscription})["result"] == {}
        assert client.ask("removeConversationListener", {"subscriptionId": subscription})["error"]["code"] == -32600


def test_an_interrupt_is_answered_when_the_turn_has_stopped_and_at_once_when_none_runs(tmp_path: Path):
    with serving(tmp_path, [calls("shell", {"command": ["sleep", "60"]})]) as client:
        conversation = new(client, sandbox="danger-full-access")
        params = {"conversationId": conversation}
        assert client.ask("interruptConversation", params)["result"] == {"abortReason": "interrupted"}
        listen(client, conversation)
        say(client, conversation)
        client.event("exec_command_begin")
        assert client.ask("interruptConversation", params)["result"] == {"abortReason": "interrupted"}
        assert [m for m in client.seen if m.get("method") == "codex/event/turn_aborted"]


def test_a_turn_can_bring_settings_of_its_own(tmp_path: Path):
    script = [says("one"), calls("shell", {"command": ["touch", "made"]}), says("two")]
    with serving(tmp_path, script) as client:
        conversation = new(client, approvalPolicy="untrusted", sandbox="read-only")
        listen(client, conversation)
        say(client, conversation)
        client.event("task_complete")
        turn = {
            "conversationId": conversation,
            "items": GO,
            "cwd": str(client.codex.work),
            "approvalPolicy": "never",
            "sandboxPolicy": {"mode": "danger-full-access"},
            "model": "o3",
            "effort": "low",
            "summary": "auto",
        }
        assert client.ask("sendUserTurn", turn)["result"] == {}
        client.event("task_complete")
        assert client.model.requests[1].json["model"] == "o3"
        assert (client.codex.work / "made").exists()


def test_images_reach_the_model(tmp_path: Path):
    with serving(tmp_path, [says("seen")]) as client:
        picture = client.codex.work / "p.png"
        picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 20)
        conversation = new(client)
        listen(client, conversation)
        items = [
            {"type": "localImage", "data": {"path": str(picture)}},
            {"type": "image", "data": {"image_url": "data:image/png;base64,AA=="}},
        ]
        say(client, conversation, items)
        client.event("task_complete")
        content = client.model.requests[0].input[-1]["content"]
        assert [part["type"] for part in content].count("input_image") == 2


def test_the_plan_and_patch_tools_can_be_left_out(tmp_path: Path):
    with serving(tmp_path, [says("x")]) as client:
        conversation = new(
            client, includePlanTool=False, includeApplyPatchTool=False, config={"tools.view_image": False}
        )
        listen(client, conversation)
        say(client, conversation)
        client.event("task_complete")
        names = {tool.get("name") for tool in client.model.requests[0].json["tools"]}
        assert not names & {"update_plan", "apply_patch", "view_image"}


def test_the_account_methods_tell_of_keys_and_logout(tmp_path: Path):
    with serving(tmp_path, []) as client:
        assert client.ask("getAuthStatus", {})["result"] == {"preferredAuthMethod": "chatgpt"}
        auth = client.codex.home / "auth.json"
        auth.write_text(json.dumps({"OPENAI_API_KEY": "sk-test"}))
        assert client.ask("getAuthStatus", {"includeToken": True})["result"] == {
            "preferredAuthMethod": "chatgpt",
            "authMethod": "apikey",
            "authToken": "sk-test",
        }
        assert "authToken" not in client.ask("getAuthStatus", {})["result"]
        assert client.ask("logoutChatGpt")["result"] == {}
        assert client.until(lambda m: m.get("method") == "codex/event/auth_status_change")["params"] == {}
        assert not auth.exists()


def test_a_login_can_be_started_and_cancelled(tmp_path: Path):
    with serving(tmp_path, []) as client:
        answer = client.ask("loginChatGpt")
        if "error" in answer:
            pytest.fail(f"port 1455 is taken on this machine: {answer}")
        started = answer["result"]
        assert "/oauth/authorize?" in started["authUrl"]
        assert client.ask("cancelLoginChatGpt", {"loginId": started["loginId"]})["result"] == {}
        told = client.until(lambda m: m.get("method") == "codex/event/login_chat_gpt_complete")["params"]
        assert told["loginId"] == started["loginId"]
        assert told["success"] is False
        assert "not completed" in told["error"]


def test_the_config_file_is_told_as_it_is_now(tmp_path: Path):
    settings = SHELL + 'approval_policy = "untrusted"\n[profiles.p]\nmodel = "o3"\n'
    with serving(tmp_path, [], settings=settings) as client:
        assert client.ask("getConfigToml")["result"] == {
            "approvalPolicy": "untrusted",
            "profiles": {"p": {"model": "o3", "approvalPolicy": None, "modelReasoningEffort": None}},
        }
        (client.codex.home / "config.toml").write_text("")
        assert client.ask("getConfigToml")["result"] == {"profiles": {}}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_difference_to_the_remote_holds_commits_changes_and_new_files(tmp_path: Path):
    remote, work = tmp_path / "remote", tmp_path / "clone"
    remote.mkdir()
    git(remote, "init", "-q", "-b", "main")
    (remote / "a").write_text("one\n")
    git(remote, "add", "a")
    git(remote, "commit", "-q", "-m", "first")
    base = git(remote, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", str(remote), str(work))
    with serving(tmp_path / "served", []) as client:
        assert client.ask("gitDiffToRemote", {"cwd": str(work)})["result"] == {"sha": base, "diff": ""}
        (work / "a").write_text("two\n")
        git(work, "commit", "-q", "-a", "-m", "second")
        (work / "new").write_text("new\n")
        found = client.ask("gitDiffToRemote", {"cwd": str(work)})["result"]
        assert found["sha"] == base
        assert "+two" in found["diff"]
        assert "+new" in found["diff"]
        assert client.ask("gitDiffToRemote", {"cwd": str(remote)})["error"]["code"] == -32600
