from __future__ import annotations

import subprocess
import sys

import pytest

SHOWN = """
import resource, sys
from codex_kernel.exec.descriptors import make_room
def room():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("FDSize"))
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
before = room()
make_room()
print(room() >= 512, room() == before, open("/dev/null").fileno())
"""


@pytest.mark.parametrize(("limit", "expected"), [(1024, "True False 3"), (100, "False True 3")])
def test_there_is_room_for_descriptors_where_the_limit_allows_it(limit: int, expected: str) -> None:
    run = subprocess.run([sys.executable, "-c", SHOWN, str(limit)], capture_output=True, text=True, check=True)
    assert (run.stdout.strip(), run.stderr) == (expected, "")
