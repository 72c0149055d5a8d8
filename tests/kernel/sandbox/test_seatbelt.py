"""The profile for macOS, compared as text; and the path to the tool, with a stand-in for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from codex_kernel.config.types import SandboxSettings
from codex_kernel.sandbox import ladder, seatbelt
from codex_kernel.sandbox.ladder import Rung
from codex_kernel.sandbox.plan import Confinement, Places, plan
from codex_kernel.sandbox.roots import Roots
from codex_kernel.sandbox.slot import Slot
from codex_protocol.errors import SandboxError
from codex_protocol.policy import ReadOnly, SandboxPolicy, WorkspaceWrite
from tests.support.fake_host import FakeHost
from tests.support.sandboxes import WRITE, Site

PLACES = Places(home="/home/u/.codex", private=("/run/codex",), code=("/opt/codex",))
HERE = WorkspaceWrite(exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
BASE: dict[str, str | None] = {"/w/f": "x", "/home/u/.codex/auth.json": "x", "/run/codex": None, "/opt/codex": None}


def planned(
    tree: dict[str, str | None] | None = None,
    policy: ReadOnly | WorkspaceWrite = HERE,
    *,
    workspace: str = "/w",
    settings: SandboxSettings | None = None,
) -> Confinement:
    host = FakeHost(BASE | (tree or {}))
    roots = Roots(host).of(policy, workspace)
    return plan(policy, workspace, PLACES, settings or SandboxSettings(), host, roots=roots)


class Line:
    """A command line for the tool, taken apart."""

    def __init__(self, made: Confinement, *argv: str) -> None:
        self.words = seatbelt.command_line(made, argv or ("true",))
        assert self.words[:2] == ["/usr/bin/sandbox-exec", "-p"]
        self.profile = self.words[2]
        end = self.words.index("--")
        self.parameters = dict(word.removeprefix("-D").split("=", 1) for word in self.words[3:end])
        self.command = self.words[end + 1 :]

    def rules(self) -> list[str]:
        """One a line, with the paths in place of their names."""
        text = self.profile
        for name, path in self.parameters.items():
            text = text.replace(f'(param "{name}")', path)
        return text.splitlines()

    def place(self, rule: str) -> int:
        return self.rules().index(rule)


def test_everything_is_denied_that_is_not_allowed() -> None:
    assert Line(planned()).rules()[:2] == ["(version 1)", "(deny default)"]


def test_read_only_has_no_root_and_no_network() -> None:
    rules = "\n".join(Line(planned(policy=ReadOnly())).rules())
    assert "(allow file-write* (subpath" not in rules
    assert "network" not in rules


def test_roots_are_writable_and_then_the_protected_names_in_them_at_any_depth_and_also_when_missing_are_not() -> None:
    line = Line(planned())
    pattern = r"/(.*/)?[.](git|codex|agents)(/|$)"
    deny = f'(deny file-write* (regex (string-append "^" (regex-quote /w) "{pattern}")))'
    assert line.place("(allow file-write* (subpath /w))") < line.place(deny)


@pytest.mark.parametrize(
    ("path", "protected"),
    [
        ("/w/.git", True),
        ("/w/.git/hooks/x", True),
        ("/w/a/b/.git", True),
        ("/w/a/.codex/config.toml", True),
        ("/w/.agents", True),
        ("/w/.gitignore", False),
        ("/w/x.git/f", False),
        ("/w/a/.github/f", False),
    ],
)
def test_the_pattern_of_protected_names(path: str, protected: bool) -> None:
    found = re.search(r'regex-quote \(param "ROOT_\d"\)\) "(.*?)"\)\)\)', Line(planned()).profile)
    assert found is not None
    assert bool(re.search("^" + re.escape("/w") + found[1], path)) is protected


def test_every_root_has_its_own_parameter() -> None:
    more = WorkspaceWrite(writable_roots=("/more",), exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    line = Line(planned({"/more": None}, more))
    assert {"/w", "/more"} <= set(line.parameters.values())
    assert line.place("(allow file-write* (subpath /more))") > 0


@pytest.mark.parametrize(
    "name",
    ['a"b', "a\\b", "a) (allow default", "a\n(allow default)", "a=b", "-Dx=y", "ä ö", "$(x)", '#"', ";x", "a(b|c)*.["],
)
def test_no_path_can_become_a_rule(name: str) -> None:
    line = Line(planned({f"/{name}/f": "x"}, workspace=f"/{name}"))
    assert f"/{name}" in line.parameters.values()
    plain = Line(planned({"/plain/f": "x"}, workspace="/plain"))
    assert line.profile == plain.profile


def test_the_command_stands_alone_behind_the_dashes() -> None:
    assert Line(planned(), "-p", "(allow default)", "--").command == ["-p", "(allow default)", "--"]


def test_hidden_paths_can_be_neither_read_nor_written_and_what_is_kept_can_be_read() -> None:
    line = Line(planned({"/home/u/.codex/skills/s": "x", "/home/u/.ssh/id": "x"}))
    hidden = line.place("(deny file-read* file-write* (subpath /home/u/.codex))")
    assert line.place("(allow file-read*)") < hidden
    assert hidden < line.place("(allow file-read* (subpath /home/u/.codex/skills))")
    assert "(deny file-read* file-write* (subpath /home/u/.ssh))" in line.rules()
    assert "(allow file-write* (subpath /home/u/.codex/skills))" not in line.rules()


def test_denied_files_are_hidden() -> None:
    from codex_kernel.sandbox.plan import Mask

    made = planned()
    made = Confinement(**{name: getattr(made, name) for name in made.__struct_fields__} | {"masks": (Mask("/w/.env"),)})
    assert "(deny file-read* file-write* (subpath /w/.env))" in Line(made).rules()


def test_a_workspace_inside_our_home_is_writable_but_for_its_own_names() -> None:
    there = "/home/u/.codex/worktrees/x"
    tree: dict[str, str | None] = {f"{there}/f": "x"}
    host = FakeHost(BASE | tree)
    policy = HERE
    places = Places(home="/home/u/.codex", private=(), code=())
    roots = (there,)
    made = plan(policy, there, places, SandboxSettings(), host, roots=roots)
    rules = Line(made).rules()
    assert any(rule.startswith("(deny file-read* file-write* (subpath /home/u/.codex") for rule in rules)
    assert f"(allow file-read* (subpath {there}))" in rules


@pytest.mark.parametrize("network", [False, True])
def test_network_is_there_when_the_policy_opens_it(network: bool) -> None:
    policy = WorkspaceWrite(network_access=network, exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    rules = Line(planned(policy=policy)).rules()
    assert ("(allow network*)" in rules) is network
    assert ("(allow system-socket)" in rules) is network


def test_commits_open_the_repository_after_the_names_and_before_what_git_runs() -> None:
    tree: dict[str, str | None] = {"/w/.git/HEAD": "x", "/w/.git/config": "x", "/w/.git/hooks": None}
    line = Line(planned(tree, settings=SandboxSettings(git_writes=True)))
    names = next(place for place, rule in enumerate(line.rules()) if "(git|codex|agents)" in rule)
    opened = line.place("(allow file-write* (subpath /w/.git))")
    assert names < opened
    for path in ("/w/.git/config", "/w/.git/hooks", "/w/.git/commondir", "/w/.git/info"):
        assert opened < line.place(f"(deny file-write* (subpath {path}))")


def test_what_lies_above_something_protected_cannot_be_moved() -> None:
    line = Line(planned({"/w/a/b/.git/HEAD": "x"}))
    assert "(deny file-write-unlink (literal /w/a/b))" in line.rules()


def test_our_own_places_stay_as_they_are_inside_a_root() -> None:
    policy = WorkspaceWrite(writable_roots=("/opt", "/home"), exclude_slash_tmp=True, exclude_tmpdir_env_var=True)
    line = Line(planned(policy=policy))
    for path in ("/opt/codex", "/home/u/.codex"):
        assert f"(deny file-write* (subpath {path}))" in line.rules()


@pytest.mark.parametrize("policy", [ReadOnly(), HERE, WorkspaceWrite(network_access=True)])
def test_parentheses_are_balanced_and_every_parameter_is_given(policy: ReadOnly | WorkspaceWrite) -> None:
    line = Line(planned({"/w/a/.git/HEAD": "x", "/tmp": None}, policy))
    without_text = re.sub(r'#?"[^"]*"', "", line.profile)
    assert without_text.count("(") == without_text.count(")")
    assert set(re.findall(r'\(param "(\w+)"\)', line.profile)) == set(line.parameters)


# Through the slot, with a stand-in for the tool


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes its profile down and runs what follows the dashes."""
    stand_in = tmp_path / "sandbox-exec"
    stand_in.write_text(
        f'#!/bin/sh\nprintf %s "$2" >{tmp_path}/profile\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setattr(seatbelt, "TOOL", str(stand_in))
    return tmp_path / "profile"


def slot(policy: SandboxPolicy, rung: Rung) -> Slot:
    return Slot(
        policy,
        make_plan=planned,
        denied=lambda: (),
        identity=lambda _: None,
        rung=lambda: rung,
        distrust=lambda: None,
        idle=lambda: None,
    )


async def test_a_confined_command_is_started_through_the_tool(site: Site, tool: Path) -> None:
    command = site.command("sh", "-c", "echo hi; exit 3")
    rung = Rung(number=2, layers=frozenset(), seatbelt=True)
    process = await slot(WRITE, rung).run_directly(command, command.env)
    assert process.confined
    assert b"".join([chunk.data async for chunk in process.output()]) == b"hi\n"
    assert (await process.wait()).code == 3
    await process.aclose()
    assert tool.read_text().startswith("(version 1)\n(deny default)\n")


async def test_without_the_tool_nothing_runs_confined(site: Site) -> None:
    command = site.command("true")
    with pytest.raises(SandboxError, match="cannot be confined"):
        await slot(WRITE, Rung(number=5, layers=frozenset())).run_directly(command, command.env)


def test_a_tool_that_does_not_confine_is_found_out(tool: Path, tmp_path: Path) -> None:
    found = ladder._probe_seatbelt(str(tmp_path / "trial"), 1)
    assert found.number == 5
    assert "outside the roots" in found.reasons[0]


def test_a_tool_that_is_missing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seatbelt, "TOOL", str(tmp_path / "absent"))
    found = ladder._probe_seatbelt(str(tmp_path / "trial"), 1)
    assert found.number == 5
    assert "No such file" in found.reasons[0]


def test_macos_can_be_forced_to_a_lower_rung(tool: Path, tmp_path: Path) -> None:
    assert ladder._probe_seatbelt(str(tmp_path / "trial"), 3).number == 5
    assert not tool.exists()
