"""What `codex doctor` found: one finding a subject, for people and as JSON."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """What is known of one subject."""

    name: str
    state: State
    """`note`: works, but a person may want to know; `problem`: something will fail."""
    said: str
    """One line."""
    remedy: str | None = None
    """What to do, where something can be done."""
    facts: dict[str, object] = {}  # noqa: RUF012 - never changed
    """The same for programs; no secrets."""


def ok(name: str, said: str, **facts: object) -> Finding:
    """Everything is as it should be."""
    return Finding(name, "ok", said, None, facts)


def note(name: str, said: str, remedy: str | None = None, **facts: object) -> Finding:
    """It works, but differently than one may think."""
    return Finding(name, "note", said, remedy, facts)


def problem(name: str, said: str, remedy: str | None = None, **facts: object) -> Finding:
    """Something will fail."""
    return Finding(name, "problem", said, remedy, facts)


def as_text(findings: list[Finding]) -> str:
    """The report for people; a remedy stands below its finding."""
    signs = {"ok": "ok      ", "note": "note    ", "problem": "PROBLEM "}
    width = max(len(finding.name) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{signs[finding.state]}{finding.name.ljust(width)}  {finding.said}")
        if finding.remedy:
            lines.append(" " * (8 + width + 2) + f"-> {finding.remedy}")
    return "\n".join(lines) + "\n"


def as_object(findings: list[Finding]) -> dict[str, object]:
    """The report for programs."""
    return {
        "ok": not any(finding.state == "problem" for finding in findings),
        "checks": [
            {
                "name": finding.name,
                "state": finding.state,
                "summary": finding.said,
                "remedy": finding.remedy,
                **({"facts": finding.facts} if finding.facts else {}),
            }
            for finding in findings
        ],
    }
