"""The plan and the rung in words people understand: `codex sandbox --explain`."""

from __future__ import annotations

from collections.abc import Sequence

from codex_kernel.sandbox.plan import Confinement
from codex_protocol.policy import SandboxFacts, SandboxMode

_LAYERS = {
    1: "namespaces, Landlock and seccomp, all of what there is",
    2: "the system's own tool with Landlock and seccomp, or Seatbelt on macOS",
    3: "Landlock and seccomp, without namespaces",
    4: "only in part: Landlock is missing",
    5: "not at all",
}
_GIB = 1024**3


def explanation(mode: SandboxMode, facts: SandboxFacts, plan: Confinement | None, directory: str) -> str:
    """Some lines of text.

    Args:
        mode: The policy's name.
        facts: How this machine confines.
        plan: What commands may touch; None with full access.
        directory: Where they start.
    """
    if plan is None:
        return f"Policy {mode.value}: commands in {directory} run with all your rights; nothing confines them.\n"
    lines = [f"Policy {mode.value}, commands start in {directory}.", f"Rung {facts.rung} of 5: {_LAYERS[facts.rung]}."]
    lines += [facts.notice] if facts.notice else []
    lines.append("")
    if plan.roots:
        lines += _listed("They may write below", plan.roots)
        lines += _listed("but not, there", plan.read_only)
        lines += _listed("nor make these, which do not exist", plan.placeholders)
    else:
        lines.append("They may write nothing but their own /dev/shm.")
    lines += ["They may read what you can, except"] if plan.masks else ["They may read what you can."]
    for mask in plan.masks:
        but = f" (but for {', '.join(mask.keep)})" if mask.keep else ""
        lines.append(f"  {mask.path}{but}")
    lines += ["", _network(plan, facts.rung), _limits(plan)]
    return "\n".join(lines) + "\n"


def _listed(title: str, paths: Sequence[str]) -> list[str]:
    return [title, *(f"  {path}" for path in paths)] if paths else []


def _network(plan: Confinement, rung: int) -> str:
    if plan.network:
        return "They use this machine's network."
    own = "; servers they start themselves can be reached by them" if rung in (1, 2, 4) else ""
    return f"They reach neither the network nor local services of other programs{own}."


def _limits(plan: Confinement) -> str:
    parts = [f"{plan.memory_bytes / _GIB:.1f} GiB of memory"]
    parts += [f"{plan.processes} processes"] if plan.processes is not None else []
    parts += [f"files of {plan.file_bytes / _GIB:.1f} GiB"] if plan.file_bytes is not None else []
    return f"All a command starts ends with it. One command may use {', '.join(parts)}; one that uses more is ended."
