"""The file search of the newest upstream release, asked over its app-server's stdio."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support import peers


class UpstreamSearch:
    """One app-server; every query walks the tree."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="upstream-search-", dir=Path.home())
        self._process = subprocess.Popen(
            [str(peers.november().command), "app-server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"CODEX_HOME": self._home.name, "PATH": "/usr/bin:/bin", "HOME": self._home.name},
            start_new_session=True,
        )
        self._last = 0
        client = {"name": "tests", "title": "tests", "version": "1"}
        self._ask("initialize", {"clientInfo": client, "capabilities": {"experimentalApi": True}})
        self._send({"method": "initialized"})

    def query(self, text: str, root: Path) -> list[dict[str, Any]]:
        """Its matches, best first: `path`, `score`, `indices`, `match_type`."""
        answer = self._ask("fuzzyFileSearch", {"query": text, "roots": [str(root)]})
        return answer["files"]

    def begin_session(self, session: str, root: Path, text: str) -> None:
        """Walk the tree once for many queries; returns when the first is answered."""
        self._ask("fuzzyFileSearch/sessionStart", {"sessionId": session, "roots": [str(root)]})
        self.type(session, text)

    def type(self, session: str, text: str) -> list[dict[str, Any]]:
        """The answer to a query of a session, when it is complete."""
        self._ask("fuzzyFileSearch/sessionUpdate", {"sessionId": session, "query": text}, wait=False)
        found: list[dict[str, Any]] = []
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("method") == "fuzzyFileSearch/sessionUpdated" and message["params"]["query"] == text:
                found = message["params"]["files"]
            if message.get("method") == "fuzzyFileSearch/sessionCompleted":
                return found
        raise AssertionError("the app-server has ended")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._home.cleanup()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _ask(self, method: str, params: dict[str, Any], *, wait: bool = True) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        if not wait:
            return None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if message.get("id") == self._last:
                assert "result" in message, message
                return message["result"]
        raise AssertionError("the app-server has ended")
