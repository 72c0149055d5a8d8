"""Merged settings and flags made into the frozen Config: choices, defaults that depend on others, last checks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from codex_kernel.config.confirmed import Confirmed
from codex_kernel.config.features import effective
from codex_kernel.config.flags import Flags
from codex_kernel.config.layers import absolute
from codex_kernel.config.overrides import shown_key
from codex_kernel.config.providers import DEMO, OSS_PROVIDERS, all_providers, check_provider
from codex_kernel.config.schema import ConfigToml
from codex_kernel.config.text_file import read_text
from codex_kernel.config.trust import Trust
from codex_kernel.config.types import (
    Config,
    ConfigLayer,
    HookTable,
    McpServer,
    ModelProvider,
    SandboxSettings,
    ToolSettings,
    TrustLevel,
)
from codex_protocol.errors import ConfigError, UsageError
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
)
from codex_store.home import Home

_COPIED = (
    "model_context_window",
    "model_max_output_tokens",
    "model_auto_compact_token_limit",
    "model_reasoning_effort",
    "model_reasoning_summary",
    "model_verbosity",
    "model_supports_reasoning_summaries",
    "shell_environment_policy",
    "disable_response_storage",
    "notify",
    "prices",
    "review_model",
    "project_doc_max_bytes",
    "project_doc_fallback_filenames",
    "project_root_markers",
    "history",
    "file_opener",
    "hide_agent_reasoning",
    "chatgpt_base_url",
    "preferred_auth_method",
    "forced_login_method",
    "forced_chatgpt_workspace_id",
    "features",
    "skills",
)
"""Fields that mean the same in `config.toml` and in Config."""

_PERMISSIONS = {
    ":read-only": SandboxMode.READ_ONLY,
    ":workspace": SandboxMode.WORKSPACE_WRITE,
    ":danger-full-access": SandboxMode.DANGER_FULL_ACCESS,
}


_MAX_LIMIT = 1 << 62
"""No system takes limits much larger."""
_MCP_MODES = ("auto", "prompt", "approve")


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """What loading found, before anything was chosen."""

    home: Home
    cwd: Path
    project_root: Path | None
    trust: Trust
    trusted_directories: tuple[Path, ...]
    settings: ConfigToml
    profile: str | None
    given: frozenset[str]
    """Top-level keys that some layer sets."""
    layers: tuple[ConfigLayer, ...]
    confirmed: Confirmed
    bound_servers: dict[str, dict[str, str]]
    hooks: tuple[HookTable, ...]
    notices: tuple[str, ...]


def resolve(gathered: Gathered, flags: Flags, env: Mapping[str, str]) -> Config:
    """The Config of a thread.

    Raises:
        ConfigError: A setting cannot be used; `key` names it.
        UsageError: Flags contradict each other.
    """
    settings = gathered.settings
    notices = list(gathered.notices)
    providers = all_providers(settings.model_providers, settings.openai_base_url, env)
    provider_id, model = _model(settings, flags, gathered.given)
    if not model.strip():
        raise ConfigError("The model's name is empty.", key="model")
    if not settings.chatgpt_base_url.startswith(("http://", "https://")):
        raise ConfigError("chatgpt_base_url must start with http:// or https://.", key="chatgpt_base_url")
    if settings.notify and not _is_program(settings.notify[0]):
        notices.append(
            f"notify names {settings.notify[0]!r}, which is no program here; nothing is started when a turn ends."
        )
    provider = _chosen(provider_id, providers, env)
    if settings.permissions:
        notices.append("[permissions] is not used: permission profiles are not supported here; set sandbox_mode.")
    if settings.cli_auth_credentials_store in {"keyring", "ephemeral"}:
        notices.append("cli_auth_credentials_store is not supported here: logins are kept in auth.json.")
    policy = _sandbox_policy(gathered, flags, notices)
    is_local = provider_id in {"oss", "ollama", "lmstudio"}
    raw = settings.show_raw_agent_reasoning
    return Config(
        **{name: getattr(settings, name) for name in _COPIED},
        codex_home=gathered.home.root,
        cwd=gathered.cwd,
        project_root=gathered.project_root,
        trust=gathered.trust.level,
        trusted_directories=gathered.trusted_directories,
        trusted_root=gathered.trust.root if gathered.trust.level is TrustLevel.TRUSTED else None,
        model=model,
        model_provider=provider_id,
        provider=provider,
        providers=providers,
        profile=gathered.profile,
        approval_policy=_approval_policy(settings, flags),
        sandbox_policy=policy,
        sandbox=SandboxSettings(
            git_writes=settings.sandbox_workspace_write.git_writes,
            deny_read=settings.sandbox.deny_read,
            limits=_limits(settings),
        ),
        base_instructions=flags.base_instructions or _instructions(settings.model_instructions_file),
        developer_instructions=flags.developer_instructions or settings.developer_instructions,
        compact_prompt=flags.compact_prompt or settings.compact_prompt,
        mcp_servers=_mcp_servers(settings.mcp_servers, notices),
        tools=_tools(settings, flags),
        show_raw_agent_reasoning=is_local if raw is None else raw,
        originator=_originator(settings, env),
        ephemeral=flags.ephemeral,
        experimental_resume=Path(settings.experimental_resume) if settings.experimental_resume else None,
        background_terminal_max_timeout_ms=settings.background_terminal_max_timeout,
        allow_login_shell=settings.allow_login_shell,
        layers=gathered.layers,
        confirmed=gathered.confirmed,
        bound_servers=gathered.bound_servers,
        hooks=gathered.hooks if effective(settings.features)["hooks"] else (),
        ignore_rules=flags.ignore_rules,
        bypass_hook_trust=flags.bypass_hook_trust,
        warnings=tuple(notices),
    )


def _is_program(name: str) -> bool:
    from shutil import which

    return which(name) is not None


def _model(settings: ConfigToml, flags: Flags, given: frozenset[str]) -> tuple[str, str]:
    """Provider id and model name."""
    if flags.demo:
        return DEMO, DEMO
    if flags.oss:
        provider_id, default = OSS_PROVIDERS[flags.local_provider or settings.oss_provider]
        return provider_id, flags.model or default
    provider_id = flags.model_provider or settings.model_provider
    if flags.model or "model" in given:
        return provider_id, flags.model or settings.model
    defaults = {"ollama": OSS_PROVIDERS["ollama"][1], DEMO: DEMO} | dict(OSS_PROVIDERS.values())
    return provider_id, defaults.get(provider_id, settings.model)


def _chosen(provider_id: str, providers: Mapping[str, ModelProvider], env: Mapping[str, str]) -> ModelProvider:
    provider = providers.get(provider_id)
    if provider is None:
        raise ConfigError(
            f"The model provider {provider_id!r} is not defined; there are {', '.join(sorted(providers))}.",
            key="model_provider",
        )
    check_provider(provider_id, provider, env)
    return provider


def _approval_policy(settings: ConfigToml, flags: Flags) -> ApprovalPolicy:
    if flags.bypass and flags.approval_policy not in (None, ApprovalPolicy.NEVER):
        raise UsageError("--dangerously-bypass-approvals-and-sandbox cannot be used together with an approval policy.")
    if flags.bypass:
        return ApprovalPolicy.NEVER
    if flags.approval_policy is not None:
        return flags.approval_policy
    if flags.full_auto:
        return ApprovalPolicy.ON_FAILURE
    if isinstance(settings.approval_policy, dict):
        names = ", ".join(f'"{policy.value}"' for policy in ApprovalPolicy)
        raise ConfigError(
            f"approval_policy is a table, but granular policies are not supported here; use one of {names}.",
            key="approval_policy",
        )
    return settings.approval_policy


def _sandbox_policy(gathered: Gathered, flags: Flags, notices: list[str]) -> SandboxPolicy:
    settings = gathered.settings.sandbox_workspace_write
    added = [_added(gathered.cwd, name) for name in flags.add_dirs]
    match _sandbox_mode(gathered, flags):
        case SandboxMode.DANGER_FULL_ACCESS:
            return DangerFullAccess()
        case SandboxMode.READ_ONLY:
            if added:
                notices.append(
                    "--add-dir has no effect, because the sandbox is read-only; add --sandbox workspace-write."
                )
            return ReadOnly()
        case SandboxMode.WORKSPACE_WRITE:
            return WorkspaceWrite(
                writable_roots=tuple(dict.fromkeys([*settings.writable_roots, *added])),
                network_access=settings.network_access,
                exclude_tmpdir_env_var=settings.exclude_tmpdir_env_var,
                exclude_slash_tmp=settings.exclude_slash_tmp,
            )


def _sandbox_mode(gathered: Gathered, flags: Flags) -> SandboxMode:
    if flags.bypass and flags.full_auto:
        raise UsageError("--full-auto cannot be used together with --dangerously-bypass-approvals-and-sandbox.")
    if flags.bypass:
        return SandboxMode.DANGER_FULL_ACCESS
    if flags.full_auto:
        return SandboxMode.WORKSPACE_WRITE
    if (mode := flags.sandbox_mode or gathered.settings.sandbox_mode) is not None:
        return mode
    if (name := gathered.settings.default_permissions) is not None:
        if name not in _PERMISSIONS:
            raise ConfigError(
                f"default_permissions is {name!r}, but permission profiles are not supported here; set sandbox_mode or"
                " give --sandbox.",
                key="default_permissions",
            )
        return _PERMISSIONS[name]
    trusted = gathered.trust.level is TrustLevel.TRUSTED
    return SandboxMode.WORKSPACE_WRITE if trusted else SandboxMode.READ_ONLY


def _added(cwd: Path, name: str) -> str:
    path = os.path.realpath(absolute(name, cwd))
    if not os.path.isdir(path):
        raise ConfigError(f"--add-dir {name}: there is no such directory.")
    return path


def _tools(settings: ConfigToml, flags: Flags) -> ToolSettings:
    plan = settings.tools.update_plan
    return ToolSettings(
        web_search="live" if flags.search else settings.web_search,
        view_image=settings.tools.view_image,
        update_plan=plan if isinstance(plan, bool) else plan.enabled,
        apply_patch=settings.tools.apply_patch,
        shell=settings.tools.shell,
    )


def _limits(settings: ConfigToml) -> Any:
    limits = settings.sandbox.limits
    for name in limits.__struct_fields__:
        value = getattr(limits, name)
        if value is not None and not 0 < value < _MAX_LIMIT:
            asked = "more than 0" if value <= 0 else f"less than {_MAX_LIMIT}"
            raise ConfigError(f"sandbox.limits.{name} must be {asked}.", key=f"sandbox.limits.{name}")
    return limits


def _instructions(file: str | None) -> str | None:
    """The base prompt from a file, white space around it removed."""
    if file is None:
        return None
    if os.path.isdir(file):
        raise ConfigError(f"The instructions file {file} is a directory.", key="model_instructions_file")
    text = read_text(Path(file))
    if text is None:
        raise ConfigError(f"The instructions file {file} does not exist.", key="model_instructions_file")
    if not text.strip():
        raise ConfigError(f"The instructions file {file} is empty.", key="model_instructions_file")
    return text.strip()


def _mcp_servers(servers: Mapping[str, McpServer], notices: list[str]) -> dict[str, McpServer]:
    """The servers that can be started; one that is switched off may be incomplete."""
    usable: dict[str, McpServer] = {}
    for name, server in servers.items():
        key = shown_key(("mcp_servers", name))
        if not name or not all(char.isascii() and (char.isalnum() or char in "_-") for char in name):
            raise ConfigError(f"{key}: a server's name has only letters, digits, '_' and '-'.", key=key)
        if bool(server.command) == bool(server.url):
            if not server.enabled:
                continue
            raise ConfigError(f"{key} needs either a command or a url.", key=key)
        if server.url is not None and not server.url.startswith(("http://", "https://")):
            raise ConfigError(f"{key}.url must start with http:// or https://.", key=f"{key}.url")
        for timeout in ("startup_timeout_sec", "tool_timeout_sec"):
            if not getattr(server, timeout) > 0:  # NaN is neither
                raise ConfigError(f"{key}.{timeout} must be more than 0.", key=f"{key}.{timeout}")
        modes = {f"{key}.default_tools_approval_mode": server.default_tools_approval_mode}
        modes |= {f"{key}.tools.{tool}.approval_mode": own.get("approval_mode") for tool, own in server.tools.items()}
        for place, mode in modes.items():
            if mode is not None and mode not in _MCP_MODES:
                known = ", ".join(_MCP_MODES)
                notices.append(f"{place} is {mode!r}, which is none of {known}; it counts as prompt.")
        usable[name] = server
    return usable


def _originator(settings: ConfigToml, env: Mapping[str, str]) -> str | None:
    """It becomes a header, so anything but printable ASCII is no originator."""
    wanted = env.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE") or settings.responses_originator_header_internal_override
    return wanted if wanted and wanted.isascii() and wanted.isprintable() else None
