"""A thread on disk with as many entries as one likes, of the mix that a day's work leaves: prose, commands, patches."""

from __future__ import annotations

from pathlib import Path

import msgspec

from codex_protocol.events import TaskComplete, TaskStarted
from codex_protocol.items import assistant_message, user_message
from codex_protocol.policy import ApprovalPolicy, WorkspaceWrite
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import call, new_meta, output

ENTRIES_OF_A_TURN = 4
_OUTPUT = "\n".join(f"tests/test_kettle.py::test_case_{n} PASSED [{n * 4}%]" for n in range(25))
_ANSWER = """Found it in turn {n}. `boil()` returned **early**:

- the lid was *open*, see `kettle.py`;
- nobody asked `is_closed()`.

```python
def boil(kettle):
    if not kettle.is_closed():
        raise LidOpen(kettle)
    return 100
```

| case | before | after |
|---|---|---|
| closed | 100 | 100 |
| open | 100 | raises |
"""


def write_long_thread(home: Home, cwd: Path, entries: int, *, model: str, provider: str) -> str:
    """Its id. Every turn is a message, a command with its output, a patch and an answer: four entries."""
    meta = msgspec.structs.replace(new_meta(str(cwd), source="page"), model_provider=provider)
    with RolloutWriter.create(home, meta) as writer:
        for n in range(entries // ENTRIES_OF_A_TURN):
            writer.event(TaskStarted())
            writer.turn_context(
                cwd=str(cwd), approval_policy=ApprovalPolicy.ON_REQUEST, sandbox_policy=WorkspaceWrite(), model=model
            )
            patch = f"*** Begin Patch\n*** Add File: part_{n}.py\n" + "+value = 1\n" * 12 + "*** End Patch"
            said = f"Success. Updated the following files:\nA part_{n}.py\n"
            writer.items(
                user_message(f"Turn {n}: why does it say 100 when its lid is open? Run the tests, then mend it."),
                call(f"c{n}", "exec_command", '{"cmd": "pytest -q tests"}'),
                output(f"c{n}", f"Wall time: 0.5000 seconds\nProcess exited with code 0\nOutput:\n{_OUTPUT}\n"),
                call(f"p{n}", "apply_patch", msgspec.json.encode({"input": patch}).decode()),
                output(f"p{n}", f"Exit code: 0\nWall time: 0 seconds\nOutput:\n{said}"),
                assistant_message(_ANSWER.format(n=n)),
            )
            writer.event(TaskComplete(last_agent_message=f"turn {n}"))
    return meta.id
