import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_kernel.config.layers import read_text
from codex_kernel.core.instructions import instruction_documents
from codex_kernel.exec.inputs import image_inputs
from codex_kernel.regular_files import read_regular
from codex_kernel.sandbox.git import head_info
from codex_kernel.sandbox.host import RealHost
from codex_kernel.search.ignore_rules import read as ignore_text
from codex_protocol.errors import ConfigError
from tests.support.threads import make_config

PATIENCE_S = 30


def finishes(work: Callable[[], object]) -> bool:
    """Whether `work` comes back; what waits for ever is left behind."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return not thread.is_alive()


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert read_regular(tmp_path / "file", 10) == b"abc"
    assert read_regular(tmp_path / "file", 2) == b"ab"


@pytest.mark.parametrize("name", ["/dev/zero", "/dev", "missing", "a\0b"])
def test_what_is_no_file_is_an_error_of_the_system(name: str) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        read_regular(name, 10)
    assert caught.value.strerror


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("commondir", lambda file: RealHost(user_home="/", temp_dir=None).first_line(str(file))),
        (".gitignore", ignore_text),
        (".git/HEAD", lambda file: head_info(file.parent.parent)),
        ("home/AGENTS.md", lambda file: instruction_documents(make_config(file.parent.parent), file.parent, may_read)),
        ("work/AGENTS.md", lambda file: instruction_documents(make_config(file.parent.parent), file, may_read)),
        ("image.png", lambda file: image_inputs([file], print)),
    ],
)
def test_nobody_waits_for_a_pipe_that_lies_where_a_file_ought_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[[Path], object]
) -> None:
    monkeypatch.setattr("codex_kernel.sandbox.git._HEAD_TIMEOUT_S", 0.5)  # git itself does wait, twice
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    os.mkfifo(file)
    assert finishes(lambda: read(file))


def test_settings_that_are_a_pipe_are_refused_in_one_sentence(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read: it is not a file\."):
        read_text(tmp_path / "config.toml")


def may_read(path: Path) -> bool:
    return True
