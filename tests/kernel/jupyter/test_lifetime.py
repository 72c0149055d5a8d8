"""A kernel that stays ends when nobody has needed it for long, and not before."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from codex_kernel.jupyter.lifetime import end_when_idle
from codex_kernel.model.scripted import calls, says, waits
from codex_protocol.policy import ApprovalPolicy, ReadOnly
from tests.support.kernels import running_kernel


async def test_it_ends_when_idle(tmp_path: Path):
    async with running_kernel(tmp_path, stay=True) as bench:
        await asyncio.wait_for(end_when_idle(bench.kernel, 0.05), 10)
        assert bench.kernel.ended.is_set()


async def test_it_does_not_end_in_a_turn(tmp_path: Path):
    async with running_kernel(tmp_path, [waits(), says("x")], stay=True) as bench:
        client = await bench.client()
        await client.start("wait")
        await client.until(lambda m: m["type"] == "execute_input")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(end_when_idle(bench.kernel, 0.05), 0.4)
        assert not bench.kernel.ended.is_set()


async def test_it_does_not_end_while_an_approval_waits_for_a_client_to_return(tmp_path: Path):
    asks = {"approval_policy": ApprovalPolicy.UNTRUSTED, "sandbox_policy": ReadOnly()}
    async with running_kernel(tmp_path, [calls("shell", {"command": ["touch", "x"]})], stay=True, **asks) as bench:
        client = await bench.client()
        await client.ask(type="attach", client="page-1")
        op = {"type": "user_input", "items": [{"type": "text", "text": "go"}]}
        await client.ask(type="submit", op=op)
        await client.event("exec_approval_request")
        await client.ask(type="detach", client="page-1")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(end_when_idle(bench.kernel, 0.05), 0.4)
        assert not (tmp_path / "work" / "x").exists()
