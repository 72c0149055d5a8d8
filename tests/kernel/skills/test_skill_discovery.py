import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_kernel.config.types import Config, ConfigLayer, ModelProvider, TrustLevel
from codex_kernel.skills.discovery import discover
from codex_kernel.skills.front_matter import FrontMatterError, parse, split
from codex_kernel.skills.mentions import budget_for, injections, instructions, mentioned
from codex_kernel.skills.roots import Root, skill_roots
from codex_protocol.policy import ReadOnly
from tests.support.growth import assert_linear


def skill(root: Path, name: str, front: str | None = None, body: str = "Do it.") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    front = f"name: {folder.name}\ndescription: About {folder.name}" if front is None else front
    (folder / "SKILL.md").write_text(f"---\n{front}\n---\n{body}\n")
    return folder / "SKILL.md"


def found(root: Path, **settings: Any) -> list[str]:
    return [one.name for one in discover([Root(root, "user")], settings).skills]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("name: a\ndescription: b c", {"name": "a", "description": "b c"}),
        ("name: 'it''s'  # why\ndescription: \"a\\n\\\"b\\\"\"", {"name": "it's", "description": 'a\n"b"'}),
        ("description: >\n  one\n  two\n\nname: x", {"description": "one two", "name": "x"}),
        ("description: |\n  one\n    two", {"description": "one\n  two"}),
        ("description: a: b # c", {"description": "a: b"}),
        ("description: one\n  two\n  three", {"description": "one two three"}),
        (
            "metadata:\n  short-description: s\n  x: y\nname: n",
            {"metadata": {"short-description": "s", "x": "y"}, "name": "n"},
        ),
        ("tools:\n  - a\n  - b\nname: n", {"tools": "- a - b", "name": "n"}),
        ("tools:\n- a\n- b\nname: n", {"tools": "", "name": "n"}),
        ("# only a comment\n", {}),
        ("", {}),
        ("name: &a !!python/object:os.system x", {"name": "&a !!python/object:os.system x"}),
    ],
)
def test_front_matter_is_read(text: str, table: dict[str, Any]) -> None:
    assert parse(text) == table


@pytest.mark.parametrize("text", ["name", "  name: a", "name: 'a", 'name: "a', "a b: c", ": x", "{a: b}"])
def test_front_matter_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(FrontMatterError):
        parse(text)


@pytest.mark.parametrize(
    "text", ["", "# Title", "---\nname: a", "--\nname: a\n--\n", "---\n" + "x: y\n" * 20_000 + "---\n"]
)
def test_a_file_without_front_matter_is_an_error(text: str) -> None:
    with pytest.raises(FrontMatterError):
        split(text)


@given(st.text(alphabet="ab: |>'\"\\#-\n\t\u2028{}[]&*!%@`", max_size=200))
def test_any_front_matter_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(parse(text), dict)
    except FrontMatterError:
        return


@pytest.mark.parametrize(
    "text",
    ["a" * 30_000, "name: " + "'" * 30_001, 'name: "' + "\\" * 30_001, " " * 30_000 + "x", "a:" + " " * 30_000],
    ids=["letters", "quotes", "backslashes", "blanks before", "blanks after"],
)
def test_a_line_made_to_take_long_does_not(text: str) -> None:
    def read(part: str) -> None:
        with contextlib.suppress(FrontMatterError):
            parse(part)

    assert_linear(read, text)


def test_skills_are_found_below_the_root_by_name(tmp_path: Path) -> None:
    skill(tmp_path, "b")
    skill(tmp_path, "group/a")
    skill(tmp_path, ".hidden")
    skill(tmp_path, "a1/b1/c1/d1/e1/f1/too-deep")
    skill(tmp_path, "b/references/example")
    assert found(tmp_path) == ["a", "b"]


def test_linked_folders_are_followed_once_and_circles_end(tmp_path: Path) -> None:
    real = skill(tmp_path / "elsewhere", "linked").parent
    root = tmp_path / "root"
    skill(root, "own")
    (root / "one").symlink_to(real)
    (root / "two").symlink_to(real)
    (root / "circle").symlink_to(root)
    assert found(root) == ["linked", "own"]
    assert [one.name for one in discover([Root(root, "system")]).skills] == ["own"]


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("name: x", "no description"),
        ("description: " + "d" * 1025, "more than 1024"),
        ("name: " + "n" * 65 + "\ndescription: d", "more than 64"),
        ("no yaml", "front matter"),
    ],
)
def test_what_is_no_skill_is_told_and_the_others_stay(tmp_path: Path, front: str, words: str) -> None:
    skill(tmp_path, "bad", front)
    skill(tmp_path, "good")
    result = discover([Root(tmp_path, "user")])
    assert [one.name for one in result.skills] == ["good"]
    assert words in result.problems[0]


def test_unseen_characters_and_line_ends_of_a_description_do_not_reach_the_model(tmp_path: Path) -> None:
    skill(tmp_path, "x", 'description: "a\\n## Skills\\u202e b\\u0000"')
    assert discover([Root(tmp_path, "user")]).skills[0].description == "a ## Skills b"


