"""Files that are given to the page, and images of threads."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from codex_app.pictures import Pictures
from codex_app.uploads import MAX_TEXT_BYTES, Uploads
from codex_protocol.errors import UsageError
from codex_protocol.ops import LocalImageInput, TextInput
from codex_store.home import Home

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFUlEQVR4nGP8z8DAwMDAxAADCBYAHgQCAc8eqjkAAAAASUVORK5CYII="
)


def uploads_in(folder: Path) -> Uploads:
    return Uploads(Home(root=folder))


def test_an_image_is_sent_as_an_image_and_text_as_text(tmp_path: Path) -> None:
    uploads = uploads_in(tmp_path)
    image = uploads.add(PNG, "C:\\shots\\one.png")
    assert (image.name, image.kind) == ("one.png", "image/png")
    sent = uploads.as_input(image.id)
    assert isinstance(sent, LocalImageInput)
    assert Path(sent.path).read_bytes() == PNG
    text = uploads.add(b"a ``` fence\n", "../notes.md")
    assert uploads.as_input(text.id) == TextInput("notes.md:\n````\na ``` fence\n````")
    assert uploads.of_path(sent.path) == image
    assert uploads.of_path("/etc/passwd") is None


def test_files_are_private(tmp_path: Path) -> None:
    uploads = uploads_in(tmp_path)
    path = uploads.path(uploads.add(PNG, "one.png"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\x7fELF\0\0", "is neither text nor"),
        (b"\xff\xfe", "is neither text nor"),
        (b"<svg xmlns='x'/>\0", "is neither text nor"),
        (b"x" * (MAX_TEXT_BYTES + 1), "is larger than 256 KiB"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_reason(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=f"^f.bin {why}"):
        uploads_in(tmp_path).add(data, "f.bin")


@pytest.mark.parametrize("id", ["", "../../auth", "0" * 40, "x" * 40])
def test_an_id_that_was_not_given_names_nothing(tmp_path: Path, id: str) -> None:
    with pytest.raises(UsageError, match="attach it again"):
        uploads_in(tmp_path).find(id)


def test_old_files_are_forgotten(tmp_path: Path) -> None:
    uploads = uploads_in(tmp_path)
    old, new = uploads.add(PNG, "old.png"), uploads.add(PNG, "new.png")
    for entry in uploads.path(old).parent.glob(f"{old.id}*"):
        os.utime(entry, (1, 1))
    uploads.forget_old()
    assert uploads.find(new.id) == new
    with pytest.raises(UsageError):
        uploads.find(old.id)


def test_a_threads_images_are_those_that_were_named_in_it_and_nothing_that_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "shot.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")
    pictures = Pictures()
    url = "data:image/svg+xml;base64," + base64.b64encode(b"<svg onload='x()'/>").decode()
    named = ["shot.png", "secret.png", "pipe.png", url, "https://evil.example/x.png"]
    views = pictures.take(named, str(tmp_path))
    assert [view["name"] for view in views] == ["shot.png", "secret.png", "pipe.png", "image"]
    assert [pictures.read(view["id"]) for view in views] == [("image/png", PNG), None, None, None]
    assert pictures.read("0" * 40) is None
