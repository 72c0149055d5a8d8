"""A reviewer's findings as text a person reads.

Source: spec/exec-json.md section 8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast


def review_text(output: Mapping[str, Any]) -> str:
    """The explanation, then each finding with its place; fields that are missing or of another type are left out."""
    blocks: list[str] = []
    explanation = output.get("overall_explanation")
    if isinstance(explanation, str) and explanation.strip():
        blocks.append(explanation.strip())
    findings = [_finding(each) for each in _list(output.get("findings"))]
    findings = [text for text in findings if text]
    if findings:
        title = "Review comment:" if len(findings) == 1 else "Full review comments:"
        blocks.append(title)
        blocks.extend(findings)
    return "\n\n".join(blocks) or "The reviewer gave no findings."


def _finding(raw: object) -> str:
    if not isinstance(raw, dict):
        return ""
    finding = cast("dict[str, Any]", raw)
    title = finding.get("title")
    if not isinstance(title, str):
        return ""
    place = _place(finding.get("code_location"))
    lines = [f"- {title}{f' — {place}' if place else ''}"]
    body = finding.get("body")
    if isinstance(body, str) and body:
        lines.extend(f"  {line}".rstrip() for line in body.splitlines())
    return "\n".join(lines)


def _place(raw: object) -> str:
    if not isinstance(raw, dict):
        return ""
    location = cast("dict[str, Any]", raw)
    path = location.get("absolute_file_path")
    lines = location.get("line_range")
    if not isinstance(path, str):
        return ""
    if isinstance(lines, dict):
        span = cast("dict[str, Any]", lines)
        if isinstance(span.get("start"), int) and isinstance(span.get("end"), int):
            return f"{path}:{span['start']}-{span['end']}"
    return path


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
