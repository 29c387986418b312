"""Jobs of every kind end well on a card, a step and a batch hardly wait for it, and memory runs out as told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.launch.exits import Exit
from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import A100, H100, T4, Card, call_on
from tests.gpu_stub.jobs import (
    EVERYTHING,
    count_feeding,
    experiment,
    run_augmented,
    run_experiment,
    run_short,
    teach_each,
)

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

# As of today, of a step and all that feeds it: what takes more has to say why.
STEP_LAUNCHES = {"train-teacher": 410, "train-cached": 432, "train-online": 720, "prune-1": 432}
BATCH_LAUNCHES = {True: 60, False: 2250}  # by the kernels, and by plain operators
# Where the loop looks at its sum of losses, at the end of an epoch and now and then in it.
LOOKS = "engine/core/train/loop.py"
ONCE = "engine/core/data/normalize.py"  # constants that a process brings to the card once
CHECK = "tests/gpu_stub/job.py"  # in the place of the check that an online teacher's answers are finite


@pytest.mark.parametrize(
    ("card", "precision"),
    [
        (H100, "bf16"),
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in ((T4, "fp32"), (A100, "tf32"), (T4, "fp16"))),
    ],
    ids=["H100", "T4", "A100", "T4-fp16"],
)
def test_jobs_of_every_kind_commit_and_their_steps_wait_for_little(tmp_path: Path, card: Card, precision: str) -> None:
    done = call_on(card, run_experiment, root=str(tmp_path), precision=precision)
    for ran in done:
        assert (ran["status"], ran["committed"]) == (Exit.DONE, True), f"{ran['job']}: {ran['said']}"
        assert (ran["peak"] > 0) == (ran["job"] != "pack-1"), ran["job"]
    assert [ran["job"] for ran in done] == [job for job, *_ in experiment(precision)]
    measured = done[0]["measured"]
    for name in ("infer_latency", "infer_latency_eager", "infer_power", "infer_cuda_peak_reserved_settled"):
        assert {f"{name} {size}" for size in (1, 8)} <= set(measured), name
    assert done[0]["facts"]["modes"] == {"shown": "graph", "apart": ["eager"], "refused": {}}
    trained = {ran["job"]: ran["epochs"] for ran in done if ran["epochs"]}
    assert set(trained) == set(STEP_LAUNCHES)
    for job, epochs in trained.items():
        for epoch in epochs:
            judge_epoch(job, epoch, is_budgeted=card is H100)


def test_a_card_without_bf16_is_refused_with_the_fix_before_any_work(tmp_path: Path) -> None:
    (ran, *more) = call_on(T4, run_experiment, root=str(tmp_path), precision="bf16", begin="train-teacher")
    assert (ran["status"], ran["committed"], more) == (Exit.FAILED, False, [])
    assert "Tesla T4 (compute capability 7.5) has no bf16" in ran["said"]
    assert "fix: set train.precision: " in ran["said"]


def judge_epoch(job: str, epoch: dict[str, Any], *, is_budgeted: bool) -> None:
    """Of an epoch: two looks at the loss, two constants once, and a check in each step of an online teacher."""
    kinds = {place: sum(place in line for line in epoch["waits"]) for place in (LOOKS, ONCE, CHECK)}
    assert sum(kinds.values()) == len(epoch["waits"]) == epoch["syncs"], (job, epoch["waits"])
    assert kinds[LOOKS] <= 2
    assert kinds[ONCE] <= (2 if job == "train-teacher" else 0)
    assert kinds[CHECK] == (epoch["steps"] if job == "train-online" else 0)
    if is_budgeted:
        assert epoch["launches"] <= STEP_LAUNCHES[job] * epoch["steps"]


@pytest.mark.parametrize("kernels", [True, False], ids=["kernels", "operators"])
def test_a_batch_with_every_augmentation_is_made_on_the_card_without_a_wait(tmp_path: Path, kernels: bool) -> None:
    found = call_on(H100, count_feeding, root=str(tmp_path), batch=256, words=EVERYTHING, kernels=kernels)
    assert found["waits"] == []
    assert found["syncs"] == 0
    assert 0 < found["launches"] <= BATCH_LAUNCHES[kernels]
    assert (found["triton"] > 0, found["uploads"] == 1) == (kernels, kernels)


def test_the_batches_of_a_training_are_made_by_the_kernels(tmp_path: Path) -> None:
    ran = call_on(H100, run_augmented, root=str(tmp_path), batch=64)
    assert (ran["status"], ran["committed"]) == (Exit.DONE, True), ran["said"]
    (epoch,) = ran["epochs"]
    for kernel in ("make_tables", "change_pixels", "finish_pixels", "mix_pixels", "look_up_levels"):
        assert ran["triton"].get(kernel, 0) >= epoch["steps"], ran["triton"]
    assert not [line for line in epoch["waits"] if LOOKS not in line and ONCE not in line]
    assert epoch["launches"] <= (STEP_LAUNCHES["train-teacher"] + BATCH_LAUNCHES[True]) * epoch["steps"]


def test_no_distillation_loss_waits_for_the_card() -> None:
    found = call_on(H100, teach_each, batch=8, classes=10)
    assert {"hinton", "dkd", "nkd", "ats", "dist", "lskd", "abkd", "ofa"} <= set(found)
    assert {name: waits for name, waits in found.items() if waits} == {}


WHOLE, HALVED, SMALL, NOTHING = 800, 580, 556, 514  # MB of a card, of which a context takes 512
BATCH = 512


@pytest.mark.slow
def test_a_training_halves_its_batch_and_a_measurement_leaves_out_what_does_not_fit(tmp_path: Path) -> None:
    found = call_on(H100, run_short, root=str(tmp_path), sizes=[WHOLE, HALVED, SMALL], batch=BATCH, tiny=NOTHING)
    assert found[f"train-teacher-{WHOLE}"] == [[Exit.DONE, 0]]
    assert found[f"train-teacher-{HALVED}"] == [[Exit.OUT_OF_MEMORY, 0], [Exit.DONE, BATCH // 2]]
    small = found[f"train-teacher-{SMALL}"]
    assert [images for _, images in small] == [0, *(BATCH >> times for times in range(1, len(small)))]
    assert (len(small) > 2, small[-1][0]) == (True, Exit.DONE)
    assert found[f"measure-1-{WHOLE}"] == [[Exit.DONE, 0]]
    assert found[f"measure-1-{SMALL}"] == [[Exit.DONE, 0]], "the large batch does not fit, which is a figure"
    # With nothing that fits it has no figure: once more, as others may have held the memory, and no more.
    assert found[f"measure-1-{NOTHING}"] == [[Exit.OUT_OF_MEMORY, 0], [Exit.NO_MEMORY, 0]]
