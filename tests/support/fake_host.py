"""A machine made of a dictionary, for plans."""

from __future__ import annotations

import os

from codex_kernel.sandbox.host import Identity, Kind


class FakeHost:
    """Paths to what stands there: None a directory, `-> x` a link to x, anything else a file's first line."""

    def __init__(
        self, tree: dict[str, str | None], *, temp_dir: str | None = None, read_only: tuple[str, ...] = ()
    ) -> None:
        self.user_home = "/home/u"
        self.temp_dir = temp_dir
        self.memory_bytes = 8 << 30
        self._read_only = read_only
        self.become(tree)

    def become(self, tree: dict[str, str | None]) -> None:
        self._tree: dict[str, str | None] = {"/": None}
        for path, what in tree.items():
            parts = path.split("/")
            for end in range(2, len(parts)):
                self._tree.setdefault("/".join(parts[:end]), None)
            self._tree[path] = what

    def kind(self, path: str) -> Kind | None:
        parent = self.real(os.path.dirname(path)) if path != "/" else ""
        path = os.path.join(parent, os.path.basename(path)) if path != "/" else "/"
        if path not in self._tree:
            return None
        what = self._tree[path]
        if what is None:
            return Kind.DIRECTORY
        return Kind.LINK if what.startswith("-> ") else Kind.FILE

    def real(self, path: str) -> str:
        done = "/"
        for part in os.path.normpath(path).split("/")[1:]:
            here = os.path.join(done, part) if part else done
            what = self._tree.get(here)
            if what is not None and what.startswith("-> "):
                here = self.real(os.path.join(done, what[3:]))
            done = here
        return done

    def identity(self, path: str) -> Identity | None:
        return None if self.kind(path) is None else (1, list(self._tree).index(path))

    def first_line(self, path: str) -> str | None:
        what = self._tree.get(self.real(path))
        return what if what is not None else None

    def entries(self, path: str) -> list[tuple[str, Kind]]:
        prefix = path.rstrip("/") + "/"
        names = [each[len(prefix) :] for each in self._tree if each.startswith(prefix) and each != prefix]
        return [(name, kind) for name in names if "/" not in name and (kind := self.kind(prefix + name)) is not None]

    def modified(self, path: str) -> int | None:
        return None if self.kind(path) is None else 0

    def can_create_in(self, path: str) -> bool:
        return not any(path == each or path.startswith(each + "/") for each in self._read_only)
