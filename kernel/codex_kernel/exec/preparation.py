"""What stands before a run starts: settings, the repository check, and the thread to go on with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_kernel.config.directory import current_directory
from codex_kernel.config.flags import Flags
from codex_kernel.config.types import Config, TrustLevel
from codex_kernel.exec.request import Earlier, ExecRequest
from codex_kernel.exec.views import say
from codex_protocol.errors import CodexError
from codex_protocol.policy import ApprovalPolicy
from codex_render.safe_text import one_line
from codex_store.home import Home

_LOCAL_SERVERS = frozenset({"oss", "ollama", "lmstudio"})


def load(request: ExecRequest, home: Home) -> Config:
    """The run's settings; `exec` never asks, whatever they say.

    Raises:
        ConfigError: A setting cannot be used, or the directory does not exist.
    """
    from codex_kernel.config.load import load_config

    flags = Flags(
        cd=request.cwd,
        model=request.model,
        profile=request.profile,
        sandbox_mode=request.sandbox_mode,
        add_dirs=request.add_dirs,
        oss=request.oss,
        local_provider=request.local_provider,
        ignore_user_config=request.ignore_user_config,
        ignore_rules=request.ignore_rules,
        bypass_hook_trust=request.bypass_hook_trust,
        enable=request.enable,
        disable=request.disable,
        full_auto=request.full_auto,
        bypass=request.bypass,
        search=request.search,
        ephemeral=request.ephemeral,
        demo=request.demo,
        strict=request.strict,
        trust=request.trust,
    )
    config = load_config(home=home, cwd=current_directory(request.cwd), overrides=request.overrides, flags=flags)
    return msgspec.structs.replace(config, approval_policy=ApprovalPolicy.NEVER)


def check_repository(config: Config) -> None:
    """Refuse a directory that is neither inside a git repository nor trusted: a change there cannot be undone.

    Raises:
        CodexError: Names the ways out.
    """
    if config.trust is TrustLevel.TRUSTED:
        return
    if any(_is_repository(directory / ".git") for directory in (config.cwd, *config.cwd.parents)):
        return
    raise CodexError(
        f"{config.cwd} is neither inside a git repository nor trusted, so changes could not be undone; "
        "run 'git init', or use --skip-git-repo-check, or --trust to remember the directory as trusted"
    )


def _is_repository(git: Path) -> bool:
    """Whether `git` is a repository, or a file that names one. Sandboxes may leave an empty folder of that name."""
    return git.is_file() or (git / "HEAD").is_file()


async def prepare_local_server(config: Config) -> None:
    """For a local provider: make sure that its server runs and has the model; fetching one is told of on stderr.

    Raises:
        ModelError: No server answers, or the model cannot be had.
    """
    if config.model_provider not in _LOCAL_SERVERS:
        return
    from codex_kernel.model.oss import PullProgress, prepare

    shown = ""

    def tell(progress: PullProgress) -> None:
        nonlocal shown
        if progress.status != shown:
            shown = progress.status
            say(f"{config.model}: {one_line(shown)}")

    others = {name: found for name, found in config.providers.items() if name in _LOCAL_SERVERS}
    await prepare(config.model_provider, config.provider, config.model, on_progress=tell, others=others)


def find_earlier(earlier: Earlier, home: Home, cwd: Path) -> Path:
    """The rollout of the thread to go on with.

    Raises:
        CodexError: There is none of that id or name, or several.
    """
    from codex_store.threads import earlier_thread

    return earlier_thread(home, earlier.name, None if earlier.everywhere else cwd).path
