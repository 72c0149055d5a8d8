"""Runs modules of the page outside a browser: those that touch no document are plain functions over plain values."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import codex_app

ASSETS = Path(codex_app.__file__).with_name("assets")


def evaluate(scratch: Path, module: str, script: str) -> Any:
    """What `script`, the body of an async function, returns; `module`'s names are in `m`."""
    for file in ASSETS.glob("*.js"):
        shutil.copy(file, scratch / file.name)
    (scratch / "package.json").write_text('{"type": "module"}')
    (scratch / "main.js").write_text(
        f"import * as m from './{module}'\n"
        f"const value = await (async () => {{\n{script}\n}})()\n"
        "console.log(JSON.stringify(value))\n"
    )
    done = subprocess.run(["node", "main.js"], cwd=scratch, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
