"""What a credential is: `auth` finds them, `model` sends them, and neither imports the other."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What authorises a request."""

    token: str
    """Sent as `Authorization: Bearer`."""
    kind: Literal["api_key", "chatgpt"]
    account_id: str | None = None
    """ChatGPT account, sent as `chatgpt-account-id`."""
    plan: str | None = None
    """ChatGPT plan as the identity token names it; None for API keys."""

    def __repr__(self) -> str:
        """Without the token: credentials end up in logs and assertion messages."""
        return f"Credential(kind={self.kind!r}, account_id={self.account_id!r}, plan={self.plan!r})"


class CredentialSource(Protocol):
    """Where a model client gets its login from, asked before each request."""

    async def current(self) -> Credential | None:
        """The login as it is now, refreshed when it is about to run out; None when there is none.

        Raises:
            CredentialError: There is a login but it cannot be read or refreshed.
        """
        ...

    async def refresh(self) -> Credential | None:
        """A new login after the provider refused the current one; None when there is no way to get one."""
        ...
