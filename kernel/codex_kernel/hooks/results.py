"""What a hook's end means: nothing, a decision, more context, or that the hook itself failed.

Source: spec/execpolicy-and-hooks.md section 2.4.
"""

from __future__ import annotations

import json
from typing import Any, Literal, cast

import msgspec

from codex_kernel.hooks.process import Finished

MAX_CONTEXT_CHARACTERS = 10_000
_COMMON = frozenset({"continue", "stopReason", "suppressOutput", "systemMessage"})
_BLOCKING = frozenset({"UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop"})
_TAKING_CONTEXT = frozenset({"SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"})
_PLAIN_CONTEXT = frozenset({"SessionStart", "UserPromptSubmit"})
_STOPPING = frozenset({"SessionStart", "UserPromptSubmit", "PostToolUse", "PreCompact", "Stop"})


class HookResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one hook said."""

    failed: str | None = None
    """Why it counts for nothing, as a clause; the work goes on as if it had not run."""
    blocked: str | None = None
    """Why it objects."""
    context: str | None = None
    """Text for the model."""
    stopped: bool = False
    """`continue` is false."""
    stop_reason: str | None = None
    message: str | None = None
    """Text for the user."""
    permission: Literal["allow", "deny"] | None = None
    """Its answer to an approval."""
    updated_input: dict[str, Any] | None = None
    """The arguments a tool is to be called with instead."""


class _InvalidError(Exception):
    """The hook's JSON does not fit; the message is a clause."""


def result_of(event: str, finished: Finished) -> HookResult:
    """What a hook of `event` said by ending like this; a hook that failed never stops the work."""
    if finished.failure is not None:
        return HookResult(failed=finished.failure)
    if finished.code == 2:
        reason = finished.stderr.strip()
        if not reason:
            return HookResult(failed="it ended with 2 but gave no reason on stderr")
        if event == "PermissionRequest":
            return HookResult(permission="deny", blocked=_cut(reason))
        if event not in _BLOCKING:
            return HookResult(failed=f"it objected, which {event} hooks cannot: {_cut(reason, 200)}")
        return HookResult(blocked=_cut(reason))
    if finished.code != 0:
        detail = f": {_cut(finished.stderr.strip(), 200)}" if finished.stderr.strip() else ""
        return HookResult(failed=f"it ended with {finished.code}{detail}")
    text = finished.stdout.strip()
    if not text:
        return HookResult()
    if text[0] not in "{[":
        return HookResult(context=_cut(text)) if event in _PLAIN_CONTEXT else HookResult()
    try:
        return _from_json(event, text)
    except _InvalidError as error:
        return HookResult(failed=f"its answer cannot be used: {error}")


def _from_json(event: str, text: str) -> HookResult:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise _InvalidError("it is not valid JSON") from None
    if not isinstance(found, dict):
        raise _InvalidError("it is no JSON object")
    answer = cast("dict[str, Any]", found)
    specific = _specific(event, answer.get("hookSpecificOutput"))
    allowed = _COMMON | {"hookSpecificOutput"}
    if event in _BLOCKING:
        allowed |= {"decision", "reason"}
    unknown = sorted(set(answer) - allowed)
    if unknown:
        raise _InvalidError(f"{event} hooks have no {', '.join(unknown)[:100]}")
    goes_on = _typed(answer, "continue", bool, True)
    if not goes_on and event not in _STOPPING:
        raise _InvalidError(f"{event} hooks cannot set continue to false")
    blocked = _objection(event, answer, specific)
    permission = _permission(specific) if event == "PermissionRequest" else None
    context = _typed(specific, "additionalContext", str, None)
    return HookResult(
        blocked=_denial(specific) if permission == "deny" else blocked,
        context=_cut(context) if context else None,
        stopped=not goes_on,
        stop_reason=_typed(answer, "stopReason", str, None),
        message=_typed(answer, "systemMessage", str, None),
        permission=permission,
        updated_input=_updated_input(specific) if event == "PreToolUse" and blocked is None else None,
    )


def _specific(event: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _InvalidError("hookSpecificOutput is no object")
    specific = cast("dict[str, Any]", value)
    if specific.get("hookEventName", event) != event:
        raise _InvalidError("hookEventName names another event")
    allowed = {"hookEventName"}
    allowed |= {"additionalContext"} if event in _TAKING_CONTEXT else set()
    allowed |= {"permissionDecision", "permissionDecisionReason", "updatedInput"} if event == "PreToolUse" else set()
    allowed |= {"decision"} if event == "PermissionRequest" else set()
    unknown = sorted(set(specific) - allowed)
    if unknown:
        raise _InvalidError(f"{event} hooks have no {', '.join(unknown)[:100]} in hookSpecificOutput")
    return specific


def _objection(event: str, answer: dict[str, Any], specific: dict[str, Any]) -> str | None:
    decision = answer.get("decision")
    if decision is not None:
        if decision != "block":
            raise _InvalidError("decision can only be 'block'")
        return _reason(answer.get("reason"))
    if event != "PreToolUse":
        return None
    match specific.get("permissionDecision"):
        case None:
            if "updatedInput" in specific:
                raise _InvalidError("updatedInput needs permissionDecision 'allow'")
            return None
        case "deny":
            return _reason(specific.get("permissionDecisionReason"))
        case "allow" if "updatedInput" in specific:
            return None
        case _:
            raise _InvalidError("permissionDecision can be 'deny', or 'allow' with updatedInput")


def _reason(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _InvalidError("an objection needs a reason")
    return _cut(value.strip())


def _updated_input(specific: dict[str, Any]) -> dict[str, Any] | None:
    value = specific.get("updatedInput")
    if value is not None and not isinstance(value, dict):
        raise _InvalidError("updatedInput is no object")
    return cast("dict[str, Any] | None", value)


def _permission(specific: dict[str, Any]) -> Literal["allow", "deny"] | None:
    match specific.get("decision"):
        case None:
            return None
        case {"behavior": "allow" | "deny" as behaviour, **more}:
            unknown = set(cast("dict[str, Any]", more)) - {"message"}
            if unknown:  # reserved words are not guessed at: the safe answer is no
                return "deny"
            return behaviour
        case _:
            raise _InvalidError("decision needs behavior 'allow' or 'deny'")


def _denial(specific: dict[str, Any]) -> str | None:
    decision = cast("dict[str, Any]", specific["decision"])
    message = decision.get("message")
    if isinstance(message, str) and message.strip():
        return _cut(message.strip())
    return "a hook denied it"


def _typed(table: dict[str, Any], key: str, kind: type, default: Any) -> Any:
    value = table.get(key, default)
    if value is not default and not isinstance(value, kind):
        raise _InvalidError(f"{key} has the wrong type")
    return value


def _cut(text: str, most: int = MAX_CONTEXT_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[cut: {len(text) - most} more characters]"