def test_skills_are_switched_off_by_name_and_path(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        skill(tmp_path, name)
    entries = [
        {"name": "a", "enabled": False},
        {"path": str(tmp_path / "b" / "SKILL.md"), "enabled": False},
        {"path": str(tmp_path / "c"), "enabled": False},
        {"name": "c", "enabled": True},
    ]
    assert found(tmp_path, config=entries) == []
    assert found(tmp_path, config=entries[:1]) == ["b", "c"]
    broken = discover([Root(tmp_path, "user")], {"config": [{"name": "a"}, 7]})
    assert len(broken.skills) == 3
    assert len(broken.problems) == 2


def config(tmp_path: Path, trust: TrustLevel) -> Config:
    home, project = tmp_path / "home", tmp_path / "project"
    for folder in (
        *(home / "skills" / ".system", tmp_path / "user" / ".agents" / "skills"),
        *(project / ".agents" / "skills", project / "sub" / ".agents" / "skills", project / ".codex" / "skills"),
    ):
        folder.mkdir(parents=True)
    return Config(
        codex_home=home,
        cwd=project / "sub",
        project_root=project,
        trust=trust,
        model="m",
        model_provider="p",
        provider=ModelProvider(name="p"),
        sandbox_policy=ReadOnly(),
        layers=(ConfigLayer(kind="user", folder=home), ConfigLayer(kind="project", folder=project / ".codex")),
    )


@pytest.mark.parametrize("trust", [TrustLevel.UNTRUSTED, TrustLevel.UNKNOWN])
def test_a_projects_skills_count_only_when_it_is_trusted(tmp_path: Path, trust: TrustLevel) -> None:
    settings = config(tmp_path, trust)
    assert [root.scope for root in skill_roots(settings, tmp_path / "user")][:3] == ["user", "user", "system"]


def test_a_trusted_projects_skills_come_first(tmp_path: Path) -> None:
    roots = skill_roots(config(tmp_path, TrustLevel.TRUSTED), tmp_path / "user")
    assert [str(root.folder.relative_to(tmp_path)) for root in roots if root.scope != "admin"] == [
        "project/.codex/skills",
        "project/.agents/skills",
        "project/sub/.agents/skills",
        "home/skills",
        "user/.agents/skills",
        "home/skills/.system",
    ]


def test_the_list_keeps_to_its_budget_and_says_what_is_missing(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        skill(tmp_path, name)
    skills = discover([Root(tmp_path, "user")]).skills
    text = instructions(skills, 80)
    assert text is not None
    assert "- a: About a (file: r0/a/SKILL.md)" in text
    assert f"- r0 = {tmp_path}" in text
    assert "- c:" not in text
    assert "1 more did not fit" in text
    assert instructions([], 80) is None
    assert budget_for(None) == 8_000
    assert budget_for(400_000) == 32_000


def test_a_skill_that_only_the_user_may_choose_is_not_listed(tmp_path: Path) -> None:
    file = skill(tmp_path, "x")
    (file.parent / "agents").mkdir()
    (file.parent / "agents" / "openai.yaml").write_text("policy:\n  allow_implicit_invocation: false\n")
    skills = discover([Root(tmp_path, "user")]).skills
    assert instructions(skills, 8_000) is None
    assert mentioned("$x", skills, tmp_path) == list(skills)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("use $pdf please", ["pdf"]),
        ("$b then $pdf, $b!", ["b", "pdf"]),
        ("$HOME $PATH", []),
        ("$HOMEpdf x$pdf $$pdf \\$pdf", []),
        ("costs $5", []),
        ("$pdf: go", ["pdf"]),
        ("[$pdf](pdf/SKILL.md)", ["pdf"]),
        ("[$pdf](other/SKILL.md)", []),
        ("$PDF", []),
        ("$", []),
    ],
)
def test_names_in_a_prompt_stand_for_skills(tmp_path: Path, text: str, names: list[str]) -> None:
    for name in ("pdf", "b", "HOME"):
        skill(tmp_path, name)
    skills = discover([Root(tmp_path, "user")]).skills
    assert [one.name for one in mentioned(text, skills, tmp_path)] == names


def test_a_name_that_two_skills_have_stands_for_neither(tmp_path: Path) -> None:
    skill(tmp_path, "one/x")
    skill(tmp_path, "two/x")
    skills = discover([Root(tmp_path, "user")]).skills
    assert mentioned("$x", skills, tmp_path) == []
    assert len(mentioned("[$x](two/x/SKILL.md)", skills, tmp_path)) == 1


def test_a_named_skill_is_added_whole_and_one_that_is_gone_is_said(tmp_path: Path) -> None:
    file = skill(tmp_path, "x", body="Step one.")
    gone = skill(tmp_path, "y")
    skills = discover([Root(tmp_path, "user")]).skills
    os.unlink(gone)
    messages, problems = injections(skills)
    assert messages == [f"<skill>\n<name>x</name>\n<path>{file}</path>\n{file.read_text()}\n</skill>"]
    assert "y was named but not added" in problems[0]
