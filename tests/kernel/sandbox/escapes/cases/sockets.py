"""Reaching programs outside by sockets of every family."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from tests.kernel.sandbox.escapes.case import Case, Room


def inet(family: int, kind: int, host: str, protocol: int = 0) -> Callable[[Room], None]:
    """A listener of ours on an address of this machine."""
    return lambda room: room.listen(family, kind, (host, 0), protocol=protocol) and None


def local(kind: int) -> Callable[[Room], None]:
    """A listener of ours with a name in the file system, once outside and once in the workspace."""

    def make(room: Room) -> None:
        room.listen(socket.AF_UNIX, kind, _short(room, "s"))
        room.listen(socket.AF_UNIX, kind, _short(room, "w", inside=True), "inside")

    return make


def _short(room: Room, name: str, *, inside: bool = False) -> str:
    """Socket names are short: bind below a short link to the directory."""
    directory = room.work if inside else room.outside
    return f"/proc/self/fd/{os.open(directory, os.O_PATH)}/{name}"


def either(room: Room) -> bool:
    return room.reached() | room.reached("inside")


def abstract(kind: int) -> Callable[[Room], None]:
    return lambda room: room.listen(socket.AF_UNIX, kind, "\0" + room.work.name) and None


def no_protocol(family: int, kind: int, protocol: int = 0) -> Callable[[], str | None]:
    """Whether this kernel has such sockets at all."""

    def why() -> str | None:
        try:
            socket.socket(family, kind, protocol).close()
        except PermissionError:
            return None
        except OSError as error:
            return f"this kernel has no such socket: {error.strerror}"
        return None

    return why


def _own_address() -> str:
    """An address of this machine that is not loopback; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _no_own_address() -> str | None:
    return None if _own_address() else "this machine has no address but loopback"


def _sniff(room: Room) -> None:
    """Traffic on the machine's loopback that nobody else may see."""
    room.listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
    import subprocess

    script = (
        f"import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"while True: s.sendto(b'sesame-4711', ('127.0.0.1', {room.env['PORT']})); time.sleep(0.01)"
    )
    room.victim("/usr/bin/python3", "-I", "-S", "-c", script, stdin=subprocess.DEVNULL)


def _netlink_group(room: Room) -> None:
    """A listener for messages of user processes; anybody in this network namespace may send one."""
    ours = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    ours.bind((0, 0))
    ours.setblocking(False)
    room._sockets["it"] = ours  # pyright: ignore[reportPrivateUsage]
    room.env["PORT"] = str(ours.getsockname()[0])


_CONNECT = """
        # python
        socket.create_connection(({host!r}, PORT), 1)
        """
_UNIX = """
        # python
        for path in (OUTSIDE + "/s", WORK + "/w"):
            try_each(lambda: {0})
        """
_CONNECT_AT = "(os.chdir(os.path.dirname(path)), socket.socket(1, {kind}).connect(os.path.basename(path)))"


