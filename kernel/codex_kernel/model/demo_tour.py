"""The demo model's tour: facts out of what its commands printed, and the text made of nothing else."""

from __future__ import annotations

import re

import msgspec

from codex_kernel.model.demo_commands import LANGUAGES, MANIFESTS, TEST_PATTERN, files_in_words, is_safe_name
from codex_kernel.model.demo_history import Result
from codex_kernel.model.demo_manifests import read_manifest
from codex_kernel.model.demo_titles import first_words, licence_kind, title

HEADING = "# Tour of "
SIGNATURE = "Written by the built-in demo model of Codex: a fixed program that runs a few commands, no language model."
_MAX_FOLDERS = 12
_BUILD = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|requirements\.txt|package\.json|tsconfig\.json|(vite|webpack)\.config\..+|"
    r"(gnu)?makefile|cmakelists\.txt|configure(\.ac)?|meson\.build|cargo\.toml|go\.mod|pom\.xml|build\.gradle|gemfile|"
    r"composer\.json|dockerfile)",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"main|__main__|app|cli|manage|index|server", re.I)
_ASIDE = re.compile(
    r"(^|/)([.][^/]*|(js_|e2e_)?tests?|testing|docs?|examples?|samples?|fixtures?|templates?|bench(marks?)?|contrib|vendor|"
    r"third[_-]?party|external|deps|node_modules)/",
    re.IGNORECASE,
)
"""Folders in which nobody starts to read."""
_KNOWN = {extension: language for language, extensions in LANGUAGES.items() for extension in extensions}
_NO_START = ("CSS", "SQL")


class Facts(msgspec.Struct, kw_only=True):
    """What was seen; empty where a command did not tell."""

    name: str
    tracked: int = 0
    """Files git tracks; 0: git knows nothing here."""
    commits: int | None = None
    branch: str | None = None
    top: tuple[str, ...] = ()
    """What lies in the directory itself; folders end in a slash."""
    total: int | None = None
    kinds: dict[str, int] = {}
    """Files by extension, lower case."""
    folders: dict[str, int] = {}
    """Files below the folders of the directory that have most."""
    more_folders: int = 0
    """Folders with files that are not among these."""
    tests: int | None = None
    notable: tuple[str, ...] = ()
    claimed: tuple[str, ...] = ()
    """Where manifests say that it begins; they exist where `lines` has them."""
    mains: dict[str, int] = {}
    """Lines of files that have a program's first function."""
    lines: dict[str, int] = {}
    """Lines of single files."""
    main_lines: int | None = None
    """Lines of all files of the language that has most files."""
    readme_title: str | None = None
    licence_title: str | None = None
    licence_kind: str | None = None
    project: dict[str, str] = {}
    """Name, description and scripts, as a manifest says them."""

    def entries(self) -> list[str]:
        """Files to start reading at, at most six."""
        claimed = [path for path in self.claimed if self.lines.get(path)]
        named = [path for path in self.notable if _is_entry(path) and not _ASIDE.search(path)]
        depths = {path: (path.count("/"), -n) for path, n in self.mains.items() if not _ASIDE.search(path)}
        mains = sorted(depths, key=lambda path: depths[path])
        return list(dict.fromkeys([*claimed[:3], *named, *mains[:3]]))[:6]

    def builds(self) -> list[str]:
        """Files that say how it is built, at most eight."""
        named = [path for path in self.notable if _BUILD.fullmatch(path.rpartition("/")[2])]
        return [path for path in named if not _ASIDE.search(path)][:8]

    def first(self, *starts: str) -> str | None:
        """The notable file of the directory itself whose name starts so, case ignored: the plainest of them."""
        found = [path for path in self.notable if "/" not in path and path.lower().startswith(starts)]
        return min(found, key=_plainness, default=None)

    def languages(self) -> list[tuple[str, int]]:
        """Language and number of files, most files first."""
        found: dict[str, int] = {}
        for extension, n in self.kinds.items():
            if extension in _KNOWN:
                found[_KNOWN[extension]] = found.get(_KNOWN[extension], 0) + n
        return sorted(found.items(), key=_most)


