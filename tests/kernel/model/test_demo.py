import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from codex_kernel.model.demo import WHO
from codex_kernel.model.demo_commands import LANGUAGES, SKIPPED, TEST_PATTERN, TOUR, first_look, survey
from codex_kernel.model.demo_history import parse_output
from codex_kernel.model.demo_patch import is_ours
from codex_kernel.model.demo_tour import SIGNATURE
from codex_kernel.model.interface import Prompt, ToolSpec
from codex_protocol.items import CustomToolCall, FunctionCall, user_message
from tests.support.demo_loop import LOCAL, MODERN, OLDER, DemoRun, function, run_demo

PYTHON = {
    "pyproject.toml": (
        '[project]\nname = "weather"\ndescription = "Says how the sky is"\n\n[project.scripts]\nsky = "w:main"\n'
    ),
    "README.md": "<p align='center'>\n[![badge](x)](y)\n# Weather `now`\n\nText.\n",
    "LICENSE": "MIT License\n\nCopyright\n",
    "src/weather/__init__.py": "",
    "src/weather/__main__.py": "print(1)\n",
    "src/weather/cli.py": "a = 1\nb = 2\n",
    "src/weather/data.json": "{}\n",
    "tests/test_weather.py": "def test(): pass\n",
    "tests/conftest.py": "x = 1",
    ".gitignore": "*.pyc\n",
}
C = {
    "Makefile": "all:\n\tcc main.c\n",
    "configure.ac": "AC_INIT([ring], [1.0])\n",
    "README": "ring\n====\n\nA ring buffer.\n",
    "COPYING": "\n                    GNU GENERAL PUBLIC LICENSE\n",
    "main.c": "int main(void) { return 0; }\n",
    "ring.c": "int x;\nint y;\n",
    "include/ring.h": "extern int x;\n",
    "include/OLD.H": "x\n",
    "tests/check_ring.c": "int t;\n",
    "lib/ring_test.c": "int u;\n",
}
WEB = {
    "package.json": '{"name": "shop", "description": "Sells <things>", "scripts": {"dev": "vite", "test": "vitest"}}\n',
    "index.html": "<!doctype html>\n",
    "vite.config.ts": "export default {}\n",
    "src/main.ts": "1\n2\n3\n",
    "src/App.vue": "<template/>\n",
    "src/cart.test.ts": "1\n",
    "src/style.css": "a{}\n",
    'public/a b\'s "c".svg': "<svg/>\n",
    "public/new\nline.svg": "<svg/>\n",
    "public/-dash.js": "1\n",
    "node_modules/left-pad/index.js": "1\n",
    "node_modules/left-pad/package.json": "{}\n",
}
TREES = {"python": PYTHON, "c": C, "web": WEB}