CASES = (
    Case(
        "tcp",
        "NLS",
        _CONNECT.format(host="127.0.0.1"),
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    ),
    Case(
        "tcp-version-6",
        "NLS",
        _CONNECT.format(host="::1"),
        Room.reached,
        before=inet(socket.AF_INET6, socket.SOCK_STREAM, "::1"),
        not_here=no_protocol(socket.AF_INET6, socket.SOCK_STREAM),
    ),
    Case(
        "tcp-to-the-machines-own-address",
        "NLS",
        """
        # python
        socket.create_connection((os.environ['HOST'], PORT), 1)
        """,
        Room.reached,
        before=lambda room: _on_own_address(room),
        not_here=_no_own_address,
    ),
    Case(
        "tcp-by-the-shell",
        "NLS",
        "exec 9<>/dev/tcp/127.0.0.1/$PORT",
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    ),
    Case(
        "tcp-with-data-in-the-first-packet",
        "NS",
        """
        # python
        socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', PORT))
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    ),
    Case(
        "multipath-tcp",
        "NS",
        """
        # python
        socket.socket(2, 1, 262).connect(('127.0.0.1', PORT))
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
        not_here=no_protocol(socket.AF_INET, socket.SOCK_STREAM, 262),
    ),
    Case(
        "udp",
        "NS",
        """
        # python
        socket.socket(2, 2).sendto(b'x', ('127.0.0.1', PORT))
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    ),
    Case(
        "udp-version-6",
        "NS",
        """
        # python
        socket.socket(10, 2).sendto(b'x', ('::1', PORT))
        """,
        Room.reached,
        before=inet(socket.AF_INET6, socket.SOCK_DGRAM, "::1"),
        not_here=no_protocol(socket.AF_INET6, socket.SOCK_DGRAM),
    ),
    Case(
        "udp-connected",
        "NS",
        """
        # python
        s = socket.socket(2, 2); s.connect(('127.0.0.1', PORT)); s.send(b'x')
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    ),
    Case(
        "udp-lite",
        "NS",
        """
        # python
        socket.socket(2, 2, 136).sendto(b'x', ('127.0.0.1', PORT))
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", 136),
        not_here=no_protocol(socket.AF_INET, socket.SOCK_DGRAM, 136),
    ),
    Case(
        "raw-internet-packets",
        "B",
        """
        # python
        socket.socket(2, 3, 253).sendto(b'x', ('127.0.0.1', 0))
        """,
        Room.reached,
        before=inet(socket.AF_INET, socket.SOCK_RAW, "127.0.0.1", 253),
        root=True,
    ),
    Case(
        "listen-to-the-machines-traffic",
        "B",
        """
        # python
        s = socket.socket(17, 3, socket.htons(3)); s.settimeout(1)
        end = time.monotonic() + 1
        while b"sesame" not in (data := s.recv(2000)) and time.monotonic() < end: pass
        print(data)
        """,
        Room.told,
        before=_sniff,
        root=True,
    ),
    Case(
        "serve-on-the-machines-port",
        "NLS",
        """
        # python
        s = socket.create_server(('127.0.0.1', PORT)); s.settimeout(1); s.accept(); print(MARK)
        """,
        Room.marked,
        before=lambda room: _visitor(room),
    ),
    Case("local-stream", "S", _UNIX.format(_CONNECT_AT.format(kind=1)), either, before=local(socket.SOCK_STREAM)),
    Case("local-packets", "S", _UNIX.format(_CONNECT_AT.format(kind=5)), either, before=local(socket.SOCK_SEQPACKET)),
    Case(
        "local-datagrams-by-sendto",
        "S",
        _UNIX.format("(os.chdir(os.path.dirname(path)), socket.socket(1, 2).sendto(b'x', os.path.basename(path)))"),
        either,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "local-datagrams-by-sendmsg",
        "S",
        _UNIX.format(
            "(os.chdir(os.path.dirname(path)), socket.socket(1, 2).sendmsg([b'x'], [], 0, os.path.basename(path)))"
        ),
        either,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "local-datagrams-by-a-raw-socket",
        "S",
        _UNIX.format("(os.chdir(os.path.dirname(path)), socket.socket(1, 3).sendto(b'x', os.path.basename(path)))"),
        either,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "local-datagrams-by-a-pair",
        "S",
        _UNIX.format(
            "(os.chdir(os.path.dirname(path)), socket.socketpair(1, 2)[0].sendto(b'x', os.path.basename(path)))"
        ),
        either,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "local-datagrams-many-at-once",
        "S",
        """
        # python
        os.chdir(OUTSIDE)
        s = socket.socket(1, 2)
        name, name_at = memory(struct.pack("H", 1) + b"s\\0")
        data, data_at = memory(b"x")
        vector, vector_at = memory(struct.pack("PN", data_at, 1))
        message, at = memory(struct.pack("PI4xPNPNi4xI4x", name_at, 4, vector_at, 1, 0, 0, 0, 0))
        call(307, s.fileno(), at, 1, 0)
        """,
        Room.reached,
        before=local(socket.SOCK_DGRAM),
    ),
    Case(
        "local-stream-by-a-symlink",
        "S",
        """
        # python
        os.symlink(OUTSIDE, 'l'); socket.socket(1, 1).connect('l/s')
        """,
        Room.reached,
        before=local(socket.SOCK_STREAM),
    ),
    Case(
        "local-stream-by-a-hard-link",
        "S",
        """
        # python
        os.chdir(WORK); os.link('w', 'h'); socket.socket(1, 1).connect('h')
        """,
        either,
        before=local(socket.SOCK_STREAM),
    ),
    Case(
        "local-stream-by-a-descriptor",
        "S",
        """
        # python
        fd = os.open(OUTSIDE + '/s', os.O_PATH); socket.socket(1, 1).connect(f'/proc/self/fd/{fd}')
        """,
        Room.reached,
        before=local(socket.SOCK_STREAM),
    ),
    Case(
        "local-stream-by-a-name-of-ones-own",
        "S",
        """
        # python
        os.chdir(WORK)
        mine = socket.socket(1, 1); mine.bind("mine"); mine.listen()
        socket.socket(1, 1).connect("mine")
        os.rename("w", "mine")
        socket.socket(1, 1).connect("mine")
        """,
        either,
        before=local(socket.SOCK_STREAM),
    ),
    Case(
        "local-stream-in-a-race",
        "S",
        """
        # python
        import threading
        os.chdir(WORK)
        mine = socket.socket(1, 1); mine.bind("mine"); mine.listen(1000)
        end = time.monotonic() + 0.3
        def flip():
            while time.monotonic() < end:
                try_each(lambda: call(316, AT_FDCWD, b"mine", AT_FDCWD, b"w", 2))
        thread = threading.Thread(target=flip); thread.start()
        sys.stdout = open("/dev/null", "w")
        def once():
            s = socket.socket(1, 1); s.settimeout(0.05); s.connect("mine"); s.close()
        while time.monotonic() < end:
            try_each(once)
        thread.join()
        """,
        either,
        before=local(socket.SOCK_STREAM),
    ),
    Case(
        "abstract-stream",
        "NLS",
        """
        # python
        socket.socket(1, 1).connect('\\0' + os.path.basename(WORK))
        """,
        Room.reached,
        before=abstract(socket.SOCK_STREAM),
    ),
    Case(
        "abstract-datagrams",
        "NLS",
        """
        # python
        socket.socket(1, 2).sendto(b'x', '\\0' + os.path.basename(WORK))
        """,
        Room.reached,
        before=abstract(socket.SOCK_DGRAM),
    ),
    Case(
        "abstract-stream-with-network",
        "LS",
        """
        # python
        socket.socket(1, 1).connect('\\0' + os.path.basename(WORK))
        """,
        Room.reached,
        before=abstract(socket.SOCK_STREAM),
        network=True,
    ),
    Case(
        "local-stream-with-network",
        "S",
        _UNIX.format(_CONNECT_AT.format(kind=1)),
        either,
        before=local(socket.SOCK_STREAM),
        network=True,
    ),
    Case(
        "local-datagrams-with-network",
        "S",
        _UNIX.format("(os.chdir(os.path.dirname(path)), socket.socket(1, 2).sendto(b'x', os.path.basename(path)))"),
        either,
        before=local(socket.SOCK_DGRAM),
        network=True,
    ),
    Case(
        "netlink-message",
        "NS",
        """
        # python
        socket.socket(16, 3, 2).sendto(b'\\x14\\0\\0\\0\\x10\\0\\0\\0' + bytes(12), (PORT, 0))
        """,
        Room.reached,
        before=_netlink_group,
    ),
    Case(
        "netlink-of-the-kernels-events",
        "S",
        """
        # python
        socket.socket(16, 3, 15).bind((0, 1)); print(MARK)
        """,
        Room.marked,
    ),
    Case(
        "kernel-crypto-socket",
        "S",
        """
        # python
        socket.socket(38, 5); print(MARK)
        """,
        Room.marked,
        not_here=no_protocol(38, 5),
    ),
    Case(
        "packet-socket-exists",
        "B",
        """
        # python
        socket.socket(17, 3, 0); print(MARK)
        """,
        Room.marked,
        root=True,
    ),
)


def _on_own_address(room: Room) -> None:
    room.env["HOST"] = _own_address()
    room.listen(socket.AF_INET, socket.SOCK_STREAM, (_own_address(), 0))


def _visitor(room: Room) -> None:
    """A program outside that connects to a port again and again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    room.env["PORT"] = str(port)
    script = (
        "import socket, time\n"
        "while True:\n"
        f"    try: socket.create_connection(('127.0.0.1', {port}), 1).close()\n"
        "    except OSError: time.sleep(0.01)"
    )
    room.victim("/usr/bin/python3", "-I", "-S", "-c", script)
