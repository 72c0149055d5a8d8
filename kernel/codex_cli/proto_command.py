"""`codex proto`: from the command line to the protocol on stdio."""

from __future__ import annotations

import os
from pathlib import Path

from codex_cli.log_setup import configure_logging
from codex_cli.parser import CommandLineError, Parsed
from codex_kernel.config.flags import Flags
from codex_kernel.proto.run import run_proto
from codex_protocol.policy import ApprovalPolicy, SandboxMode


def run_proto_command(parsed: Parsed) -> int:
    """The exit code once the protocol's other side has ended it."""
    configure_logging(os.environ)
    sandbox, policy, cwd = parsed.one("sandbox"), parsed.one("ask_for_approval"), parsed.one("cd")
    bypass = parsed.flag("dangerously_bypass_approvals_and_sandbox")
    if bypass and (parsed.flag("full_auto") or policy is not None):
        raise CommandLineError(
            "'--dangerously-bypass-approvals-and-sandbox' contradicts '--full-auto' and '--ask-for-approval'",
            parsed.chain,
        )
    flags = Flags(
        cd=Path(cwd) if cwd is not None else None,
        model=parsed.one("model"),
        profile=parsed.one("profile"),
        sandbox_mode=SandboxMode(sandbox) if sandbox is not None else None,
        approval_policy=ApprovalPolicy(policy) if policy is not None else None,
        add_dirs=parsed.many("add_dir"),
        oss=parsed.flag("oss"),
        full_auto=parsed.flag("full_auto"),
        bypass=bypass,
        demo=parsed.flag("demo"),
    )
    return run_proto(flags, parsed.many("config"))
