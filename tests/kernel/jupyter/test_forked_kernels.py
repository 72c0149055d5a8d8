"""Kernels of the fork server: each in its owner's surroundings, alive as long as it is needed, private."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_client.fork_server import start_kernel
from codex_protocol.errors import CodexError
from codex_protocol.fork import server_name
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home
from codex_store.running import running_threads
from tests.support.forked import ForkHome, ask, fork_home, next_event, run_cell, wait_for_end


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ForkHome]:
    with fork_home(tmp_path) as home:
        yield home


def test_each_thread_has_the_environment_directory_umask_and_flags_of_its_opener(home: ForkHome, tmp_path: Path):
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    write = {"demo": True, "sandbox_mode": "workspace-write"}
    clients = [
        home.client(home.start(cwd=place, umask=umask, env={"MY_NAME": place.name}, flags=flags))
        for place, umask, flags in zip(places, (0o027, 0o077), (write, {"demo": True}), strict=True)
    ]
    assert len(home.servers()) == 1
    for place, client in zip(places, clients, strict=True):
        _, said = run_cell(client, "!echo name=$MY_NAME dir=$PWD mask=$(umask)")
        assert f"name={place.name} dir={place}" in said
    run_cell(clients[0], "!echo x > made")
    run_cell(clients[1], "!echo x > made")
    assert oct((places[0] / "made").stat().st_mode & 0o777) == "0o640"
    assert not (places[1] / "made").exists()  # its flags say nothing of writing, and the directory is not trusted


def test_a_key_of_one_shell_is_not_seen_in_a_thread_of_another(home: ForkHome):
    one = home.client(home.start(env={"OPENAI_API_KEY": "first", "MARK": "1"}))
    two = home.client(home.start(env={"MARK": "2"}))
    assert "MARK=1" in run_cell(one, "!env")[1]
    said = run_cell(two, "!env")[1]
    assert "MARK=2" in said
    assert "first" not in said


def test_a_kernel_ends_with_its_owner_and_leaves_nothing_behind(home: ForkHome):
    kernel = home.start()
    client = home.client(kernel)
    run_cell(client, "hello")
    assert [running.pid for running in running_threads(Home(root=home.root))] == [kernel.pid]
    kernel.close()
    wait_for_end(kernel.pid)
    left = [path.name for path in (home.root / "workbench/run").rglob("k-*")]
    assert left == []
    assert running_threads(Home(root=home.root)) == []


def test_the_server_ends_when_it_has_been_empty_for_long_enough_and_not_before(home: ForkHome):
    server = home.serve(empty_s=1.0)
    kernel = home.start()
    with pytest.raises(subprocess.TimeoutExpired):
        server.wait(3)  # three times as long, but with a kernel
    kernel.close()
    assert server.wait(20) == 0
    assert not list((home.root / "workbench/run").rglob("*.sock"))
    assert home.client(home.start())  # the next one finds no server and starts another


def test_a_staying_kernel_outlives_its_owner_and_is_found_again(home: ForkHome):
    kernel = home.start(stay=True)
    attached = ask(home.client(kernel), type="attach", client="page-1")
    kernel.close()
    (running,) = running_threads(Home(root=home.root))
    assert (running.thread_id, running.stay) == (attached["thread_id"], True)
    assert ask(home.client(kernel), type="attach", client="page-2")["boot"] == attached["boot"]
    os.kill(kernel.pid, signal.SIGTERM)
    wait_for_end(kernel.pid)


def test_an_owner_that_is_killed_takes_its_kernel_along(home: ForkHome):
    script = (
        "import sys; from codex_client.fork_server import start_kernel; k = start_kernel();"
        "print(k.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=home.env
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
        wait_for_end(pid)


def test_after_kill_9_in_a_turn_the_next_client_resumes_the_thread(home: ForkHome):
    kernel = home.start(stay=True)
    client = home.client(kernel)
    attached = ask(client, type="attach", client="page-1")
    op = {"type": "user_input", "items": [{"type": "text", "text": "run `sleep 60`"}]}
    ask(client, type="submit", op=op)
    next_event(client, "exec_command_begin")
    os.kill(kernel.pid, signal.SIGKILL)
    wait_for_end(kernel.pid)
    assert kernel.ended()
    assert running_threads(Home(root=home.root)) == []
    assert [path.name for path in (home.root / "workbench/run").rglob("k-*")] == []
    second = home.client(home.start(resume=attached["thread_id"]))
    again = ask(second, type="attach", client="page-1", since={"boot": attached["boot"], "n": 5})
    assert again["thread_id"] == attached["thread_id"]
    assert again["boot"] != attached["boot"]
    kinds = [item["type"] for item in again["snapshot"]["items"]]
    assert any("call" in kind for kind in kinds)
    reply, said = run_cell(second, "hello")
    assert (reply["status"], "demo model" in said) == ("ok", True)


def test_two_kernels_cannot_write_one_thread(home: ForkHome):
    first = home.client(home.start())
    thread_id = ask(first, type="attach", client="page-1")["thread_id"]
    run_cell(first, "hello")
    refused = ask(home.client(home.start(resume=thread_id)), type="attach", client="page-2")
    assert refused["type"] == "refused"
    assert "\n" not in refused["message"]


def test_a_directory_that_is_gone_is_said_in_a_sentence(home: ForkHome, tmp_path: Path):
    with pytest.raises(CodexError, match="cannot be used"):
        home.start(cwd=tmp_path / "nowhere")


def test_a_broken_setting_is_said_in_the_cell_and_mended_without_a_restart(home: ForkHome):
    (home.root / "config.toml").write_text("model = [1]\n")
    client = home.client(home.start())
    reply, said = run_cell(client, "hello")
    assert reply["status"] == "error"
    assert "config.toml" in said
    (home.root / "config.toml").write_text("")
    assert run_cell(client, "hello")[0]["status"] == "ok"


def test_commands_cannot_read_the_connection_file_or_reach_the_sockets(home: ForkHome):
    kernel = home.start()
    client = home.client(kernel)
    _, said = run_cell(client, f"!cat {kernel.connection_file}; ls {kernel.connection_file.parent}")
    assert kernel.connection["key"] not in said
    assert f"{Path(kernel.connection['ip']).name}-1" not in said
    connect = "import socket; socket.socket(socket.AF_UNIX).connect"
    _, said = run_cell(
        client, f'!/usr/bin/python3 -c \'{connect}("{kernel.connection["ip"]}-2"); print("reached", 1+1)\''
    )
    assert "reached 2" not in said
    assert "PermissionError" in said or "FileNotFoundError" in said


@pytest.mark.needs_root
def test_another_user_can_neither_connect_nor_read_the_key(home: ForkHome, tmp_path: Path):
    folder = home.root
    while folder != Path("/tmp") and folder != Path("/"):
        folder.chmod(0o755)
        folder = folder.parent
    kernel = home.start()
    home.client(kernel)
    places = [f"{kernel.connection['ip']}-{port}" for port in range(1, 6)]
    places.append(str(Home(root=home.root).socket_path(f"{server_name(str(home.root))}.sock")))
    assert all(Path(place).is_socket() for place in places)
    script = (
        "import socket, sys\n"
        "for place in sys.argv[2:]:\n"
        "    try: socket.socket(socket.AF_UNIX).connect(place)\n"
        "    except PermissionError: print('refused')\n"
        "try: open(sys.argv[1])\n"
        "except PermissionError: print('refused')\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", script, str(kernel.connection_file), *places],
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        cwd="/",
        env={},
    )
    assert done.stdout.split() == ["refused"] * 7, done.stderr


def test_the_server_needs_no_second_start_when_many_ask_at_once(home: ForkHome):
    script = "from codex_client.fork_server import start_kernel; k = start_kernel(); print(k.pid); k.close()"
    command = [sys.executable, "-P", "-c", script]
    starters = [subprocess.Popen(command, env=home.env, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    pids = [int(starter.communicate()[0]) for starter in starters]
    assert len(set(pids)) == 4
    assert len(home.servers()) == 1
    for pid in pids:
        wait_for_end(pid)


def test_a_stale_socket_of_a_killed_server_is_no_obstacle(home: ForkHome):
    wait_for_kernel = home.start()
    for pid in home.servers():
        os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)
    assert not wait_for_kernel.ended()
    assert run_cell(home.client(home.start()), "hello")[0]["status"] == "ok"


def test_an_interpreter_that_does_not_exist_is_said_in_a_sentence(home: ForkHome):
    with pytest.raises(CodexError, match="could not be started"):
        start_kernel(KernelOptions(), env=home.env, cwd=home.work, executable="/no/such/python")
