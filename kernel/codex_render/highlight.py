"""Source code as spans with Pygments' classes; colours are the style sheet's business.

A lexer is a set of regular expressions that somebody else's text runs through. So only languages people write are
loaded, and what is long, or has very long lines, stays plain.
"""

from __future__ import annotations

import html
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from codex_render.safe_text import visible

if TYPE_CHECKING:
    from pygments.lexer import Lexer

PREFIX = "tok-"
MAX_CHARS = 20_000
MAX_LINE = 1_000

_LANGUAGES = (
    "bash sh shell zsh console shell-session pycon python py python3 ipython javascript js jsx typescript ts tsx json "
    "json5 jsonc yaml yml toml ini cfg dosini html xml svg css scss less sql c h cpp c++ cc hpp cxx csharp c# cs java "
    "kotlin kt scala go golang rust rs ruby rb php perl pl lua swift objective-c objc r julia jl haskell hs elixir ex "
    "erlang erl clojure clj ocaml ml fsharp fs dart zig nim diff patch udiff dockerfile docker make makefile mf cmake "
    "nix terraform hcl tf graphql protobuf proto powershell ps1 bat batch vim viml awk sed tex latex rst groovy gradle "
    "nginx jinja django vue svelte wasm wat asm nasm fish tcl sqlite3 postgresql mysql"
)
LANGUAGES = frozenset(_LANGUAGES.split())


def highlight(code: str, language: str) -> str:
    """`code` as HTML: spans of class `tok-…` where the language is known and the text is not too long, else escaped."""
    lexer = _lexer(language.lower()) if language.lower() in LANGUAGES else None
    if lexer is None or len(code) > MAX_CHARS or max(map(len, code.split("\n"))) > MAX_LINE:
        return html.escape(visible(code), quote=False)
    tokens = ((_class_of(token), text) for token, text in lexer.get_tokens(visible(code)))
    return "".join(_span(name, "".join(text for _, text in run)) for name, run in groupby(tokens, itemgetter(0)))


def _span(name: str, text: str) -> str:
    escaped = html.escape(text, quote=False)
    return f'<span class="{name}">{escaped}</span>' if name else escaped


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType] -- its options
    from pygments.util import ClassNotFound

    try:
        # ensurenl would add a line end to what people copy, stripnl take blank lines away.
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=1024)
def _class_of(token: object) -> str:
    """The class of the nearest token type that has one."""
    from pygments.token import STANDARD_TYPES, _TokenType  # pyright: ignore[reportPrivateUsage] -- it has no public name

    while isinstance(token, _TokenType):
        if (short := STANDARD_TYPES.get(token)) is not None:
            return PREFIX + short if short not in ("", "w") else ""  # blanks need no colour
        token = token.parent
    return ""
