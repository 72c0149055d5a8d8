"""The commands the demo model looks around with: they only read, print little in any tree, and bear odd names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

TOUR = "CODEX_TOUR.md"
GIT = "GIT_ALLOW_PROTOCOL=none git -c core.fsmonitor=false"
"""A repository's settings could name a program to run: one that watches files, one that fetches missing objects."""
_LS = f"{GIT} ls-files --deduplicate -z"
"""A file in conflict has several entries."""
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
MANIFESTS = {
    "pyproject.toml": "pyproject",
    "setup.cfg": "setupcfg",
    "package.json": "package",
    "Cargo.toml": "cargo",
    "go.mod": "gomod",
}
"""Files of the directory itself that describe a project, and the labels of the calls that print them."""
MAIN_FUNCTIONS = {
    "C": r"^([a-z_]+ +)*main *\(",
    "C++": r"^([a-z_]+ +)*main *\(",
    "Go": r"^func main\(",
    "Java": r"public static void main *\(",
}
"""What a file that a program starts in has in one of its lines."""
TEST_PATTERN = r"(^|/)([^/]*[_-])?(tests?|specs?|__tests__)/|(^|/)test_[^/]*$|[._-](test|spec)s?[.][^./]+$"
NOTABLE_PATTERN = (
    r"^(readme[^/]*|(un)?licen[cs]e[^/]*|copying[^/]*)$|"
    r"(^|/)(pyproject[.]toml|setup[.]py|setup[.]cfg|requirements[.]txt|"
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
_FOLDERS = "awk -F/ 'NF > 1 { c[$1 \"/\"]++ } END { for (d in c) print c[d], d }'"
_BY_DEPTH = (
    "awk 'length($0) < 140 { n = gsub(\"/\", \"/\"); if (n < 5) print n, $0 }' | sort -n -k1,1 -k2 | cut -d' ' -f2-"
)
_REGULAR = '[ -f "$f" ] && [ ! -L "$f" ]'
"""A link may lead anywhere, and a device or a pipe never ends."""
_LINES = 'printf "%s %s\\n" "$(wc -l < "$f")" "$f"'


def first_look() -> dict[str, str]:
    """Commands of the first round by label: what lies here, what matters most first, and how many files git tracks."""
    return {
        "top": f"export LC_ALL=C; {{ ls -dpq {TOUR} {' '.join(MANIFESTS)} 2>/dev/null; ls -Apq; }} | head -n 200",
        "tracked": f"{_LS} 2>/dev/null | tr -dc '\\0' | wc -c",
    }


def survey(top: Sequence[str], *, tracked: bool) -> dict[str, str]:
    """Commands of the second round by label: counts, the files worth a look, and what describes the project.

    Args:
        top: What lies in the directory itself.
        tracked: Whether git tracks files here.
    """
    names = f"export LC_ALL=C; {_files(tracked=tracked)} | tr '\\n\\0' '?\\n' | sed 's|^[.]/||' | grep -vxF {TOUR}"
    history = {
        "commits": f"{GIT} rev-list --count HEAD 2>/dev/null || true",
        "branch": f"{GIT} symbolic-ref --short -q HEAD || true",
    }
    folders = "sort -k1,1rn -k2 | awk 'NR <= 40; END { print NR, \"/\" }'"
    there = 'while IFS= read -r f; do if [ -d "${f#* }" ]; then printf "%s\\n" "$f"; fi; done'
    return {
        **(history if tracked else {}),
        "kinds": f"{names} | {_KINDS} | {_KNOWN_OR_FREQUENT}",
        "folders": f"{names} | {_FOLDERS} | {folders} | {there}",
        "tests": f"{names} | grep -cE '{TEST_PATTERN}' || true",
        "notable": f"{names} | grep -iE '{NOTABLE_PATTERN}' | {_BY_DEPTH} | head -n 80 | {_each_regular()}",
        **{
            label: f"f={name}; if {_REGULAR}; then {head(name, lines=200)}; fi"
            for name, label in MANIFESTS.items()
            if name in top
        },
    }


def lines_of(extensions: Sequence[str], *, tracked: bool) -> str:
    """Counts the lines of all files with one of some extensions, upper case or lower."""
    return f"{_of_kind(extensions, tracked=tracked)} | xargs -0 cat -- | wc -l"


def main_functions(language: str, *, tracked: bool) -> str:
    """Counts the lines of files that have the function a program starts in, those in few folders first."""
    found = f"{_of_kind(LANGUAGES[language], tracked=tracked)} | xargs -0 grep -lE '{MAIN_FUNCTIONS[language]}' --"
    return f"export LC_ALL=C; {found} | sed 's|^[.]/||' | {_BY_DEPTH} | head -n 40 | {_each_regular(_LINES)}"


def head(path: str, *, lines: int) -> str:
    """Prints the start of a regular file."""
    return f"head -n {lines} -- {shlex.quote(path)} | cut -c 1-400 | head -c 6000"


def line_counts(paths: Sequence[str]) -> str:
    """Counts the lines of those of some files that are there."""
    return f"for f in {' '.join(map(shlex.quote, paths))}; do if {_REGULAR}; then {_LINES}; fi; done"


def old_tour() -> str:
    """Prints the tour as it stands."""
    return f"cat {TOUR}"


def check_tour() -> str:
    """Counts the tour's lines and prints its heading."""
    return f"wc -l {TOUR} && head -n 1 {TOUR}"


def files_in_words(*, tracked: bool) -> str:
    """Which files are counted, behind the word, so that anybody can count them again."""
    if tracked:
        return f"that git tracks (`git ls-files`, without {TOUR})"
    return f"outside {', '.join(f'`{name}`' for name in SKIPPED)} (without links and {TOUR})"


def is_safe_name(name: str) -> bool:
    """Whether a printed name can be the real one and can stand in Markdown and in a command."""
    return _SAFE_NAME.fullmatch(name) is not None and not name.startswith("-") and name == name.strip()


def _each_regular(do: str = 'printf "%s\\n" "$f"') -> str:
    return f"while IFS= read -r f; do if {_REGULAR}; then {do}; fi; done"


def _of_kind(extensions: Sequence[str], *, tracked: bool) -> str:
    """Prints the names of files, each followed by a NUL."""
    if not tracked:
        tests = " -o ".join(f"-iname '*.{extension}'" for extension in extensions)
        return _found(f"\\( {tests} \\)")
    kinds = " ".join(f"':(icase)*.{extension}'" for extension in extensions)
    regular = f'for f; do if {_REGULAR}; then printf "%s\\0" "$f"; fi; done'
    return f"{_LS} -- {kinds} | xargs -0 sh -c '{regular}' sh"


def _files(*, tracked: bool) -> str:
    return _LS if tracked else _found("")


def _found(test: str) -> str:
    skipped = " -o ".join(f"-name {name}" for name in SKIPPED)
    return f"find . \\( {skipped} \\) -prune -o -type f {test + ' ' if test else ''}-print0 2>/dev/null"
