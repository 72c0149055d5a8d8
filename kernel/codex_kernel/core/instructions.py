"""What the model is told before the user speaks: base prompt, AGENTS.md, permissions, environment.

Source: spec/agent-loop.md section 6, spec/execpolicy-and-hooks.md section 5.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codex_kernel.config.types import Config
from codex_kernel.core.prompts import prompt_text
from codex_kernel.regular_files import read_regular
from codex_kernel.sandbox.reading import open_permitted
from codex_protocol.items import InputText, Message
from codex_protocol.policy import (
    ApprovalPolicy,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
    has_network,
    mode_of,
)

log = logging.getLogger(__name__)

DOC_NAMES = ("AGENTS.override.md", "AGENTS.md")
"""Per directory the first that is there counts."""
MAX_OWN_BYTES = 1 << 20
"""Of the user's own file, which `project_doc_max_bytes` does not limit."""
SEPARATOR = "\n\n--- project-doc ---\n\n"


def base_instructions(config: Config) -> str:
    """The base prompt: the user's own, or the built-in one."""
    text = config.base_instructions or prompt_text("base.md")
    if config.developer_instructions:
        text = f"{text}\n\n{config.developer_instructions}"
    return text


def user_instructions(config: Config, home: Path, may_read: Callable[[Path], bool]) -> str | None:
    """AGENTS.md of the home, then of each directory from the project root down to the thread's; None without any.

    Args:
        config: Of the thread.
        home: `$CODEX_HOME`.
        may_read: As `Sandbox.may_read`: a link in a project may lead to what is hidden.
    """
    documents = instruction_documents(config, home, may_read)
    own = [text for path, text in documents if path.parent == home]
    project = "\n\n".join(text for path, text in documents if path.parent != home)
    return SEPARATOR.join([*own, *([project] if project else [])]) or None


def instruction_documents(config: Config, home: Path, may_read: Callable[[Path], bool]) -> list[tuple[Path, str]]:
    """The files that `user_instructions` is made of, in its order, and what of each is told to the model."""
    own = _own_document(home)
    return [*([own] if own is not None else []), *_project_documents(config, may_read)]


