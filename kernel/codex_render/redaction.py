"""Secrets taken out of text before it is shared: what was found is marked in its place and listed for a preview.

Known forms of keys are found by their shape, anything else by what stands before it (`password=`, `Authorization:`,
`user:…@host`). Values a program knows to be secret can be handed in. Nothing here is certain: the list is there so that
a person looks at it. In HTML a mark is `span.redacted`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from codex_render.html_policy import escape

_MIN_KNOWN = 6
# Each form is bounded and begins with something rare, so that a scan costs little. Group 1, where there is one, is the
# secret itself; the rest stays.
_SHAPES = (
    ("private key", r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----)[\s\S]){0,20000}"
     r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"),
    ("Anthropic key", r"\bsk-ant-[\w\-]{16,250}"),
    ("OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_\-]{20,250}"),
    ("Stripe key", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,250}"),
    ("GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{30,255}|\bgithub_pat_[A-Za-z0-9_]{30,255}"),
    ("GitLab token", r"\bgl(?:pat|dt|rt|ptt|soat|ft|cbt|agent)-[\w\-]{18,100}"),
    ("Slack token", r"\bxox[a-z]-[A-Za-z0-9\-]{10,250}|\bxapp-\d-[A-Za-z0-9\-]{10,250}"),
    ("webhook address", r"\bhttps://(?:hooks\.slack\.com/(?:services|workflows)|(?:\w+\.)?discord(?:app)?\.com/api/webhooks)"
     r"/([\w/\-]{10,250})"),
    ("AWS key id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("Google key", r"\bAIza[\w\-]{35}(?![\w\-])|\bya29\.[\w\-.]{20,500}|\bGOCSPX-[\w\-]{20,60}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPI token", r"\bpypi-Ag[\w\-]{50,500}"),
    ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    ("SendGrid key", r"\bSG\.[\w\-]{16,64}\.[\w\-]{16,64}"),
    ("Telegram token", r"\b\d{8,10}:AA[\w\-]{32,34}(?![\w\-])"),
    ("DigitalOcean token", r"\bdo[opr]_v1_[a-f0-9]{64}\b"),
    ("age key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,60}\b"),
    ("JSON web token", r"\beyJ[\w\-]{8,4000}\.eyJ[\w\-]{8,8000}\.[\w\-]{0,2000}"),
    ("password in an address", r"\b[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s/:@\"'<>]{0,100}:([^\s/@\"'<>]{1,200})@"),
    ("token in an address", r"\b(?:https?|ssh|git)://([A-Za-z0-9_\-]{20,255})@"),
    ("account key", r"\b(?:AccountKey|SharedAccessKey|SharedAccessSignature)=([A-Za-z0-9+/=%]{20,200})"),
    ("authorization header", r"(?i)\b(?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
     r"(?:bearer|basic|token|digest|negotiate)\s{1,3}([^\s\"',;]{6,4000})"),
    ("bearer token", r"\b[Bb]earer\s{1,3}([A-Za-z0-9._~+/\-]{20,4000}={0,2})"),
    ("cookie", r"(?im)(?:^|(?<=[\"'\s]))(?:set-)?cookie:\s{0,3}([^\r\n\"']{8,4000})"),
)  # fmt: skip
_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|api[_\-]?key|access[_\-]?key|auth[_\-]?key|"
    r"private[_\-]?key|signing[_\-]?key|encryption[_\-]?key|account[_\-]?key|client[_\-]?secret|secret[_\-]?key"
)
_assigned = re.compile(
    rf"(?i)(?:^|(?<=[^A-Za-z0-9]))(?:[A-Za-z0-9]{{1,40}}[_\-]){{0,6}}(?:{_NAMES})(?:[_\-][A-Za-z0-9]{{1,20}}){{0,2}}"
    r"[\"']?\s{0,3}(?::=|=>|=|:)\s{0,3}"
    r"(?:\"([^\"\n]{1,500})\"|'([^'\n]{1,500})'|([^\s\"'`,;(){}\[\]<>|&]{1,500}))",
    re.MULTILINE,
)
_shapes = tuple((kind, re.compile(pattern)) for kind, pattern in _SHAPES)
_mark = re.compile(r"\[redacted: [^\]\n]{1,60}\]")
_reference = re.compile(
    r"\$|<|%\(|\{\{|\*{3,}|\u2022{3,}|x{4,}\Z|\.{3}|(?:os|env|process|self|config|settings|secrets)\.", re.I
)
_PLACEHOLDERS = (
    "none null true false undefined string str bytes int optional required changeme change-me example placeholder "
    "password passwd secret token redacted hidden your-password your_password todo test testing dummy default auto "
    "file keyring env environment prompt ask text email"
)
_placeholders = frozenset(_PLACEHOLDERS.split())


class Finding(NamedTuple):
    """One secret, wherever and however often it stood."""

    kind: str
    preview: str
    """Its first letters and its length: enough to know it again, not enough to use it."""
    times: int


class Redactor:
    """Takes secrets out of several texts and remembers what they were."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known` are values to take out wherever they stand; shorter than six characters they are passed over."""
        values = sorted({value for value in known if len(value) >= _MIN_KNOWN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None
        self._times: dict[tuple[str, str], int] = {}

    def redact(self, text: str) -> str:
        """`text` with each secret replaced by `[redacted: KIND]`."""
        pieces: list[str] = []
        at = 0
        for start, end, kind in self._spans(text):
            key = (kind, text[start:end])
            self._times[key] = self._times.get(key, 0) + 1
            pieces.append(f"{text[at:start]}[redacted: {kind}]")
            at = end
        pieces.append(text[at:])
        return "".join(pieces)

    @property
    def found(self) -> list[Finding]:
        """What was taken out so far, in the order it was met."""
        return [Finding(kind, _preview(value), times) for (kind, value), times in self._times.items()]

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        """The secrets, in order and apart from each other; where two overlap, what was looked for first stays."""
        taken: list[tuple[int, int, str]] = []
        if self._known is not None:
            taken.extend((*match.span(), "known secret") for match in self._known.finditer(text))
        for kind, pattern in _shapes:
            for match in pattern.finditer(text):
                taken.append((*match.span(1 if pattern.groups else 0), kind))
        for match in _assigned.finditer(text):
            group = match.lastindex or 3
            if _is_secret(match[group], quoted=group != 3):
                taken.append((*match.span(group), "value of a secret's name"))
        return _apart(taken, {match.span() for match in _mark.finditer(text)})


def redact(text: str, known: Iterable[str] = ()) -> tuple[str, list[Finding]]:
    """One text without its secrets, and what they were."""
    redactor = Redactor(known)
    return redactor.redact(text), redactor.found


def to_html(text: str) -> str:
    """Redacted plain text as safe HTML, its marks as `span.redacted`."""
    pieces: list[str] = []
    at = 0
    for match in _mark.finditer(text):
        pieces.append(f'{escape(text[at : match.start()])}<span class="redacted">{escape(match.group())}</span>')
        at = match.end()
    pieces.append(escape(text[at:]))
    return "".join(pieces)


def _apart(spans: list[tuple[int, int, str]], marks: set[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """Overlapping spans become one, under the kind that was found first; earlier marks stay as they are."""
    order = {span: number for number, span in enumerate(spans)}
    merged: list[tuple[int, int, str, int]] = []
    for start, end, kind in sorted(spans):
        if start == end or any(start < stop and begin < end for begin, stop in marks):
            continue
        rank = order[start, end, kind]
        if merged and start < merged[-1][1]:
            begin, stop, first, best = merged[-1]
            merged[-1] = (begin, max(stop, end), kind if rank < best else first, min(rank, best))
        else:
            merged.append((start, end, kind, rank))
    return [(start, end, kind) for start, end, kind, _ in merged]


def _is_secret(value: str, *, quoted: bool) -> bool:
    """Whether a value after `password=` is one, and not a name, a placeholder or a piece of code."""
    bare = value.strip()
    if len(bare) < 8 or bare.lower() in _placeholders or _reference.match(bare) or _mark.search(bare):
        return False
    if quoted and " " in bare:
        return False  # a sentence
    if not quoted and re.fullmatch(r"[A-Za-z_][A-Za-z_]*(?:\.[A-Za-z_][\w]*)*:?", bare):
        return False  # a name or an attribute
    kinds = sum(bool(re.search(pattern, bare)) for pattern in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]"))
    return kinds >= 2 or len(bare) >= 16


def _preview(value: str) -> str:
    shown = value[:4] if len(value) >= 16 else ""
    return f"{shown}\u2026 ({len(value)} characters)"
