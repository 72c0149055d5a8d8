"""Many tasks on any executor: order kept, errors as values, concurrency bounded, results as they come."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from codex_client import Codex, Settings
from codex_client.batch import Batch, map_prompts
from codex_client.results import TurnResult
from codex_protocol.errors import UsageError
from tests.support.codex_clients import make_home
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, fails, says


class Echo(BaseModel):
    """An answer."""

    said: str


class ByHand(Executor):
    """Ends tasks when it is told to."""

    def __init__(self) -> None:
        self.submitted: list[tuple[Any, Future[Any]]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.submitted.append((args[0], future))
        return future

    def end(self, place: int, outcome: Any) -> None:
        self.submitted[place][1].set_result(outcome)


def done(text: str) -> tuple[TurnResult, None]:
    return TurnResult(id="1", thread_id="t", status="completed", final_response=text), None


def begin(prompts: list[Any], executor: Executor | None = None, **options: Any) -> Batch:
    return map_prompts(Settings(), prompts, executor=executor, progress=False, **options)


def test_no_more_run_than_are_allowed_at_once() -> None:
    executor = ByHand()
    batch = begin(list("abcd"), executor, at_once=2)
    assert len(executor.submitted) == 2
    executor.end(1, done("B"))
    outcomes = batch.as_completed()
    assert next(outcomes).value == "B"
    assert len(executor.submitted) == 3


def test_order_is_kept_whatever_ends_first_and_errors_are_values() -> None:
    executor = ByHand()
    batch = begin(list("abc"), executor, at_once=3)
    executor.end(2, done("C"))
    executor.submitted[1][1].set_exception(MemoryError("no more"))
    executor.end(0, (None, "it did not work"))
    assert [(outcome.prompt, outcome.value, outcome.error) for outcome in batch] == [
        ("a", None, "it did not work"),
        ("b", None, "MemoryError: no more"),
        ("c", "C", None),
    ]
    assert repr(batch) == "<batch: 3 of 3 done, 2 failed>"
    assert [row["ok"] for row in batch.records()] == [False, False, True]


def test_an_executor_that_takes_nothing_more_is_an_error_of_each_task() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    outcomes = begin(["a", "b"], executor).result()
    assert ["shutdown" in (outcome.error or "") for outcome in outcomes] == [True, True]


def test_cancelling_begins_no_more() -> None:
    executor = ByHand()
    batch = begin(list("abc"), executor, at_once=1)
    batch.cancel()
    executor.end(0, done("A"))
    assert [outcome.ok for outcome in batch] == [True, False, False]
    assert len(executor.submitted) == 1


@pytest.mark.parametrize(("prompts", "said"), [([""], "needs a prompt"), ([{"cwd": "/"}], "needs a prompt")])
def test_what_is_no_prompt_is_refused_before_anything_runs(prompts: list[Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        begin(prompts, ByHand())


def test_a_batch_of_nothing_is_empty() -> None:
    assert begin([]).result() == []


@pytest.fixture
def server() -> Iterator[ModelServer]:
    def answer(request: Request) -> Reply:
        prompt = request.input[-1]["content"][0]["text"]
        if "fail" in prompt:
            return fails(400, {"error": {"message": "as you asked"}})
        return says(json.dumps({"said": prompt}))

    with ModelServer(answer) as made:  # type: ignore[arg-type]  # a function of the request is a script too
        yield made


def test_every_prompt_gets_a_thread_and_a_directory_of_its_own(tmp_path: Path, server: ModelServer) -> None:
    settings = make_home(tmp_path, server)
    prompts = []
    for name in ("one", "fail", "three"):
        (tmp_path / name).mkdir()
        prompts.append({"prompt": f"do {name}", "cwd": tmp_path / name})
    with Codex(**settings) as codex:
        batch = codex.map(prompts, schema=Echo, at_once=2, progress=False)
        outcomes = batch.result()
    assert [outcome.value for outcome in outcomes] == [Echo(said="do one"), None, Echo(said="do three")]
    assert "as you asked" in (outcomes[1].error or "")
    assert outcomes[1].result is not None
    rows = batch.records()
    assert [Path(row["cwd"]).name for row in rows] == ["one", "fail", "three"]
    assert len({row["thread_id"] for row in rows}) == 3
    assert threading.active_count() < 20


def test_a_dask_cluster_of_two_processes_runs_a_batch(tmp_path: Path, server: ModelServer) -> None:
    import dask
    import distributed

    settings = make_home(tmp_path, server)
    quiet = {"distributed.worker.daemon": False, "distributed.comm.timeouts.connect": "30s"}
    with (
        dask.config.set(quiet),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        batch = map_prompts(
            Settings(**{**settings, "cwd": str(tmp_path / "work")}),
            [f"task {n}" for n in range(5)] + ["fail"],
            executor=executor,
            progress=False,
        )
        outcomes = batch.result()
    assert [outcome.value for outcome in outcomes[:5]] == [f'{{"said": "task {n}"}}' for n in range(5)]
    assert "as you asked" in (outcomes[5].error or "")