def _own_document(home: Path) -> tuple[Path, str] | None:
    for name in DOC_NAMES:
        path = home / name
        try:
            data = read_regular(path, MAX_OWN_BYTES + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("%s cannot be read and is left out: %s", path, error.strerror or error)
            continue
        if len(data) > MAX_OWN_BYTES:
            log.warning("of %s only the first %d bytes are told to the model", path, MAX_OWN_BYTES)
        if text := data[:MAX_OWN_BYTES].decode("utf-8", "replace").strip():
            return path, text
    return None


def _project_documents(config: Config, may_read: Callable[[Path], bool]) -> list[tuple[Path, str]]:
    budget = config.project_doc_max_bytes
    documents: list[tuple[Path, str]] = []
    for directory in _directories(config.project_root, config.cwd):
        if budget <= 0:
            break
        found = _document_in(directory, (*DOC_NAMES, *config.project_doc_fallback_filenames), budget, may_read)
        if found is not None:
            path, data = found
            budget -= len(data)
            documents.append((path, data.decode("utf-8", "replace")))
    return documents


def _document_in(
    directory: Path, names: Sequence[str], budget: int, may_read: Callable[[Path], bool]
) -> tuple[Path, bytes] | None:
    for name in names:
        path = directory / name
        try:
            if not path.is_file():
                continue
            with open(open_permitted(path, may_read), "rb") as file:
                data = file.read(budget)
        except OSError as error:
            log.warning("%s cannot be read and is left out: %s", path, error.strerror or error)
            continue
        if data.strip():
            return path, data
    return None


def _directories(root: Path | None, cwd: Path) -> list[Path]:
    if root is None or not cwd.is_relative_to(root):
        return [cwd]
    steps = cwd.relative_to(root).parts
    return [root.joinpath(*steps[:depth]) for depth in range(len(steps) + 1)]


def user_instructions_message(text: str, cwd: Path) -> Message:
    """The item that carries AGENTS.md."""
    body = f"# AGENTS.md instructions for {cwd}\n\n<INSTRUCTIONS>\n{text}\n</INSTRUCTIONS>"
    return Message(role="user", content=(InputText(body),))


def permissions_message(approval: ApprovalPolicy, policy: SandboxPolicy, cwd: Path, *, commands: str | None) -> Message:
    """The developer message that says what commands may do and whether more can be asked for.

    Args:
        approval: When a person is asked.
        policy: What commands may touch.
        cwd: The thread's directory.
        commands: Why commands cannot run at all on this machine; None when they can.
    """
    lines = ["<permissions>"]
    match policy:
        case DangerFullAccess():
            lines.append("Commands are not confined: they run with the user's own rights, files and network.")
        case ReadOnly():
            lines.append("Commands are confined: they can read files but write none, and have no network.")
        case WorkspaceWrite():
            roots = [str(cwd), *policy.writable_roots]
            if not policy.exclude_slash_tmp:
                roots.append("/tmp")  # noqa: S108  # named to the model, not used
            if not policy.exclude_tmpdir_env_var:
                roots.append("$TMPDIR")
            lines.append(
                f"Commands are confined: they can read files, and write below {', '.join(roots)} only "
                "(there not to .git, .codex and .agents)."
            )
            network = "Network is allowed." if policy.network_access else "There is no network but loopback."
            lines.append(network)
    if commands:
        lines.append(commands)
    lines.append(_asking(approval, policy))
    lines.append("</permissions>")
    return Message(role="developer", content=(InputText("\n".join(lines)),))


def _asking(approval: ApprovalPolicy, policy: SandboxPolicy) -> str:
    match approval:
        case ApprovalPolicy.NEVER:
            return "Nobody can be asked for more: what is not allowed is refused. Work within this."
        case ApprovalPolicy.UNTRUSTED:
            return "The user is asked before every command that is not known to only read."
        case ApprovalPolicy.ON_FAILURE:
            return "When the sandbox stops a command, the user is asked whether to run it again outside."
        case ApprovalPolicy.ON_REQUEST:
            if isinstance(policy, DangerFullAccess):
                return "The user is not asked before commands run."
            return (
                'Where a command needs more, call it with sandbox_permissions "require_escalated" and a justification: '
                "the user is asked then. Do so for what the task needs, such as installing packages or committing, "
                "rather than for convenience."
            )


def commands_notice(rung: int) -> str | None:
    """What the model is told where commands cannot be confined; None where they can."""
    if rung < 4:
        return None
    return "Commands cannot be confined on this machine: each one needs the user's approval, and is refused without."


def environment_message(
    cwd: Path, approval: ApprovalPolicy, policy: SandboxPolicy, *, today: str | None = None
) -> Message:
    """The item that says where the thread works.

    Args:
        cwd: The thread's directory.
        approval: When a person is asked.
        policy: What commands may touch.
        today: The date as YYYY-MM-DD; None takes the clock's.
    """
    network = "enabled" if has_network(policy) else "restricted"
    lines = [
        "<environment_context>",
        f"  <cwd>{cwd}</cwd>",
        f"  <approval_policy>{approval.value}</approval_policy>",
        f"  <sandbox_mode>{mode_of(policy).value}</sandbox_mode>",
        f"  <network_access>{network}</network_access>",
        "  <shell>bash</shell>",
        f"  <current_date>{today or time.strftime('%Y-%m-%d')}</current_date>",
        "</environment_context>",
    ]
    return Message(role="user", content=(InputText("\n".join(lines)),))


def aborted_message() -> Message:
    """What the model is told of a turn that the user stopped."""
    return Message(
        role="user",
        content=(
            InputText(
                "<turn_aborted>\nThe user interrupted the previous turn on purpose. Commands that were running may "
                "have done part of their work: check before you repeat them.\n</turn_aborted>"
            ),
        ),
    )
