"""Threads in numbers: turns, files, cost and context, against records that are written out."""

from __future__ import annotations

from pathlib import Path

from codex_protocol.items import assistant_message, user_message
from codex_protocol.token_usage import TokenUsage
from codex_store.insight import context_numbers, file_numbers, total, turn_numbers
from codex_store.prices import UNKNOWN, Cost, Price
from codex_store.rollout_writer import RolloutWriter
from codex_store.thread_follower import ThreadFollower
from codex_store.turn_records import CommandRecord, TurnRecord, UsageRecord, read_turns
from tests.support.rollouts import call, home_at, new_meta, output, write_turn

USAGE = TokenUsage(
    input_tokens=100, cached_input_tokens=60, output_tokens=30, reasoning_output_tokens=20, total_tokens=130
)
PRICE = Price(input=2, cached_input=0.5, output=10)


def turn(number: int = 1, model: str = "m") -> TurnRecord:
    return TurnRecord(
        number=number,
        model=model,
        prompt="do it",
        files=["a.py", "b.py", "a.py"],
        commands=[
            CommandRecord(script="make", tool="shell", cwd="/", started_ms=0, duration_s=1.5),
            CommandRecord(script="refused", tool="shell", cwd="/", started_ms=0),
        ],
        usages=[
            UsageRecord(at_ms=1, usage=USAGE, duration_s=2.0),
            UsageRecord(at_ms=2, usage=USAGE, duration_s=0.5),
        ],
    )


def test_the_four_kinds_of_tokens_add_up_to_all_of_them() -> None:
    found = turn_numbers(turn())
    assert (found.input_tokens, found.cached_tokens, found.output_tokens, found.reasoning_tokens) == (80, 120, 20, 40)
    assert sum((80, 120, 20, 40)) == found.usage.total_tokens == 260


def test_a_turn_tells_its_times_and_files() -> None:
    found = turn_numbers(turn())
    assert (found.requests, found.request_s, found.longest_request_s) == (2, 2.5, 2.0)
    assert (found.commands, found.command_s) == (2, 1.5)
    assert found.files == ("a.py", "b.py")
    assert [(each.path, each.patches, each.last_turn) for each in file_numbers([turn(), turn(2)])] == [
        ("a.py", 4, 2),
        ("b.py", 2, 2),
    ]


def test_cost_is_what_the_prices_say_and_unknown_without_one() -> None:
    once = (40 * 2 + 60 * 0.5 + 30 * 10) / 1_000_000
    assert turn_numbers(turn(), {"m": PRICE}).cost == Cost(2 * once, "USD")
    assert turn_numbers(turn()).cost == UNKNOWN
    assert str(UNKNOWN) == "unknown"
    known, unknown = turn_numbers(turn(), {"m": PRICE}), turn_numbers(turn(model="other"), {"m": PRICE})
    assert total([known, known]).cost == Cost(4 * once, "USD")
    assert total([known, unknown]).cost == UNKNOWN
    assert Cost(1, "USD") + Cost(1, "EUR") == UNKNOWN


def test_parts_of_the_context_add_up_to_what_the_provider_counted() -> None:
    history = [user_message("x" * 400), assistant_message("y" * 40)]
    found = context_numbers(history, TokenUsage(total_tokens=500, reasoning_output_tokens=20), 1000)
    assert (found.used, found.window) == (480, 1000)
    assert sum(found.parts.values()) == 480
    assert found.parts["messages"] == 100
    assert found.parts["answers"] == 10
    assert found.parts["instructions and tools"] == 370
    scarce = context_numbers(history, TokenUsage(total_tokens=50), None)
    assert sum(scarce.parts.values()) == 50
    assert scarce.parts["messages"] > scarce.parts["answers"] > 0


def test_turns_on_disk_tell_the_files_of_patches_that_were_applied(tmp_path: Path) -> None:
    done = "Exit code: 0\nWall time: 0.1 seconds\nOutput:\nSuccess. Updated the following files:\nA new.py\nM old.py\n"
    with RolloutWriter.create(home_at(tmp_path), new_meta("/w")) as writer:
        write_turn(
            writer,
            "patch",
            call("p1", "apply_patch", '{"input": "*** Begin Patch"}'),
            output("p1", done),
            call("p2", "apply_patch", '{"input": "*** Begin Patch"}'),
            output("p2", "Exit code: 1\nWall time: 0 seconds\nOutput:\nInvalid patch"),
            call("c1", "exec_command", '{"cmd": "cat log"}'),
            output("c1", done),
        )
    [found] = read_turns(writer.path)
    assert found.patches == 2
    assert found.files == ["new.py", "old.py"]
    assert found.usages[0].duration_s is not None


def test_a_thread_that_is_being_written_is_followed_line_by_line(tmp_path: Path) -> None:
    with RolloutWriter.create(home_at(tmp_path), new_meta("/w")) as writer:
        write_turn(writer, "first")
        follower = ThreadFollower(writer.path)
        assert follower.read()
        assert not follower.read()
        assert [turn.prompt for turn in follower.turns()] == ["first"]
        write_turn(writer, "second")
        with writer.path.open("ab") as file:
            file.write(b'{"timestamp":"2026-01-01T00:00:00.000Z","type":"resp')
        assert follower.read()
        assert not follower.read()
        fresh = ThreadFollower(writer.path)
        assert fresh.read()
        assert follower.turns() == fresh.turns() == read_turns(writer.path)
        assert [turn.prompt for turn in follower.turns()] == ["first", "second"]
        assert follower.context().used == 120
