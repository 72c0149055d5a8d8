"""msgspec and asyncio without what they prefer to import and rarely need: a tenth of the start of `codex exec`."""

from __future__ import annotations

import importlib
import os
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


class _NoSocket:
    """What asyncio refuses to read from directly; who has one has loaded the real module."""


def load_msgspec_and_asyncio() -> None:
    """Import both; nothing that is imported afterwards sees a stand-in.

    msgspec takes `Required` and `get_type_hints` from `typing` instead of typing_extensions.
    """
    _import("uuid", _Later("platform", system=lambda: os.uname().sysname))
    _import("msgspec", _Later("textwrap"), _Later("msgspec.inspect"), missing="typing_extensions")
    _import("urllib.parse", _Later("ipaddress"))
    _import("traceback", _Later("tokenize"), _Later("textwrap"))
    _import("subprocess", _Later("locale"))
    _import(
        "asyncio",
        _Later("inspect", iscoroutinefunction=_is_coroutine_function),
        _Later("ssl", SSLSocket=_NoSocket),
        _Later("asyncio.sslproto"),
    )


def _import(name: str, *later: _Later, missing: str | None = None) -> None:
    if name in sys.modules:
        return
    put: dict[str, ModuleType | None] = {one.__name__: one for one in later if one.__name__ not in sys.modules}
    if missing is not None and missing not in sys.modules:
        put[missing] = None  # what makes an import fail
    sys.modules.update(put)  # pyright: ignore[reportCallIssue, reportArgumentType]  # the stubs know no None
    try:
        importlib.import_module(name)
    finally:
        for one, stand_in in put.items():
            if sys.modules.get(one) is stand_in:
                del sys.modules[one]
                parent, _, part = one.rpartition(".")
                package = sys.modules.get(parent)
                if package is not None and not hasattr(package, part):
                    setattr(package, part, stand_in)  # as if it were loaded, for `package.part.name`


def _is_coroutine_function(function: object) -> bool:
    """What asyncio asks of each signal handler; one that is no plain function or method is asked about for real."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return importlib.import_module("inspect").iscoroutinefunction(function)
    return bool(code.co_flags & 0x80)  # inspect.CO_COROUTINE
