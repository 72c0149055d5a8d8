"""What a composer asks and sends: messages with files, what may be offered, forks before a message, settings."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from codex_app import asked
from codex_app.branches import branch_view
from codex_app.comparing import Comparing
from codex_app.desk import Desk
from codex_app.entries import TextEntry
from codex_app.pictures import content_of
from codex_app.rooms import Room
from codex_app.uploads import Uploads
from codex_protocol import ops
from codex_protocol.errors import UsageError
from codex_protocol.policy import SandboxPolicy
from codex_render.safe_text import one_line, visible
from codex_store.message_history import newest
from codex_store.thread_tree import tree_of

Json = dict[str, Any]
Writing = (
    asked.Send
    | asked.Files
    | asked.Suggest
    | asked.Expand
    | asked.Past
    | asked.Fork
    | asked.Tree
    | asked.Compare
    | asked.ComparedFile
    | asked.Whole
    | asked.Prompts
    | asked.Source
    | asked.Leash
    | asked.LogOut
    | asked.Running
    | asked.EndRunning
    | asked.Change
    | asked.ReviewChange
)
_HITS = 8
_PAST = 500


class Scribe:
    """Does it, for one tab."""

    def __init__(self, desk: Desk, uploads: Uploads) -> None:
        """Work at this desk, with these files."""
        self._desk = desk
        self._uploads = uploads
        self._comparing = Comparing(desk)

    async def do(self, request: Writing, room: Room) -> Any:
        """The answer to a request of a tab that shows `room`.

        Raises:
            CodexError: It cannot be done; one sentence.
        """
        match request:
            case asked.Send():
                return await self._send(request, room)
            case asked.Files(query=query):
                found = await room.query("files", query=query, limit=_HITS)
                return [_hit(hit["path"], hit["indices"] or []) for hit in found]
            case asked.Suggest():
                return _offers(await room.query("suggestions"))
            case asked.Expand(name=name, argument=argument):
                return await room.query("prompt", name=name, argument=argument)
            case asked.Past():
                return await asyncio.to_thread(newest, self._desk.home, _PAST)
            case asked.Fork(thread=thread, before=before, after=after):
                source = await self._desk.room(thread) if thread else room
                if after is None:
                    return await self._fork(source, before)
                return {"thread": self._desk.fork(source, _end_behind(source, after)), "text": "", "files": []}
            case asked.Tree():
                return branch_view(await asyncio.to_thread(tree_of, self._desk.home, room.thread_id))
            case asked.Compare(nodes=nodes, alone=alone):
                return await self._comparing.compare([(node.thread, node.number) for node in nodes], alone=alone)
            case asked.ComparedFile(side=side, file=file):
                return await asyncio.to_thread(self._comparing.body, side, file)
            case asked.Whole(id=id):
                entry = room.hub.drawing.entries.get(id)
                return "" if entry is None else entry.whole_html()
            case asked.Prompts():
                fields = (entry.fields for entry in room.hub.drawing.entries.values() if entry.fields["kind"] == "user")
                known = [prompt for prompt in fields if prompt["number"] is not None]
                return [{name: prompt[name] for name in ("number", "text", "images")} for prompt in known]
            case asked.Source(id=id):
                entry = room.hub.drawing.entries.get(id)
                return visible(entry.text) if isinstance(entry, TextEntry) else ""
            case asked.Leash():
                return _leash(await room.query("leash"))
            case asked.LogOut():
                return await room.query("log_out")
            case asked.Running():
                return _running(await room.query("running"), room)
            case asked.EndRunning():
                return await room.query("end_running")
            case asked.Change():
                return await room.submit(await settings_op(request, room))
            case asked.ReviewChange(prompt=prompt):
                review = ops.Review(prompt=prompt) if prompt else ops.Review(uncommitted=True)
                return await room.submit(review)

    async def _send(self, request: asked.Send, room: Room) -> None:
        items: list[ops.UserInputItem] = [ops.TextInput(request.text)] if request.text.strip() else []
        for file in request.files:
            items.append(self._uploads.as_input(file.id) if file.id else ops.LocalImageInput(file.path))
        if not items:
            raise UsageError("there is nothing to send")
        await room.submit(ops.UserInput(items=tuple(items), client_id=request.id))
        if request.text.strip():
            await room.submit(ops.AddToHistory(text=request.text))

    async def _fork(self, room: Room, before: int | None) -> Json:
        """A new thread with this one's past, up to before one of the user's messages; and that message, to edit."""
        entry = None if before is None else room.hub.drawing.prompt_entry(before)
        if before is not None and entry is None:
            raise UsageError("that message is not in the thread any more")
        files: list[Json] = []
        for picture in [] if entry is None else entry.fields["images"]:
            source = room.hub.drawing.pictures.source(picture["id"])
            kept = None if source is None else await asyncio.to_thread(self._kept, source, picture["name"])
            files += [kept] if kept is not None else []
        text = "" if entry is None else entry.fields["text"]
        return {"thread": self._desk.fork(room, before), "text": text, "files": files}

    def _kept(self, source: str, name: str) -> Json | None:
        """An image of a thread as a file that can be sent again."""
        upload = self._uploads.of_path(source)
        if upload is None:
            data = content_of(source)
            if data is None:
                return None
            try:
                upload = self._uploads.add(data, name)
            except UsageError:
                return None
        return msgspec.to_builtins(upload)


async def settings_op(request: asked.Change, room: Room) -> ops.Op:
    """Settings for later turns; a sandbox policy keeps the writable roots that the user's settings give to it."""
    policy: SandboxPolicy | None = None
    if request.sandbox is not None:
        presets = await room.query("presets")
        found = next(preset for preset in presets if preset["sandbox_mode"] == request.sandbox.value)
        policy = msgspec.convert(found["sandbox_policy"], SandboxPolicy)
    return ops.OverrideTurnContext(
        model=request.model,
        effort=request.effort,
        summary=request.summary,
        approval_policy=request.approval,
        sandbox_policy=policy,
    )


