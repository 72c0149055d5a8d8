"""Which parts of a changed line changed: the words to mark in a removed line and in the one that took its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

Spans = tuple[tuple[int, int], ...]
_MAX_CELLS = 2_500  # tokens of one line times those of the other: about a millisecond
_MAX_CHARS = 1_000
_ALIKE = 0.4
_word = re.compile(r"\w+|\s+|[^\w\s]")
_words = re.compile(r"\w+")


def marks(old: str, new: str) -> tuple[Spans, Spans]:
    """Character ranges of `old` and of `new` that differ; none where the lines have too little in common to compare."""
    if old == new or len(old) > _MAX_CHARS or len(new) > _MAX_CHARS:
        return (), ()
    a, b = _word.findall(old), _word.findall(new)
    head = _common(a, b)
    tail = _common(a[head:][::-1], b[head:][::-1])
    a_kept, b_kept = [True] * len(a), [True] * len(b)
    a_mid, b_mid = a[head : len(a) - tail], b[head : len(b) - tail]
    for at in range(len(a_mid)):
        a_kept[head + at] = False
    for at in range(len(b_mid)):
        b_kept[head + at] = False
    if a_mid and b_mid and len(a_mid) * len(b_mid) <= _MAX_CELLS:
        for block in SequenceMatcher(None, a_mid, b_mid, autojunk=False).get_matching_blocks():
            if any(not token.isspace() for token in a_mid[block.a : block.a + block.size]):
                for at in range(block.size):
                    a_kept[head + block.a + at] = b_kept[head + block.b + at] = True
    common = sum(len(token) for token, kept in zip(a, a_kept, strict=True) if kept and not token.isspace())
    longer = max(_ink(a), _ink(b))
    if common < _ALIKE * longer:
        return (), ()
    return _trimmed(old, _spans(a, a_kept)), _trimmed(new, _spans(b, b_kept))


def _trimmed(line: str, spans: Spans) -> Spans:
    """The ranges without blanks at their ends, but for those that are nothing else."""
    trimmed: list[tuple[int, int]] = []
    for start, end in spans:
        marked = line[start:end]
        if inner := marked.strip(" "):
            start += len(marked) - len(marked.lstrip(" "))
            end = start + len(inner)
        trimmed.append((start, end))
    return tuple(trimmed)


def pair(removed: Sequence[str], added: Sequence[str]) -> list[tuple[int, int]]:
    """Which removed line became which added one, by number, in order: one to one where the counts agree, else by words.

    Lines without a partner are in no pair.
    """
    if len(removed) == len(added):
        return [(at, at) for at in range(len(removed))]
    pairs: list[tuple[int, int]] = []
    words = [frozenset(_words.findall(line[:_MAX_CHARS])) for line in added]
    start = 0
    for at, line in enumerate(removed):
        own = frozenset(_words.findall(line[:_MAX_CHARS]))
        best, found = 0.5, -1
        for other in range(start, min(start + 8, len(added))):
            alike = 2 * len(own & words[other]) / max(1, len(own) + len(words[other]))
            if alike > best:
                best, found = alike, other
        if found >= 0:
            pairs.append((at, found))
            start = found + 1
    return pairs


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for first, second in zip(a, b, strict=False):
        if first != second:
            break
        count += 1
    return count


def _ink(tokens: Sequence[str]) -> int:
    return sum(len(token) for token in tokens if not token.isspace())


def _spans(tokens: Sequence[str], kept: Sequence[bool]) -> Spans:
    """The ranges of the tokens that are not kept; those with only a blank between them become one."""
    spans: list[tuple[int, int]] = []
    at = 0
    blank = False
    for word, stays in zip(tokens, kept, strict=True):
        end = at + len(word)
        if not stays:
            if spans and (spans[-1][1] == at or (blank and spans[-1][1] == at - 1)):
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((at, end))
        blank = word == " "
        at = end
    return tuple(spans)
