"""One style sheet for everything `codex_render` draws as HTML, in both themes.

All of it applies below an element of class `codex`. That element takes class `light` or `dark`; with neither it follows
JupyterLab's theme, and elsewhere the system's. The colours are custom properties, so a host may set its own:

| property | for |
|---|---|
| `--bg` `--surface` `--sunken` | page; raised; code and other quiet areas |
| `--line` `--text` `--muted` | hairlines; text; secondary text |
| `--accent` `--wait` `--bad` `--good` | links and focus; waits for somebody; failed; went well |
| `--add` `--del` `--add-mark` `--del-mark` | lines of a diff; changed words in them |
| `--ansi-0` … `--ansi-15` | the sixteen colours of a terminal, readable on `--sunken` |
| `--tok-keyword` `--tok-string` `--tok-number` `--tok-comment` `--tok-name` | highlighted code |

Class names: Markdown's stand in `html_policy`, those of diffs in `diff_html`, of command output in `ansi_html`, of
redacted text in `redaction`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_LIGHT = {
    "bg": "#ffffff", "surface": "#ffffff", "sunken": "#f6f7f8", "line": "#e3e6e9", "text": "#16191c",
    "muted": "#59626b", "accent": "#0b62c4", "wait": "#9a5b00", "bad": "#b3261e", "good": "#1a7f37",
    "add": "#e6f6ea", "del": "#fdeceb", "add-mark": "#b5e5c2", "del-mark": "#f7c5c1",
    "tok-keyword": "#8a2a8f", "tok-string": "#1d6b35", "tok-number": "#95490c", "tok-comment": "#5f6870",
    "tok-name": "#0b5cad",
    "ansi-0": "#24292f", "ansi-1": "#b3261e", "ansi-2": "#1a7f37", "ansi-3": "#855000", "ansi-4": "#0b5cad",
    "ansi-5": "#8a2a8f", "ansi-6": "#12666e", "ansi-7": "#59626b", "ansi-8": "#5f6870", "ansi-9": "#c02b22",
    "ansi-10": "#17702f", "ansi-11": "#7a5a00", "ansi-12": "#2158c9", "ansi-13": "#9c36b5", "ansi-14": "#0b6f80",
    "ansi-15": "#3d444b",
}  # fmt: skip
_DARK = {
    "bg": "#101214", "surface": "#16191c", "sunken": "#0b0d0e", "line": "#2a2f34", "text": "#e8eaed",
    "muted": "#9aa4ad", "accent": "#6cb0ff", "wait": "#f0b24a", "bad": "#ff8a80", "good": "#57c27a",
    "add": "#12301d", "del": "#3a1917", "add-mark": "#1d5632", "del-mark": "#6b2824",
    "tok-keyword": "#d59bf0", "tok-string": "#8fd19e", "tok-number": "#f0b27a", "tok-comment": "#8f99a3",
    "tok-name": "#82b9ff",
    "ansi-0": "#8b949e", "ansi-1": "#ff8a80", "ansi-2": "#57c27a", "ansi-3": "#e0a93b", "ansi-4": "#6cb0ff",
    "ansi-5": "#d59bf0", "ansi-6": "#5ccfdb", "ansi-7": "#c5ccd3", "ansi-8": "#98a2ab", "ansi-9": "#ffa198",
    "ansi-10": "#7ee2a0", "ansi-11": "#f2cc60", "ansi-12": "#91c4ff", "ansi-13": "#e2b6ff", "ansi-14": "#8be9f2",
    "ansi-15": "#ffffff",
}  # fmt: skip

LIGHT: dict[str, str] = _LIGHT
"""The properties of the light theme, without their `--`."""
DARK: dict[str, str] = _DARK
"""The same of the dark theme."""


@lru_cache(maxsize=4)
def css(scope: str = ".codex") -> str:
    """The style sheet; `scope` is the selector of the element everything lies in (`:host` in a shadow root)."""
    rules = Path(__file__).with_name("styles.css").read_text("utf-8")
    at_host = scope.startswith(":host")

    def themed(theme: str) -> str:
        return f":host(.{theme})" if at_host else f"{scope}.{theme}"

    light, dark = _properties(LIGHT, "light"), _properties(DARK, "dark")
    in_lab = "" if at_host else f'[data-jp-theme-light="false"] {scope}:not(.light) {{{dark}}}\n'
    lab_light = "" if at_host else f'[data-jp-theme-light="true"] {scope}:not(.dark) {{{light}}}\n'
    return (
        f"{scope} {{{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{ {scope} {{{dark}}} }}\n"
        f"{lab_light}{in_lab}{themed('light')} {{{light}}}\n{themed('dark')} {{{dark}}}\n"
        f"{rules.replace('.codex', scope)}{_terminal_colours(scope)}"
    )


def _properties(values: dict[str, str], scheme: str) -> str:
    return f"color-scheme:{scheme};" + "".join(f"--{name}:{value};" for name, value in values.items())


def _terminal_colours(scope: str) -> str:
    """A background is a light wash of its colour, so that any text stays readable on it."""
    return "".join(
        f"{scope} .ansi-fg-{at}{{color:var(--ansi-{at})}}"
        f"{scope} .ansi-bg-{at}{{background:color-mix(in srgb,var(--ansi-{at}) 22%,transparent)}}\n"
        for at in range(16)
    )
