"""Importing the package costs next to nothing; names are there all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

import codex_client

HEAVY = ("panel", "bokeh", "pandas", "IPython", "zmq", "jupyter_client", "pydantic", "asyncio", "tornado", "sqlite3")


def loaded(code: str) -> set[str]:
    probe = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not loaded("import codex_client") & set(HEAVY)


def test_threads_as_data_need_no_kernel_machinery() -> None:
    code = "from codex_client import Codex\nCodex().threads()"
    assert not loaded(code) & {
        "panel",
        "bokeh",
        "pandas",
        "IPython",
        "zmq",
        "jupyter_client",
        "pydantic",
        "codex_kernel",
    }


@pytest.mark.parametrize("name", codex_client.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(codex_client, name).__name__ == name
    assert name in dir(codex_client)


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = codex_client.Nothing
