"""One `codex exec` from the command line to its exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from codex_kernel.exec.descriptors import make_room
from codex_kernel.exec.inputs import image_files, image_inputs, read_schema
from codex_kernel.exec.preparation import check_repository, find_earlier, load, prepare_local_server
from codex_kernel.exec.request import ExecRequest, ReviewTarget
from codex_kernel.exec.stdin import PromptInput, take_demo_prompt, take_prompt
from codex_kernel.exec.turn import Outcome, Turn
from codex_kernel.exec.views import HumanText, JsonView, View, say
from codex_protocol.errors import CodexError
from codex_protocol.ops import Op, Review, TextInput, UserInput
from codex_store.home import find_home

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.core.thread import Thread

DEMO_PROMPT = "Give me a tour of this directory and write it down."
ORIGINATOR = "codex_exec"
_COLLECTION_THRESHOLDS = (10_000, 10, 10)
"""Garbage is looked for after so many new objects; at Python's own 700 that is a tenth of what a large patch takes."""
_INTERRUPT_PATIENCE_S = 10.0
_SIGNAL_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def run_exec(request: ExecRequest) -> int:
    """The exit code: 0 done, 1 failed, 130 interrupted, 143 terminated; all but 0 came with a sentence on stderr.

    Raises:
        CodexError: The run could not be set up; nothing was printed to stdout.
    """
    _check_last_message_file(request.last_message_file)
    schema = read_schema(request.output_schema_file) if request.output_schema_file is not None else None
    prompt = _prompt(request)
    home = find_home()
    config = load(request, home)
    if not (request.skip_git_repo_check or request.demo):
        check_repository(config)
    _refuse_a_link_out(request.last_message_file, config.cwd)
    if request.earlier is not None:
        earlier = find_earlier(request.earlier, home, config.cwd)
    else:
        earlier = config.experimental_resume
    images = image_inputs(image_files(request.images), say)
    if request.review is not None:
        op: Op = _review(request.review, prompt.text)
    else:
        op = UserInput(items=(*images, TextInput(prompt.text)), output_schema=schema)
    view: View = (
        JsonView() if request.json else HumanText(request, prompt.text, hide_reasoning=config.hide_agent_reasoning)
    )
    run = _Run(request, config, view)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # With asyncio's handler in its place, setting ours would draw a picture of the task: 5 ms.
        signal.signal(signal.SIGINT, _interrupt)
    make_room()
    outcome = asyncio.run(run.run(op, prompt.late, earlier))
    return run.end(outcome)  # outside the loop: a slow reader may hold us up here, and signals must still end us


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Run:
    def __init__(self, request: ExecRequest, config: Config, view: View) -> None:
        self._request = request
        self._config = config
        self._view = view
        self._turn: Turn | None = None
        self._stopped_by: signal.Signals | None = None
        file = request.last_message_file
        self._last_message_target = os.path.realpath(file) if file is not None else None

    async def run(self, op: Op, late: int | None, earlier: Path | None) -> Outcome:
        """The turn, from the thread's start to its end on disk; signals interrupt it."""
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(self._work(op, late, earlier))
        for number in _SIGNAL_CODES:
            loop.add_signal_handler(number, self._stop, number, task)
        try:
            return await task
        except asyncio.CancelledError:
            if self._stopped_by is None:
                raise
            return Outcome(ended="interrupted")

    async def _work(self, op: Op, late: int | None, earlier: Path | None) -> Outcome:
        thread: Thread | None = None
        try:
            thread = await self._start(earlier)
            self._turn = Turn(thread, self._view)
            return await self._turn.run(op, late)
        finally:
            self._turn = None
            if thread is not None:
                await thread.aclose()

    async def _start(self, earlier: Path | None) -> Thread:
        from codex_kernel.core.thread import Thread

        await prepare_local_server(self._config)
        how = self._request.earlier.how if self._request.earlier is not None else "resume"
        gc.freeze()  # what start-up made stays: collections need not look at it again
        gc.set_threshold(*_COLLECTION_THRESHOLDS)
        return await Thread.start(
            self._config,
            can_ask=False,
            originator=_originator(),
            resume=earlier if how == "resume" else None,
            fork=earlier if how == "fork" else None,
            retain_events=False,
        )

    def _stop(self, number: signal.Signals, task: asyncio.Task[Outcome]) -> None:
        if self._stopped_by is not None:
            os._exit(_SIGNAL_CODES[self._stopped_by])  # asked twice: at once, whatever is unfinished
        self._stopped_by = number
        if self._turn is None:
            task.cancel()
            return
        self._turn.interrupt()
        asyncio.get_running_loop().call_later(_INTERRUPT_PATIENCE_S, task.cancel)

    def end(self, outcome: Outcome) -> int:
        """Hand over the answer; the exit code."""
        code = self._code(outcome)
        try:
            self._view.close()
        except BrokenPipeError:
            say("Error: stdout was closed by its reader before everything was written; the work itself was done")
            code = code or 1
        except OSError as error:
            say(f"Error: stdout could not be written: {error.strerror}")
            code = code or 1
        if outcome.ended == "complete" and not self._write_last_message(outcome.answer or ""):
            code = 1
        if outcome.ended == "failed" and (self._request.json or not outcome.shown):
            say(f"Error: {outcome.error}")
        if code >= 128:
            say("interrupted" if code == 130 else "terminated")
        return code

    def _code(self, outcome: Outcome) -> int:
        if self._stopped_by is not None and outcome.ended == "interrupted":
            return _SIGNAL_CODES[self._stopped_by]
        return {"complete": 0, "failed": 1, "interrupted": 130}[outcome.ended]

    def _write_last_message(self, answer: str) -> bool:
        file = self._request.last_message_file
        if file is None:
            return True
        if not answer:
            say(f"Warning: the model ended without a message; {file} is empty")
        if os.path.realpath(file) != self._last_message_target:
            say(f"Error: the last message is not written to {file}: it leads elsewhere than when the run began")
            return False
        try:
            file.write_bytes(answer.encode("utf-8", "replace"))
        except OSError as error:
            say(f"Error: the last message could not be written to {file}: {error.strerror}")
            return False
        return True


