"""The same kind of task many times: on threads of this process, or on any `concurrent.futures.Executor`.

Each task is a thread of its own in an agent of its own, started where the executor runs it. Errors are values: one
failing task costs no other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import msgspec

from codex_client.errors import InvalidAnswer, TurnFailed
from codex_client.results import TurnResult
from codex_client.thread_settings import Settings, make_settings
from codex_protocol.errors import CodexError, UsageError

T = TypeVar("T")
_AT_ONCE = 4


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What one task needs where it runs."""

    prompt: str
    settings: Settings
    schema: Any = None
    approvals: Any = "deny"
    options: dict[str, Any] = {}
    """More arguments of `Thread.turn`."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one task came to: `value`, or `error`."""

    index: int
    """Its place among the prompts."""
    prompt: str
    settings: Settings
    result: TurnResult | None = None
    """The turn; of a failed one what it had come to, where that is known."""
    error: str | None = None
    """One sentence; None when it succeeded."""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.error is None

    @property
    def value(self) -> Any:
        """The parsed answer where a schema was asked for, else the last thing the model said; None after an error."""
        if self.result is None or self.error is not None:
            return None
        return self.result.parsed if self.result.parsed is not None else self.result.final_response

    def record(self) -> dict[str, Any]:
        """A row of a table."""
        result = self.result
        return {
            "index": self.index,
            "prompt": self.prompt,
            "cwd": self.settings.cwd,
            "ok": self.ok,
            "error": self.error,
            "value": self.value,
            "thread_id": result.thread_id if result is not None else None,
            "commands": len(result.commands) if result is not None else 0,
            "files_changed": len(result.changes) if result is not None else 0,
            "total_tokens": result.usage.total_tokens if result is not None else 0,
            "duration_s": result.duration_s if result is not None else None,
        }


class Batch:
    """Tasks that run. Iterate for outcomes in the order of the prompts, `as_completed` for the order they end in."""

    def __init__(
        self, tasks: list[Task], executor: Executor, at_once: int, *, own_executor: bool, on_done: Callable[[], None]
    ) -> None:
        """Use `map_prompts`."""
        self._tasks = tasks
        self._executor = executor
        self._at_once = at_once
        self._own = own_executor
        self._on_done = on_done
        self._outcomes: dict[int, Outcome] = {}
        self._running: dict[Any, int] = {}
        self._next = 0
        self._cancelled = False
        self._begin()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Outcome]:
        for index in range(len(self._tasks)):
            while index not in self._outcomes:
                self._wait()
            yield self._outcomes[index]

    def as_completed(self) -> Iterator[Outcome]:
        """Each outcome once, as soon as it is there."""
        told: set[int] = set()
        while True:
            for index in [index for index in self._outcomes if index not in told]:
                told.add(index)
                yield self._outcomes[index]
            if len(told) == len(self._tasks):
                return
            if len(told) == len(self._outcomes):
                self._wait()

    def result(self) -> list[Outcome]:
        """All outcomes in the order of the prompts, when the last has come."""
        return list(self)

    def records(self) -> list[dict[str, Any]]:
        """All outcomes as rows, for pandas."""
        return [outcome.record() for outcome in self]

    def cancel(self) -> None:
        """Begin no more tasks; those that run come to their end."""
        self._cancelled = True
        for index in range(self._next, len(self._tasks)):
            self._settle(index, _outcome(self._tasks[index], index, error="cancelled before it began"))
        self._next = len(self._tasks)

    @property
    def done(self) -> int:
        """How many have ended."""
        return len(self._outcomes)

    def _begin(self) -> None:
        while self._next < len(self._tasks) and len(self._running) < self._at_once:
            index, self._next = self._next, self._next + 1
            try:
                self._running[self._executor.submit(run_task, self._tasks[index])] = index
            except Exception as error:  # an executor that was shut down, a task that cannot be sent
                self._settle(index, _outcome(self._tasks[index], index, error=_sentence(error)))
        if not self._running and self._next >= len(self._tasks) and self._own:
            self._executor.shutdown(wait=False)

    def _wait(self) -> None:
        """Wait until one more has ended, and begin the next."""
        for future in _first_ended(list(self._running)):
            index = self._running.pop(future)
            task = self._tasks[index]
            try:
                result, error = future.result()
                outcome = _outcome(task, index, result=result, error=error)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # the worker died, or what it sent cannot be read
                outcome = _outcome(task, index, error=_sentence(error))
            self._settle(index, outcome)
        self._begin()

    def _settle(self, index: int, outcome: Outcome) -> None:
        self._outcomes[index] = outcome
        self._on_done()

    def __repr__(self) -> str:
        failed = sum(not outcome.ok for outcome in self._outcomes.values())
        return f"<batch: {self.done} of {len(self)} done, {failed} failed>"


