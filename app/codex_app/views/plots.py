"""The inspector's plots: of one thread, from what its rollout says, and of all threads of the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from codex_app.views import columns as of
from codex_app.views.figures import Bars, Part
from codex_protocol.errors import CodexError
from codex_store.home import Home
from codex_store.insight import TurnNumbers, file_numbers, total, turn_numbers
from codex_store.prices import Prices
from codex_store.thread_follower import ThreadFollower
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread, list_threads
from codex_store.turn_records import TurnRecord, read_turns

Put = Callable[[], None]
"""Puts what was read into figures; to be called with the document."""
READ_THREADS = 200
"""Of all threads the newest; with more than that a look would take long."""

_KINDS = (
    Part("input", "input", 0),
    Part("cached", "cached input", 1),
    Part("output", "output", 2),
    Part("reasoning", "reasoning", 3),
)
_TOKENS = (*((part.field, part.label) for part in _KINDS), ("total", "all"), ("cost", "cost"))
_WAITS = (Part("request_s", "requests", 0), Part("command_s", "commands", 2))
_TIMES = (("requests", "requests"), ("request_s", "seconds"), ("commands", "commands"), ("command_s", "seconds"))


class Plots(Protocol):
    """Figures that are drawn from the disk."""

    period_s: float
    """Between two looks at the disk, at least."""
    bars: tuple[Bars, ...]

    def set_prices(self, prices: Prices) -> None:
        """What costs are counted with from now on."""
        ...

    def read(self) -> Put | None:
        """Look at the disk, in any thread; None: nothing is new."""
        ...


class ThreadPlots:
    """Figures over one thread."""

    period_s = 0.5

    def __init__(self, home: Home, thread_id: str) -> None:
        """Nothing is read yet."""
        self._home = home
        self._thread_id = thread_id
        self._follower: ThreadFollower | None = None
        self._prices: Prices = {}
        self._stale = True
        self.tokens = Bars("tokens", "Tokens by turn", _KINDS, [("turn", "Turn"), *_TOKENS])
        self.context = Bars(
            "context",
            "What fills the context",
            [Part("tokens", "tokens", 0)],
            [("label", "What"), ("tokens", "tokens, estimated"), ("share", "share")],
            across=True,
        )
        self.requests = Bars(
            "requests",
            "Time of each request",
            [Part("seconds", "seconds", 0)],
            [("turn", "Turn"), ("x", "request"), ("seconds", "seconds"), ("total", "tokens")],
            number="0.[00]",
        )
        self.commands = Bars(
            "commands",
            "Time of commands by turn",
            [Part("command_s", "seconds", 2)],
            [("turn", "Turn"), ("commands", "commands"), ("command_s", "seconds")],
            number="0.[00]",
        )
        self.files = Bars(
            "files",
            "Files written",
            [Part("patches", "patches", 2)],
            [("path", "File"), ("patches", "patches"), ("turn", "last turn")],
            across=True,
        )
        self.bars = (self.tokens, self.context, self.requests, self.commands, self.files)

    def set_prices(self, prices: Prices) -> None:
        """What costs are counted with from now on."""
        self._stale = self._stale or prices != self._prices
        self._prices = prices

    def read(self) -> Put | None:
        """Look at the disk, in any thread; None: nothing is new."""
        if not self._thread_id:
            return None
        try:
            if self._follower is None:
                self._follower = ThreadFollower(find_thread(self._home, self._thread_id).path)
            if not self._follower.read() and not self._stale:
                return None
        except CodexError:  # nothing is on disk before the first prompt
            self._follower = None
            return None
        self._stale = False
        turns = self._follower.turns()
        numbers = [turn_numbers(turn, self._prices) for turn in turns]
        context, files = self._follower.context(), file_numbers(turns)
        by_turn, requests = of.turn_columns(numbers), of.request_columns(turns)

        def put() -> None:
            self.tokens.put(by_turn, of.usage_words(numbers, "turn"))
            self.context.put(of.context_columns(context), of.context_words(context))
            self.requests.put(requests, of.time_words(numbers))
            self.commands.put(by_turn, of.command_words(numbers))
            self.files.put(of.file_columns(files), of.file_words(files))

        return put


class AllPlots:
    """Figures over all threads that are not archived."""

    period_s = 3.0  # each look lists them

    def __init__(self, home: Home) -> None:
        """Nothing is read yet."""
        self._home = home
        self._known: dict[str, tuple[int, list[TurnRecord]]] = {}
        self._prices: Prices = {}
        self._last: object = None
        self.tokens = Bars("tokens", "Tokens by thread", _KINDS, [("name", "Thread"), *_TOKENS], across=True)
        self.times = Bars(
            "times", "Time by thread", _WAITS, [("name", "Thread"), *_TIMES], across=True, number="0.[00]"
        )
        self.bars = (self.tokens, self.times)

    def set_prices(self, prices: Prices) -> None:
        """What costs are counted with from now on."""
        self._prices = prices

    def read(self) -> Put | None:
        """Look at the disk, in any thread; None: nothing is new."""
        threads = [(info, total(self._numbers(info))) for info in list_threads(self._home, limit=READ_THREADS)]
        if threads == self._last:
            return None
        self._last = threads
        by_thread, numbers = of.thread_columns(threads), [each for _, each in threads]
        words = of.usage_words(numbers, "thread")
        if len(threads) == READ_THREADS:
            words += f" Older threads than the newest {READ_THREADS} are not counted."

        def put() -> None:
            self.tokens.put(by_thread, words)
            self.times.put(by_thread, f"{of.time_words(numbers)} {of.command_words(numbers)}")

        return put

    def _numbers(self, info: ThreadInfo) -> Sequence[TurnNumbers]:
        known = self._known.get(info.id)
        if known is None or known[0] != info.updated_ns:
            try:
                turns = read_turns(info.path)
            except CodexError:  # one damaged file must not cost the rest
                turns = []
            for turn in turns:
                turn.answer = turn.prompt = None
                for command in turn.commands:
                    command.output = ""
            known = self._known[info.id] = (info.updated_ns, turns)
        return [turn_numbers(turn, self._prices) for turn in known[1]]
