"""The resolved settings of one thread: what every part of the agent reads and none changes.

Source: spec/config.md section 4; newer keys follow spec/modern-features.md. Loading is `load.py`'s business.
"""

# Annotations are no strings here: msgspec would have to read them back, in every start.

import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from codex_kernel.config.confirmed import Confirmed
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxPolicy, Summary, Verbosity
from codex_store.prices import Price


class WireApi(enum.StrEnum):
    """How a provider is spoken to."""

    RESPONSES = "responses"
    CHAT = "chat"


class ModelProvider(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where and how a model is reached. Source: spec/model-api.md section 7."""

    name: str
    base_url: str | None = None
    """None stands for OpenAI's own address, which depends on the kind of login."""
    env_key: str | None = None
    """Environment variable that holds the API key."""
    env_key_instructions: str | None = None
    wire_api: WireApi = WireApi.RESPONSES
    query_params: dict[str, str] = {}
    http_headers: dict[str, str] = {}
    env_http_headers: dict[str, str] = {}
    """Header name to environment variable; left out when unset or blank."""
    request_max_retries: int = 4
    stream_max_retries: int = 5
    stream_idle_timeout_ms: int = 300_000
    requires_openai_auth: bool = False
    ca_certificate: str | None = None
    """PEM file trusted for this provider besides the system's."""


class ShellEnvironmentPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which variables commands see. Source: spec/tools.md section 5."""

    inherit: Literal["all", "core", "none"] = "all"
    """What commands start from: all variables, only those a shell needs, or nothing."""
    ignore_default_excludes: bool = False
    """Variables named like `*KEY*`, `*SECRET*` or `*TOKEN*` are kept."""
    exclude: tuple[str, ...] = ()
    """Names to leave out; `*` and `?` are wildcards, case does not matter."""
    set: dict[str, str] = {}
    """Variables to add."""
    include_only: tuple[str, ...] = ()
    """When there are any: only names that match one of these are kept."""
    experimental_use_profile: bool = False
    """Accepted, without effect: `allow_login_shell` says which shell commands run in."""


class CommandLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one command's process tree may use; None means no limit of ours."""

    max_processes: int | None = 4096
    """Processes and threads at once."""
    max_file_bytes: int | None = 64 * 1024**3
    """Size of one file."""
    max_memory_bytes: int | None = None
    """Memory of the whole tree. Default: three quarters of the machine's."""
    min_free_disk_bytes: int | None = 512 * 1024**2
    """The tree is ended when a writable file system has less left than this."""


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the sandbox does beyond the policy's name."""

    git_writes: bool = False
    """Commands may commit: objects, refs, index and logs are writable; hooks, config, info, modules never."""
    deny_read: tuple[str, ...] = ()
    """Glob patterns below the thread's directory, or absolute paths, that neither commands nor tools may read."""
    limits: CommandLimits = CommandLimits()


class McpServer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configured MCP server: `command` for stdio, `url` for streamable HTTP."""

    command: str | None = None
    """Program of a stdio server; looked up on the agent's `PATH`."""
    args: tuple[str, ...] = ()
    """Its arguments."""
    env: dict[str, str] = {}
    """Variables it gets besides the few every program needs."""
    cwd: str | None = None
    """Directory it runs in. Default: the thread's."""
    url: str | None = None
    """Address of a streamable HTTP server, instead of `command`."""
    bearer_token_env_var: str | None = None
    """Environment variable that holds the server's bearer token."""
    http_headers: dict[str, str] = {}
    """Sent with every request."""
    env_http_headers: dict[str, str] = {}
    """Header name to environment variable; left out where the variable is unset or blank."""
    enabled: bool = True
    """Off: the server is not started."""
    required: bool = False
    """A thread does not start without it."""
    startup_timeout_sec: float = 10.0
    """Seconds it may take to answer first."""
    tool_timeout_sec: float = 300.0
    """Seconds one tool call may take."""
    enabled_tools: tuple[str, ...] | None = None
    """Only these tools are offered. Default: all."""
    disabled_tools: tuple[str, ...] = ()
    """These tools are not offered."""
    default_tools_approval_mode: str | None = None
    """When its tools ask, unless `tools` says otherwise: `auto` (those the server does not call read-only), `prompt`
    (all) or `approve` (none)."""
    tools: dict[str, dict[str, Any]] = {}
    """Settings of single tools by name: `approval_mode`."""
    supports_parallel_tool_calls: bool = False
    """Its tools may be called side by side."""


class ToolSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which optional tools are offered."""

    web_search: Literal["disabled", "cached", "live"] = "disabled"
    view_image: bool = True
    update_plan: bool = True
    apply_patch: Literal["auto", "freeform", "function", "none"] = "auto"
    """auto: freeform where the provider speaks Responses, else a function."""
    shell: Literal["auto", "exec_command", "shell", "local_shell"] = "auto"


class HistorySettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The message history shared by all threads."""

    persistence: Literal["save-all", "none"] = "save-all"
    """`none`: what you type is not kept."""
    max_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Size at which the oldest entries are dropped. Default: no limit."""


class TrustLevel(enum.StrEnum):
    """What the user said about the directory."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNKNOWN = "unknown"


class ConfigLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A folder settings come from: beside `config.toml` it may hold `rules/`, `hooks.json`, `skills/`."""

    kind: Literal["user", "project"]
    folder: Path
    """`$CODEX_HOME`, or a `.codex` folder of a trusted project."""


class HookTable(msgspec.Struct, frozen=True, kw_only=True):
    """One `[hooks]` table, as it stands in a `config.toml`."""

    file: Path
    kind: Literal["user", "project"]
    table: dict[str, Any]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of one thread, resolved. `msgspec.structs.replace` makes a changed copy."""

    codex_home: Path
    cwd: Path
    """Absolute, symlinks resolved."""
    project_root: Path | None = None
    """Nearest ancestor of `cwd` (or itself) with a project root marker; None outside a project."""
    trusted_root: Path | None = None
    """The directory the user trusted: `cwd`, the project's root or a worktree's main directory; None when untrusted."""
    trust: TrustLevel = TrustLevel.UNKNOWN
    trusted_directories: tuple[Path, ...] = ()
    """Every directory the user trusts, wherever it is; as it was written down."""
    model: str
    model_provider: str
    """The provider's id, the config key."""
    provider: ModelProvider
    providers: dict[str, ModelProvider] = {}
    prices: dict[str, Price] = {}
    """By the model's name."""
    profile: str | None = None
    model_context_window: int | None = None
    """Tokens; None: the model catalogue's."""
    model_max_output_tokens: int | None = None
    model_auto_compact_token_limit: int | None = None
    """Tokens in context at which the history is compacted; None: 90 % of the window."""
    model_reasoning_effort: Effort | None = None
    """None: the catalogue's default for the model."""
    model_reasoning_summary: Summary = Summary.AUTO
    model_verbosity: Verbosity | None = None
    model_supports_reasoning_summaries: bool = False
    approval_policy: ApprovalPolicy = ApprovalPolicy.ON_REQUEST
    sandbox_policy: SandboxPolicy
    sandbox: SandboxSettings = SandboxSettings()
    shell_environment_policy: ShellEnvironmentPolicy = ShellEnvironmentPolicy()
    disable_response_storage: bool = True
    notify: tuple[str, ...] = ()
    base_instructions: str | None = None
    """Replaces the built-in base prompt."""
    developer_instructions: str | None = None
    compact_prompt: str | None = None
    review_model: str | None = None
    project_doc_max_bytes: int = 32 * 1024
    project_doc_fallback_filenames: tuple[str, ...] = ()
    project_root_markers: tuple[str, ...] = (".git",)
    mcp_servers: dict[str, McpServer] = {}
    history: HistorySettings = HistorySettings()
    tools: ToolSettings = ToolSettings()
    file_opener: Literal["vscode", "vscode-insiders", "windsurf", "cursor", "none"] = "vscode"
    hide_agent_reasoning: bool = False
    show_raw_agent_reasoning: bool = False
    chatgpt_base_url: str = "https://chatgpt.com/backend-api/"
    preferred_auth_method: Literal["chatgpt", "apikey"] = "chatgpt"
    forced_login_method: Literal["chatgpt", "api"] | None = None
    originator: str | None = None
    """Sent as the `originator` header; None: the front end's own name."""
    forced_chatgpt_workspace_id: str | None = None
    """Only a ChatGPT login of this account is used."""
    ephemeral: bool = False
    """No rollout is written."""
    experimental_resume: Path | None = None
    """Rollout to go on with."""
    background_terminal_max_timeout_ms: int = 300_000
    """How long one `write_stdin` may wait for output of a command that goes on."""
    allow_login_shell: bool = True
    """Commands run in login shells unless the model asks for a plain one; else never."""
    features: dict[str, bool] = {}
    layers: tuple[ConfigLayer, ...] = ()
    """Folders that are obeyed, lowest precedence first; an untrusted project's are not among them."""
    confirmed: Confirmed = Confirmed()
    """Which files of the project's folders count, and with which content."""
    bound_servers: dict[str, dict[str, str]] = {}
    """For each MCP server that a project brings: the files its command names and the digests they must have."""
    hooks: tuple[HookTable, ...] = ()
    """In the order of `layers`."""
    skills: dict[str, Any] = {}
    """The `[skills]` table."""
    ignore_rules: bool = False
    """`.rules` files are not read."""
    bypass_hook_trust: bool = False
    """Hooks run without having been trusted, this once."""
    warnings: tuple[str, ...] = ()
    """One sentence each: unknown keys, settings of an untrusted project that were left out, and the like."""
