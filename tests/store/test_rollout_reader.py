"""Reading rollouts: both generations of upstream's, ours, and damaged ones."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_protocol.errors import RolloutError
from codex_protocol.events import TaskComplete, TaskStarted, TurnAborted
from codex_protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Message,
    OtherItem,
    assistant_message,
    user_message,
)
from codex_store.rollout_reader import Rollout, read_rollout
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import FIXTURES, call, home_at, new_meta, output, recorded, write_thread, write_turn

FILES = sorted(FIXTURES.rglob("*.jsonl"))
STAMP = "2026-11-22T10:00:00.000Z"


def line(kind: str, payload: object) -> str:
    return json.dumps({"timestamp": STAMP, "type": kind, "payload": payload}) + "\n"


def event(kind: str, **fields: object) -> str:
    return line("event_msg", {"type": kind, **fields})


def said(role: str, text: str) -> str:
    part = "output_text" if role == "assistant" else "input_text"
    return line("response_item", {"type": "message", "role": role, "content": [{"type": part, "text": text}]})


def thread(folder: Path, *lines: str) -> Path:
    path = folder / "rollout-2026-11-22T10-00-00-01a203a2-606f-7abc-9aeb-302c855686b5.jsonl"
    meta = {"id": "01a203a2-606f-7abc-9aeb-302c855686b5", "timestamp": STAMP, "cwd": "/w"}
    path.write_text(line("session_meta", meta) + "".join(lines))
    return path


def texts(rollout: Rollout) -> list[str]:
    return [item.text() for item in rollout.history() if isinstance(item, Message)]


def test_a_thread_of_0_169_is_read_as_its_model_saw_it(tmp_path: Path) -> None:
    _, (path, _) = recorded("november", tmp_path)
    read = read_rollout(path)
    assert [turn.prompt for turn in read.turns] == ["first prompt", "second prompt"]
    assert [turn.end for turn in read.turns] == ["complete", "complete"]
    assert (read.usage.total_tokens, read.usage.reasoning_output_tokens) == (480, 20)
    joined = (FunctionCall, FunctionCallOutput, CustomToolCall, CustomToolCallOutput)
    assert [item.call_id for item in read.history() if isinstance(item, joined)] == ["c1", "c2", "c1", "c2", "c3", "c3"]
    assert read.turn_context is not None
    assert (read.turn_context.model, read.turn_context.approval_policy) == ("gpt-5.5", "never")
    assert (read.cwd, read.meta.source, read.unanswered_calls, read.notices) == ("/home/u/project", "exec", (), ())
    assert read.meta.git is not None
    assert read.meta.git.branch == "main"


def test_a_fork_of_0_169_goes_on_from_the_other_file_and_its_compaction_counts(tmp_path: Path) -> None:
    _, (base, path) = recorded("november", tmp_path)
    read = read_rollout(path)
    assert [turn.prompt for turn in read.turns] == ["first prompt", "second prompt", "third prompt"]
    assert read.meta.forked_from_id == read_rollout(base).meta.id
    assert texts(read)[-2:] == ["third prompt", "done four"]
    assert "done one" not in texts(read)
    assert any(isinstance(item, Message) and item.text() == "done one" for item in read.items)
    assert read.usage.total_tokens == 720


def test_a_fork_whose_source_is_gone_keeps_its_own_part(tmp_path: Path) -> None:
    _, (base, path) = recorded("november", tmp_path)
    base.unlink()
    read = read_rollout(path)
    assert [turn.prompt for turn in read.turns] == ["third prompt"]
    assert any("cannot be found; its part is missing" in notice for notice in read.notices)


def test_forks_that_name_each_other_end(tmp_path: Path) -> None:
    _, (base, path) = recorded("november", tmp_path)
    lines = base.read_text().splitlines(keepends=True)
    meta = json.loads(lines[0])
    meta["payload"]["history_base"] = {"thread_id": read_rollout(path).meta.id, "end_ordinal_exclusive": 10_000}
    base.write_text(json.dumps(meta) + "\n" + "".join(lines[1:]))
    assert any("cannot be found" in notice for notice in read_rollout(path).notices)


def test_a_thread_of_august_is_read(tmp_path: Path) -> None:
    _, (path,) = recorded("august", tmp_path)
    read = read_rollout(path)
    assert [turn.prompt for turn in read.turns] == ["first prompt", "second prompt"]
    assert (read.cwd, read.unanswered_calls, read.notices, read.broken_off) == ("/home/u/project", (), (), False)
    assert len(read.items) == 11


def test_ours_reads_as_it_was_written(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        write_turn(writer, "first", call("c1"), output("c1"))
        writer.event(TaskStarted())
        writer.items(user_message("second"), user_message("steered"))
        writer.event(TurnAborted())
        writer.event(TaskStarted())
        writer.items(user_message("third"), call("c2"))
    read = read_rollout(writer.path)
    assert [(turn.prompt, turn.end) for turn in read.turns] == [
        ("first", "complete"),
        ("second", "aborted"),
        ("third", None),
    ]
    assert read.broken_off
    assert read.unanswered_calls == (call("c2"),)
    assert read.usage.total_tokens == 120


def test_a_failed_turn_says_why(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.event(TaskStarted())
        writer.items(user_message("first"))
        writer.event(TaskComplete(error="The provider is down."))
    assert read_rollout(writer.path).turns[0].error == "The provider is down."


def test_a_compaction_replaces_what_the_model_sees_and_nothing_else(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        write_turn(writer, "first")
        writer.compacted("all of it", [user_message("all of it")])
        write_turn(writer, "second")
    read = read_rollout(writer.path)
    assert texts(read) == ["all of it", "second", "done"]
    assert len(read.items) == 4


def test_a_compaction_without_a_replacement_keeps_the_prompts_and_the_summary(tmp_path: Path) -> None:
    path = thread(
        tmp_path,
        said("user", "<environment_context>x"),
        said("user", "u1"),
        said("assistant", "a1"),
        line("compacted", {"message": "sum"}),
        said("user", "u2"),
    )
    assert texts(read_rollout(path)) == ["u1", "sum", "u2"]


@pytest.mark.parametrize(
    ("count", "left"),
    [(0, ["c", "u1", "a1", "u2", "a2", "u3"]), (1, ["c", "u1", "a1", "u2", "a2"]), (2, ["c", "u1", "a1"]), (9, ["c"])],
)
def test_turns_taken_back_do_not_count(tmp_path: Path, count: int, left: list[str]) -> None:
    path = thread(
        tmp_path,
        said("developer", "c"),
        said("user", "u1"),
        said("assistant", "a1"),
        said("user", "u2"),
        said("assistant", "a2"),
        said("user", "u3"),
        event("thread_rolled_back", num_turns=count),
    )
    assert texts(read_rollout(path)) == left


def test_taking_back_a_turn_takes_back_its_compaction(tmp_path: Path) -> None:
    turn = [event("task_started", turn_id="t"), event("task_complete", turn_id="t")]
    path = thread(
        tmp_path,
        turn[0],
        said("user", "u1"),
        said("assistant", "a1"),
        turn[1],
        turn[0],
        said("user", "u2"),
        line("compacted", {"message": "sum", "replacement_history": []}),
        said("assistant", "a2"),
        turn[1],
        event("thread_rolled_back", num_turns=1),
        said("user", "u3"),
    )
    read = read_rollout(path)
    assert texts(read) == ["u1", "a1", "u3"]
    assert [item.text() for item in read.items if isinstance(item, Message)] == ["u1", "a1", "u3"]


def test_the_last_plan_is_found_in_the_calls(tmp_path: Path) -> None:
    plans = ['{"plan":[{"step":"a","status":"pending"}]}', '{"plan":[{"step":"a","status":"completed"}]}', '{"plan":7}']
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        for number, arguments in enumerate(plans):
            writer.items(call(f"c{number}", "update_plan", arguments), output(f"c{number}"))
    plan = read_rollout(writer.path).plan
    assert plan is not None
    assert [step.status for step in plan.plan] == ["completed"]


def test_damaged_and_unknown_lines_cost_themselves_alone(tmp_path: Path) -> None:
    path = thread(
        tmp_path,
        said("user", "u1"),
        "garbage{\n",
        "[" * 100_000 + "\n",
        '"\ud800"\n'.encode("utf-8", "surrogatepass").decode("latin-1"),
        "\n",
        line("from_the_future", {"x": 1}),
        line("workbench", {"type": "from_the_future"}),
        line("response_item", {"type": "from_the_future", "x": 1}),
        line("response_item", {"type": "message", "role": "user"}),
        line(
            "response_item",
            {"type": "message", "role": "user", "content": [{"type": "hologram"}, {"type": "x", "text": "u2"}]},
        ),
        said("assistant", "a1"),
    )
    read = read_rollout(path)
    assert texts(read) == ["u1", "u2", "a1"]
    assert sum(isinstance(item, OtherItem) for item in read.items) == 2
    assert "3 lines could not be read and were passed over." in read.notices
    assert "2 lines are of a kind this version does not know." in read.notices


def test_a_damaged_first_line_costs_no_items(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    whole = path.read_bytes()
    path.write_bytes(b"\0" * 40 + b"\n" + whole.split(b"\n", 1)[1])
    read = read_rollout(path)
    assert texts(read) == ["hello", "done"]
    assert read.meta.id in path.name
    assert any("its id was taken from the file's name" in notice for notice in read.notices)


def test_an_id_that_would_lead_to_another_folder_is_damage(tmp_path: Path) -> None:
    path = write_thread(home_at(tmp_path), "hello")
    path.write_bytes(path.read_bytes().replace(b'"id":"', b'"id":"../../', 1))
    read = read_rollout(path)
    assert texts(read) == ["hello", "done"]
    assert read.meta.id in path.name


def test_what_is_no_thread_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for name, why in (
        ("missing.jsonl", "There is no thread at"),
        ("empty.jsonl", "holds no thread"),
        (".", "cannot be read"),
    ):
        with pytest.raises(RolloutError, match=why):
            read_rollout(tmp_path / name)


def test_a_packed_thread_that_cannot_be_unpacked_says_how(tmp_path: Path) -> None:
    path = tmp_path / "rollout-2026-11-22T10-00-00-01a203a2-606f-7abc-9aeb-302c855686b5.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd nonsense")
    with pytest.raises(RolloutError, match=r"packed|cannot be"):
        read_rollout(path)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_any_beginning_of_a_file_reads_as_a_beginning_of_its_thread(
    tmp_path_factory: pytest.TempPathFactory, source: Path, data: st.DataObject
) -> None:
    whole = source.read_bytes()
    first = whole.index(b"\n")
    end = data.draw(st.integers(first, len(whole)))
    path = tmp_path_factory.mktemp("cut") / source.name
    path.write_bytes(whole[:end])
    part, items = read_rollout(path).items, read_rollout(path.with_name(_copy(path, whole))).items
    assert part == items[: len(part)]
    assert len(read_rollout(path).items) >= whole[:end].count(b'"response_item"') - 1


def _copy(path: Path, content: bytes) -> str:
    name = f"whole-{path.name}"
    path.with_name(name).write_bytes(content)
    return name


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_no_damage_makes_reading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, source: Path, data: st.DataObject
) -> None:
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 5))] = data.draw(st.binary(max_size=5))
    path = tmp_path_factory.mktemp("hurt") / source.name
    path.write_bytes(bytes(content))
    try:
        read_rollout(path).history()
    except RolloutError:
        return


def test_a_thread_read_while_it_grows_is_a_beginning_of_it(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta()) as writer:
        writer.items(user_message("u1"))
        assert texts(read_rollout(writer.path)) == ["u1"]
        writer.items(assistant_message("a1"))
        assert texts(read_rollout(writer.path)) == ["u1", "a1"]
