"""What `codex exec` starts with, as bytecode in one file beside its `.pyc` files: a sixth less to do at each start.

Python finds, opens, checks and unmarshals the `.pyc` of each of some 260 modules by itself. A bundle holds them all, so
that they are read at once and share their strings. What holds for a `.pyc` holds for it (PEP 3147; "Cached bytecode
invalidation" in the Python reference): it lies in a `__pycache__`, where only those write who may write our sources; a
file that is missing, torn, or made by another Python or for another search path is as good as none; who wants no `.pyc`
written (`PYTHONDONTWRITEBYTECODE`) gets no bundle. But what installs and removes packages does not know it, so a module
counts only while its source has, beside the size and the time of a `.pyc`, also the time of change nobody can set: many
installations give all files of all versions one time.
"""

from __future__ import annotations

import contextlib
import importlib.util
import marshal
import os
import sys
from collections.abc import Generator
from importlib.machinery import BuiltinImporter, ModuleSpec, SourceFileLoader
from types import CodeType

_FORMAT = 2
_END = b"\nend of bundle\n"
_MODE = 0o644
"""Others may read it, but never write it: it is run."""
_WORTH_WRITING = 8
"""A bundle is made when so many modules of a run were not in the one there is: to make one takes 60 ms."""
_AFTER_THE_START = ("codex_kernel.core.first_call", "codex_kernel.core.calls", "codex_kernel.mcp_client.sdk")
"""What is loaded first while a model thinks, when its first call comes, or for servers' tools: the start is over."""

_State = tuple[int, int, int]
"""Of a source: when it was written and when it was changed in any way, in nanoseconds, and its size in bytes."""
_Entry = tuple[str, str, bool, _State, CodeType]
"""Source, its `.pyc`, whether it is a package, how the source was, its code."""


class BytecodeBundle:
    """A finder for `sys.meta_path` that knows the modules of one bundle, each of them once."""

    def __init__(self, file: str) -> None:
        """Read `file`; one that cannot be used is the same as one without modules."""
        self._file = file
        self._loaded_before = set(sys.modules)
        self._loaded_by_the_start: set[str] | None = None
        """None: it is not over."""
        self._stale = False
        self._entries = _read(file)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """How to load `name`, if it is in the bundle and its source is what it was; else Python looks for it."""
        if name in _AFTER_THE_START and self._loaded_by_the_start is None:
            self._loaded_by_the_start = set(sys.modules)
        entry = self._entries.pop(name, None)
        if entry is None:
            return None
        source, cached, is_package, state, code = entry
        if _state(source) != state:
            self._stale = True
            return None
        spec = ModuleSpec(name, _BundleLoader(name, source, code), origin=source, is_package=is_package)
        spec.has_location = True
        spec.cached = cached
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(source))
        return spec

    def keep(self) -> None:
        """Make the bundle anew if this run could have used a better one and it may be written; never raises."""
        with contextlib.suppress(Exception):  # the work is done, and told: nothing here must change how it ended
            self._keep()

    def _keep(self) -> None:
        loaded = self._worth_keeping()
        missing = sum(not isinstance(loader, _BundleLoader) for loader in loaded.values())
        if not self._stale and missing < _WORTH_WRITING:
            return
        if sys.dont_write_bytecode or not os.access(os.path.dirname(self._file), os.W_OK):
            return
        from pathlib import Path

        from codex_kernel.whole_files import replace_file

        sources = {name: entry[0] for name, entry in self._entries.items()}  # what other runs have needed
        sources |= {name: loader.path for name, loader in loaded.items()}
        with _undisturbed():
            entries = {name: entry for name, source in sources.items() if (entry := _entry(name, source))}
            replace_file(Path(self._file), b"".join((_head(), marshal.dumps(entries), _END)), new_mode=_MODE)

    def _worth_keeping(self) -> dict[str, SourceFileLoader]:
        """What was loaded from sources, by name: all of a start, and of what calls load only what is ours."""
        found: dict[str, SourceFileLoader] = {}
        for name, module in list(sys.modules.items()):
            loader = getattr(getattr(module, "__spec__", None), "loader", None)
            if name in self._loaded_before or not isinstance(loader, SourceFileLoader) or loader.name != name:
                continue
            if type(loader) not in (SourceFileLoader, _BundleLoader):  # it may make other code of the same source
                continue
            by_start = self._loaded_by_the_start is None or name in self._loaded_by_the_start
            if by_start or name.startswith("codex_"):  # not the SDKs of megabytes that some runs load then
                found[name] = loader
        return found


class _BundleLoader(SourceFileLoader):
    """Loads a module as its base does, but for the code, which is there already."""

    def __init__(self, name: str, source: str, code: CodeType) -> None:
        super().__init__(name, source)
        self._code: CodeType | None = code

    def get_code(self, fullname: str) -> CodeType | None:
        code, self._code = self._code, None
        return code if code is not None else super().get_code(fullname)


def use_bundle(name: str) -> BytecodeBundle | None:
    """The bundle of that name, from which imports are served from now on; `None` where there cannot be one.

    Whoever has put a finder before Python's own is asked before the bundle too.
    """
    if "PYTHONPATH" in os.environ or sys.pycache_prefix is not None or not sys.implementation.cache_tag:
        return None
    if getattr(sys.modules["__main__"], "__spec__", None) is not None:  # by `python -m`: another search path each time
        return None
    if BuiltinImporter not in sys.meta_path or not all(map(os.path.isabs, sys.path)):  # a relative one moves with us
        return None
    beside = os.path.join(os.path.dirname(__file__), f"{name}.py")
    bundle = BytecodeBundle(importlib.util.cache_from_source(beside).removesuffix(".pyc") + ".bundle")
    sys.meta_path.insert(sys.meta_path.index(BuiltinImporter), bundle)
    return bundle


def _read(file: str) -> dict[str, _Entry]:
    try:
        with open(file, "rb", buffering=0) as opened:
            data = opened.readall()
    except OSError:
        return {}
    head = _head()
    if not data.startswith(head) or not data.endswith(_END):
        return {}
    try:
        return marshal.loads(memoryview(data)[len(head) :])  # noqa: S302  # as trustworthy as the .pyc files beside it
    except (EOFError, ValueError, TypeError):
        return {}


def _head() -> bytes:
    """What the bytecode depends on beside the sources: the interpreter, and where it looks for modules."""
    return repr((_FORMAT, sys.version, sys.flags.optimize, sys.path)).encode("utf-8", "surrogateescape") + b"\n"


def _state(source: str) -> _State | None:
    try:
        found = os.stat(source)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _entry(name: str, source: str) -> _Entry | None:
    state = _state(source)  # before the code is read: what changes in between does not match at the next start
    if state is None:
        return None
    try:
        code = SourceFileLoader(name, source).get_code(name)
    except (OSError, ImportError, SyntaxError, ValueError, EOFError):
        return None  # changed or gone since it was loaded
    if code is None:
        return None
    is_package = os.path.basename(source) == "__init__.py"
    return source, importlib.util.cache_from_source(source), is_package, state, code


@contextlib.contextmanager
def _undisturbed() -> Generator[None]:
    """What would end the process is passed over meanwhile."""
    import signal  # with enum: when this module is imported there is no bundle to take them from

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    former = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