def survey_facts(name: str, results: dict[str, Result]) -> Facts:
    """The facts in what the first two rounds printed."""
    kinds = counted(results.get("kinds"))
    total = kinds.pop("/", None)
    top = [line for line in lines_in(results.get("top")) if is_safe_name(line)]
    folders = counted(results.get("folders"))
    all_folders = folders.pop("/", 0)
    shown = {folder: n for folder, n in folders.items() if is_safe_name(folder)}
    facts = Facts(
        name=name,
        tracked=number_in(results.get("tracked")) or 0,
        commits=number_in(results.get("commits")),
        branch=next((line for line in lines_in(results.get("branch")) if is_safe_name(line)), None),
        top=tuple(top),
        total=total,
        kinds={kind: n for kind, n in kinds.items() if re.fullmatch(r"[\w+#-]{1,12}|\(none\)", kind)},
        folders=dict(list(shown.items())[:_MAX_FOLDERS]),
        more_folders=all_folders - min(len(shown), _MAX_FOLDERS),
        tests=number_in(results.get("tests")),
        notable=tuple(filter(is_safe_name, lines_in(results.get("notable")))),
    )
    for label in MANIFESTS.values():
        result = results.get(label)
        if result is not None and result.ran:
            manifest = read_manifest(label, result.text)
            facts.project = facts.project or manifest.facts
            facts.claimed += tuple(filter(is_safe_name, manifest.entries))
    return facts


def add_contents(facts: Facts, results: dict[str, Result]) -> None:
    """Add what the third round printed: contents and line counts of single files."""
    facts.lines = counted(results.get("sizes"))
    facts.mains = {path: n for path, n in counted(results.get("mains")).items() if is_safe_name(path)}
    facts.lines.update(facts.mains)
    facts.main_lines = number_in(results.get("main"))
    facts.readme_title = title(lines_in(results.get("readme")))
    licence = lines_in(results.get("licence"))
    facts.licence_title, facts.licence_kind = first_words(licence), licence_kind("\n".join(licence))


def tour_text(facts: Facts) -> str:
    """The tour as a Markdown document."""
    lines = [HEADING + facts.name, "", f"> {SIGNATURE}", "", "## What is here", ""]
    lines.append(
        f"- {_files(facts.total)} {files_in_words(tracked=facts.tracked > 0)}." if facts.total else "- No files yet."
    )
    if facts.tracked:
        where = f" on branch `{facts.branch}`" if facts.branch else ""
        commits = facts.commits  # None: nothing was committed yet
        lines.append(f"- {_plural(commits, 'commit')} reachable from HEAD{where}." if commits else "- No commits yet.")
    lines += [f"- {key}: {value}" for key, value in facts.project.items()]
    if facts.readme_title:
        lines.append(f"- The README begins: {facts.readme_title}")
    lines += _section("Languages", [f"- {language_text(entry, facts)}" for entry in facts.languages()[:8]])
    others = _other_kinds(facts)
    if others:
        lines += ["", f"Other files: {others}."]
    folders = [f"- `{name}`: {_files(n)}" for name, n in facts.folders.items()]
    if folders and facts.more_folders > 0:
        folders.append(f"- and {_plural(facts.more_folders, 'folder')} more with files.")
    lines += _section("Folders", folders)
    starts = [f"- {_file(path, facts)}{', has `main`' if path in facts.mains else ''}" for path in facts.entries()]
    lines += _section("Where to start", starts)
    lines += _section("How it is built", [f"- {_file(path, facts)}" for path in facts.builds()])
    if facts.tests:
        counted_by = f"  Counted by the pattern `{TEST_PATTERN}`."
        lines += _section("Tests", [f"- {_tests(facts)}.", counted_by])
    licence = facts.first("licen", "unlicen", "copying")
    if licence:
        kind = f", worded like {facts.licence_kind}" if facts.licence_kind else ""
        begins = f". It begins: {facts.licence_title}" if facts.licence_title else ""
        lines += _section("Licence", [f"- {_file(licence, facts)}{kind}{begins}"])
    return "\n".join(lines) + "\n"