def _prompt(request: ExecRequest) -> PromptInput:
    if request.review is not None and request.prompt is None:
        return PromptInput("")
    if request.demo and request.review is None:
        return take_demo_prompt(request.prompt, say, DEMO_PROMPT)
    return take_prompt(request.prompt, say, read_beside=request.earlier is None)


def _review(target: ReviewTarget, prompt: str) -> Review:
    return Review(
        prompt=prompt or None,
        uncommitted=target.uncommitted,
        base=target.base,
        commit=target.commit,
        title=target.title,
    )


def _originator() -> str:
    """Who we are to providers; programs that run us may put their own name there, if it can stand in a header."""
    given = os.environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "")
    return given if given.isascii() and given.isprintable() and given.strip() else ORIGINATOR


def _refuse_a_link_out(file: Path | None, cwd: Path) -> None:
    """A command may have put a link where commands write: the model's words must not land where it leads."""
    if file is None:
        return
    absolute, real = file.absolute(), Path(os.path.realpath(file))
    for directory in (cwd, Path.cwd(), Path("/tmp"), *map(Path, filter(None, [os.environ.get("TMPDIR")]))):  # noqa: S108
        if absolute.is_relative_to(directory) and not real.is_relative_to(os.path.realpath(directory)):
            raise CodexError(f"{file} is a link that leads out of {directory}, to {real}; give that file itself (-o)")


def _check_last_message_file(file: Path | None) -> None:
    """Refused before the run, not after: the answer may have cost an hour."""
    if file is None:
        return
    if file.is_dir():
        raise CodexError(f"{file} is a directory; the last message needs a file (-o)")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise CodexError(f"{file} cannot be written (-o)")
