"""Large modules, imported beside the running loop."""

from __future__ import annotations

import asyncio
import importlib
import sys


async def import_beside(module: str) -> None:
    """Have a module imported in a thread that lets go of the interpreter often, so that the loop answers meanwhile.

    Raises:
        ImportError: It cannot be imported.
    """
    await asyncio.to_thread(_import, module)


def _import(module: str) -> None:
    was = sys.getswitchinterval()
    sys.setswitchinterval(0.001)
    try:
        importlib.import_module(module)
    finally:
        sys.setswitchinterval(was)
