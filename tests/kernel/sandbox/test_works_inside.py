"""What must go on working inside: servers, processes, compilers, test runners. Also run as an ordinary user."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_protocol.policy import WorkspaceWrite
from tests.support.sandboxes import READ, WRITE, run, shell


def new_repository(path: Path) -> None:
    subprocess.run(["git", "init", "-q", path], check=True)


NETWORK = WorkspaceWrite(network_access=True)

MULTIPROCESSING = """
import multiprocessing, sys
def square(x): return x * x
def main():
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool: assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    with context.Manager() as manager:
        shared = manager.dict(); shared["a"] = 1; assert dict(shared) == {"a": 1}
    queue = context.Queue(); queue.put(1); assert queue.get() == 1
    print("ok")
if __name__ == "__main__": main()
"""

UNIX = """
import asyncio, os
async def main():
    async def echo(r, w): w.write(await r.readline()); await w.drain(); w.close()
    for path in ("s", os.path.abspath("t"), "/tmp/cdx%d" % os.getpid(), "\\0cdx-own"):
        server = await asyncio.start_unix_server(echo, path)
        async def one():
            r, w = await asyncio.open_unix_connection(path)
            w.write(b"x\\n"); assert await r.read() == b"x\\n"; w.close()
        await asyncio.gather(*(one() for _ in range(16)))
        server.close()
        if path[0] != "\\0": os.unlink(path)
    child = await asyncio.create_subprocess_exec("echo", "sub", stdout=-1)
    assert (await child.communicate())[0] == b"sub\\n"
asyncio.run(main()); print("ok")
"""

LOOPBACK = """
import http.server, socket, threading, urllib.request
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
assert urllib.request.urlopen("http://localhost:%d/" % server.server_address[1]).status == 200
a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
a.bind(("127.0.0.1", 0)); b.sendto(b"x", a.getsockname()); assert a.recv(9) == b"x"
if socket.has_ipv6:
    six = socket.create_server(("::1", 0), family=socket.AF_INET6); socket.create_connection(six.getsockname()[:2])
assert socket.if_nameindex()
print("ok")
"""


@pytest.mark.parametrize("policy", [WRITE, NETWORK], ids=["offline", "network"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_multiprocessing(sandbox, site, method, policy) -> None:
    (site.workspace / "mp.py").write_text(MULTIPROCESSING)
    result = await run(sandbox, site.command("python3", "mp.py", method, policy=policy))
    assert (result.stdout, result.stderr) == ("ok\n", "")


@pytest.mark.parametrize("policy", [WRITE, NETWORK], ids=["offline", "network"])
async def test_unix_sockets_and_asyncio(sandbox, site, policy) -> None:
    result = await run(sandbox, site.command("python3", "-c", UNIX, policy=policy))
    assert (result.stdout, result.stderr) == ("ok\n", "")


@pytest.mark.parametrize("policy", [READ, WRITE], ids=["read-only", "workspace-write"])
async def test_loopback_servers(sandbox, site, policy) -> None:
    result = await run(sandbox, site.command("python3", "-c", LOOPBACK, policy=policy))
    assert result.stdout == "ok\n", result.stderr


async def test_a_server_of_one_command_is_reached_by_the_next(sandbox, site) -> None:
    script = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.bind('srv'); s.listen();"
        "print('up', flush=True); s.accept()"
    )
    server = await sandbox.start(site.command("python3", "-c", script))
    assert (await anext(server.output())).data == b"up\n"
    client = "import socket; socket.socket(socket.AF_UNIX).connect('srv'); print('in')"
    assert (await run(sandbox, site.command("python3", "-c", client))).stdout == "in\n"
    await server.aclose()


async def test_devices_and_standard_streams(sandbox, site) -> None:
    script = (
        "echo a >/dev/stdout; echo b >/dev/fd/1; echo c >/dev/null; echo x >/dev/shm/f && rm /dev/shm/f;"
        "head -c 3 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c"
    )
    result = await shell(sandbox, site, script)
    assert (result.stdout, result.stderr) == ("a\nb\n3\n2\n", "")


async def test_pipes_links_and_locks(sandbox, site) -> None:
    script = (
        "mkfifo p && (echo x > p &) && cat p && ln -s a b && touch a && ln a c && mkdir d && mv a d/ "
        "&& flock c true && echo ok"
    )
    assert (await shell(sandbox, site, script)).stdout == "x\nok\n"


async def test_compiling_and_running(sandbox, site) -> None:
    script = "printf '#include <stdio.h>\\nint main(){puts(\"hi\");}' > a.c && gcc -O1 a.c -o a && ./a"
    assert (await shell(sandbox, site, script)).stdout == "hi\n"


async def test_node_serves_and_spawns(sandbox, site) -> None:
    program = (
        "const net = require('net'), cp = require('child_process');"
        "const s = net.createServer(c => c.end('x')).listen('n.sock', () => net.connect('n.sock').on('data', d => {"
        "console.log(d + cp.execSync('echo y') + cp.spawnSync('sh', ['-c', 'echo z']).stdout); s.close() }))"
    )
    result = await run(sandbox, site.command("node", "-e", program))
    assert result.stdout == "xy\nz\n\n", result.stderr


async def test_npm_scripts_run(sandbox, site) -> None:
    (site.workspace / "package.json").write_text(
        '{"name":"x","version":"1.0.0","scripts":{"test":"node -e \\"console.log(7)\\""}}'
    )
    result = await shell(
        sandbox, site, "npm test --silent && npm install --offline --no-audit >/dev/null && echo installed"
    )
    assert result.stdout == "7\ninstalled\n", result.stderr


async def test_git_works_in_repositories_the_command_makes(sandbox, site) -> None:
    script = (
        "git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x "
        "&& git log --oneline | wc -l"
    )
    assert (await shell(sandbox, site, script)).stdout.strip() == "1"


async def test_reading_the_repository_works_while_it_is_protected(sandbox, site) -> None:
    new_repository(site.workspace)
    (site.workspace / "f").write_text("x")
    assert (await shell(sandbox, site, "git status --short")).stdout == "?? f\n"


async def test_signals_between_commands_of_a_tree(sandbox, site) -> None:
    script = "sleep 60 & p=$!; kill $p; wait $p; echo $?; timeout 0.1 sleep 9; echo $?; ulimit -c"
    assert (await shell(sandbox, site, script)).stdout == "143\n124\n0\n"
