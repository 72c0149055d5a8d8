"""What a person does beside the conversation: answer questions of any thread, log in, trust, edit rules, keep the list.

Each is a request of the page; who keeps credentials, trust and rules is the thread's kernel.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from codex_app import asked, asks
from codex_app.desk import Desk
from codex_app.reviews import Review
from codex_app.rooms import Room, need
from codex_app.tiles import Filter
from codex_protocol import ops
from codex_protocol.errors import UsageError
from codex_protocol.events import RulesListed, RulesPreviewed
from codex_protocol.review import HunkChoice
from codex_protocol.rules import ListedRule, RuleAmendment
from codex_render import diff_html
from codex_render.safe_text import one_line, visible

Json = dict[str, Any]
_ANSWERED = "this question has been answered already"
Managing = (
    asked.Answer
    | asked.Review
    | asked.HunkText
    | asked.Unfold
    | asked.New
    | asked.Threads
    | asked.Rename
    | asked.Archive
    | asked.Delete
    | asked.Setup
    | asked.LogIn
    | asked.Trust
    | asked.Rules
    | asked.PreviewRules
)


class Steward:
    """Does it, for every tab."""

    def __init__(self, desk: Desk) -> None:
        """Work at this desk."""
        self._desk = desk

    async def do(self, request: Managing, room: Room | None) -> Any:
        """The answer to a request of a tab that shows `room`.

        Raises:
            CodexError: It cannot be done; one sentence.
        """
        match request:
            case asked.Answer():
                return await self._answer(request, room)
            case asked.Review(file=file):
                review = await self._review(request, room)
                return await asyncio.to_thread(review.view) if file is None else review.body(file)
            case asked.HunkText(file=file, hunk=hunk, text=text):
                review = await self._review(request, room)
                return review.text(file, hunk) if text is None else review.preview(file, hunk, text)
            case asked.Unfold():
                return await self._unfold(request, room)
            case asked.New():
                return self._new(request, room)
            case asked.Threads():
                wanted = Filter(
                    search=request.search,
                    directory=request.directory,
                    source=request.source,
                    archived=request.archived,
                )
                return await self._desk.tiles(wanted)
            case asked.Rename(name=name, thread=thread):
                return await self._desk.rename(thread or need(room).thread_id, name)
            case asked.Archive(thread=thread, back=back):
                return await (self._desk.unarchive(thread) if back else self._desk.archive(thread))
            case asked.Delete(thread=thread):
                return await self._desk.delete(thread)
            case asked.Setup() | asked.LogIn() | asked.Trust():
                return await self._first_run(request, need(room))
            case asked.Rules():
                return await _rules(request, need(room))
            case asked.PreviewRules(prefixes=prefixes):
                told = await need(room).ask(ops.PreviewRules(prefixes=prefixes), RulesPreviewed)
                return [visible(line) for line in told.would_allow]

    async def _asking(
        self, request: asked.Answer | asked.Review | asked.HunkText | asked.Unfold, room: Room | None
    ) -> Room:
        """The thread that asks."""
        return await self._desk.room(request.thread) if request.thread else need(room)

    async def _review(self, request: asked.Review | asked.HunkText | asked.Unfold, room: Room | None) -> Review:
        review = (await self._asking(request, room)).hub.drawing.reviews.get(request.id)
        if review is None:
            raise UsageError(_ANSWERED)
        return review

    async def _unfold(self, request: asked.Unfold, room: Room | None) -> dict[str, Any]:
        """Unchanged lines of the file as HTML, how many, and how many are left in the gap."""
        review = await self._review(request, room)
        path, gap = review.gap(request.file, request.hunk, below=request.below)
        first, last = gap.next_lines(below=request.below, shown=request.shown, other=request.other)
        if first > last:
            return {"html": "", "count": 0, "left": 0}
        asking = await self._asking(request, room)
        told = await asking.query("lines_around", approval_id=request.id, path=path, first=first, last=last)
        rows = gap.rows(first, [str(line) for line in told["lines"]])
        left = gap.left(int(told["total"]), shown=request.shown + len(rows), other=request.other)
        return {"html": diff_html.context_html(rows) if rows else "", "count": len(rows), "left": left}

    async def _answer(self, request: asked.Answer, room: Room | None) -> None:
        room = await self._asking(request, room)
        drawing = room.hub.drawing
        question, review = drawing.asks.get(request.id), drawing.reviews.get(request.id)
        if question is None or (request.parts and review is None):
            raise UsageError(_ANSWERED)
        choices = () if review is None else _choices(review, request.parts)
        op = asks.answer(question, request, choices)
        if request.message and request.decision == "denied":
            # Before the denial, so that the model reads both together.
            said = (ops.TextInput(request.message),)
            await room.submit(ops.UserInput(items=said, client_id=request.message_id or None))
        await room.submit(op)

    def _new(self, request: asked.New, room: Room | None) -> str:
        flags: Json = {}
        overrides: tuple[str, ...] = ()
        if request.demo:
            flags = {"demo": True, "oss": False}
        elif request.local:
            flags = {"oss": True, "demo": False, **({"model": request.model} if request.model else {})}
            overrides = (f'oss_provider="{request.local}"',)
        return self._desk.beside(room, request.directory, flags=flags, overrides=overrides)

    async def _first_run(self, request: asked.Setup | asked.LogIn | asked.Trust, room: Room) -> Any:
        match request:
            case asked.Setup():
                told = await room.query("setup")
                local = [
                    {
                        "provider": server["provider"],
                        "name": one_line(server["name"]),
                        "models": [one_line(model) for model in server["models"]],
                    }
                    for server in told["local"]
                ]
                texts = {name: one_line(told[name] or "") for name in ("directory", "changed", "provider", "problem")}
                return {**told, **texts, "local": local}
            case asked.LogIn(cancel=True):
                return await room.query("cancel_login")
            case asked.LogIn(key=key):
                return await room.query("log_in", **({} if key is None else {"key": key}))
            case asked.Trust(trusted=trusted):
                await room.query("trust", trusted=trusted)
                return {"thread": await self._desk.reopen(room)}


def _choices(review: Review, parts: tuple[asked.Part, ...]) -> tuple[HunkChoice, ...]:
    return tuple(review.choice(part.file, part.hunk, take=part.take, text=part.text, note=part.note) for part in parts)


async def _rules(request: asked.Rules, room: Room) -> Json:
    """The rules, after the change that was asked for."""
    op: ops.Op = ops.ListRules()
    if request.add is not None:
        op = ops.AddRules(rules=(amendment(request.add),))
    elif request.remove is not None:
        op = ops.RemoveRule(file=request.remove.file, line=request.remove.line, pattern=request.remove.pattern)
    told = await room.ask(op, RulesListed)
    return {"rules": [_rule(rule, told.user_file) for rule in told.rules], "file": one_line(told.user_file)}


def _rule(rule: ListedRule, user_file: str) -> Json:
    return {
        **msgspec.to_builtins(rule),
        "words": one_line(" ".join("|".join(allowed) for allowed in rule.pattern)),
        "where": f"{one_line(rule.file)}:{rule.line}",
        "why": one_line(rule.justification or ""),
        "own": rule.file.rpartition("/")[0] == user_file.rpartition("/")[0],
    }


def amendment(rule: asked.Rule) -> RuleAmendment:
    """A rule of the page as the thread takes it."""
    return RuleAmendment(prefix=rule.prefix, decision=rule.decision, justification=rule.justification)
