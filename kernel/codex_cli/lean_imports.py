"""msgspec and asyncio without what they load or compile at once and rarely need: a tenth of each `codex exec`."""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands for a module in those that import it now; all it does not know is asked of the real one."""

    def __init__(self, name: str, **known: object) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by the import system, of the stand-in itself
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


class _LaterPattern:
    """A regular expression that is compiled when it is used first; most of a start's never are.

    For `isinstance`, and so for `re`, it is a pattern; its copies are real ones.
    """

    def __init__(self, pattern: str | bytes, flags: int = 0) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:
        pattern, flags = self._given
        found = getattr(re.compile(pattern, flags), name)
        setattr(self, name, found)
        return found

    @property
    def __class__(self) -> type[re.Pattern[Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return re.Pattern

    def __reduce__(self) -> tuple[Any, ...]:
        return re.compile, self._given


class _NoSocket:
    """What asyncio refuses to read from directly; who has one has loaded the real module."""


def load_msgspec_and_asyncio() -> None:
    """Import both; nothing that is imported afterwards sees a stand-in.

    msgspec takes `Required` and `get_type_hints` from `typing` instead of typing_extensions.
    """
    _import("uuid", _Later("platform", system=lambda: os.uname().sysname))
    _import("msgspec", _Later("textwrap"), _Later("msgspec.inspect"), missing="typing_extensions")
    _import("urllib.parse", _Later("ipaddress"), later_patterns=True)
    _import("traceback", _Later("tokenize"), _Later("textwrap"))
    _import("string", later_patterns=True)
    _import("logging", later_patterns=True)
    _import("subprocess", _Later("locale"))
    _import(
        "asyncio",
        _Later("inspect", iscoroutinefunction=_is_coroutine_function),
        _Later("ssl", SSLSocket=_NoSocket),
        _Later("asyncio.sslproto"),
    )


def _import(name: str, *later: _Later, missing: str | None = None, later_patterns: bool = False) -> None:
    if name in sys.modules:
        return
    put: dict[str, ModuleType | None] = {one.__name__: one for one in later if one.__name__ not in sys.modules}
    if missing is not None and missing not in sys.modules:
        put[missing] = None  # what makes an import fail
    sys.modules.update(put)  # pyright: ignore[reportCallIssue, reportArgumentType]  # the stubs know no None
    before = set(sys.modules)
    later_re = _re_that_compiles_later() if later_patterns else re
    sys.modules["re"] = later_re
    try:
        importlib.import_module(name)
    finally:
        sys.modules["re"] = re
        for one, stand_in in put.items():
            if sys.modules.get(one) is stand_in:
                del sys.modules[one]
                parent, _, part = one.rpartition(".")
                package = sys.modules.get(parent)
                if package is not None and not hasattr(package, part):
                    setattr(package, part, stand_in)  # as if it were loaded, for `package.part.name`
    if later_patterns:
        for new in sys.modules.keys() - before:
            _replace(later_re, re, sys.modules[new])  # a pattern that they make from now on is asked for


def _re_that_compiles_later() -> ModuleType:
    stand_in = ModuleType("re")
    stand_in.__dict__.update(vars(re), compile=_LaterPattern)
    return stand_in


def _replace(stand_in: ModuleType, real: ModuleType, module: ModuleType) -> None:
    for name, value in vars(module).items():
        if value is stand_in:
            setattr(module, name, real)


def _is_coroutine_function(function: object) -> bool:
    """What asyncio asks of each signal handler; one that is no plain function or method is asked about for real."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return importlib.import_module("inspect").iscoroutinefunction(function)
    return bool(code.co_flags & 0x80)  # inspect.CO_COROUTINE
