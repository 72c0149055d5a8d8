"""Unchanged lines around a patch that waits: of files of that patch alone, while they are as it saw them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codex_kernel.jupyter.around_patch import MAX_LINES
from codex_kernel.model.scripted import custom, says
from codex_protocol.policy import ApprovalPolicy
from tests.kernel.jupyter.test_composing import query
from tests.support.kernels import running_kernel

LINES = [f"line {n}" for n in range(1, 1001)]
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-line 500\n+LINE 500\n*** Add File: b.txt\n+b\n*** End Patch"


async def test_lines_around_are_read_while_the_patch_waits_and_the_file_is_the_same(tmp_path: Path):
    work = tmp_path / "work"
    work.mkdir()
    file = work / "a.txt"
    file.write_bytes("\r\n".join(LINES).encode())
    (work / "secret.txt").write_text("s")
    script = ([custom("apply_patch", PATCH)], [says("done")])
    async with running_kernel(tmp_path, *script, approval_policy=ApprovalPolicy.UNTRUSTED) as bench:
        client = await bench.client()
        await client.ask(type="attach", client="page-1")
        await client.ask(type="submit", op={"type": "user_input", "items": [{"type": "text", "text": "go"}]})
        asked = (await client.event("apply_patch_approval_request"))["msg"]

        async def around(name: str, first: Any, last: Any, id: str = asked["approval_id"]) -> Any:
            path = str(work / name)
            return await query(client, "lines_around", approval_id=id, path=path, first=first, last=last)

        assert await around("a.txt", 1, 3) == {"lines": LINES[:3], "total": 1000}
        assert await around("a.txt", 999, 2000) == {"lines": LINES[998:], "total": 1000}
        assert (await around("a.txt", 1, 1000))["lines"] == LINES[:MAX_LINES]
        assert "numbers of lines" in (await around("a.txt", 0, 3))["message"]
        assert "numbers of lines" in (await around("a.txt", 1, "3"))["message"]
        for name, id in (("secret.txt", asked["approval_id"]), ("b.txt", asked["approval_id"]), ("a.txt", "other")):
            assert "no patch that changes this file" in (await around(name, 1, 3, id))["message"]
        file.write_text("\n".join(["mine", *LINES]))
        assert "changed since" in (await around("a.txt", 1, 3))["message"]
        file.unlink()
        assert "changed since" in (await around("a.txt", 1, 3))["message"]
        op = {"type": "patch_approval", "id": asked["approval_id"], "decision": "denied", "by": "page"}
        await client.ask(type="submit", op=op)
        await client.event("task_complete")
        assert "no patch" in (await around("a.txt", 1, 3))["message"]
