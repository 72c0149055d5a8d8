from pathlib import Path

from codex_kernel.config.confirmed import Confirmed, text_digest
from codex_kernel.config.types import TrustLevel
from codex_kernel.model.scripted import says
from codex_protocol.events import SkillsListed, Warning
from codex_protocol.items import Message
from codex_protocol.ops import ListSkills, SkillInput, TextInput, UserInput
from tests.support.threads import running


def skill(folder: Path, name: str) -> Path:
    file = folder / "home" / "skills" / name / "SKILL.md"
    file.parent.mkdir(parents=True)
    file.write_text(f"---\nname: {name}\ndescription: About {name}\n---\nSteps of {name}.\n")
    return file


async def test_skills_are_offered_once_and_added_where_they_are_named(tmp_path: Path) -> None:
    file = skill(tmp_path, "pdf")
    async with running(tmp_path, [says("a")], [says("b")]) as w:
        await w.turn("read $pdf")
        texts = [item.text() for item in w.sent() if isinstance(item, Message)]
        assert sum(text.startswith("<skills_instructions>") for text in texts) == 1
        assert texts[-2] == "read $pdf"
        assert texts[-1].startswith(f"<skill>\n<name>pdf</name>\n<path>{file}</path>\n---\nname: pdf")
        await w.turn("again")
        assert sum(isinstance(i, Message) and i.text().startswith("<skills_") for i in w.sent()) == 1


async def test_a_projects_skill_that_was_changed_meanwhile_is_not_added(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    text = "---\nname: pdf\ndescription: About PDF\n---\n"
    (elsewhere / "SKILL.md").write_text(text)
    link = tmp_path / "work" / ".agents" / "skills" / "pdf"
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    settings = {
        "trust": TrustLevel.TRUSTED,
        "confirmed": Confirmed(link.parents[2], {".agents/skills/pdf/SKILL.md": (text_digest(text),)}),
    }
    async with running(tmp_path, [says("a")], [says("b")], cwd=link.parents[2], **settings) as w:
        await w.turn("read $pdf")
        assert any(isinstance(item, Message) and item.text().startswith("<skill>") for item in w.sent())
        (elsewhere / "SKILL.md").unlink()
        (elsewhere / "SKILL.md").symlink_to(tmp_path / "secret")
        (tmp_path / "secret").write_text("sesame")
        await w.turn("once more: $pdf")
        assert "it was changed since you trusted it" in (await w.until(Warning)).message
    assert "sesame" not in str(w.thread.items)


async def test_a_chosen_skill_is_added_and_one_that_is_none_is_never_read(tmp_path: Path) -> None:
    file = skill(tmp_path, "pdf")
    secret = tmp_path / "secret"
    secret.write_text("password")
    async with running(tmp_path, [says("a")]) as w:
        items = (TextInput("go"), SkillInput("pdf", str(file)), SkillInput("x", str(secret)))
        w.thread.submit(UserInput(items=items))
        assert "no skill x" in (await w.until(Warning)).message
        await w.until(type(w.events[-1].msg))
    assert "password" not in str(w.thread.items)


async def test_skills_can_be_listed_and_kept_from_the_model(tmp_path: Path) -> None:
    file = skill(tmp_path, "pdf")
    (skill(tmp_path, "bad")).write_text("no front matter")
    async with running(tmp_path, [says("a")], skills={"include_instructions": False}) as w:
        assert "bad" in (await w.until(Warning)).message
        w.thread.submit(ListSkills())
        listed = await w.until(SkillsListed)
        assert [(one.name, one.path, one.scope) for one in listed.skills] == [("pdf", str(file), "user")]
        await w.turn()
        assert not any(isinstance(i, Message) and i.text().startswith("<skills_") for i in w.sent())
