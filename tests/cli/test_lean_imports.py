"""What `codex exec` leaves out of msgspec and asyncio is still there for who needs it."""

import subprocess
import sys
from pathlib import Path

from tests.support.certificates import self_signed

LEAN = """
import sys
before = set(sys.modules)
from codex_cli.lean_imports import load_msgspec_and_asyncio
load_msgspec_and_asyncio()
"""


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-P", "-W", "error", "-c", LEAN + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_imported_later_meets_a_stand_in():
    names = ("ssl", "inspect", "platform", "textwrap", "ipaddress", "tokenize", "msgspec.inspect", "asyncio.sslproto")
    code = f"""
loaded = sys.modules.keys() - before
print("loaded:", *sorted(loaded & set({names!r})))
import importlib
for name in {names!r}:
    print(importlib.import_module(name).__spec__.name)
"""
    assert run(code).split() == ["loaded:", *names]


def test_asyncio_still_does_what_it_has_the_left_out_modules_for():
    code = """
import asyncio, functools, ipaddress, signal, urllib.parse
async def nothing(): pass
class Method:
    async def go(self): pass
async def main():
    loop = asyncio.get_running_loop()
    for handler in (nothing, Method().go, functools.partial(nothing)):
        try:
            loop.add_signal_handler(signal.SIGUSR1, handler)
        except TypeError:
            print("refused")
    loop.add_signal_handler(signal.SIGUSR1, print)
    loop.remove_signal_handler(signal.SIGUSR1)
    child = await asyncio.create_subprocess_exec("true")
    print(await child.wait(), repr(asyncio.current_task())[:6])
    loop.call_soon(nothing)
    print(asyncio.iscoroutinefunction(nothing), urllib.parse.urlsplit("http://[::1]:1/").hostname)
    await asyncio.wait_for(asyncio.ensure_future(Awaited()), 5)
class Awaited:
    def __await__(self):
        return asyncio.sleep(0).__await__()
import warnings
warnings.simplefilter("ignore")
asyncio.run(main())
"""
    assert run(code).split() == ["refused", "refused", "refused", "0", "<Task", "True", "::1"]


def test_asyncio_still_speaks_tls(tmp_path: Path):
    key, certificate = self_signed(tmp_path)
    code = """
import asyncio, ssl
key, certificate = sys.argv[1:]
print(asyncio.sslproto.SSLProtocol.__module__)
async def answer(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()
async def main():
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=theirs)
    port = server.sockets[0].getsockname()[1]
    ours = ssl.create_default_context(cafile=certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=ours, server_hostname="localhost")
    writer.write(b"said and heard\\n")
    print((await reader.readline()).decode())
    writer.close()
    try:
        await asyncio.open_connection("127.0.0.1", port, ssl=True)
    except ssl.SSLCertVerificationError as error:
        print("refused", asyncio.sslproto.SSLProtocol.__name__)
    server.close()
asyncio.run(main())
"""
    assert run(code, str(key), str(certificate)).splitlines() == [
        "asyncio.sslproto",
        "said and heard",
        "",
        "refused SSLProtocol",
    ]
