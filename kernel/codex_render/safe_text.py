"""Untrusted text made harmless for a screen: what would steer a terminal or hide text is shown, not obeyed.

Source for the invisible characters: Unicode 16, categories Cc, Cf, Zl and Zp, and fillers that draw nothing.
"""

from __future__ import annotations

import re

# C0 and C1 controls but tab and line feed; soft hyphen; Arabic and Syriac marks that draw nothing; Hangul fillers; the
# Mongolian separator; zero-width characters and bidi marks; line and paragraph separators; bidi embeddings, overrides
# and isolates; word joiner and invisible operators; byte order mark; interlinear annotations; shorthand and musical
# controls; tags, which can carry whole hidden sentences; variation selectors of the supplement, which can carry bytes.
_HIDDEN = (
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff"
    "]"
)
# Colours and other attributes of a terminal; nothing in them can move the cursor or reach the terminal itself.
_COLOUR = "\x1b\\[[0-9;:]*m"
_PICTURES = {0x7F: "\u2421"}


def visible(text: str) -> str:
    """`text` with every control, bidi and zero-width character written out; tabs and line ends stay.

    Control characters become their pictures (`␛`), all others their number (`<U+202E>`). Emoji stay whole: a zero-width
    joiner between two of them is let through, and so are the first sixteen variation selectors.
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_HIDDEN, _written_out, text)


def one_line(text: str) -> str:
    """`visible`, with line ends and tabs written out too: `⏎`."""
    return visible(text.replace("\r\n", "\n")).replace("\n", "\u23ce").replace("\t", " ")


def output_text(text: str) -> str:
    """What a command printed, for people: colours dropped, overwritten progress lines shortened, the rest `visible`.

    Where a carriage return overwrote a line, what came last is kept, with `␍` before it: there was more.
    """
    if "\x1b" in text:
        text = re.sub(_COLOUR, "", text)
    if "\r" in text:
        text = "\n".join(_last_overwrite(line) for line in text.replace("\r\n", "\n").split("\n"))
    return visible(text)


def safe_json(text: str) -> str:
    """JSON for a screen: hidden characters, in its strings all of them, become JSON's own escapes."""
    return re.sub(_HIDDEN, _json_escape, text)


def _json_escape(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))


def _last_overwrite(line: str) -> str:
    if "\r" not in line:
        return line
    pieces = [piece for piece in line.split("\r") if piece]
    return f"\r{pieces[-1]}" if len(pieces) > 1 else "".join(pieces)


def _written_out(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x200D and _joins_emoji(match):
        return match.group()
    return _PICTURES.get(code) or f"<U+{code:04X}>"


def _joins_emoji(match: re.Match[str]) -> bool:
    text, at = match.string, match.start()
    before = text[at - 1] if at else ""
    if before == "\ufe0f" and at > 1:
        before = text[at - 2]
    after = text[at + 1] if at + 1 < len(text) else ""
    return _is_pictograph(before) and _is_pictograph(after)


def _is_pictograph(character: str) -> bool:
    return bool(character) and ("\u2600" <= character <= "\u27bf" or "\U0001f000" <= character <= "\U0001faff")