def git(directory: Path, *arguments: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    name = ["-c", "user.name=A", "-c", "user.email=a@b.test", "-c", "init.defaultBranch=trunk"]
    done = subprocess.run(["git", *name, *arguments], cwd=directory, env=env, check=True, capture_output=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def plant(directory: Path, tree: dict[str, str], *, with_git: bool) -> Path:
    root = directory / "the project"
    for name, text in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if with_git:
        git(root, "init", "-q")
        git(root, "add", "--all", ".", ":!node_modules")
        git(root, "commit", "-q", "-m", "one")
        (root / "untracked.py").write_text("1\n")
    return root


def files_of(root: Path, *, with_git: bool) -> list[str]:
    """The files the tour speaks of, counted in another way than the demo counts them."""
    if with_git:
        found = [name for name in git(root, "ls-files", "-z").split("\0") if name]
    else:
        found = [
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and not path.is_symlink() and not set(path.relative_to(root).parts) & set(SKIPPED)
        ]
    return [name for name in found if name != TOUR]


def check_facts(text: str, root: Path, *, with_git: bool) -> int:
    """Count again whatever the tour counts; return how many counts there were."""
    files = files_of(root, with_git=with_git)
    checked = 0
    for line in text.splitlines():
        if found := re.fullmatch(r"- (\d+) files? (?:that|outside) .*", line):
            assert int(found[1]) == len(files)
        elif found := re.fullmatch(r"- (\d+) commits? reachable from HEAD on branch `(\w+)`\.", line):
            assert found[1] == git(root, "rev-list", "--count", "HEAD").strip()
            assert found[2] == "trunk"
        elif found := re.fullmatch(r"- `([^`]+)/`: (\d+) files?", line):
            assert int(found[2]) == sum(name.startswith(f"{found[1]}/") for name in files)
        elif found := re.fullmatch(r"- ([\w+# ]+): (\d+) files? \((.*?)\)(?:, (\d+) lines?)?", line):
            endings = tuple(f".{extension}" for extension in LANGUAGES[found[1]])
            fitting = [name for name in files if name.rpartition("/")[2].lower().endswith(endings)]
            assert int(found[2]) == len(fitting)
            if found[4]:
                regular = [
                    root / name for name in fitting if (root / name).is_file() and not (root / name).is_symlink()
                ]
                lines = sum(path.read_bytes().count(b"\n") for path in regular)
                assert int(found[4]) == lines
        elif found := re.fullmatch(r"- (\d+) of (\d+) files? looks? like .* by .*\.", line):
            assert int(found[1]) == sum(re.search(TEST_PATTERN, name) is not None for name in files)
            assert int(found[2]) == len(files)
            assert f"`{TEST_PATTERN}`" in text
        elif line.startswith("Other files: "):
            for number, kind in re.findall(r"(\d+) (?:\.([\w+#-]+)|without extension)", line):
                names = [name.rpartition("/")[2].lower() for name in files]
                bare = [name for name in names if "." not in name[1:]]
                assert int(number) == (sum(name.endswith(f".{kind}") for name in names) if kind else len(bare))
                checked += 1
        for path, number in re.findall(r"`([^`]+)` \((\d+) lines?\)", line):
            assert int(number) == (root / path).read_bytes().count(b"\n")
            checked += 1
        checked += found is not None
    return checked


def check_names(text: str, root: Path) -> list[str]:
    """Every file in backticks exists; return them."""
    names = [name for name in re.findall(r"`([^`\n]+)`", text) if re.search(r"[./]", name)]
    mine = [name for name in names if name not in SKIPPED and not name.startswith("(^") and " ls-files" not in name]
    for name in mine:
        assert (root / name).exists(), name
    return mine


@pytest.mark.parametrize("with_git", [False, True], ids=["plain", "git"])
@pytest.mark.parametrize("tree", TREES)
async def test_every_file_the_tour_names_exists_and_every_count_is_right(
    tree: str, with_git: bool, tmp_path: Path
) -> None:
    root = plant(tmp_path, TREES[tree], with_git=with_git)
    run = await run_demo(root)
    text = (root / TOUR).read_text()
    assert check_facts(text, root, with_git=with_git) >= 8
    assert len(check_names(text, root)) >= 5
    assert check_names(run.answer, root)
    assert f"{len(files_of(root, with_git=with_git))} files" in run.answer
    assert f"has {len(text.splitlines())} lines" in run.answer


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (
            "python",
            [
                "Project: weather",
                "Says how the sky is",
                "`sky`",
                "“Weather now”",
                "`src/weather/cli.py`",
                "“MIT License”",
            ],
        ),
        ("c", ["“ring”", "configure.ac", "Makefile", "`main.c`", "“GNU GENERAL PUBLIC LICENSE”"]),
        ("web", ["Project: shop", "Sells things", "`dev`, `test`", "`index.html`", "vite.config.ts", "Vue: 1 file"]),
    ],
)
async def test_the_tour_tells_what_kind_of_project_it_is(tree: str, words: list[str], tmp_path: Path) -> None:
    root = plant(tmp_path, TREES[tree], with_git=False)
    await run_demo(root)
    text = (root / TOUR).read_text()
    assert [word for word in words if word not in text] == []
    assert "node_modules/" not in text.replace("`node_modules`", "")


