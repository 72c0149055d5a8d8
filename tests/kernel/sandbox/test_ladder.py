"""Each rung on a machine that lacks what the rungs above it need: a filter plays the poorer kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from codex_kernel.sandbox import bubblewrap, ladder
from codex_kernel.sandbox.layers import Layer
from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess
from tests.support.sandboxes import WRITE, Site, shell

ROOT = Path(__file__).parents[3]

ON_ANOTHER_MACHINE = """
import asyncio, json, sys
from pathlib import Path
from codex_kernel.sandbox.inside import bpf, numbers, seccomp, syscalls
missing, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
table = numbers.TABLES[numbers.machine()]
out = bpf.Filter(); out.load(bpf.NR)
out.when(bpf.EQUAL, table["clone3"], bpf.errno(38))
for name, error in missing.items():
    if name != "namespaces": out.when(bpf.EQUAL, table[name], bpf.errno(error))
if "namespaces" in missing:
    out.when(bpf.EQUAL, table["unshare"], bpf.errno(missing["namespaces"]))
    inner = bpf.Filter(); inner.load(bpf.low(0))
    inner.when(bpf.ANY_BIT, 0x7E020080, bpf.errno(missing["namespaces"])); inner.verdict(bpf.ALLOW)
    out.among(bpf.EQUAL, (table["clone"],), inner)
out.verdict(bpf.ALLOW)
syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
seccomp.Installable(out.packed(), listener=False).install()

from codex_protocol.errors import SandboxError
from codex_protocol.policy import DangerFullAccess
from tests.support.sandboxes import Site, WRITE, shell
async def main():
    site = Site(folder)
    (site.workspace / ".git" / "hooks").mkdir(parents=True)
    sandbox = site.sandbox()
    facts = sandbox.facts(WRITE)
    said = {"rung": facts.rung, "notice": facts.notice}
    script = f'''
    echo x > inside; echo x > {site.outside}/x; echo x > .git/hooks/new; cat {site.home}/auth.json; mkfifo f
    python3 -c "import socket; socket.create_connection(('127.0.0.1', 9))" 2>&1 | tail -1
    (setsid sleep 64.5 &)
    '''
    try:
        result = await shell(sandbox, site, script)
        said |= {"out": result.stdout, "err": result.stderr, "warning": result.exit.warning}
    except SandboxError as error:
        said["refused"] = str(error)
    full = await shell(sandbox, site, "echo free", policy=DangerFullAccess())
    work = site.workspace
    made = {"inside": work / "inside", "outside": site.outside / "x", "git": work / ".git/hooks/new"}
    said |= {"full": full.stdout, **{name: path.exists() for name, path in made.items()}}
    await sandbox.aclose()
    print(json.dumps(said))
asyncio.run(main())
"""


def machine_without(site: Site, **missing: int) -> dict[str, Any]:
    """What a sandbox on a kernel that answers these system calls with these errors says and does."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernel"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", ON_ANOTHER_MACHINE, json.dumps(missing), str(site.folder)],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


EPERM, ENOSPC, ENOSYS = 1, 28, 38


def test_a_machine_that_has_everything_is_on_the_first_rung(site: Site) -> None:
    said = machine_without(site)
    assert (said["rung"], said["notice"]) == (1, None)
    assert (said["inside"], said["outside"], said["git"]) == (True, False, False)
    assert "the login" not in said["out"]


@pytest.mark.parametrize(
    "missing",
    [
        # An ordinary user's bubblewrap unshares too, to be that user again and not root.
        pytest.param({"unshare": EPERM}, marks=pytest.mark.needs_root),
        {"mount_setattr": EPERM},
        {"open_tree": ENOSYS},
    ],
    ids=str,
)
def test_bubblewrap_builds_the_namespaces_where_we_may_not(site: Site, missing: dict[str, int]) -> None:
    said = machine_without(site, **missing)
    assert said["rung"] == 2
    assert "bubblewrap" in said["notice"]
    assert (said["inside"], said["outside"], said["git"]) == (True, False, False)
    assert "the login" not in said["out"]
    assert said["full"] == "free\n"


def test_without_namespaces_landlock_and_seccomp_compensate(site: Site) -> None:
    said = machine_without(site, namespaces=ENOSPC)
    assert said["rung"] == 3
    assert "No space left on device" in said["notice"]
    assert (said["inside"], said["outside"]) == (True, False)
    assert "PermissionError" in said["out"]
    assert said["git"], "the rung says that it cannot protect .git"
    assert ".git/hooks/new" in said["warning"]


def test_without_landlock_mounts_still_hold(site: Site) -> None:
    said = machine_without(site, landlock_create_ruleset=ENOSYS)
    assert said["rung"] == 4
    assert "Landlock" in said["notice"]
    assert (said["inside"], said["outside"], said["git"]) == (True, False, False)


def test_with_a_filter_alone_nothing_runs_confined(site: Site) -> None:
    said = machine_without(site, landlock_create_ruleset=ENOSYS, namespaces=EPERM)
    assert said["rung"] == 4
    assert "refused" in said
    assert (said["inside"], said["outside"], said["full"]) == (False, False, "free\n")


