"""The shape of `config.toml`: every key, its type, its default, and what it does.

The reference in `kernel/README.md` is made from this module, so a string under a field is read by users.
Sources: spec/config.md section 4 and spec/modern-features.md.
"""

# Annotations are no strings here: msgspec would have to read them back, in every start.

from typing import Annotated, Any, Literal

import msgspec

from codex_kernel.config.types import CommandLimits, HistorySettings, McpServer, ShellEnvironmentPolicy, WireApi
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxMode, Summary, Verbosity
from codex_store.prices import Price

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class SandboxWorkspaceWrite(msgspec.Struct, frozen=True, kw_only=True):
    """What `workspace-write` adds; without effect in the other modes."""

    writable_roots: tuple[str, ...] = ()
    """Directories that may be written besides the thread's own. Relative ones count from the file they stand in."""
    network_access: bool = False
    """Commands reach the network."""
    exclude_tmpdir_env_var: bool = False
    """`$TMPDIR` may not be written."""
    exclude_slash_tmp: bool = False
    """`/tmp` may not be written."""
    git_writes: bool = False
    """Commands may commit: objects, refs, index and logs of `.git` are writable; hooks, config, info and modules are
    never."""


class SandboxTable(msgspec.Struct, frozen=True, kw_only=True):
    """What holds in every mode but `danger-full-access`."""

    deny_read: tuple[str, ...] = ()
    """Glob patterns below the thread's directory, or absolute paths, that neither commands nor tools may read. A
    project's patterns are added to yours."""
    limits: CommandLimits = CommandLimits()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a model is reached. An entry with the id of a built-in provider changes the fields it names."""

    name: str | None = None
    """What people see. Default: the id."""
    base_url: str | None = None
    """Everything before `/responses` or `/chat/completions`."""
    env_key: str | None = None
    """Environment variable that holds the API key. It wins over any login."""
    env_key_instructions: str | None = None
    """Said when that variable is not set: how to get a key."""
    wire_api: WireApi | None = None
    """Which API the provider speaks. Default: `responses`, as in current upstream; say `chat` for the older one."""
    query_params: dict[str, str] = {}
    """Added to every URL, for example Azure's `api-version`."""
    http_headers: dict[str, str] = {}
    """Sent with every request."""
    env_http_headers: dict[str, str] = {}
    """Header name to environment variable; left out where the variable is unset or blank."""
    request_max_retries: Count | None = None
    """How often a request that got no answer is sent again. Default: 4."""
    stream_max_retries: Count | None = None
    """How often a stream that broke off is asked for again. Default: 5."""
    stream_idle_timeout_ms: Positive | None = None
    """A stream silent for so long counts as broken. Default: 300000."""
    requires_openai_auth: bool | None = None
    """The provider takes an OpenAI login, so front ends offer to log in. Default: false."""
    ca_certificate: str | None = None
    """PEM file that is trusted for this provider besides the system's."""


