"""The upstream releases and SDK that tests and benchmarks run against, as installed by `tests/run`.

Native binaries are named, not npm's Node wrappers: a wrapper would cost the peer some 50 ms that are not its own.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parents[1] / "node_modules"


class PeerMissingError(RuntimeError):
    """A peer is not installed; the message says what to do."""


@dataclass(frozen=True)
class Peer:
    """An installed upstream release."""

    name: str
    version: str
    command: Path
    """Native executable."""
    model: str
    """A model it knows, so that it offers its usual tools."""

    def config(self, base_url: str) -> str:
        """A `config.toml` that sends the release to a scripted server; everything else stays as its users get it.

        Its `CODEX_HOME` should not be below the temporary directory: the newer release then leaves helpers out.
        """
        return (
            f'model = "{self.model}"\nmodel_provider = "scripted"\n\n[model_providers.scripted]\nname = "scripted"\n'
            f'base_url = "{base_url}"\nwire_api = "responses"\nrequest_max_retries = 0\nstream_max_retries = 0\n'
        )


def august() -> Peer:
    """Release 0.27.0 of August 2025.

    Raises:
        PeerMissingError: It is not installed.
    """
    machine = {"x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}.get(platform.machine(), "unknown")
    system = "apple-darwin" if sys.platform == "darwin" else "unknown-linux-musl"
    package = MODULES / "codex-august"
    return _peer("august", "gpt-5", package, package / "bin" / f"codex-{machine}-{system}")


def november() -> Peer:
    """Release 0.169.0 of November 2026.

    Raises:
        PeerMissingError: It is not installed.
    """
    package = MODULES / "@openai" / "codex"
    platforms = sorted(path for path in package.parent.glob("codex-*/vendor/*/bin/codex"))
    return _peer("november", "gpt-5.5", package, platforms[0] if platforms else package / "vendor")


def sdk() -> Path:
    """The directory of the official TypeScript SDK's package.

    Raises:
        PeerMissingError: It is not installed.
    """
    package = MODULES / "@openai" / "codex-sdk"
    _version(package)
    return package


def _peer(name: str, model: str, package: Path, command: Path) -> Peer:
    version = _version(package)
    if not command.is_file():
        raise PeerMissingError(f"{package.name} {version} has no executable for this machine at {command}")
    return Peer(name, version, command, model)


def _version(package: Path) -> str:
    try:
        return json.loads((package / "package.json").read_text("utf-8"))["version"]
    except FileNotFoundError as error:
        raise PeerMissingError(f"{package} is not installed: run tests/run once, it installs the peers") from error