@pytest.mark.parametrize("tools", [MODERN, OLDER], ids=["modern", "older"])
async def test_the_tour_is_planned_written_and_checked_with_whatever_tools_are_offered(
    tools: Sequence[ToolSpec], tmp_path: Path
) -> None:
    run = await run_demo(plant(tmp_path, PYTHON, with_git=True), tools=tools)
    assert len(run.patches) == 1
    assert [step["status"] for step in run.plans[0]] == ["in_progress", "pending", "pending"]
    assert [step["status"] for step in run.plans[-1]] == ["completed"] * 3
    assert run.commands[-1].startswith(f"wc -l {TOUR}")


async def test_with_only_a_built_in_shell_it_tells_and_writes_nothing(tmp_path: Path) -> None:
    root = plant(tmp_path, C, with_git=False)
    run = await run_demo(root, tools=LOCAL)
    assert "10 files" in run.answer
    assert "Nothing was written" in run.answer
    assert not (root / TOUR).exists()


async def test_first_and_last_message_and_the_file_say_that_it_is_the_demo_model(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=False)
    run = await run_demo(root)
    assert run.messages[0].startswith(WHO)
    assert run.answer.startswith(WHO)
    assert "no language model" in WHO
    assert SIGNATURE in (root / TOUR).read_text()
    assert "no language model" in SIGNATURE


async def test_a_second_tour_updates_the_first_and_a_third_finds_nothing_to_do(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=False)
    run = await run_demo(root)
    (root / "more.py").write_text("1\n")
    again = await run_demo(root, run=run)
    assert again.patches[1].startswith(f"*** Begin Patch\n*** Update File: {TOUR}\n@@\n")
    assert check_facts((root / TOUR).read_text(), root, with_git=False) >= 8
    third = await run_demo(root)
    assert third.patches == []
    assert "already" in third.answer
    assert [step["status"] for step in third.plans[-1]] == ["completed"] * 3


async def test_call_ids_are_never_used_twice_in_a_thread(tmp_path: Path) -> None:
    root = plant(tmp_path, C, with_git=False)
    run = await run_demo(root, run=await run_demo(root))
    ids = [item.call_id for item in run.history if isinstance(item, FunctionCall | CustomToolCall)]
    assert len(set(ids)) == len(ids)


async def test_a_tour_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=False)
    (root / TOUR).write_text("# Tour of my own\n\nKeep this.\n")
    run = await run_demo(root)
    assert run.patches == []
    assert "left it as it is" in run.answer
    assert "Keep this." in (root / TOUR).read_text()


async def test_a_tour_file_of_somebody_else_is_seen_among_however_many_files(tmp_path: Path) -> None:
    (tmp_path / TOUR).write_text("Keep this.\n")
    for number in range(300):
        (tmp_path / f"{number}.txt").touch()
    run = await run_demo(tmp_path)
    assert run.patches == []
    assert (tmp_path / TOUR).read_text() == "Keep this.\n"


async def test_under_a_read_only_sandbox_it_says_so_and_does_not_try(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=False)
    run = await run_demo(root, sandbox_mode="read-only")
    assert run.patches == []
    assert "read-only" in run.messages[0]
    assert "read-only" in run.answer
    assert "10 files" in run.answer
    assert [step["status"] for step in run.plans[-1]] == ["completed"]


@pytest.mark.parametrize(
    "refusal",
    [
        "execution error: Commands cannot be confined on this machine.",
        "exec command rejected: commands cannot be confined here, and nobody can be asked.",
        "",
    ],
)
async def test_where_commands_are_not_run_it_says_why_and_claims_nothing(refusal: str, tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=False)
    run = await run_demo(root, refusal=refusal)
    assert "go without them" in run.answer
    assert refusal in run.answer
    assert not re.search(r"\d", run.answer.replace(refusal, ""))
    assert not (root / TOUR).exists()


async def test_an_empty_directory_is_no_trouble(tmp_path: Path) -> None:
    run = await run_demo(tmp_path)
    assert "no files yet" in run.answer
    assert (tmp_path / TOUR).read_text().endswith("## What is here\n\n- No files yet.\n")


