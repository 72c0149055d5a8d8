"""Jupyter messages as frames: packed, signed, checked.

Source: Jupyter messaging 5.4, "The Wire Protocol". The signature covers the exact bytes of header, parent header,
metadata and content, not the buffers.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from codex_protocol.sound_json import encode_json

DELIMITER = b"<IDS|MSG>"
PROTOCOL_VERSION = "5.4"
MAX_MESSAGE_BYTES = 64 << 20
"""What one message may hold; a larger one is answered with a sentence."""
_SEEN_SIGNATURES = 4096
_HASHES = {"hmac-sha256": hashlib.sha256, "hmac-sha512": hashlib.sha512}


class WireError(Exception):
    """Frames that are no message for us; they are dropped, and `str(error)` says why."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """A message's header; `raw` parents are handed back as they came."""

    msg_id: str
    msg_type: str
    session: str = ""
    username: str = ""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message that came in, its signature checked."""

    idents: tuple[bytes, ...]
    """Who sent it: the reply is routed by these."""
    header: Header
    raw_header: msgspec.Raw
    """The header's bytes: the parent of everything sent in answer."""
    parent_id: str
    """Id of the message that it answers; empty for none."""
    metadata: dict[str, Any]
    content: dict[str, Any]
    buffers: tuple[bytes, ...] = ()
    size: int = 0
    """Bytes of all frames."""

    @property
    def type(self) -> str:
        """`execute_request` and the like."""
        return self.header.msg_type


class _Parent(msgspec.Struct, frozen=True):
    msg_id: str = ""


_header = msgspec.json.Decoder(Header)
_parent = msgspec.json.Decoder(_Parent)
_object = msgspec.json.Decoder(dict[str, Any])
EMPTY = msgspec.Raw(b"{}")


class Wire:
    """Packs and unpacks the messages of one kernel, or of one client of it."""

    def __init__(self, key: bytes, scheme: str = "hmac-sha256") -> None:
        """Sign with `key`; an empty one signs nothing and takes everything.

        Raises:
            WireError: We do not know the scheme.
        """
        if key and scheme not in _HASHES:
            raise WireError(f"the signature scheme {scheme!r} is not supported; use hmac-sha256")
        self._signer = hmac.new(key, digestmod=_HASHES[scheme]) if key else None
        self.session = os.urandom(16).hex()
        self._count = 0
        self._seen: dict[bytes, None] = {}

    def pack(
        self,
        msg_type: str,
        content: Any,
        parent: msgspec.Raw = EMPTY,
        *,
        idents: Sequence[bytes] = (),
        metadata: dict[str, Any] | None = None,
    ) -> list[bytes]:
        """The frames of a message; `content` is anything msgspec can write."""
        self._count += 1
        header = {
            "msg_id": f"{self.session}_{self._count}",
            "msg_type": msg_type,
            "session": self.session,
            "username": "codex",
            "date": datetime.now(UTC).isoformat(),
            "version": PROTOCOL_VERSION,
        }
        parts = [encode_json(header), bytes(parent), encode_json(metadata) if metadata else b"{}", encode_json(content)]
        return [*idents, DELIMITER, self._sign(parts), *parts]

    def message_id(self, frames: list[bytes]) -> str:
        """The id in the header of packed frames."""
        return _parent.decode(frames[frames.index(DELIMITER) + 2]).msg_id

    def unpack(self, frames: list[bytes]) -> Message:
        """The message in `frames`.

        Raises:
            WireError: No message, a wrong signature, or one that has been here before.
        """
        try:
            at = frames.index(DELIMITER)
        except ValueError:
            raise WireError("no delimiter") from None
        if len(frames) < at + 6:
            raise WireError("frames are missing")
        signature, parts = frames[at + 1], frames[at + 2 : at + 6]
        self._check(signature, parts)
        try:
            header, parent = _header.decode(parts[0]), _parent.decode(parts[1])
            metadata, content = _object.decode(parts[2]), _object.decode(parts[3])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"no valid JSON: {error}") from error
        return Message(
            idents=tuple(frames[:at]),
            header=header,
            raw_header=msgspec.Raw(parts[0]),
            parent_id=parent.msg_id,
            metadata=metadata,
            content=content,
            buffers=tuple(frames[at + 6 :]),
            size=sum(map(len, frames)),
        )

    def _sign(self, parts: Sequence[bytes]) -> bytes:
        if self._signer is None:
            return b""
        signer = self._signer.copy()
        for part in parts:
            signer.update(part)
        return signer.hexdigest().encode()

    def _check(self, signature: bytes, parts: Sequence[bytes]) -> None:
        if self._signer is None:
            return
        if not hmac.compare_digest(signature, self._sign(parts)):
            raise WireError("wrong signature")
        if signature in self._seen:
            raise WireError("a message that was sent before")
        self._seen[signature] = None
        if len(self._seen) > _SEEN_SIGNATURES:
            del self._seen[next(iter(self._seen))]
