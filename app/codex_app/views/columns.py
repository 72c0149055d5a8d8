"""What the inspector's figures are drawn from: columns out of the numbers of `codex_store.insight`. Pure; no Bokeh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from codex_render.amounts import count, duration
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_store.insight import ContextNumbers, FileNumbers, TurnNumbers, total
from codex_store.thread_info import ThreadInfo
from codex_store.turn_records import TurnRecord

Columns = dict[str, list[Any]]
SHOWN_TURNS = 60
SHOWN_REQUESTS = 120
SHOWN_LINES = 20
_LABEL_CHARS = 28


def turn_columns(numbers: Sequence[TurnNumbers]) -> Columns:
    """One column a figure of turns needs; the newest turns alone."""
    shown = numbers[-SHOWN_TURNS:]
    return {
        "x": [each.turn for each in shown],
        "turn": [each.turn for each in shown],
        "prompt": [_label(each.prompt, 60) for each in shown],
        "goto": [f"turn:{each.turn}" for each in shown],
        **_amounts(shown),
    }


def _amounts(numbers: Sequence[TurnNumbers]) -> Columns:
    return {
        "input": [each.input_tokens for each in numbers],
        "cached": [each.cached_tokens for each in numbers],
        "output": [each.output_tokens for each in numbers],
        "reasoning": [each.reasoning_tokens for each in numbers],
        "total": [each.usage.total_tokens for each in numbers],
        "cost": [str(each.cost) for each in numbers],
        "requests": [each.requests for each in numbers],
        "request_s": [round(each.request_s, 3) for each in numbers],
        "commands": [each.commands for each in numbers],
        "command_s": [round(each.command_s, 3) for each in numbers],
    }


def request_columns(turns: Iterable[TurnRecord]) -> Columns:
    """One bar a response; the newest alone."""
    all_of_them = [(turn.number, each) for turn in turns for each in turn.usages]
    first = max(0, len(all_of_them) - SHOWN_REQUESTS)
    shown = all_of_them[first:]
    return {
        "x": [first + at + 1 for at in range(len(shown))],
        "turn": [number for number, _ in shown],
        "seconds": [each.duration_s or 0 for _, each in shown],
        "total": [each.usage.total_tokens for _, each in shown],
        "goto": [f"turn:{number}" for number, _ in shown],
    }


def context_columns(context: ContextNumbers) -> Columns:
    """One line a category that has something in it."""
    there = [(name, tokens) for name, tokens in context.parts.items() if tokens > 0]
    return {
        "label": [name for name, _ in there],
        "tokens": [tokens for _, tokens in there],
        "share": [f"{100 * tokens / max(1, context.used):.0f} %" for _, tokens in there],
        "goto": ["" for _ in there],
    }


def file_columns(files: Sequence[FileNumbers]) -> Columns:
    """One line a file, those that were written most often alone."""
    shown = files[:SHOWN_LINES]
    return {
        "label": _distinct([_tail(each.path) for each in shown]),
        "path": [one_line(each.path) for each in shown],
        "patches": [each.patches for each in shown],
        "turn": [each.last_turn for each in shown],
        "goto": [f"turn:{each.last_turn}" for each in shown],
    }


def thread_columns(threads: Sequence[tuple[ThreadInfo, TurnNumbers]]) -> Columns:
    """One line a thread, the newest alone."""
    shown = threads[:SHOWN_LINES]
    names = [one_line(" ".join((info.name or info.preview or info.id).split())) for info, _ in shown]
    return {
        "label": _distinct([shorten(name, _LABEL_CHARS) for name in names]),
        "name": [shorten(name, 80) for name in names],
        "goto": [f"thread:{info.id}" for info, _ in shown],
        **_amounts([numbers for _, numbers in shown]),
    }


def usage_words(numbers: Sequence[TurnNumbers], of: str) -> str:
    """All of it in a sentence."""
    all_of_it = total(numbers)
    used = all_of_it.usage
    return (
        f"{count(used.total_tokens)} tokens in {_many(all_of_it.requests, 'request')} of {_many(len(numbers), of)}: "
        f"{count(used.input_tokens)} in ({count(used.cached_input_tokens)} of them cached), "
        f"{count(used.output_tokens)} out ({count(used.reasoning_output_tokens)} of them reasoning). "
        f"Cost: {all_of_it.cost}."
    )


def time_words(numbers: Sequence[TurnNumbers]) -> str:
    """How long the model took, in a sentence."""
    all_of_it = total(numbers)
    if not all_of_it.requests:
        return "No response yet."
    mean = all_of_it.request_s / all_of_it.requests
    return (
        f"{_many(all_of_it.requests, 'request')} took {duration(all_of_it.request_s)}, {duration(mean)} each; "
        f"the longest {duration(all_of_it.longest_request_s)}."
    )


def command_words(numbers: Sequence[TurnNumbers]) -> str:
    """How long commands ran, in a sentence."""
    all_of_it = total(numbers)
    return f"{_many(all_of_it.commands, 'command')} ran for {duration(all_of_it.command_s)}."


def context_words(context: ContextNumbers) -> str:
    """How full the context is, in a sentence."""
    if not context.used:
        return "Nothing has been counted yet."
    of = f" of {count(context.window)}, {100 * context.used / context.window:.0f} %" if context.window else ""
    return f"{count(context.used)} tokens{of}. The total is the provider's; the parts are estimated from their length."


def file_words(files: Sequence[FileNumbers]) -> str:
    """How many files were written, in a sentence."""
    return f"{_many(len(files), 'file')} written by patches." if files else "No patch has written a file."


def _many(amount: int, what: str) -> str:
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"


def _label(text: str, most: int) -> str:
    return shorten(one_line(" ".join(text.split())), most)


def _tail(path: str) -> str:
    shown = one_line(path)
    return shown if len(shown) <= _LABEL_CHARS else "…" + shown[1 - _LABEL_CHARS :]


def _distinct(labels: list[str]) -> list[str]:
    """Labels of lines must differ."""
    seen: dict[str, int] = {}
    found: list[str] = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        found.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return found