def test_with_nothing_at_all_only_full_access_runs(site: Site) -> None:
    said = machine_without(site, landlock_create_ruleset=ENOSYS, namespaces=EPERM, seccomp=EPERM)
    assert said["rung"] == 5
    assert "cannot be confined" in said["refused"]
    assert (said["inside"], said["outside"], said["full"]) == (False, False, "free\n")


@pytest.mark.parametrize("lowest", [1, 2, 3, 4, 5])
async def test_forcing_only_ever_lowers(site: Site, lowest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.sandbox(lowest_rung=lowest).facts(WRITE).rung >= lowest
    monkeypatch.setenv(ladder.FORCED, str(lowest))
    assert site.sandbox().facts(WRITE).rung >= lowest
    assert site.sandbox(lowest_rung=5).facts(WRITE).rung == 5


async def test_the_lowest_rung_refuses_in_a_sentence_and_full_access_works(site: Site) -> None:
    sandbox = site.sandbox(lowest_rung=5)
    with pytest.raises(SandboxError, match="cannot be confined"):
        await shell(sandbox, site, "true")
    assert (await shell(sandbox, site, "echo a", policy=DangerFullAccess())).stdout == "a\n"
    await sandbox.aclose()


@pytest.mark.parametrize(
    ("layers", "rung"),
    [
        ({Layer.NAMESPACES, Layer.LANDLOCK, Layer.SECCOMP}, 1),
        ({Layer.LANDLOCK, Layer.SECCOMP}, 3),
        ({Layer.NAMESPACES, Layer.SECCOMP}, 4),
        ({Layer.NAMESPACES, Layer.LANDLOCK}, 4),
        ({Layer.NAMESPACES}, 4),
        ({Layer.LANDLOCK}, 4),
        ({Layer.SECCOMP}, 4),
        (set(), 5),
    ],
)
async def test_fewer_layers_count_as_the_rung_that_has_them(site: Site, layers: set[Layer], rung: int) -> None:
    sandbox = site.sandbox(layers=frozenset(layers))
    assert sandbox.facts(WRITE).rung == rung
    if layers & {Layer.NAMESPACES, Layer.LANDLOCK}:
        result = await shell(sandbox, site, f"echo x > {site.outside}/x; echo ran")
        assert result.stdout == "ran\n"
        assert not (site.outside / "x").exists()
    await sandbox.aclose()


def test_the_answer_is_kept_until_the_next_boot(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ladder.find_rung(site.runtime)
    monkeypatch.setattr(ladder, "_probe", lambda *_: pytest.fail("probed again"))
    assert ladder.find_rung(site.runtime) == first
    monkeypatch.setattr(ladder, "_machine", lambda: "after a reboot")
    monkeypatch.setattr(ladder, "_probe", lambda *_: ladder.NOTHING)
    assert ladder.find_rung(site.runtime).number == 5


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"machine": 1}', b"\xff" * 10])
def test_a_spoilt_record_is_ignored(site: Site, text: bytes) -> None:
    (site.runtime / "sandbox-probe.json").write_bytes(text)
    assert ladder.find_rung(site.runtime).number < 5


def test_a_lower_rung_is_looked_at_again_after_an_hour(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "_probe", lambda *_: ladder.NOTHING)
    assert ladder.find_rung(site.runtime).number == 5
    monkeypatch.setattr(ladder, "_probe", lambda *_: msgspec.structs.replace(ladder.NOTHING, number=1))
    assert ladder.find_rung(site.runtime).number == 5
    later = time.time() + 4000
    monkeypatch.setattr(time, "time", lambda: later)
    assert ladder.find_rung(site.runtime).number == 1


async def test_a_machine_that_got_worse_is_probed_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    worse = msgspec.structs.replace(ladder.NOTHING, number=2, layers=frozenset(Layer), bwrap="/nowhere/bwrap")
    ladder._write(site.runtime, {"1": msgspec.structs.replace(worse, found_at=time.time())})
    sandbox = site.sandbox()
    assert sandbox.facts(WRITE).rung == 2
    assert (await shell(sandbox, site, "echo on")).stdout == "on\n"
    assert sandbox.facts(WRITE).rung == 1
    await sandbox.aclose()


async def test_a_machine_that_turned_out_weaker_runs_nothing_before_it_was_shown(site: Site) -> None:
    sandbox = site.sandbox(lowest_rung=2)
    claimed = ladder.Rung(number=2, layers=frozenset(Layer), bwrap="/nowhere/bwrap", found_at=time.time())
    ladder._write(site.runtime, {"2": claimed})
    assert sandbox.facts(WRITE).rung == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bubblewrap, "find", lambda: None)
        patch.setattr(ladder, "_machine", lambda: "the same")
        ladder._write(site.runtime, {"2": claimed})
        with pytest.raises(SandboxError, match="weaker"):
            await shell(sandbox, site, "true")
        assert sandbox.facts(WRITE).rung == 3
        assert (await shell(sandbox, site, "echo on")).stdout == "on\n"
    await sandbox.aclose()
