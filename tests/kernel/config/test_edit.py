"""One key changed, the rest as its owner wrote it."""

from __future__ import annotations

import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codex_kernel.config.edit import remove_value, set_value
from codex_kernel.config.overrides import set_path
from codex_protocol.errors import ConfigError

TRUST = ("projects", "/a.b", "trust_level")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[projects."/a.b"]\ntrust_level = "trusted"\n'),
        (
            '# mine\nmodel = "x" # why\n',
            '# mine\nmodel = "x" # why\n\n[projects."/a.b"]\ntrust_level = "trusted"\n',
        ),
        (
            '[projects]\n"/a.b" = { trust_level = "untrusted" }\n',
            '[projects]\n\n[projects."/a.b"]\ntrust_level = "trusted"\n',
        ),
        (
            '[projects."/a.b"] # me\ntrust_level = "untrusted" # why\n',
            '[projects."/a.b"] # me\ntrust_level = "trusted" # why\n',
        ),
    ],
)
def test_trust_is_written_as_the_sheet_says(file: Path, before: str, after: str) -> None:
    file.write_text(before)
    set_value(file, TRUST, "trusted")
    assert file.read_text().rstrip() == after.rstrip()


@pytest.mark.parametrize(
    "before",
    [
        '[a]\nx = 1\n[projects."/q"]\ntrust_level = "trusted"\n[b]\ny = 2\n[projects."/r"]\ntrust_level = "trusted"\n',
        'projects = { "/z" = { trust_level = "trusted" } }\n[other]\nx = 1\n',
        'projects."/z".trust_level = "trusted"\n[other]\nx = 1\n',
        '[[x]]\na = 1\n[[x]]\nb = 2',
        'projects = {}',
        '[projects]\n[projects."/a.b"]\n',
    ],
)  # fmt: skip
def test_key_is_set_however_the_file_is_laid_out(file: Path, before: str) -> None:
    file.write_text(before)
    expected = tomllib.loads(before)
    set_path(expected, TRUST, "trusted")
    set_value(file, TRUST, "trusted")
    assert tomllib.loads(file.read_text()) == expected


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("projects = 3\n", "projects is not a table"),
        ("[[projects]]\na = 1\n", "projects is not a table"),
        ('[projects]\n"/a.b" = 1\n', r'projects."/a\.b" is not a table'),
        ("a = [\n", "line 2: this is not valid TOML"),
        ('[projects."/a.b".more]\nx = 1\n[projects."/a.b"]\n', "please edit it by hand"),
    ],
)
def test_file_that_cannot_be_edited_is_left_as_it_is(file: Path, before: str, says: str) -> None:
    file.write_text(before)
    with pytest.raises(ConfigError, match=says):
        set_value(file, TRUST, "trusted")
    assert file.read_text() == before
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_mode_and_symlink_stay(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("a = 1\n")
    real.chmod(0o640)
    file.symlink_to("dotfiles.toml")
    set_value(file, ("b",), [1, "x"])
    assert file.is_symlink()
    assert real.read_text() == 'a = 1\nb = [1, "x"]\n'
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_line_ends_of_windows_stay(file: Path) -> None:
    file.write_bytes(b"[a]\r\nx = 1\r\n")
    set_value(file, ("features", "hooks"), True)
    assert file.read_bytes() == b"[a]\r\nx = 1\r\n\r\n[features]\r\nhooks = true\r\n"


def test_removing_a_key_removes_tables_it_leaves_empty(file: Path) -> None:
    file.write_text('# top\na = 1\n\n[mcp_servers.x]\ncommand = "c"\n\n[mcp_servers.y]\ncommand = "d"\n')
    assert remove_value(file, ("mcp_servers", "x"))
    assert tomllib.loads(file.read_text()) == {"a": 1, "mcp_servers": {"y": {"command": "d"}}}
    assert remove_value(file, ("mcp_servers", "y", "command"))
    assert file.read_text().strip() == "# top\na = 1"
    assert not remove_value(file, ("mcp_servers", "y"))


def test_folder_that_cannot_be_made_gets_one_sentence(file: Path) -> None:
    file.write_text("")
    with pytest.raises(ConfigError, match="cannot be written: "):
        set_value(file / "config.toml", ("a",), 1)


def test_edits_of_processes_side_by_side_are_all_kept(file: Path) -> None:
    code = (
        "import sys, pathlib; from codex_kernel.config.edit import set_value\n"
        "for i in range(8): set_value(pathlib.Path(sys.argv[1]), ('t', sys.argv[2] + str(i)), i)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(file), name]) for name in "abc"]
    assert [process.wait(60) for process in started] == [0, 0, 0]
    assert len(tomllib.loads(file.read_text())["t"]) == 24


KEY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
LEAF = st.one_of(
    st.booleans(), st.integers(-9, 9), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5)
)
TREE = st.dictionaries(KEY, st.recursive(LEAF, lambda inner: st.dictionaries(KEY, inner, max_size=3), max_leaves=6))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(tree=TREE, path=st.lists(KEY, min_size=1, max_size=3), value=LEAF)
def test_any_key_is_set_in_any_file_or_the_file_is_left_alone(
    file: Path, tree: dict[str, Any], path: list[str], value: Any
) -> None:
    import tomlkit

    file.write_text(tomlkit.dumps(tree), encoding="utf-8", newline="")
    before = file.read_bytes()
    expected = tomllib.loads(before.decode())
    try:
        set_value(file, tuple(path), value)
    except ConfigError:
        assert file.read_bytes() == before
    else:
        set_path(expected, tuple(path), value)
        assert tomllib.loads(file.read_bytes().decode()) == expected
