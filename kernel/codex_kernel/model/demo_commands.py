"""The commands the demo model looks around with: they only read, print little in any tree, and bear odd names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

TOUR = "CODEX_TOUR.md"
GIT = "git -c core.fsmonitor=false"
"""A repository's settings could name a program to run."""
SKIPPED = (".git", "node_modules", ".venv", "__pycache__")
LANGUAGES = {
    "Python": ("py", "pyi"),
    "C": ("c", "h"),
    "C++": ("cc", "cpp", "cxx", "hh", "hpp"),
    "JavaScript": ("js", "mjs", "cjs", "jsx"),
    "TypeScript": ("ts", "tsx"),
    "HTML": ("html", "htm"),
    "CSS": ("css", "scss", "sass", "less"),
    "Rust": ("rs",),
    "Go": ("go",),
    "Java": ("java",),
    "Kotlin": ("kt", "kts"),
    "C#": ("cs",),
    "Ruby": ("rb",),
    "PHP": ("php",),
    "Perl": ("pl", "pm"),
    "Shell": ("sh", "bash"),
    "Lua": ("lua",),
    "Swift": ("swift",),
    "Scala": ("scala",),
    "Haskell": ("hs",),
    "OCaml": ("ml", "mli"),
    "Elixir": ("ex", "exs"),
    "Julia": ("jl",),
    "R": ("r",),
    "Fortran": ("f", "f90"),
    "Assembly": ("s", "asm"),
    "SQL": ("sql",),
    "Vue": ("vue",),
    "Svelte": ("svelte",),
}
"""File name extensions by language, lower case."""
TEST_PATTERN = r"(^|/)(tests?|spec|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?[.][^./]+$"
NOTABLE_PATTERN = (
    r"(^|/)(readme[^/]*|licen[cs]e[^/]*|copying[^/]*|pyproject[.]toml|setup[.]py|setup[.]cfg|requirements[.]txt|"
    r"package[.]json|tsconfig[.]json|vite[.]config[.][a-z]+|webpack[.]config[.][a-z]+|makefile|gnumakefile|"
    r"cmakelists[.]txt|configure|configure[.]ac|meson[.]build|cargo[.]toml|go[.]mod|pom[.]xml|build[.]gradle|gemfile|"
    r"composer[.]json|dockerfile|main[.][a-z]+|__main__[.]py|app[.][a-z]+|cli[.]py|manage[.]py|index[.]html|"
    r"index[.][jt]sx?|server[.][jt]s)$"
)
_SAFE_NAME = re.compile(r"[^\x00-\x1f\x7f?`<>|\ufffd]{1,160}")
_KINDS = (
    'awk -F/ \'{ n = split($NF, p, "[.]"); e = ""; if (n > 2 || (n == 2 && p[1] != "")) e = tolower(p[n]); '
    'if (e == "") e = "(none)"; c[e]++; t++ } END { print t + 0, "/"; for (e in c) print c[e], e }\''
)
_KNOWN = " ".join(extension for extensions in LANGUAGES.values() for extension in extensions)
_KNOWN_OR_FREQUENT = f"sort -rn | awk -v known=' {_KNOWN} ' 'index(known, \" \" $2 \" \") || n++ < 30'"
"""A tree may have thousands of endings; those of languages are never cut off."""
_FOLDERS = 'awk -F/ \'{ c[NF > 1 ? $1 "/" : "./"]++ } END { for (d in c) print c[d], d }\''
_BY_DEPTH = (
    "awk 'length($0) < 140 { n = gsub(\"/\", \"/\"); if (n < 5) print n, $0 }' | sort -s -n -k1,1 | cut -d' ' -f2-"
)


def first_look() -> dict[str, str]:
    """Commands of the first round by label: what lies here, an old tour first, and how many files git tracks."""
    return {
        "top": f"export LC_ALL=C; {{ ls -dpq {TOUR} 2>/dev/null; ls -Apq; }} | head -n 200",
        "tracked": f"{GIT} ls-files -z 2>/dev/null | tr -dc '\\0' | wc -c",
    }


def survey(*, tracked: bool) -> dict[str, str]:
    """Commands of the second round by label: counts, and the files worth a look."""
    names = f"export LC_ALL=C; {_files(tracked=tracked)} | tr '\\n\\0' '?\\n' | sed 's|^[.]/||' | grep -vxF {TOUR}"
    there = 'while IFS= read -r f; do [ -f "$f" ] && [ ! -L "$f" ] && printf "%s\\n" "$f"; done'
    history = {"commits": f"{GIT} rev-list --count HEAD", "branch": f"{GIT} symbolic-ref --short -q HEAD"}
    return {
        **(history if tracked else {}),
        "kinds": f"{names} | {_KINDS} | {_KNOWN_OR_FREQUENT}",
        "folders": f"{names} | {_FOLDERS} | sort -rn | head -n 40",
        "tests": f"{names} | grep -cE '{TEST_PATTERN}'",
        "notable": f"{names} | grep -iE '{NOTABLE_PATTERN}' | {_BY_DEPTH} | head -n 100 | {there} | head -n 50",
    }


def lines_of(extension: str, *, tracked: bool) -> str:
    """Counts the lines of all files with one extension, upper case or lower."""
    if tracked:
        return f"{GIT} ls-files -z -- ':(icase)*.{extension}' | xargs -0 cat -- 2>/dev/null | wc -l"
    found = _found(f"-iname '*.{extension}'")
    return f"{found} | xargs -0 cat -- 2>/dev/null | wc -l"


def head(path: str, *, lines: int) -> str:
    """Prints the start of a file."""
    return f"head -n {lines} -- {shlex.quote(path)} | cut -c 1-400 | head -c 6000"


def line_counts(paths: Sequence[str]) -> str:
    """Counts the lines of some files."""
    return f"wc -l -- {' '.join(map(shlex.quote, paths))}"


def old_tour() -> str:
    """Prints the tour as it stands."""
    return f"cat {TOUR}"


def check_tour() -> str:
    """Counts the tour's lines and prints its heading."""
    return f"wc -l {TOUR} && head -n 1 {TOUR}"


def files_in_words(*, tracked: bool) -> str:
    """Which files are counted, so that anybody can count them again."""
    if tracked:
        return f"files tracked by git (`git ls-files`, without {TOUR})"
    return f"files outside {', '.join(f'`{name}`' for name in SKIPPED)} (without links and {TOUR})"


def is_safe_name(name: str) -> bool:
    """Whether a printed name can be the real one and can stand in Markdown and in a command."""
    return _SAFE_NAME.fullmatch(name) is not None and not name.startswith("-") and name == name.strip()


def _files(*, tracked: bool) -> str:
    return f"{GIT} ls-files -z" if tracked else _found("")


def _found(test: str) -> str:
    skipped = " -o ".join(f"-name {name}" for name in SKIPPED)
    return f"find . \\( {skipped} \\) -prune -o -type f {test + ' ' if test else ''}-print0 2>/dev/null"