async def test_the_tour_is_the_same_whatever_order_files_were_made_in(tmp_path: Path) -> None:
    texts: list[str] = []
    for number, order in enumerate((sorted(WEB), sorted(WEB, reverse=True))):
        root = plant(tmp_path / str(number), {name: WEB[name] for name in order}, with_git=number == 1)
        (root / "untracked.py").unlink(missing_ok=True)
        await run_demo(root)
        texts.append((root / TOUR).read_text().partition("## Languages")[2])
    assert texts[0] == texts[1]


async def test_where_to_start_is_what_the_project_names_then_names_of_files_then_main_functions(tmp_path: Path) -> None:
    root = tmp_path / "big"
    tree = {
        "pyproject.toml": '[project]\nname = "Big-Tool"\n[project.scripts]\nno = "gone:main"\nbig = "big_tool.run:x"\n',
        "src/big_tool/run.py": "1\n",
        "src/big_tool/__init__.py": "1\n",
        "tests/main.py": "1\n",
        "docs/app.py": "1\n",
        "main.css": "1\n",
        "app.h": "1\n",
        "web/index.html": "1\n",
        **{f"c/{name}.c": "int\nmain(void)\n{}\n" for name in "ab"},
        "c/long.c": "int main (int argc)\n{\n\n\n}\n",
        **{f"c/none{n}.c": "int domain(void);\n int x = main(1);\n" for n in range(3)},
    }
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    await run_demo(root)
    text = (root / TOUR).read_text()
    assert text.partition("## Where to start\n\n")[2].partition("\n\n")[0].splitlines() == [
        "- `src/big_tool/run.py` (1 line)",
        "- `src/big_tool/__init__.py` (1 line)",
        "- `web/index.html` (1 line)",
        "- `c/long.c` (5 lines), has `main`",
        "- `c/a.c` (3 lines), has `main`",
        "- `c/b.c` (3 lines), has `main`",
    ]


async def test_no_command_of_the_tour_fails_where_nothing_is_wrong(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.c").write_text("int x;\n")
    git(tmp_path, "add", "a.c")
    codes: list[int] = []

    def execute(argv: Sequence[str], directory: Path) -> tuple[int, str]:
        done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        codes.append(done.returncode)
        return done.returncode, done.stdout.decode()

    await run_demo(tmp_path, execute=execute)
    assert set(codes) == {0}
    text = (tmp_path / TOUR).read_text()
    assert "- No commits yet." in text
    assert "## Tests" not in text


async def test_folders_are_counted_however_many_files_lie_beside_them(tmp_path: Path) -> None:
    for number in range(250):
        (tmp_path / f"a{number}.js").touch()
    for number in range(15):
        (tmp_path / f"z{number}").mkdir()
        (tmp_path / f"z{number}" / "b.js").touch()
    (tmp_path / "package.json").write_text('{"name": "wide", "main": "a7"}\n')
    (tmp_path / "a7.js").write_text("1\n")
    await run_demo(tmp_path)
    text = (tmp_path / TOUR).read_text()
    assert check_facts(text, tmp_path, with_git=False) >= 15
    assert "- and 3 folders more with files." in text
    assert "- Project: wide" in text
    assert "- `a7.js` (1 line)" in text


async def test_a_file_in_conflict_is_counted_once(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=True)
    for branch, text in (("one", "1\n"), ("two", "2\n2\n")):
        git(root, "checkout", "-q", "-b", branch, "trunk")
        (root / "src/weather/cli.py").write_text(text)
        git(root, "commit", "-q", "-a", "-m", branch)
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "-q", "one")
    await run_demo(root)
    text = (root / TOUR).read_text()
    assert f"- {len(PYTHON)} files that" in text
    lines = sum((root / name).read_text().count("\n") for name in PYTHON if name.endswith(".py"))
    assert f"- Python: 5 files (.py), {lines} lines" in text


async def test_tracked_links_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "linked"
    root.mkdir()
    (root / "a.py").write_text("1\n2\n")
    (root / "endless.py").symlink_to("/dev/zero")
    (root / "package.json").symlink_to("/dev/zero")
    git(root, "init", "-q")
    git(root, "add", "--all")
    await run_demo(root)
    assert "- Python: 2 files (.py), 2 lines" in (root / TOUR).read_text()


