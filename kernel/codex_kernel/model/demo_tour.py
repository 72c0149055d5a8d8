"""The demo model's tour: facts out of what its commands printed, and the text made of nothing else."""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec

from codex_kernel.model.demo_commands import LANGUAGES, TEST_PATTERN, files_in_words, is_safe_name
from codex_kernel.model.demo_history import Result

HEADING = "# Tour of "
SIGNATURE = "Written by the built-in demo model of Codex: a fixed program that runs a few commands, no language model."
_BUILD = re.compile(
    r"(pyproject\.toml|setup\.(py|cfg)|requirements\.txt|package\.json|tsconfig\.json|(vite|webpack)\.config\..+|"
    r"(gnu)?makefile|cmakelists\.txt|configure(\.ac)?|meson\.build|cargo\.toml|go\.mod|pom\.xml|build\.gradle|gemfile|"
    r"composer\.json|dockerfile)",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"(main\..+|__main__\.py|app\..+|cli\.py|manage\.py|index\.html|index\.[jt]sx?|server\.[jt]s)", re.I
)


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
    """Files below each folder of the directory; `./` for those in none."""
    tests: int | None = None
    notable: tuple[str, ...] = ()
    lines: dict[str, int] = {}
    """Lines of single files."""
    main_extension: str | None = None
    main_lines: int | None = None
    readme_title: str | None = None
    licence_title: str | None = None
    project: dict[str, str] = {}
    """Name, description and scripts, as a manifest says them."""

    def of_kind(self, pattern: re.Pattern[str]) -> list[str]:
        """The notable files whose name fits."""
        return [path for path in self.notable if pattern.fullmatch(path.rpartition("/")[2])]

    def first(self, *starts: str) -> str | None:
        """The first notable file of the directory itself whose name starts so, case ignored."""
        return next((path for path in self.notable if "/" not in path and path.lower().startswith(starts)), None)

    def languages(self) -> list[tuple[str, int, str]]:
        """Language, number of files and main extension, most files first."""
        found: list[tuple[str, int, str]] = []
        for language, extensions in LANGUAGES.items():
            counts = {extension: self.kinds[extension] for extension in extensions if extension in self.kinds}
            if counts:
                found.append((language, sum(counts.values()), max(counts, key=lambda extension: counts[extension])))
        return sorted(found, key=lambda entry: (-entry[1], entry[0]))


def survey_facts(name: str, results: dict[str, Result]) -> Facts:
    """The facts in what the first two rounds printed."""
    kinds = counted(results.get("kinds"))
    total = kinds.pop("/", None)
    top = [line for line in lines_in(results.get("top")) if is_safe_name(line)]
    return Facts(
        name=name,
        tracked=number_in(results.get("tracked")) or 0,
        commits=number_in(results.get("commits")),
        branch=next((line for line in lines_in(results.get("branch")) if is_safe_name(line)), None),
        top=tuple(top),
        total=total,
        kinds={kind: n for kind, n in kinds.items() if re.fullmatch(r"[\w+#-]{1,12}|\(none\)", kind)},
        folders={folder: n for folder, n in counted(results.get("folders")).items() if folder in top or folder == "./"},
        tests=number_in(results.get("tests"), any_exit=True),
        notable=tuple(sorted(filter(is_safe_name, lines_in(results.get("notable"))), key=_is_test)),
    )


def add_contents(facts: Facts, results: dict[str, Result]) -> None:
    """Add what the third round printed: contents and line counts of single files."""
    for line in lines_in(results.get("sizes")):
        found = re.fullmatch(r"\s*(\d+) (.+)", line)
        if found and found[2] in facts.notable:
            facts.lines[found[2]] = int(found[1])
    facts.main_lines = number_in(results.get("main"))
    facts.readme_title = _title(results.get("readme"))
    facts.licence_title = _title(results.get("licence"))
    for label, read in (("pyproject", _pyproject), ("package", _package)):
        result = results.get(label)
        if result is not None and result.ran:
            facts.project = facts.project or read(result.text)


def tour_text(facts: Facts) -> str:
    """The tour as a Markdown document."""
    counted_files = files_in_words(tracked=facts.tracked > 0)
    lines = [HEADING + facts.name, "", f"> {SIGNATURE}", "", "## What is here", ""]
    lines.append(f"- {_files(facts.total or 0)}: {counted_files}.")
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
    folders = [f"- `{name}`: {_files(n)}" for name, n in sorted(facts.folders.items(), key=_most) if name != "./"]
    lines += _section("Folders", folders[:12])
    lines += _section("Where to start", [f"- {_file(path, facts)}" for path in facts.of_kind(_ENTRY)[:6]])
    lines += _section("How it is built", [f"- {_file(path, facts)}" for path in facts.of_kind(_BUILD)[:8]])
    if facts.tests is not None:
        lines += _section("Tests", [f"- {_files(facts.tests)} whose path matches `{TEST_PATTERN}`."])
    licence = facts.first("licen", "copying")
    if licence:
        title = f", which begins: {facts.licence_title}" if facts.licence_title else ""
        lines += _section("Licence", [f"- {_file(licence, facts)}{title}"])
    return "\n".join(lines) + "\n"


