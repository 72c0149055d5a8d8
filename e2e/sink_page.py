"""A server of the page whose threads say nothing but the texts of `sinks.py`; prints its link, ends with its stdin.

python -P -m e2e.sink_page HOME
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from codex_app.desk import Desk
from codex_app.place import Place
from codex_app.rooms import Room
from codex_app.server import serving
from codex_app.tiles import Filter, tile_of
from codex_protocol import events as ev
from codex_protocol.errors import ThreadError
from codex_protocol.events import NumberedEvent
from codex_protocol.rules import ListedRule
from codex_store.home import Home
from codex_store.running import RunningThread
from codex_store.thread_info import ThreadInfo
from e2e.sinks import CORPUS, SINKS


class BadRoom(Room):
    """A thread that says one bad text wherever it can."""

    def __init__(self, number: int, bad: str) -> None:
        super().__init__(_no_kernel)
        self.thread_id = f"bad-{number}"
        self.bad = bad
        messages = [message for make in SINKS.values() for message in make(bad)]
        messages += [ev.TaskComplete(last_agent_message=bad), ev.BackgroundEvent(message=f"all of {number} is said")]
        for n, message in enumerate(messages):
            self.hub.apply(NumberedEvent("b", n, ev.Event("1", message)))

    async def connection(self) -> Any:
        return None

    async def submit(self, op: Any) -> None:
        raise ThreadError(self.bad)

    async def query(self, name: str, **arguments: Any) -> Any:
        bad = self.bad
        match name:
            case "files":
                return [{"path": bad, "score": 1, "indices": [], "is_directory": False}] * 3
            case "diff":
                head = f"diff --git a/{bad} b/{bad}\n--- a/{bad}\n+++ b/{bad}\n@@ -1 +1 @@\n"
                return {"diff": f"{head}-{bad}\n+{bad}x\n".replace("\r", "")}
            case "setup":
                local = [{"provider": "ollama", "name": bad, "models": [bad]}]
                facts = {"needs_login": False, "provider": bad, "waiting": False, "problem": bad, "trust": "unknown"}
                more = {"asks_trust": False, "changed": bad, "directory": bad, "repository": True}
                return {**facts, **more, "local": local}
            case "leash":
                server = {"name": bad, "where": bad, "enabled": True, "tools": [bad]}
                told = {"instructions": [bad], "rules": [{"file": bad, "count": 1}], "account": bad}
                return {**told, "servers": [server], "notices": [bad]}
            case "suggestions":
                return {"prompts": [], "skills": []}
            case _:
                return {"error": bad}

    async def ask(self, op: Any, kind: Any) -> Any:
        rule = ListedRule(pattern=((self.bad,),), decision="allow", justification=self.bad, file=f"/w/{self.bad}")
        if kind is ev.RulesListed:
            return ev.RulesListed(rules=(rule,), user_file=f"/w/{self.bad}")
        return ev.RulesPreviewed(prefixes=(), would_allow=(self.bad,))


async def _no_kernel(room: Room) -> Any:
    raise ThreadError("there is no kernel")


def _tile(room: BadRoom) -> dict[str, Any]:
    bad, path = room.bad, Path(f"/w/{room.bad}".replace("\0", ""))
    info = ThreadInfo(
        id=room.thread_id, path=path, updated_ns=1, name=bad, cwd=bad, branch=bad, tokens=1, preview=bad, source=bad
    )
    running = RunningThread(
        thread_id=room.thread_id, pid=1, connection_file="", name=bad, cwd=bad, state="asking", doing=bad, failed=True
    )
    return tile_of(info, running, True)


async def serve(home: Home) -> None:
    """Until stdin ends."""
    rooms = {room.thread_id: room for room in (BadRoom(n, bad) for n, bad in enumerate(CORPUS))}

    class BadDesk(Desk):
        async def room(self, name: str) -> Room:
            return rooms.get(name) or rooms["bad-0"]

        async def tiles(self, wanted: Filter | None = None) -> list[dict[str, Any]]:
            return [_tile(room) for room in rooms.values()]

    async with serving(home, Place(home)) as page:
        desk = (await page.workbench()).desk
        desk.__class__ = BadDesk
        desk._rooms.update(rooms)  # pyright: ignore[reportPrivateUsage] - as if somebody had opened them
        print(page.link("bad-0"), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(Home(root=Path(sys.argv[1]))))