async def test_a_fresh_repository_without_commits_is_looked_through_like_a_plain_directory(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1\n")
    run = await run_demo(tmp_path)
    assert "holds 1 file outside" in run.answer
    assert check_facts((tmp_path / TOUR).read_text(), tmp_path, with_git=False) >= 2


async def test_tracked_files_that_were_deleted_are_counted_but_not_named(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=True)
    (root / "src/weather/cli.py").unlink()
    (root / "README.md").unlink()
    await run_demo(root)
    text = (root / TOUR).read_text()
    assert "cli.py" not in text
    check_names(text, root)
    assert f"- {len(files_of(root, with_git=True))} files" in text


async def test_odd_names_break_nothing(tmp_path: Path) -> None:
    root = tmp_path / "odd `name` $(touch x)"
    names = [
        "a b.py",
        "-rf.py",
        "$(touch owned).py",
        "`touch owned`.md",
        "new\nline.py",
        "*?.py",
        "ünï.py",
        "'q'.py",
        '"d".py',
    ]
    for name in [*names, "README `x`.md", "sub/main.py", "README\x1b[31m.md"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    (root / os.fsdecode(b"bad\xff.py")).write_text("1\n")
    (root / "loop").symlink_to(root)
    (root / "README").symlink_to("/etc/hostname")
    await run_demo(root)
    text = (root / TOUR).read_text()
    check_names(text, root)
    assert check_facts(text, root, with_git=False) >= 3
    assert "\x1b" not in text
    assert not (root / "owned").exists()
    assert not (root / "x").exists()


async def test_a_huge_tree_is_told_in_few_lines(tmp_path: Path) -> None:
    (tmp_path / "package0").mkdir()
    (tmp_path / "package0" / "rare.pm").touch()
    for folder in range(30):
        sub = tmp_path / f"package{folder}"
        sub.mkdir(exist_ok=True)
        for number in range(40):
            (sub / f"module{number}.py").touch()
            (sub / f"e.x{folder}{number}").touch()
        (sub / "README.md").touch()
        (sub / "Makefile").touch()
    shown: list[int] = []

    def execute(argv: Sequence[str], directory: Path) -> tuple[int, str]:
        done = subprocess.run(argv, cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        shown.append(len(done.stdout))
        return done.returncode, done.stdout.decode()

    await run_demo(tmp_path, execute=execute)
    assert max(shown) < 10_000
    text = (tmp_path / TOUR).read_text()
    assert f"- {30 * 82 + 1} files" in text
    assert "- Perl: 1 file (.pm)" in text
    assert len(text.splitlines()) < 90


async def test_no_program_that_a_repository_names_is_run(tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=True)
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "pager.ls-files", "core.editor", "diff.external"):
        git(root, "config", key, str(hook))
    await run_demo(root)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("url", ["ext::sh -c %", "."])
async def test_a_missing_commit_is_not_fetched_by_a_program_that_the_repository_names(url: str, tmp_path: Path) -> None:
    root = plant(tmp_path, PYTHON, with_git=True)
    first = git(root, "rev-parse", "HEAD").strip()
    git(root, "commit", "-q", "--allow-empty", "-m", "two")
    mark = tmp_path / "ran"
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.url", url.replace("%", f"touch% {mark}")),
        ("remote.evil.uploadpack", f"touch {mark}; false"),
        ("protocol.ext.allow", "always"),
    ):
        git(root, "config", key, value)
    (root / ".git/objects" / first[:2] / first[2:]).unlink()
    await run_demo(root)
    assert not mark.exists()
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "rev-list", "--count", "HEAD")
    assert mark.exists()


