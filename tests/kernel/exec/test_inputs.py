from pathlib import Path

import pytest

from codex_kernel.exec.inputs import image_files, image_inputs, read_schema
from codex_protocol.errors import CodexError
from codex_protocol.ops import LocalImageInput, TextInput


def test_commas_separate_files_unless_a_file_is_called_so(tmp_path: Path):
    odd = tmp_path / "a,b.png"
    odd.write_bytes(b"x")
    assert image_files(["a.png,b.png", "c.png", str(odd)]) == (Path("a.png"), Path("b.png"), Path("c.png"), odd)


def test_images_are_sent_by_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(b"x")
    assert image_inputs([Path("a.png")], print) == [LocalImageInput(str(tmp_path / "a.png"))]


@pytest.mark.parametrize("name", ["missing.png", ".", "empty.png", "/dev/zero"])
def test_an_unreadable_image_becomes_a_text_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    Path("empty.png").touch()
    said: list[str] = []
    [item] = image_inputs([Path(name)], said.append)
    assert isinstance(item, TextInput)
    assert name in item.text
    assert name in said[0]


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff", b'"x"'])
def test_a_schema_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, content: bytes | None):
    file = tmp_path / "schema.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CodexError) as caught:
        read_schema(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_schema_without_end_is_refused_before_memory_runs_out():
    with pytest.raises(CodexError, match=r"/dev/zero is larger than 4 MiB"):
        read_schema(Path("/dev/zero"))


def test_a_schema_is_read(tmp_path: Path):
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    assert read_schema(file) == {"type": "object"}