class UpdatePlanTool(msgspec.Struct, frozen=True, kw_only=True):
    """The plan tool."""

    enabled: bool = True
    """The model may keep a plan the user sees."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """Which optional tools the model is offered."""

    web_search: bool | dict[str, Any] = False
    """The older form of the top-level `web_search`: true means `live`. A table means `live` too; its details are not
    used."""
    web_search_request: bool | None = None
    """Older name of `tools.web_search`."""
    view_image: bool = True
    """The model may look at a local image."""
    update_plan: bool | UpdatePlanTool = True
    """The model may keep a plan the user sees. Also as a table: `[tools.update_plan]` with `enabled`."""
    apply_patch: Literal["auto", "freeform", "function", "none"] = "auto"
    """How patches are offered. `auto`: as free text where the provider speaks Responses, else as a function."""
    shell: Literal["auto", "exec_command", "shell", "local_shell"] = "auto"
    """Which form of the command tool is offered. `auto`: what suits the model."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """What you said about a directory."""

    trust_level: Literal["trusted", "untrusted"] | None = None
    """`trusted`: its own settings are read, and commands may write in it by default."""


class ConfigToml(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of `config.toml`."""

    model: str = "gpt-5.5"
    """The model. Any name is accepted; one we do not know works with cautious assumptions."""
    model_provider: str = "openai"
    """Id of the provider: `openai`, `oss` (Ollama), `lmstudio`, or one of `model_providers`."""
    model_context_window: Positive | None = None
    """Tokens the model can hold. Default: what we know about the model."""
    model_max_output_tokens: Positive | None = None
    """Accepted, without effect: how long an answer may be is left to the provider."""
    model_auto_compact_token_limit: Positive | None = None
    """Tokens in context at which the history is compacted. Default: 90 % of the window."""
    model_reasoning_effort: Effort | None = None
    """How long a reasoning model thinks. Default: the model's own."""
    model_reasoning_summary: Summary = Summary.AUTO
    """How much of its reasoning the model summarises for you."""
    model_verbosity: Verbosity | None = None
    """How much the model says. Default: the model's own."""
    model_supports_reasoning_summaries: bool = False
    """Ask a model we do not know for reasoning, too."""
    review_model: str | None = None
    """The model for reviews. Default: the thread's."""
    model_providers: dict[str, Provider] = {}
    """More providers, by id."""
    prices: dict[str, Price] = {}
    """What a million tokens cost, by the model's name: `[prices."gpt-5.5"]`. The page shows costs where this says them,
    and "unknown" where not; no price is built in."""
    openai_base_url: str | None = None
    """Base URL of the built-in `openai` provider. Wins over the variable `OPENAI_BASE_URL`."""
    oss_provider: Literal["ollama", "lmstudio"] = "ollama"
    """Which local server `--oss` means."""
    profile: str | None = None
    """The profile that is used when none is named."""
    profiles: dict[str, "ConfigToml"] = {}
    """Named sets of settings: `[profiles.NAME]` takes every key of this file but `profile`, `profiles` and `projects`.
    The file `NAME.config.toml` beside this one is laid over it."""
    approval_policy: ApprovalPolicy | dict[str, Any] = ApprovalPolicy.ON_REQUEST
    """When you are asked. `untrusted`: before everything that is not known to be harmless; `on-failure`: when the
    sandbox stopped a command; `on-request`: when the model asks for more; `never`: never, and what would ask is
    denied."""
    sandbox_mode: SandboxMode | None = None
    """What commands may touch. Default: `workspace-write` in a trusted directory, else `read-only`."""
    sandbox_workspace_write: SandboxWorkspaceWrite = SandboxWorkspaceWrite()
    sandbox: SandboxTable = SandboxTable()
    shell_environment_policy: ShellEnvironmentPolicy = ShellEnvironmentPolicy()
    default_permissions: str | None = None
    """Upstream's permission profiles are not supported. The built-in names `:read-only`, `:workspace` and
    `:danger-full-access` are taken as the `sandbox_mode` they stand for; any other is refused, unless the sandbox mode
    is given."""
    permissions: dict[str, Any] = {}
    """Upstream's permission profiles: not supported, and a warning says so."""
    projects: dict[str, Project] = {}
    """Directories you trust, by absolute path. `--trust` writes them."""
    project_root_markers: tuple[str, ...] = (".git",)
    """A directory that holds one of these is a project's root."""
    project_doc_max_bytes: Count = 32 * 1024
    """How much of `AGENTS.md` files is given to the model; 0: nothing."""
    project_doc_fallback_filenames: tuple[str, ...] = ()
    """File names to look for where a directory has no `AGENTS.md`."""
    model_instructions_file: str | None = None
    """A file that replaces the built-in base prompt. A relative path counts from the file it stands in, with `-c` from
    the working directory."""
    experimental_instructions_file: str | None = None
    """Older name of `model_instructions_file`."""
    developer_instructions: str | None = None
    """Text given to the model as developer instructions, after the base prompt."""
    compact_prompt: str | None = None
    """Replaces the prompt that asks for a summary when the history is compacted."""
    mcp_servers: dict[str, McpServer] = {}
    """MCP servers whose tools the agent may use, by name (letters, digits, `_` and `-`)."""
    tools: Tools = Tools()
    web_search: Literal["disabled", "cached", "live"] = "disabled"
    """The provider's own web search: off, from its cache, or live. `--search` means `live`."""
    background_terminal_max_timeout: Positive = 300_000
    """Milliseconds the model may wait at once for a command that goes on in the background."""
    allow_login_shell: bool = True
    """Commands run in a login shell, which reads the profile each time. `false`: in a plain one, with the variables
    the agent was started with."""
    experimental_use_exec_command_tool: bool = False
    """Older form of `tools.shell = "exec_command"`."""
    disable_response_storage: bool = True
    """The provider is asked not to store responses."""
    notify: tuple[str, ...] = ()
    """Program and arguments, started when a turn ends; one more argument is a JSON object that tells what happened."""
    history: HistorySettings = HistorySettings()
    hooks: dict[str, Any] = {}
    """Programs that run around turns and tool calls; see the section on hooks."""
    skills: dict[str, Any] = {}
    """Settings of skills; see the section on skills."""
    features: dict[str, bool] = {}
    """Switches by name; `codex features list` shows those that mean something here. Others are kept for upstream's
    programs."""
    file_opener: Literal["vscode", "vscode-insiders", "windsurf", "cursor", "none"] = "vscode"
    """Which editor links to files open."""
    hide_agent_reasoning: bool = False
    """Reasoning is not shown."""
    show_raw_agent_reasoning: bool | None = None
    """Raw reasoning is shown where a model gives it. Default: false; true with `--oss`."""
    chatgpt_base_url: str = "https://chatgpt.com/backend-api/"
    """Where requests go that need a ChatGPT login."""
    preferred_auth_method: Literal["chatgpt", "apikey"] = "chatgpt"
    """Which login is used when `auth.json` has both."""
    forced_login_method: Literal["chatgpt", "api"] | None = None
    """Only this kind of login is accepted."""
    cli_auth_credentials_store: Literal["file", "keyring", "auto", "ephemeral"] = "file"
    """Only `file` is supported: logins are kept in `auth.json`, whatever stands here; a warning says so."""
    forced_chatgpt_workspace_id: str | None = None
    """Only a ChatGPT login of this workspace is accepted."""
    experimental_resume: str | None = None
    """Rollout file of a thread to go on with."""
    responses_originator_header_internal_override: str | None = None
    """The `originator` header. The variable `CODEX_INTERNAL_ORIGINATOR_OVERRIDE` wins over it."""


NOT_OURS = frozenset(
    {
        "agents", "analytics", "apps", "approvals_reviewer", "audio", "auto_review",
        "auto_upgrade", "background_terminal", "browser", "check_for_update_on_startup",
        "commit_attribution", "disable_paste_burst", "experimental_compact_prompt_file",
        "experimental_realtime_start_instructions", "experimental_realtime_ws_base_url", "experimental_thread_store",
        "experimental_use_freeform_apply_patch", "experimental_use_unified_exec_tool", "feedback", "ghost_snapshot",
        "goals", "include_apply_patch_tool", "instructions", "js_repl_node_path", "log_dir", "marketplaces",
        "mcp_oauth_callback_port", "mcp_oauth_callback_url", "mcp_oauth_credentials_store", "memories",
        "model_availability_nux", "model_catalog_json", "notice", "otel", "personality", "plan_mode_reasoning_effort",
        "plugins", "realtime", "service_tier", "sqlite_home", "suppress_unstable_features_warning",
        "tool_output_token_limit", "tui", "tui_app_server", "windows", "windows_wsl_setup_acknowledged",
        "worktrees", "zsh_path",
    }
)  # fmt: skip
"""Keys of upstream's programs that mean nothing here: no warning, because the file is shared with them."""
