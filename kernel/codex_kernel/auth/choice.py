"""Which credential is used: a pure function of the file, the environment and two settings.

Source: spec/cli.md section 4, "Which credential is used". Besides: `CODEX_API_KEY` wins over everything, and a file
that says its `auth_mode` is taken at its word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from codex_kernel.auth.auth_file import StoredLogin, identity
from codex_kernel.config.credentials import Credential
from codex_protocol.errors import CredentialError

_PERSONAL_PLANS = frozenset({"free", "plus", "pro", "team", "go"})


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say about logins."""

    preferred: Literal["chatgpt", "apikey"] = "chatgpt"
    forced: Literal["chatgpt", "api"] | None = None
    workspace: str | None = None
    """Only this ChatGPT account."""


def choose(stored: StoredLogin | None, wishes: Wishes, env: Mapping[str, str]) -> Credential | None:
    """The credential to use; None when there is none.

    Raises:
        CredentialError: There is a login, but the settings forbid it.
    """
    credential = _any(stored, wishes, env)
    if credential is None:
        return None
    if wishes.forced == "api" and credential.kind != "api_key":
        raise CredentialError(
            'The setting forced_login_method = "api" refuses the ChatGPT login; run `codex login --with-api-key`.'
        )
    if wishes.forced == "chatgpt" and credential.kind != "chatgpt":
        raise CredentialError('The setting forced_login_method = "chatgpt" refuses API keys; run `codex login`.')
    if wishes.workspace and credential.kind == "chatgpt" and credential.account_id != wishes.workspace:
        raise CredentialError(
            "The ChatGPT login belongs to another workspace than the setting forced_chatgpt_workspace_id names;"
            " run `codex login`."
        )
    return credential


def env_key(env: Mapping[str, str], name: str) -> str | None:
    """An API key from the environment; blank counts as unset."""
    return env.get(name, "").strip() or None


def _any(stored: StoredLogin | None, wishes: Wishes, env: Mapping[str, str]) -> Credential | None:
    if wishes.forced != "chatgpt" and (key := env_key(env, "CODEX_API_KEY")) is not None:
        return Credential(token=key, kind="api_key")
    if stored is None:
        key = env_key(env, "OPENAI_API_KEY") if wishes.forced != "chatgpt" else None
        return Credential(token=key, kind="api_key") if key is not None else None
    if stored.api_key is not None and (stored.tokens is None or _key_wins(stored, wishes)):
        return Credential(token=stored.api_key, kind="api_key")
    if stored.tokens is None:
        if stored.auth_mode not in (None, "apikey", "chatgpt"):
            raise CredentialError(
                f"The login in auth.json is of a kind not supported here ({stored.auth_mode!r}); run `codex login`."
            )
        return None
    who = identity(stored.tokens.id_token)
    return Credential(
        token=stored.tokens.access_token,
        kind="chatgpt",
        account_id=stored.tokens.account_id or who.account_id,
        plan=who.plan,
    )


def _key_wins(stored: StoredLogin, wishes: Wishes) -> bool:
    """Whether the key of a file with key and tokens is used."""
    if wishes.forced is not None:
        return wishes.forced == "api"
    if wishes.preferred == "apikey":
        return True
    if stored.auth_mode in ("apikey", "chatgpt"):
        return stored.auth_mode == "apikey"
    assert stored.tokens is not None  # noqa: S101 (the caller asked)
    who = identity(stored.tokens.id_token)
    if who.email and who.email.lower().endswith("@openai.com"):
        return False
    return who.plan is None or who.plan.lower() not in _PERSONAL_PLANS
