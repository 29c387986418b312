"""Jobs on GPUs that are only names: who runs beside whom, and what each job sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.home.paths import Home
from store.queue import AttemptRow, Queue
from tests.helpers.queueing import Probe, states, submit_probes, until
from tests.schedule.worker.working import work, working

GPUS = "GPU-5a,MIG-7/1/0"


def gpu_probe(home: Home, number: int, gpus: float, kind: str = "train", cost: float = 1.0) -> Probe:
    """A job that goes on only when `finish_all` says so: all that may run at once do."""
    does: dict[str, Any] = {"do": "sleep", "go": str(home.root / "go"), "resources": {"gpus": gpus}}
    return Probe(f"{kind}-{number}", does=does, kind=kind, cost=cost)


def attempts(home: Home) -> list[AttemptRow]:
    assert set(states(home).values()) == {"done"}
    with Queue.open_readonly(home.queue_db) as queue:
        return queue.attempt_rows()


def finish_all(home: Home, running: int, slots: int = 1) -> None:
    """Work until `running` jobs run at once, then let them, and all after them, end."""
    with working(home, slots=slots), Queue.open_readonly(home.queue_db) as queue:
        until(lambda: len(queue.running()) == running)
        (home.root / "go").touch()


def most_at_once(rows: list[AttemptRow]) -> int:
    return max(sum(o.started_at <= row.started_at < (o.ended_at or 0.0) for o in rows) for row in rows)


def seen_gpu(home: Home, job: str) -> str:
    seen: str = json.loads(home.job(job).result.read_text())["env"]["cuda"]
    return seen


@pytest.mark.parametrize(("share", "each"), [(1, 1), (0.5, 2), (0.3, 3)])
def test_as_many_jobs_share_a_gpu_as_asked_and_each_sees_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch, share: float, each: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", GPUS)
    submit_probes(home, "one", [gpu_probe(home, number, share) for number in range(2 * each + 1)])
    finish_all(home, 2 * each)
    rows = attempts(home)
    for gpu in GPUS.split(","):
        assert most_at_once([row for row in rows if row.slot == gpu]) == each
    assert {row.job: row.slot for row in rows} == {row.job: seen_gpu(home, row.job) for row in rows}


def test_a_measure_job_has_its_gpu_to_itself_and_others_go_on_beside(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", GPUS)
    halves = [gpu_probe(home, number, 0.5) for number in range(6)]
    cpu = [gpu_probe(home, 1, 1, "pack"), gpu_probe(home, 9, 0)]
    submit_probes(home, "one", [*halves, gpu_probe(home, 7, 0.5, "measure", cost=2.0), *cpu])
    finish_all(home, 1 + 2 + 2, slots=2)
    rows = {row.job: row for row in attempts(home)}
    alone = rows["measure-7"]
    beside = [row for row in rows.values() if row.slot == alone.slot]
    (other,) = set(GPUS.split(",")) - {alone.slot}
    assert most_at_once([row for row in rows.values() if row.slot == other]) == 2
    assert not any(
        row.started_at < (alone.ended_at or 0.0) and alone.started_at < (row.ended_at or 0.0)
        for row in beside
        if row.job != alone.job
    )
    assert {rows["pack-1"].slot, rows["train-9"].slot} == {"cpu:0", "cpu:1"}
    assert seen_gpu(home, "train-9") == ""


def test_urgent_experiments_go_first_and_equal_ones_take_turns(home: Home) -> None:
    for name, priority in (("plain", 0), ("other", 0), ("urgent", 7)):
        submit_probes(home, name, [Probe(f"{name}-{number}", cost=number) for number in range(3)], priority=priority)
    assert work(home) == 0
    order = [row.job for row in sorted(attempts(home), key=lambda row: row.started_at)]
    assert order[:3] == ["urgent-2", "urgent-1", "urgent-0"], "longest first"
    assert order[3] == "plain-2"
