"""The skills of one thread: found when it opens, offered to the model, and added whole where the user names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from codex_protocol.items import InputText, Message, user_message
from codex_protocol.ops import SkillInput, TextInput, UserInputItem

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.skills.discovery import Skill


class ThreadSkills:
    """Skills that count for a thread. Where there are no skill folders, nothing is read."""

    def __init__(self, config: Config, user_home: Path | None) -> None:
        """Find the skills.

        Args:
            config: Names the folders and what is switched off.
            user_home: The user's home directory; None when the environment names none.
        """
        from codex_kernel.skills.roots import skill_roots

        self.all: tuple[Skill, ...] = ()
        self.problems: tuple[str, ...] = ()
        """One sentence for each skill that cannot be used."""
        self._offered = config.skills.get("include_instructions") is not False
        self._confirmed = config.confirmed
        roots = skill_roots(config, user_home)
        if roots:
            from codex_kernel.skills.discovery import discover

            found = discover(roots, config.skills, config.confirmed)
            self.all, self.problems = found.skills, found.problems

    def message(self, context_window: int | None) -> Message | None:
        """The developer message that lists them; None when there is nothing to list.

        Args:
            context_window: Tokens the model can hold; None when nobody knows.
        """
        if not self.all or not self._offered:
            return None
        from codex_kernel.skills.mentions import budget_for, instructions

        text = instructions(self.all, budget_for(context_window))
        return None if text is None else Message(role="developer", content=(InputText(text),))

    def named_in(self, items: Sequence[UserInputItem], cwd: Path) -> tuple[list[Message], list[str]]:
        """The messages that carry the skills some input names, chosen ones first, and what a person should know."""
        if not self.all and not any(isinstance(item, SkillInput) for item in items):
            return [], []
        from codex_kernel.skills.mentions import injections, mentioned

        chosen, problems = self._chosen(item for item in items if isinstance(item, SkillInput))
        text = "\n".join(item.text for item in items if isinstance(item, TextInput))
        skills = dict.fromkeys([*chosen, *mentioned(text, self.all, cwd)])
        messages, unread = injections(skills, self._confirmed)
        return [user_message(message) for message in messages], [*problems, *unread]

    def _chosen(self, inputs: Iterable[SkillInput]) -> tuple[list[Skill], list[str]]:
        chosen: list[Skill] = []
        problems: list[str] = []
        for item in inputs:
            found = [skill for skill in self.all if str(skill.file) == item.path and skill.name == item.name]
            chosen += found
            if not found:
                problems.append(f"There is no skill {item.name} at {item.path}; nothing was added.")
        return chosen, problems
