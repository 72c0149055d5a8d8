"""What a cell asks for, done: settings applied, a turn run to its end, the user's own command run."""

from __future__ import annotations

import asyncio

from codex_kernel.jupyter.cell_context import STOPPED, CellContext, Interrupted, TurnFailed
from codex_kernel.jupyter.cell_text import Misspelt, Prompt, Setting, ShellCommand, SlashCommand, Work
from codex_kernel.jupyter.cell_view import CellView
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.events import (
    BackgroundEvent,
    Error,
    ExecCommandEnd,
    NumberedEvent,
    ShutdownComplete,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    UserMessage,
    Warning,
)
from codex_protocol.ops import Op, RunUserShellCommand, TextInput, UserInput


async def do_settings(context: CellContext, settings: tuple[Setting, ...]) -> None:
    """Apply `%` lines in order.

    Raises:
        CodexError: One of them cannot be used; those before it count.
    """
    if settings:
        from codex_kernel.jupyter.setting_lines import apply

        for setting in settings:
            await apply(context, setting)


async def do_work(context: CellContext, work: Work) -> None:
    """Do it.

    Raises:
        CodexError: What went wrong; the thread goes on.
    """
    match work:
        case Prompt(text=text):
            from codex_kernel.jupyter.mentions import inputs_of

            await run_op(context, UserInput(items=(TextInput(text), *inputs_of(text, context.agent.cwd))))
        case ShellCommand(command=command):
            await run_op(context, RunUserShellCommand(command=command))
        case SlashCommand():
            from codex_kernel.jupyter.slash_commands import run_command

            await run_command(context, work)
        case Misspelt(name=name, nearest=nearest):
            raise UsageError(
                f"there is no command /{name}; did you mean /{nearest}? (/help lists them; to send the text as a "
                "prompt, begin with another word)"
            )


async def run_op(context: CellContext, op: Op) -> None:
    """Submit an op and draw what follows, to the end of its turn.

    Raises:
        Interrupted: The turn was stopped.
        TurnFailed: It failed, and has been drawn up to there.
    """
    thread = await context.thread()
    context.kernel.questions.begin(context.asker)
    view = CellView(context.outputs, thread.configured.cwd, events=context.wants_events)
    following = _Following(view, alone=isinstance(op, RunUserShellCommand))
    context.kernel.cells.in_turn = not following.alone
    unsubscribe = thread.subscribe(following.take, thread.position)
    try:
        following.id = thread.submit(op)
        if thread.ended:
            raise ThreadError("the thread has ended; run the cell again to go on with it")
        await following.ended
    finally:
        unsubscribe()
        view.close()
        context.kernel.cells.in_turn = False


class _Following:
    """Follows one submission's events to the end of the turn it began or joined."""

    def __init__(self, view: CellView, *, alone: bool) -> None:
        self.id = ""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._view = view
        self.alone = alone
        self._began = False
        self._joined = False

    def take(self, numbered: NumberedEvent) -> None:
        event = numbered.event
        msg = event.msg
        if event.id == self.id and isinstance(msg, UserMessage) and msg.steered:
            self._joined = True  # into a turn that somebody else began: its end is ours
        if event.id != self.id and not self._joined and not isinstance(msg, ShutdownComplete):
            return
        self._view.show(numbered)
        match msg:
            case TaskStarted():
                self._began = True
            case TaskComplete(goes_on=True) if self._joined:
                return  # into what answers nobody: the turn that follows answers
            case TaskComplete(error=None):
                self._end(None)
            case TaskComplete(error=error):
                self._end(TurnFailed(error or "the turn failed"))
            case TurnAborted():
                self._end(Interrupted(STOPPED))
            case ShutdownComplete():
                self._end(ThreadError("the thread was ended; the next cell resumes it"))
            case Error(message=message) if not self._began and not self._joined:
                self._end(TurnFailed(message))
            case ExecCommandEnd(call_id=call_id) if self.alone and call_id.startswith("user_"):
                self._end(None)
            case Warning(message=message) if not self._began and not self._joined:
                self._end(UsageError(message))
            case BackgroundEvent():
                return
            case _:
                return

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
