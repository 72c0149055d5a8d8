"""Every process below this one: found, counted and ended, with or without a pid namespace."""

from __future__ import annotations

import os
import select
import time

_SIGHUP, _SIGKILL, _SIGSTOP = 1, 9, 19
_GIVE_UP_S = 5.0
_MOST_AT_ONCE = 1000
_LOOK_AGAIN_MS = 2


def descendants(*, whole_namespace: bool) -> list[int]:
    """The tree's processes without this one.

    Args:
        whole_namespace: Everything /proc lists is the tree (we are its init); else parents are followed.
    """
    me = os.getpid()
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if whole_namespace:
        return [pid for pid in pids if pid != me]
    children: dict[int, list[int]] = {}
    for pid in pids:
        parent = _parent(pid)
        if parent is not None:
            children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [me]
    while queue:
        for child in children.get(queue.pop(), ()):
            found.append(child)
            queue.append(child)
    return found


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def reap(main: int | None) -> int | None:
    """Collect what has ended, up to `main`; its wait status when it was among them."""
    while True:
        try:
            pid, found = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == main:
            return found


def end_all(*, whole_namespace: bool) -> None:
    """Kill every descendant and collect it; gives up after some seconds on what may not be killed.

    Without a namespace everything is stopped first, so that nothing forks away from the list; by process groups, which
    holds also what lives shorter than a look takes. A look at the list alone can miss an orphan on its way to us;
    having no child left cannot, as every orphan becomes our child.
    """
    deadline = time.monotonic() + _GIVE_UP_S
    if whole_namespace:
        _signal(-1, _SIGKILL)
        while _collect_one() and time.monotonic() < deadline:
            pass
        return
    while _has_children() and time.monotonic() < deadline:
        alive = descendants(whole_namespace=False)
        stopped: set[int] = set()
        while fresh := set(alive) - stopped:
            _stop_groups(fresh)
            for pid in fresh:
                _signal(pid, _SIGSTOP)
            stopped |= fresh
            alive = descendants(whole_namespace=False)
        killed = [pid for pid in stopped if _signal(pid, _SIGKILL)]
        if stopped and not killed:
            return  # nothing here is ours to kill
        time.sleep(0.001)


def outliving(patience_s: float, control: int, *, whole_namespace: bool) -> list[str]:
    """Names of descendants that did not want to end with the command, each once.

    They live after `patience_s`, or its terminal hung up on them. Returns at once when there are none, or when anything
    comes on `control`.
    """
    deadline = time.monotonic() + patience_s
    orders = select.poll()
    orders.register(control, select.POLLIN)
    names: list[str] = []
    while _collect_noting(names):
        if time.monotonic() >= deadline:
            left = map(_stat, descendants(whole_namespace=whole_namespace)[:_MOST_AT_ONCE])
            names += [name for name, state in left if state != "Z"]
            break
        if orders.poll(_LOOK_AGAIN_MS):
            break
    return list(dict.fromkeys(names))


def _collect_noting(hung_up: list[str]) -> bool:
    """Collect what has ended, and the names of what a hangup ended; whether anything may be left."""
    for _ in range(_MOST_AT_ONCE):  # what forks as fast as it is collected must not keep us here
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        if found is None:
            return True
        if found.si_code == os.CLD_KILLED and found.si_status == _SIGHUP:
            hung_up.append(_stat(found.si_pid)[0])
        os.waitpid(found.si_pid, 0)
    return True


def _stat(pid: int) -> tuple[str, str]:
    """What a process is called, by its program, and its state; a zombie's when it has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "?", "Z"
    name, _, rest = text.partition("(")[2].rpartition(")")
    return "".join(c if c.isprintable() else "?" for c in name), rest.strip()[:1]


def _stop_groups(pids: set[int]) -> None:
    """Stop the groups of these descendants; their session is the command's own, so nobody else is in them."""
    groups = {_group(pid) for pid in pids}
    for group in groups - {0, os.getpgrp()}:
        _signal(-group, _SIGSTOP)


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _has_children() -> bool:
    """Collect what has ended; whether anything may be left."""
    for _ in range(_MOST_AT_ONCE):
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            break
    return True


def _collect_one() -> bool:
    try:
        os.waitpid(-1, 0)
    except ChildProcessError:
        return False
    return True


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True
