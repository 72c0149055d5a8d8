"""What a patch does to files, as events and questions tell it."""

from __future__ import annotations

import msgspec


class AddedFile(msgspec.Struct, frozen=True):
    """A new file's text."""

    content: str


class DeletedFile(msgspec.Struct, frozen=True):
    """A deleted file's former text; empty when it was not text."""

    content: str


class UpdatedFile(msgspec.Struct, frozen=True):
    """A changed file: unified diff without file headers, and where it went when it was moved."""

    unified_diff: str
    move_path: str | None = None


class FileChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens to one file: exactly one field is set. On the wire `{"add": {…}}`."""

    add: AddedFile | None = None
    delete: DeletedFile | None = None
    update: UpdatedFile | None = None
