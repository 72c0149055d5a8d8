"""What the settings form may say, checked by pydantic; what is wrong is said at the field. No Panel in here."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from codex_app.asked import Change
from codex_protocol.policy import ApprovalPolicy, Effort, SandboxMode, Summary

STAYS = "stays as it is"
"""What is chosen where nothing is."""


def _name(value: str) -> str:
    if not value or any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("a model's name has at least one character and no spaces")
    return value


class SettingsForm(BaseModel):
    """The thread's settings for later turns."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    model: Annotated[str, Field(max_length=200), AfterValidator(_name)]
    effort: Effort | None = None
    summary: Summary | None = None
    approval: ApprovalPolicy
    sandbox: SandboxMode


def checked(values: dict[str, str]) -> SettingsForm | dict[str, str]:
    """The form, or a sentence for each field that is wrong.

    Args:
        values: By field; `STAYS` for what shall not change.
    """
    try:
        return SettingsForm.model_validate({name: None if value == STAYS else value for name, value in values.items()})
    except ValidationError as error:
        return {str(each["loc"][0]): _sentence(each["msg"]) for each in error.errors() if each["loc"]}


def change(form: SettingsForm, now: dict[str, str]) -> Change | None:
    """What `/model` and `/approvals` would ask for; None when nothing is changed."""
    wanted = {
        name: value for name, value in form.model_dump().items() if value is not None and str(value) != now.get(name)
    }
    return Change(**wanted) if wanted else None


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{text[:1].upper()}{text[1:]}."