def map_prompts(
    settings: Settings,
    prompts: Iterable[str | Mapping[str, Any]],
    *,
    executor: Executor | None = None,
    at_once: int | None = None,
    schema: Any = None,
    approvals: Any = "deny",
    progress: bool = True,
    **options: Any,
) -> Batch:
    """Run every prompt in a thread of its own.

    Args:
        settings: For all of them.
        prompts: Texts, or mappings with `prompt` and fields of `Settings` of its own, such as `cwd`.
        executor: Where tasks run: any `concurrent.futures.Executor`, also Dask's `client.get_executor()`; None: threads
            of this process.
        at_once: How many run at the same time; None: as many as the executor has workers, at most 4 here.
        schema: Type of every answer, as for `Thread.run`. With an executor of other processes it must be importable
            or picklable there.
        approvals: Who answers approvals where the tasks run; nobody sits there, so that `deny` is the default.
        progress: Show a progress bar.
        options: More arguments of `Thread.turn`, for all of them.

    Returns:
        The batch, which is running.

    Raises:
        UsageError: A prompt or setting cannot be used.
    """
    tasks = [_task(settings, each, schema, approvals, options) for each in prompts]
    own = executor is None
    limit = at_once if at_once is not None else _workers(executor)
    if limit < 1:
        raise UsageError(f"at_once must be 1 or more, not {limit}")
    if executor is None:
        from concurrent.futures import ThreadPoolExecutor

        executor = ThreadPoolExecutor(limit, thread_name_prefix="codex-batch")
    box: list[Batch] = []
    bar = None
    if progress and tasks:
        from codex_client.progress import BatchBar

        bar = BatchBar(len(tasks))

    def on_done() -> None:
        if bar is not None and box:
            bar.show(box[0].done)

    batch = Batch(tasks, executor, limit, own_executor=own, on_done=on_done)
    box.append(batch)
    return batch


def run_task(task: Task) -> tuple[TurnResult | None, str | None]:
    """Run one task here and now; its result, and what went wrong in one sentence."""
    from codex_client.api import Codex

    try:
        settings = {name: getattr(task.settings, name) for name in Settings.__struct_fields__}
        with Codex(approvals=task.approvals, **settings) as codex, codex.thread_start() as thread:
            result = thread.turn(task.prompt, schema=task.schema, **task.options).result()
        if result.status != "completed":
            return result, f"the turn was {result.status}"
        return result, None
    except InvalidAnswer as error:
        return error.result, str(error)
    except TurnFailed as error:
        return error.result, str(error)
    except Exception as error:  # errors are values: no task costs another
        return None, _sentence(error)


def _task(settings: Settings, each: str | Mapping[str, Any], schema: Any, approvals: Any, options: Any) -> Task:
    if isinstance(each, str):
        fields: dict[str, Any] = {"prompt": each}
    else:
        fields = dict(each)
    prompt = fields.pop("prompt", None)
    if not isinstance(prompt, str) or not prompt.strip():
        raise UsageError("every task needs a prompt: a text, or a mapping with `prompt`")
    own = make_settings(settings, fields)
    if own.cwd is None:
        own = make_settings(own, {"cwd": os.getcwd()})
    return Task(prompt=prompt, settings=own, schema=schema, approvals=approvals, options=options)


def _outcome(task: Task, index: int, *, result: TurnResult | None = None, error: str | None = None) -> Outcome:
    return Outcome(index=index, prompt=task.prompt, settings=task.settings, result=result, error=error)


def _workers(executor: Any) -> int:
    if executor is None:
        return min(_AT_ONCE, os.cpu_count() or 1)
    found = getattr(executor, "_max_workers", None)
    if isinstance(found, int) and found > 0:
        return found
    client = getattr(executor, "_client", None)  # Dask's
    try:
        return max(1, sum(client.nthreads().values())) if client is not None else _AT_ONCE
    except Exception:  # a cluster that is not there says so when the first task is sent
        return _AT_ONCE


def _first_ended(futures: list[Any]) -> list[Any]:
    """Those that have ended, at least one; works for futures of any library that has callbacks."""
    if futures and all(isinstance(future, Future) for future in futures):
        from concurrent.futures import FIRST_COMPLETED, wait

        return list(wait(futures, return_when=FIRST_COMPLETED).done)
    there = threading.Event()
    for future in futures:
        future.add_done_callback(_setter(there))
    while not (ended := [future for future in futures if future.done()]):
        there.wait(1.0)
    return ended


def _setter(there: threading.Event) -> Callable[[object], None]:
    return lambda _: there.set()


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, CodexError) else f"{type(error).__name__}: {error}"
