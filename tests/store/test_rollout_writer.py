"""Writing rollouts: where, when, how much, and what happens when it cannot be."""

import json
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_protocol.errors import RolloutError
from codex_protocol.events import (
    AgentMessage,
    ApprovalResolved,
    Duration,
    ExecApprovalRequest,
    ExecCommandEnd,
    TaskComplete,
    TaskStarted,
    ThreadNameUpdated,
    TurnAborted,
    TurnDiff,
)
from codex_protocol.items import Item, assistant_message, encode_item, user_message
from codex_protocol.policy import ApprovalPolicy, ReadOnly, ReviewDecision, WorkspaceWrite
from codex_store.rollout_reader import read_rollout
from codex_store.rollout_writer import RolloutWriter
from codex_store.turn_diffs import last_diff
from tests.support.rollouts import call, home_at, new_meta, output, recorded, write_thread, write_turn


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_thread_that_never_starts_leaves_nothing(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.event(TaskStarted())
        writer.sync()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_private_and_named_by_local_time_and_id(tmp_path: Path) -> None:
    meta = new_meta()
    with RolloutWriter.create(home_at(tmp_path), meta) as writer:
        writer.items(user_message("hello"))
        assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
    relative = str(writer.path.relative_to(tmp_path))
    found = re.fullmatch(
        r"sessions/(\d{4})/(\d\d)/(\d\d)/rollout-(\d{4}-\d\d-\d\d)T\d\d-\d\d-\d\d-(.+)\.jsonl", relative
    )
    assert found is not None
    assert "-".join(found.groups()[:3]) == found[4]
    assert found[5] == meta.id


def test_everything_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.event(TaskStarted(model_context_window=1000))
        writer.items(user_message("hello"))
        assert [line["type"] for line in lines_of(writer.path)] == [
            "session_meta",
            "event_msg",
            "event_msg",
            "response_item",
        ]
        writer.items(call("c1"), call("c2"))
        assert [line["payload"]["type"] for line in lines_of(writer.path)[-2:]] == ["function_call", "function_call"]


def test_what_the_items_say_is_not_said_again(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        before = writer.path.stat().st_size
        writer.event(AgentMessage(message="hello yourself"))
        writer.event(
            ExecCommandEnd(
                call_id="c",
                stdout="",
                stderr="",
                aggregated_output="",
                exit_code=0,
                duration=Duration.of(1),
                formatted_output="",
            )
        )
        assert writer.path.stat().st_size == before


def test_a_turn_costs_little_more_than_its_items(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        write_turn(writer, "first")
        before = writer.path.stat().st_size
        items = [user_message("second"), call("c1"), output("c1", "x" * 1000), assistant_message("done")]
        write_turn(writer, "second", *items[1:3])
        grown = writer.path.stat().st_size - before
    assert grown - sum(len(encode_item(item)) for item in items) < 1000


def test_settings_are_written_only_when_they_changed(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        for model in ("a", "a", "b"):
            writer.turn_context(
                cwd="/w", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=WorkspaceWrite(), model=model
            )
    contexts = [line["payload"] for line in lines_of(writer.path) if line["type"] == "turn_context"]
    assert [context["model"] for context in contexts] == ["a", "b"]
    read = read_rollout(writer.path).turn_context
    assert read is not None
    assert (read.approval(), read.sandbox()) == (ApprovalPolicy.NEVER, WorkspaceWrite())


def test_settings_nobody_knows_are_no_policy(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    with path.open("a") as file:
        context = {"cwd": 7, "approval_policy": "sometimes", "sandbox_policy": {"type": "leaky"}, "model": None}
        file.write(json.dumps({"timestamp": "", "type": "turn_context", "payload": context}) + "\n")
    read = read_rollout(path).turn_context
    assert read is not None
    assert (read.approval(), read.sandbox(), read.model) == (None, None, "")


def test_a_second_writer_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        writer.items(user_message("hello"))
        with pytest.raises(RolloutError, match="being written by another process; close it there, or fork"):
            RolloutWriter.reopen(writer.path)
        writer.items(assistant_message("still here"))
    with RolloutWriter.reopen(writer.path) as again:
        again.items(user_message("more"))
    assert [item.text() for item in read_rollout(writer.path).history()] == ["hello", "still here", "more"]


def test_a_second_writer_outside_any_home_is_refused(tmp_path: Path) -> None:
    inside = write_thread(home_at(tmp_path / "home"), "hello")
    path = tmp_path / inside.name
    inside.rename(path)
    with RolloutWriter.reopen(path), pytest.raises(RolloutError, match="being written by another process"):
        RolloutWriter.reopen(path)
    RolloutWriter.reopen(path).close()


def test_the_lock_file_goes_with_the_writer(tmp_path: Path) -> None:
    write_thread(home_at(tmp_path), "hello")
    assert [entry.name for entry in (tmp_path / "thread-writer-locks").iterdir()] == [".coordination.lock"]


def test_a_torn_last_line_is_dropped_with_a_notice(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"timestamp":"2026-11-2')
    with RolloutWriter.reopen(path) as writer:
        assert "was cut off when its writer died; 23 bytes" in writer.notices[0]
        assert path.read_bytes() == whole


def test_a_last_line_that_only_lacks_its_end_is_kept(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with RolloutWriter.reopen(path) as writer:
        assert writer.notices == ()
        assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"garbage", b'{"timestamp":"2026'])
def test_a_file_without_a_thread_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(content)
    with pytest.raises(RolloutError, match="holds no thread"):
        RolloutWriter.reopen(path)
    assert path.read_bytes() == content


def test_a_closed_writer_writes_no_more(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
    with pytest.raises(RolloutError, match="is closed"):
        writer.items(user_message("more"))


def test_a_full_disk_is_one_sentence_and_leaves_whole_lines(tmp_path: Path) -> None:
    program = """
        import resource, sys
        from pathlib import Path
        from codex_protocol.errors import RolloutError
        from codex_protocol.items import user_message
        from codex_store.home import Home
        from codex_store.rollout_writer import RolloutWriter
        from tests.support.rollouts import new_meta

        writer = RolloutWriter.create(Home(root=Path(sys.argv[1])), new_meta())
        writer.items(user_message("hello"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
        try:
            writer.items(user_message("x" * 5000))
        except RolloutError as error:
            print(error)
        size = writer.path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        writer.items(user_message("later"))
        print(size, writer.path)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], capture_output=True, text=True, check=True
    )
    said, where = done.stdout.splitlines()
    assert said.startswith("The thread cannot be saved: ")
    path = Path(where.split()[1])
    read = read_rollout(path)
    assert read.notices == ()
    assert [item.text() for item in read.history()] == ["hello", "later"]


def test_half_a_surrogate_pair_costs_one_character(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("a\ud83db"))
    assert [item.text() for item in read_rollout(writer.path).history()] == ["a?b"]


def test_a_numbered_file_goes_on_with_its_numbers(tmp_path: Path) -> None:
    _, (path, _) = recorded("november", tmp_path)
    before = lines_of(path)
    with RolloutWriter.reopen(path) as writer:
        writer.event(ExecApprovalRequest(call_id="c", approval_id="a", digest="d", command=("ls",), cwd="/w"))
        write_turn(writer, "third", call("c9"), output("c9"))
    added = lines_of(path)[len(before) :]
    assert [line.get("ordinal") for line in added] == [None, *range(len(before), len(before) + len(added) - 1)]


def test_a_file_of_august_grows_by_items_that_august_reads(tmp_path: Path) -> None:
    _, (path,) = recorded("august", tmp_path)
    with RolloutWriter.reopen(path) as writer:
        write_turn(writer, "third")
    assert [line["type"] for line in lines_of(path)[-5:]] == [
        "event_msg",
        "message",
        "message",
        "event_msg",
        "event_msg",
    ]
    read = read_rollout(path)
    assert [turn.prompt for turn in read.turns] == ["first prompt", "second prompt", "third"]


def test_a_name_is_kept_where_upstream_keeps_names(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        writer.event(ThreadNameUpdated(name="  the  one\n"))
    assert read_rollout(writer.path).name == "the one"


def test_only_the_first_answer_to_a_question_is_written(tmp_path: Path) -> None:
    request = ExecApprovalRequest(call_id="c", approval_id="a1", digest="d1", command=("rm", "x"), cwd="/w")
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        writer.event(request)
    read = read_rollout(writer.path)
    assert read.approvals.pending == (request,)
    with RolloutWriter.reopen(writer.path) as again:
        again.take_approvals(read.approvals)
        for decision, by in ((ReviewDecision.DENIED, "page"), (ReviewDecision.APPROVED, "console")):
            again.event(ApprovalResolved(approval_id="a1", call_id="c", decision=decision, by=by))
        again.event(ApprovalResolved(approval_id="unknown", call_id="c", decision=ReviewDecision.APPROVED, by="page"))
    answers = [line["payload"] for line in lines_of(writer.path) if line["payload"].get("type") == "approval_answered"]
    assert answers == [
        {"type": "approval_answered", "approval_id": "a1", "digest": "d1", "decision": "denied", "by": "page"}
    ]
    record = read_rollout(writer.path).approvals.get("a1")
    assert record is not None
    assert record.answer is not None
    assert (record.answer.decision, record.answer.by, record.answer.digest) == (ReviewDecision.DENIED, "page", "d1")
    assert record.answer.at


def test_an_answer_to_another_digest_does_not_count(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        writer.event(ExecApprovalRequest(call_id="c", approval_id="a1", digest="d1", command=("ls",), cwd="/w"))
    forged = {"type": "approval_answered", "approval_id": "a1", "digest": "d2", "decision": "approved_for_session"}
    with writer.path.open("a") as file:
        file.write(json.dumps({"timestamp": "", "type": "workbench", "payload": forged}) + "\n")
    approvals = read_rollout(writer.path).approvals
    assert len(approvals.pending) == 1
    assert approvals.approved_digests == frozenset()


def test_sync_reaches_the_disk_without_a_file_too(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.sync()
        writer.items(user_message("hello"))
        writer.sync()
        writer.sync()


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("in the way")
    with (
        RolloutWriter.create(home_at(tmp_path), new_meta()) as writer,
        pytest.raises(RolloutError, match="cannot be saved"),
    ):
        writer.items(user_message("hello"))


def test_new_folders_are_private_at_every_level(tmp_path: Path) -> None:
    write_thread(home_at(tmp_path / "home"), "hello")
    folders = [tmp_path / "home", *(each for each in (tmp_path / "home").rglob("*") if each.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_a_thread_whose_first_line_is_damaged_goes_on_in_its_own_shape(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    path.write_bytes(b"damaged\n" + path.read_bytes().split(b"\n", 1)[1])
    with RolloutWriter.reopen(path) as writer:
        writer.items(user_message("more"))
    assert [item.text() for item in read_rollout(path).history()] == ["hello", "done", "more"]
    assert b'"payload"' in path.read_bytes().splitlines()[-1]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=5))
def test_whatever_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]]) -> None:
    written: list[Item] = []
    with RolloutWriter.create(home_at(tmp_path_factory.mktemp("home")), new_meta()) as writer:
        for number, texts in enumerate(batches):
            batch: list[Item] = [user_message(texts[0]), call(f"c{number}", arguments=texts[-1])]
            batch += [output(f"c{number}", text) for text in texts]
            writer.items(*batch)
            written += batch
    assert read_rollout(writer.path).items == tuple(written)


def test_of_many_writers_at_once_one_wins(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    program = """
        import sys
        from pathlib import Path
        from codex_protocol.errors import RolloutError
        from codex_store.rollout_writer import RolloutWriter

        sys.stdin.readline()
        try:
            writer = RolloutWriter.reopen(Path(sys.argv[1]))
            print("won", flush=True)
        except RolloutError:
            print("refused", flush=True)
        sys.stdin.readline()
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(6)
    ]
    for each in started:
        assert each.stdin is not None
        each.stdin.write("go\n")
    said = [each.stdout.readline().strip() for each in started if each.stdout is not None]
    for each in started:
        each.communicate("end\n", timeout=30)
    assert sorted(said) == ["refused"] * 5 + ["won"]


def test_modes_of_existing_folders_stay(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    os.chmod(tmp_path / "sessions", 0o750)
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("hello"))
        writer.turn_context(cwd="/w", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=ReadOnly(), model="m")
    assert stat.S_IMODE((tmp_path / "sessions").stat().st_mode) == 0o750


def test_what_a_turn_changed_is_kept_once_at_its_end(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    with RolloutWriter.create(home, new_meta()) as writer:
        for texts in (["one", "one two"], [], ["three"]):
            writer.event(TaskStarted())
            writer.items(user_message("go"))
            for text in texts:
                writer.event(TurnDiff(unified_diff=text))
            writer.event(TaskComplete(last_agent_message=None))
        writer.event(TaskStarted())
        writer.event(TurnDiff(unified_diff="x" * (9 << 20)))
        writer.event(TurnAborted(reason="interrupted"))
    lines = writer.path.read_text().splitlines()
    kept = [json.loads(line)["payload"]["unified_diff"] for line in lines if '"turn_changed"' in line]
    assert kept == ["one two", "three"]
    assert last_diff(writer.path) == "three"
    assert read_rollout(writer.path).notices == ()