async def test_commands_that_run_on_are_waited_for(tmp_path: Path) -> None:
    root = plant(tmp_path, C, with_git=False)
    run = DemoRun()
    from codex_kernel.model.demo import next_items
    from codex_protocol.items import FunctionCallOutput, Message

    history = [user_message("Give me a tour")]
    first = next_items(Prompt(model="d", instructions="", input=history, tools=MODERN, thread_id="t"))
    calls = [item for item in first if isinstance(item, FunctionCall)]
    running = "Wall time: 30.0 seconds\nProcess running with session ID 77\nOutput:\nsrc/\n"
    outputs = [
        FunctionCallOutput(
            call_id=call.call_id, output=running if call.call_id.endswith("_top") else "Exit code: 0\nOutput:\n0"
        )
        for call in calls
    ]
    history += [*first, *outputs]
    second = next_items(Prompt(model="d", instructions="", input=history, tools=MODERN, thread_id="t"))
    (wait,) = second
    assert isinstance(wait, FunctionCall)
    assert wait.name == "write_stdin"
    assert '"session_id":77' in wait.arguments
    history += [wait, FunctionCallOutput(call_id=wait.call_id, output="Process exited with code 0\nOutput:\nlib/\n")]
    third = next_items(Prompt(model="d", instructions="", input=history, tools=MODERN, thread_id="t"))
    assert not any(isinstance(item, Message) for item in third)
    assert root.exists()
    assert run.requests == 0


@pytest.mark.parametrize(
    ("text", "code", "output"),
    [
        ("Chunk ID: a\nProcess exited with code 3\nOriginal token count: 1\nOutput:\nx\ny\n", 3, "x\ny\n"),
        ("Exit code: 0\nOutput:\nOutput:\nProcess exited with code 9", 0, "Output:\nProcess exited with code 9"),
        ('{"output":"x\\n","metadata":{"exit_code":1,"duration_seconds":0.1}}', 1, "x\n"),
        ("exec command rejected by user", None, "exec command rejected by user"),
        ('{"broken', None, '{"broken'),
        ("", None, ""),
    ],
)  # fmt: skip
def test_command_outputs_are_read_in_every_form(text: str, code: int | None, output: str) -> None:
    result = parse_output(text)
    assert (result.exit_code, result.text) == (code, output)


async def test_any_other_request_is_answered_with_what_it_can_do(tmp_path: Path) -> None:
    run = await run_demo(tmp_path, prompt="Please rewrite this in Rust")
    assert run.requests == 1
    for words in (WHO, "Please rewrite this in Rust", "OPENAI_API_KEY", "codex login", "--oss"):
        assert words in run.answer


async def test_a_change_that_speaks_of_a_tour_asks_for_none(tmp_path: Path) -> None:
    run = await run_demo(tmp_path, prompt="Review the changes that are not committed.\n\n+Give me a tour\n")
    assert run.requests == 1
    assert run.commands == []


async def test_a_single_command_can_be_run(tmp_path: Path) -> None:
    run = await run_demo(tmp_path, prompt="run `echo a; echo b; exit 3`")
    assert run.commands == ["echo a; echo b; exit 3"]
    assert "code 3" in run.answer
    assert "2 lines" in run.answer


async def test_what_is_written_while_the_tour_goes_on_does_not_start_it_over(tmp_path: Path) -> None:
    from codex_kernel.model.demo import next_items
    from codex_protocol.items import FunctionCallOutput

    history = [user_message("Give me a tour")]
    first = next_items(Prompt(model="d", instructions="", input=history, tools=MODERN, thread_id="t"))
    answers = [
        FunctionCallOutput(call_id=item.call_id, output="Exit code: 0\nOutput:\n0")
        for item in first
        if isinstance(item, FunctionCall)
    ]
    steered = [*history, *first, *answers, user_message("hurry")]
    second = next_items(Prompt(model="d", instructions="", input=steered, tools=MODERN, thread_id="t"))
    labels = {item.call_id.rpartition("_")[2] for item in second if isinstance(item, FunctionCall)}
    assert labels == set(survey((), tracked=False))
    assert labels.isdisjoint(first_look())


async def test_without_tools_a_tour_request_is_answered_in_words(tmp_path: Path) -> None:
    run = await run_demo(tmp_path, tools=())
    assert run.answer.startswith(WHO)
    run = await run_demo(tmp_path, tools=(function("update_plan"),))
    assert "no tool that runs commands" in run.answer


def test_only_a_whole_tour_of_ours_counts_as_ours() -> None:
    assert is_ours(f"# Tour of x\n\n> {SIGNATURE}\n")
    assert not is_ours("# Tour of x\n")
    assert not is_ours(f"# Tour of x\n\n> {SIGNATURE}\n…12 tokens truncated…\n")
