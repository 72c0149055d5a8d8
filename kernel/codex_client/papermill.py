"""Parameters of papermill for notebooks on the `codex` kernel: `papermill in.ipynb out.ipynb -p model gpt-5.5`.

Papermill has no way to plug in a translator, but one for engines: it loads this by its entry point `papermill.engine`
when it is imported, and that makes the translator known. The engine itself is papermill's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from papermill.engines import NBClientEngine  # pyright: ignore[reportMissingTypeStubs]
from papermill.translators import papermill_translators  # pyright: ignore[reportMissingTypeStubs]

SETTINGS = frozenset({"model", "effort", "summary", "approval", "sandbox", "cd", "name", "events"})
"""Parameters of these names are the kernel's `%` settings."""


class CodexEngine(NBClientEngine):
    """Papermill's usual engine."""


class CodexTranslator:
    """Settings as `%` lines; everything else is told to the model, for the prompts that follow."""

    @classmethod
    def codify(cls, parameters: Mapping[str, Any], comment: str = "Parameters") -> str:
        """The text of the cell that papermill adds."""
        settings = [f"%{name} {value}" for name, value in parameters.items() if _is_setting(name, value)]
        told = [f"- {name}: {_text(value)}" for name, value in parameters.items() if not _is_setting(name, value)]
        if told:
            settings.append(f"{comment} for what I ask next. Only take note of them for now:\n")
        return "\n".join([*settings, *told])

    @classmethod
    def inspect(cls, parameters_cell: object) -> list[object]:
        """Nothing: a cell for the agent declares no parameters."""
        return []


def _is_setting(name: str, value: object) -> bool:
    return name in SETTINGS and "\n" not in str(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False, default=str)


papermill_translators.register("codex", CodexTranslator)  # pyright: ignore[reportUnknownMemberType]
