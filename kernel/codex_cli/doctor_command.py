"""`codex doctor`: whether everything the agent needs is there, what it uses, and what to do about the rest."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from codex_cli.findings import Finding, as_object, as_text, note, ok, problem
from codex_cli.log_setup import configure_logging
from codex_cli.parser import Parsed
from codex_kernel.config.directory import current_directory
from codex_protocol.errors import CodexError
from codex_render.safe_text import visible
from codex_store.home import Home, find_home

if TYPE_CHECKING:
    from codex_kernel.config.credentials import Credential
    from codex_kernel.config.types import Config


def run_doctor_command(parsed: Parsed) -> int:
    """0; 1 when there is a problem. The report goes to stdout."""
    configure_logging(os.environ)
    from codex_cli import doctor_machine as machine
    from codex_cli import doctor_network as network

    env = os.environ
    findings = [*machine.versions(), machine.program(env)]
    home, found = _home()
    findings += found
    config: Config | None = None
    if home is not None:
        config, found = _config(parsed, home)
        findings += found
    if home is not None and config is not None:
        findings += [_login(config, env), _sandbox(config, home), *_servers(config, env)]
        findings += network.findings(config, env, ask=not parsed.flag("offline"))
    findings += [machine.kernelspec(), machine.browser(env)]
    if parsed.flag("json"):
        sys.stdout.write(json.dumps(as_object(findings), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.write("".join(visible(line) + "\n" for line in as_text(findings).splitlines()))
    sys.stdout.flush()
    return 1 if any(finding.state == "problem" for finding in findings) else 0


def _home() -> tuple[Home | None, list[Finding]]:
    try:
        home = find_home()
        runtime = home.runtime()
    except CodexError as error:
        return None, [problem("home", str(error))]
    facts = {"home": str(home.root), "runtime": str(runtime.path)}
    if home.root.exists() and not os.access(home.root, os.W_OK | os.X_OK):
        return home, [problem("home", f"{home.root} cannot be written", "own it, or set CODEX_HOME", **facts)]
    if runtime.notice is not None:
        return home, [note("home", f"{home.root}; {runtime.notice}", None, **facts)]
    return home, [ok("home", f"{home.root}, runtime directory {runtime.path}", **facts)]


def _config(parsed: Parsed, home: Home) -> tuple[Config | None, list[Finding]]:
    from codex_kernel.config.load import Flags, load_config
    from codex_protocol.policy import mode_of

    cd = parsed.one("cd")
    flags = Flags(
        cd=Path(cd) if cd is not None else None,
        model=parsed.one("model"),
        profile=parsed.one("profile"),
        oss=parsed.flag("oss"),
        demo=parsed.flag("demo"),
    )
    try:
        config = load_config(home=home, cwd=current_directory(), overrides=parsed.many("config"), flags=flags)
    except CodexError as error:
        return None, [problem("config", str(error), "mend the setting; the other checks need it")]
    there = home.config_file if home.config_file.exists() else f"no {home.config_file}"
    mode, approval = mode_of(config.sandbox_policy).value, config.approval_policy.value
    said = f"{there}; model {config.model} of {config.provider.name}, {mode}, approval {approval}"
    facts: dict[str, object] = {
        "file": str(home.config_file),
        "directory": str(config.cwd),
        "trust": config.trust.value,
        "profile": config.profile,
        "model": config.model,
        "provider": config.model_provider,
        "sandbox_mode": mode,
        "approval_policy": approval,
    }
    return config, [ok("config", said, **facts), *(note("config", notice) for notice in config.warnings)]


class _Stored:
    """The login as it is kept; nothing is renewed over the network."""

    def __init__(self, config: Config, env: Mapping[str, str]) -> None:
        self._config = config
        self._env = env

    async def current(self) -> Credential | None:
        from codex_kernel.auth.auth_file import AUTH_FILE_NAME, read_auth
        from codex_kernel.auth.choice import choose
        from codex_kernel.auth.manager import wishes_of

        return choose(read_auth(self._config.codex_home / AUTH_FILE_NAME), wishes_of(self._config), self._env)

    async def refresh(self) -> Credential | None:
        return None


def _login(config: Config, env: Mapping[str, str]) -> Finding:
    from codex_kernel.auth.auth_file import mask
    from codex_kernel.model.providers import effective_credential

    provider = config.provider
    try:
        credential = asyncio.run(effective_credential(config.model_provider, provider, _Stored(config, env), env))
    except CodexError as error:
        return problem("login", str(error))
    if credential is None:
        return ok("login", f"{provider.name} is asked without one", kind=None)
    if credential.kind == "chatgpt":
        return ok("login", f"ChatGPT{f', plan {credential.plan}' if credential.plan else ''}", kind="chatgpt")
    where = f" from {provider.env_key}" if provider.env_key and env.get(provider.env_key, "").strip() else ""
    return ok("login", f"API key {mask(credential.token)}{where}", kind="api_key")


def _sandbox(config: Config, home: Home) -> Finding:
    from codex_kernel.sandbox.launcher import make_sandbox
    from codex_protocol.policy import DangerFullAccess, WorkspaceWrite

    policy = config.sandbox_policy
    asked = WorkspaceWrite() if isinstance(policy, DangerFullAccess) else policy
    sandbox = make_sandbox(config, home.root, home.runtime_dir(), private_dirs=home.private_dirs())
    try:
        facts = sandbox.facts(asked)
    except CodexError as error:
        return problem("sandbox", str(error))
    finally:
        asyncio.run(sandbox.aclose())
    said = f"rung {facts.rung} of 5: {facts.summary}"
    told = {"rung": facts.rung, "off": isinstance(policy, DangerFullAccess)}
    if facts.rung >= 4:
        return problem("sandbox", said, facts.notice, **told)
    if isinstance(policy, DangerFullAccess):
        return note("sandbox", f"{said}; switched off by danger-full-access", facts.notice, **told)
    return note("sandbox", said, facts.notice, **told) if facts.notice else ok("sandbox", said, **told)


def _servers(config: Config, env: Mapping[str, str]) -> list[Finding]:
    """MCP servers that cannot start as they are configured."""
    import shutil

    findings: list[Finding] = []
    for name, server in config.mcp_servers.items():
        if not server.enabled or server.command is None:
            continue
        if shutil.which(server.command, path=env.get("PATH")) is None:
            state = problem if server.required else note
            remedy = f"install it, or codex mcp remove {name}"
            findings.append(state("mcp", f"the program of '{name}' is not found: {server.command}", remedy))
    return findings
