"""The hooks of one thread: loaded when it opens, and told of its beginning and end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codex_protocol.events import Warning
from codex_protocol.policy import ApprovalPolicy

if TYPE_CHECKING:
    from codex_kernel.config.types import Config
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.state import Emit
    from codex_kernel.core.turn_hooks import TurnHooks
    from codex_kernel.hooks.engine import HookEngine, Outcome

Source = Literal["startup", "resume", "fork", "compact"]


class ThreadHooks:
    """Fires hooks for a thread. Made only where a trusted hook is configured."""

    def __init__(self, engine: HookEngine, thread_id: str, transcript: Path | None, source: Source) -> None:
        """Hooks of a thread that begins like `source` says."""
        self.engine = engine
        self._thread_id = thread_id
        self._transcript = transcript
        self._source: Source | None = source

    def turn(self, settings: TurnSettings, turn_id: str, emit: Emit) -> TurnHooks:
        """What one turn fires."""
        from codex_kernel.core.turn_hooks import TurnHooks

        return TurnHooks(self, settings, turn_id, emit)

    def take_source(self) -> Source | None:
        """How the thread began, once; None when that was told already."""
        source, self._source = self._source, None
        return source

    async def fire(
        self,
        event: str,
        settings: TurnSettings,
        emit: Emit,
        subjects: tuple[str, ...] = (),
        /,
        **fields: Any,
    ) -> Outcome:
        """Run the hooks of an event.

        Args:
            event: Its name.
            settings: Of the turn it belongs to, or the thread's.
            emit: Gets what a person should know.
            subjects: What matchers are compared with.
            fields: What the event adds to the payload.
        """
        payload: dict[str, Any] = {
            "session_id": self._thread_id,
            "transcript_path": str(self._transcript) if self._transcript is not None else None,
            "cwd": str(settings.cwd),
            "hook_event_name": event,
        }
        if event != "SessionEnd":
            never = settings.approval_policy is ApprovalPolicy.NEVER
            payload |= {"model": settings.model, "permission_mode": "bypassPermissions" if never else "default"}
        payload |= fields
        return await self.engine.fire(event, payload, settings.cwd, _teller(emit), subjects)

    async def end(self, settings: TurnSettings, emit: Emit) -> None:
        """The thread ends; its hooks have three seconds. A thread that never ran a turn has not begun."""
        if self._source is None and self.engine.has("SessionEnd"):
            await self.fire("SessionEnd", settings, emit, reason="other")
        await self.engine.aclose()


def _teller(emit: Emit) -> Callable[[str], None]:
    def tell(sentence: str) -> None:
        emit(Warning(message=sentence))

    return tell


def open_hooks(
    config: Config,
    environment: Mapping[str, str],
    *,
    thread_id: str,
    transcript: Path | None,
    source: Source,
) -> tuple[ThreadHooks | None, list[str]]:
    """The thread's hooks, None when none may run; and what a person should know of those that are left out.

    Where no hook is configured this looks for one file in each settings folder and imports nothing.
    """
    from codex_kernel.config.features import effective

    if not effective(config.features)["hooks"]:
        return None, []
    tables = [table for table in config.hooks if set(table.table) - {"state"}]
    if not tables and not any((layer.folder / "hooks.json").exists() for layer in config.layers):
        return None, []
    from codex_kernel.hooks.definitions import configured
    from codex_kernel.hooks.engine import HookEngine
    from codex_kernel.hooks.trust import Trust

    found = configured(config.layers, config.hooks)
    notices = list(found.notices)
    trust = Trust(config.hooks, bypass=config.bypass_hook_trust)
    trusted = [handler for handler in found.handlers if trust.status(handler, config.cwd) == "trusted"]
    skipped = [handler for handler in found.handlers if trust.status(handler, config.cwd) in ("untrusted", "modified")]
    if config.bypass_hook_trust and trusted:
        notices.append(f"{len(trusted)} hooks run without having been trusted (--dangerously-bypass-hook-trust).")
    if skipped:
        files = ", ".join(dict.fromkeys(str(handler.file) for handler in skipped))
        notices.append(
            f"{len(skipped)} hooks of {files} do not run because you have not trusted them as they are now; "
            "'codex hooks list' shows them and 'codex hooks trust' trusts them."
        )
    if not trusted:
        return None, notices
    return ThreadHooks(HookEngine(trusted, trust, environment), thread_id, transcript, source), notices