def summary_text(facts: Facts) -> str:
    """The tour in a few sentences."""
    if not facts.total:
        return f"`{facts.name}` holds no files yet."
    sentences = [f"`{facts.name}` holds {_files(facts.total)}, counting {files_in_words(tracked=facts.tracked > 0)}."]
    languages = [language_text(entry, facts) for entry in facts.languages()[:3]]
    if languages:
        sentences.append(f"By file names: {'; '.join(languages)}.")
    entries = facts.of_kind(_ENTRY)[:3]
    if entries:
        sentences.append(f"Start reading at {_listed(entries)}.")
    build = facts.of_kind(_BUILD)[:3]
    if build:
        sentences.append(f"It is built with {_listed(build)}.")
    if facts.tests:
        sentences.append(f"{_files(facts.tests)} look like tests by their path.")
    readme, licence = facts.first("readme"), facts.first("licen", "copying")
    if readme:
        sentences.append(f"`{readme}` is the introduction.")
    if licence:
        sentences.append(f"The licence is in `{licence}`.")
    return " ".join(sentences)


def language_text(entry: tuple[str, int, str], facts: Facts) -> str:
    """One language in words."""
    language, n, _ = entry
    shown = [f".{extension}" for extension in LANGUAGES[language] if extension in facts.kinds]
    text = f"{language}: {_files(n)} ({', '.join(shown)})"
    if facts.main_lines is not None and facts.main_extension in LANGUAGES[language]:
        text += f", {_plural(facts.main_lines, 'line')} in .{facts.main_extension}"
    return text


def lines_in(result: Result | None) -> list[str]:
    """The lines a command printed; none when it failed."""
    return result.text.splitlines() if result is not None and result.exit_code == 0 else []


def number_in(result: Result | None, *, any_exit: bool = False) -> int | None:
    """The number a command printed as its last word; None when it failed."""
    if result is None or not (result.exit_code == 0 or (any_exit and result.ran)):
        return None
    words = result.text.split()
    return int(words[-1]) if words and words[-1].isdecimal() else None


def counted(result: Result | None) -> dict[str, int]:
    """Lines of a count and a name."""
    found = (re.fullmatch(r"\s*(\d+) (.+)", line) for line in lines_in(result))
    return {match[2]: int(match[1]) for match in found if match}


def _is_test(path: str) -> bool:
    return re.search(TEST_PATTERN, path) is not None


def _title(result: Result | None) -> str | None:
    for line in lines_in(result):
        if line.lstrip().startswith(("<", "[!", "![", "..")):  # pictures, badges, markup
            continue
        text = re.sub(r"[\x00-\x1f\x7f`<>\ufffd]", "", line).strip(" \t#=*-_!/")
        if len(text) > 2:
            return f"“{text if len(text) <= 100 else text[:99] + '…'}”"
    return None


def _pyproject(text: str) -> dict[str, str]:
    import tomllib

    project: Any = None
    while text:
        try:
            project = tomllib.loads(text).get("project")
            break
        except tomllib.TOMLDecodeError:  # cut in the middle: the last table is left out, then the one before
            text = text.rpartition("\n[")[0]
    return _described(project, "scripts", "Commands it installs")


def _package(text: str) -> dict[str, str]:
    try:
        package: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = re.search(r'^\s{0,4}"name"\s*:\s*"([^"\n]+)"', text, re.MULTILINE)
        package = {"name": found[1]} if found else None
    return _described(package, "scripts", "npm scripts")


def _described(manifest: Any, scripts_key: str, scripts_title: str) -> dict[str, str]:
    if not isinstance(manifest, dict):
        return {}
    fields = cast("dict[str, Any]", manifest)
    described: dict[str, str] = {}
    for key, title in (("name", "Project"), ("description", "Description")):
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            described[title] = _clean(value)
    scripts = fields.get(scripts_key)
    if isinstance(scripts, dict) and scripts:
        names = [_clean(str(name)) for name in cast("dict[str, Any]", scripts)][:10]
        described[scripts_title] = ", ".join(f"`{name}`" for name in names)
    return described


def _clean(text: str) -> str:
    return " ".join(re.sub(r"[\x00-\x1f\x7f`<>]+", " ", text).split())[:200]


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines] if lines else []


def _other_kinds(facts: Facts) -> str:
    known = {extension for extensions in LANGUAGES.values() for extension in extensions}
    others = [(kind, n) for kind, n in sorted(facts.kinds.items(), key=_most) if kind not in known][:8]
    return ", ".join(f"{n} without extension" if kind == "(none)" else f"{n} .{kind}" for kind, n in others)


def _most(entry: tuple[str, int]) -> tuple[int, str]:
    return -entry[1], entry[0]


def _file(path: str, facts: Facts) -> str:
    n = facts.lines.get(path)
    return f"`{path}`" if n is None else f"`{path}` ({_plural(n, 'line')})"


def _files(n: int) -> str:
    return _plural(n, "file")


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _listed(paths: list[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)