def summary_text(facts: Facts) -> str:
    """The tour in a few sentences."""
    if not facts.total:
        return f"`{facts.name}` holds no files yet."
    sentences = [f"`{facts.name}` holds {_files(facts.total)} {files_in_words(tracked=facts.tracked > 0)}."]
    languages = [language_text(entry, facts) for entry in facts.languages()[:3]]
    if languages:
        sentences.append(f"By file names: {'; '.join(languages)}.")
    entries = facts.entries()[:3]
    if entries:
        sentences.append(f"Start reading at {_listed(entries)}.")
    build = facts.builds()[:3]
    if build:
        sentences.append(f"It is built with {_listed(build)}.")
    if facts.tests:
        sentences.append(f"{_tests(facts)}.")
    readme, licence = facts.first("readme"), facts.first("licen", "unlicen", "copying")
    if readme:
        sentences.append(f"`{readme}` is the introduction.")
    if licence:
        sentences.append(f"The licence is in `{licence}`.")
    return " ".join(sentences)


def language_text(entry: tuple[str, int], facts: Facts) -> str:
    """One language in words."""
    language, n = entry
    shown = [f".{extension}" for extension in LANGUAGES[language] if extension in facts.kinds]
    text = f"{language}: {_files(n)} ({', '.join(shown)})"
    if facts.main_lines is not None and facts.languages()[0][0] == language:
        text += f", {_plural(facts.main_lines, 'line')}"
    return text


def lines_in(result: Result | None) -> list[str]:
    """The lines a command printed; none when it failed."""
    return result.text.splitlines() if result is not None and result.exit_code == 0 else []


def number_in(result: Result | None) -> int | None:
    """The number a command printed as its last word; None when it failed."""
    if result is None or result.exit_code != 0:
        return None
    words = result.text.split()
    return int(words[-1]) if words and words[-1].isdecimal() else None


def counted(result: Result | None) -> dict[str, int]:
    """Lines of a count and a name."""
    found = (re.fullmatch(r"\s*(\d+) (.+)", line) for line in lines_in(result))
    return {match[2]: int(match[1]) for match in found if match}


def _is_entry(path: str) -> bool:
    stem, _, extension = path.rpartition("/")[2].rpartition(".")
    if extension.lower() in ("h", "hh", "hpp"):
        return False
    return _ENTRY.fullmatch(stem) is not None and _KNOWN.get(extension.lower(), _NO_START[0]) not in _NO_START


def _plainness(path: str) -> tuple[int, int, str]:
    ending = path.lower().rpartition(".")[2] if "." in path else ""
    return ("md", "rst", "", "txt").index(ending) if ending in ("md", "rst", "", "txt") else 4, len(path), path


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _other_kinds(facts: Facts) -> str:
    others = [(kind, n) for kind, n in sorted(facts.kinds.items(), key=_most) if kind not in _KNOWN][:8]
    return ", ".join(f"{n} without extension" if kind == "(none)" else f"{n} .{kind}" for kind, n in others)


def _most(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _file(path: str, facts: Facts) -> str:
    n = facts.lines.get(path)
    return f"`{path}` ({_plural(n, 'line')})" if n else f"`{path}`"  # 0: empty, or one line without an end


def _tests(facts: Facts) -> str:
    look = "looks like a test by its path" if facts.tests == 1 else "look like tests by their paths"
    return f"{facts.tests} of {_files(facts.total or 0)} {look}"


def _files(n: int) -> str:
    return _plural(n, "file")


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _listed(paths: list[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)
