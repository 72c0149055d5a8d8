"""The agent, from inside its sandbox, against the page: it cannot approve itself, nor read or reach what could."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from e2e.test_page import opened, send

if TYPE_CHECKING:
    from e2e.conftest import Workbench

ATTEMPT = r"""
import http.client, pathlib, socket, sys
port, runtime = int(sys.argv[1]), pathlib.Path(sys.argv[2])
said = []
try:
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for method, path, headers in (("GET", "/", {}), ("POST", "/open", {"Origin": f"http://127.0.0.1:{port}"}),
            ("GET", "/link", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": "x" * 22 + "==", "Origin": f"http://127.0.0.1:{port}"})):
        page.request(method, path, body=b"guess" if method == "POST" else None, headers=headers)
        answer = page.getresponse()
        answer.read()
        said.append(str(answer.status))
except OSError as error:
    said.append("unreachable")
try:
    said.append(f"runtime {len(list(runtime.iterdir()))}")
except OSError:
    said.append("runtime 0")
for name in sys.argv[3:]:
    with socket.socket(socket.AF_UNIX) as control:
        try:
            control.connect(name)
        except OSError:
            continue
        said.append("control reached")
print("said: " + " ".join(said))
"""


@pytest.mark.parametrize(("network", "said"), [(False, "unreachable runtime 0"), (True, "403 403 403 runtime 0")])
def test_a_command_can_neither_reach_the_page_nor_the_keys_to_it(
    workbench: Workbench, page: Page, network: bool, said: str
) -> None:
    (workbench.work / "attempt.py").write_text(ATTEMPT)
    allowed = ("-c", f"sandbox_workspace_write.network_access={str(network).lower()}")
    link = workbench.start("-a", "never", "-s", "workspace-write", *allowed)
    opened(page, link)
    port = re.search(r":(\d+)/", link)
    assert port is not None
    runtime = workbench.home / "workbench" / "run"
    assert list(runtime.glob("page-*.json"))
    sockets = " ".join(str(path) for path in runtime.iterdir() if path.is_socket())
    assert sockets
    send(page, f"run `{sys.executable} attempt.py {port[1]} {runtime} {sockets}`")
    expect(page.get_by_text("The command exited with code 0")).to_be_visible()
    page.locator(".command summary").last.click()
    expect(page.locator(".command .output").last).to_contain_text(f"said: {said}\n")


def test_the_whole_page_works_where_there_is_no_way_out(tmp_path: Path) -> None:
    inside = [
        sys.executable,
        *("-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        f"--basetemp={tmp_path / 'inside'}",  # it is root there, and the usual place may be another root's
        "e2e/test_page.py::test_the_tour_writes_a_file_and_shows_plan_and_diff",
    ]
    command = " ".join(["ip link set lo up && ! ping -c1 -W1 192.0.2.1 2>/dev/null && exec", *inside])
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", command],
        cwd=Path(__file__).parents[1],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