def _end_behind(room: Room, number: int) -> int | None:
    """How many of the user's messages a copy has that ends with the answer to that one; None for all."""
    numbers = {entry.fields.get("number") for entry in room.hub.drawing.entries.values()}
    if number not in numbers:
        raise UsageError("that message is not in the thread any more")
    return number + 1 if number + 1 in numbers else None


def _offers(told: Json) -> Json:
    """Prompts and skills; one whose name would not look like what it is, is not offered."""
    return {
        kind: [
            {name: one_line(text) for name, text in offer.items()}
            for offer in told[kind]
            if one_line(offer["name"]) == offer["name"]
        ]
        for kind in ("prompts", "skills")
    }


def _hit(path: str, at: list[int]) -> Json:
    """A path to insert and to show, and which of its letters matched."""
    shown = one_line(path)
    return {"path": path, "shown": shown, "at": at if len(shown) == len(path) else []}


def _leash(told: Json) -> Json:
    return {
        "instructions": [one_line(path) for path in told["instructions"]],
        "rules": [f"{one_line(rules['file'])} ({rules['count']})" for rules in told["rules"]],
        "account": None if told["account"] is None else one_line(told["account"]),
        "servers": [
            {
                "name": one_line(server["name"]),
                "where": one_line(server["where"]),
                "enabled": server["enabled"],
                "tools": [one_line(tool) for tool in server["tools"]],
            }
            for server in told["servers"]
        ],
    }


def _running(told: list[Json], room: Room) -> list[Json]:
    found: list[Json] = []
    for command in told:
        entry = room.hub.drawing.entries.get(command["call_id"])
        script = entry.fields.get("script", "") if entry is not None else ""
        found.append({"id": command["id"], "script": visible(script), "seconds": round(command["seconds"])})
    return found
