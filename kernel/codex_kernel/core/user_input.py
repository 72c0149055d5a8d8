"""What the user typed and attached, as the message the model sees."""

from __future__ import annotations

import asyncio
from pathlib import Path

from codex_kernel.tools.images import UnreadableImage, load_image
from codex_protocol.items import ContentPart, InputImage, InputText, Message
from codex_protocol.ops import ImageInput, LocalImageInput, SkillInput, TextInput, UserInputItem


async def message_of(items: tuple[UserInputItem, ...], cwd: Path) -> Message | None:
    """The user message of some input; None when it is empty.

    A local image becomes its file's name, the image, and the end of the name's tag; one that cannot be read becomes a
    text that says so, and nothing is lost. Source: spec/exec-json.md section 6.
    """
    parts: list[ContentPart] = []
    number = 0
    for item in items:
        match item:
            case TextInput():
                if item.text:
                    parts.append(InputText(item.text))
            case ImageInput():
                number += 1
                parts.append(InputImage(item.image_url))
            case LocalImageInput():
                number += 1
                parts += await _local_image(cwd / item.path, number)
            case SkillInput():
                parts.append(InputText(f"${item.name}"))
    return Message(role="user", content=tuple(parts)) if parts else None


async def _local_image(path: Path, number: int) -> list[ContentPart]:
    try:
        image = await asyncio.to_thread(load_image, path, _chosen_by_hand)
    except UnreadableImage as error:
        return [InputText(f"[Image #{number} was attached, but {error}]")]
    return [InputText(f'<image name=[Image #{number}] path="{path}">'), image, InputText("</image>")]


def _chosen_by_hand(path: Path) -> bool:
    """What a person attaches is read wherever it lies: patterns hide files from the model's calls, not from them."""
    return True


def text_of(items: tuple[UserInputItem, ...]) -> str:
    """The typed text, and each chosen skill as `$name`, joined by line ends."""
    texts: list[str] = []
    for item in items:
        match item:
            case TextInput():
                texts.append(item.text)
            case SkillInput():
                texts.append(f"${item.name}")
            case _:
                pass
    return "\n".join(texts)


def images_of(items: tuple[UserInputItem, ...]) -> tuple[str, ...]:
    """Paths and URLs of the attached images."""
    found: list[str] = []
    for item in items:
        match item:
            case LocalImageInput():
                found.append(item.path)
            case ImageInput():
                found.append(item.image_url)
            case _:
                pass
    return tuple(found)
