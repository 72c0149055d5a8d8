"""Kernels for tests: a kernelspec that starts this checkout, and clients that see every message."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def install_spec(folder: Path, name: str, **options: Any) -> Path:
    """Write a kernelspec for this checkout into `folder`; what to put into JUPYTER_PATH.

    Args:
        folder: Where.
        name: The spec's.
        options: Fields of `KernelOptions`; the demo model answers unless `flags` say otherwise.
    """
    place = folder / "kernels" / name
    place.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f", "{connection_file}"],
        "display_name": "Codex",
        "language": "codex",
        "interrupt_mode": "message",
        "metadata": {"supported_encryption": "curve"},
        "env": {"CODEX_KERNEL_OPTIONS": json.dumps({"flags": {"demo": True}, **options})},
    }
    (place / "kernel.json").write_text(json.dumps(spec))
    os.makedirs(folder / "runtime", exist_ok=True)
    return folder
