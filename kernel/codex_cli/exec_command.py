"""`codex exec`, its `resume`, `fork` and `review`, and `codex review`: from the command line to a request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, cast

from codex_cli.earlier_thread import earlier_thread
from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.exec.request import Earlier, ExecRequest, ReviewTarget
from codex_kernel.exec.run import run_exec
from codex_kernel.exec.views import say
from codex_protocol.policy import SandboxMode
from codex_render.terminal import ColourChoice


def run_exec_command(parsed: Parsed) -> int:
    """The exit code of the run the command line describes."""
    configure_logging(os.environ)
    return run_exec(request_of(parsed))


def request_of(parsed: Parsed) -> ExecRequest:
    """The run the command line describes.

    Raises:
        CommandLineError: Options that contradict each other, or a missing target.
    """
    _check_conflicts(parsed)
    kind = parsed.path[-1]
    earlier, prompt = earlier_thread(parsed)
    sandbox = parsed.one("sandbox")
    cwd, last, schema = parsed.one("cd"), parsed.one("output_last_message"), parsed.one("output_schema")
    return ExecRequest(
        prompt=prompt,
        earlier=Earlier(how=earlier.how, name=earlier.name, everywhere=earlier.everywhere) if earlier else None,
        review=_review(parsed, prompt) if kind == "review" else None,
        overrides=parsed.many("config"),
        model=parsed.one("model"),
        profile=parsed.one("profile"),
        sandbox_mode=SandboxMode(sandbox) if sandbox is not None else None,
        cwd=Path(cwd) if cwd is not None else None,
        add_dirs=parsed.many("add_dir"),
        images=parsed.many("image"),
        json=parsed.flag("json"),
        last_message_file=Path(last) if last is not None else None,
        output_schema_file=Path(schema) if schema is not None else None,
        colour=cast("ColourChoice", parsed.one("color") or "auto"),
        ephemeral=parsed.flag("ephemeral"),
        skip_git_repo_check=parsed.flag("skip_git_repo_check"),
        full_auto=parsed.flag("full_auto"),
        bypass=parsed.flag("dangerously_bypass_approvals_and_sandbox"),
        trust=parsed.flag("trust"),
        strict=parsed.flag("strict_config"),
        oss=parsed.flag("oss"),
        local_provider=cast("Literal['ollama', 'lmstudio'] | None", parsed.one("local_provider")),
        ignore_user_config=parsed.flag("ignore_user_config"),
        ignore_rules=parsed.flag("ignore_rules"),
        bypass_hook_trust=parsed.flag("dangerously_bypass_hook_trust"),
        enable=parsed.many("enable"),
        disable=parsed.many("disable"),
        search=parsed.flag("search"),
        demo=parsed.flag("demo"),
    )


def _check_conflicts(parsed: Parsed) -> None:
    bypass = parsed.flag("dangerously_bypass_approvals_and_sandbox")
    if bypass and parsed.flag("full_auto"):
        raise CommandLineError(
            "'--full-auto' and '--dangerously-bypass-approvals-and-sandbox' contradict each other", parsed.chain
        )
    if parsed.flag("demo") and parsed.flag("oss"):
        raise CommandLineError("'--demo' and '--oss' contradict each other", parsed.chain)
    policy = parsed.one("ask_for_approval")
    if policy not in (None, "never"):
        say(f"note: 'codex exec' never asks; '--ask-for-approval {policy}' counts as 'never'")


def _review(parsed: Parsed, prompt: str | None) -> ReviewTarget:
    base, commit = parsed.one("base"), parsed.one("commit")
    given = [parsed.flag("uncommitted"), base is not None, commit is not None, prompt is not None]
    if sum(given) != 1:
        raise CommandLineError(
            "say what to review, in one way: --uncommitted, --base BRANCH, --commit SHA, or a prompt", parsed.chain
        )
    if parsed.one("title") is not None and commit is None:
        raise CommandLineError("'--title' needs '--commit'", parsed.chain)
    return ReviewTarget(uncommitted=given[0], base=base, commit=commit, title=parsed.one("title"))
