"""Jobs that will not fit are told, with what to do about it; those that fit are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.cost.macs import count_params
from engine.plan.cost.room import PROCESS, Room, peak_bytes
from engine.plan.cost.speeds import Speed, Speeds
from engine.plan.cost.work import Loading, Pass, Work
from engine.plan.estimate import estimate_plan, tell_tight_jobs
from engine.spec import Student
from tests.plan.conftest import QUICKSTART
from tests.plan.cost.conftest import make_feed, make_probe

SHAPE = Speed(macs=1e6, params=1e6, saved=1e6)


def test_a_training_takes_its_weights_and_what_a_batch_keeps() -> None:
    work = Work((Pass(make_probe(batch=64), "step", 100.0),))
    speeds = Speeds({make_probe(batch=64): SHAPE}, {})
    assert peak_bytes(work, speeds) == pytest.approx(PROCESS["cpu"] + 7 * 4e6 + 64e6)


def test_gpus_that_share_a_training_keep_their_share_of_a_batch() -> None:
    work = Work((Pass(make_probe(batch=64), "step", 100.0),))
    speeds = Speeds({make_probe(batch=64): SHAPE}, {})
    assert peak_bytes(work, speeds, 4) == pytest.approx(PROCESS["cpu"] + 7 * 4e6 + 16e6)


def test_a_job_without_a_network_takes_none() -> None:
    assert peak_bytes(Work(loads=(Loading(make_feed(), pack=100),)), Speeds({}, {})) == 0


def test_what_will_not_fit_is_told_with_the_fix(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART, ["train.batch_size=1024"]), home)
    estimate = estimate_plan(plan, home, {})
    needed = max(estimate.memory(job) for job in plan.jobs)
    assert tell_tight_jobs(estimate, Room(needed)) == []
    lines = tell_tight_jobs(estimate, Room(needed - 1))
    assert lines
    for line in lines:
        assert "will not fit" in line
        assert f"takes about {needed / 1e9:.1f} GB" in line
        assert "fix: take a smaller train.batch_size, or train.memory: lean (of a trained teacher" in line


def test_without_a_gpu_its_memory_is_no_bound(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART), home)
    assert tell_tight_jobs(estimate_plan(plan, home, {}), Room(1 << 60, 1)) == []


@pytest.mark.parametrize(("arch", "saved"), [("tiny_vit_5m", 97e6), ("tiny_vit_21m", 165e6)])
def test_the_guess_is_about_what_is_counted(arch: str, saved: float) -> None:
    """As `xp describe` counts a training step at 224 pixels, an image."""
    network = Student.model_validate({"arch": arch}).model_dump_json()
    probe = replace(make_probe(image_size=224, batch=1), network=network)
    guess = peak_bytes(Work((Pass(probe, "step", 1.0),)), Speeds({}, {}))
    counted = peak_bytes(
        Work((Pass(probe, "step", 1.0),)),
        Speeds({probe: Speed(macs=probe.macs, params=count_params(probe.student), saved=saved)}, {}),
    )
    assert guess - counted == pytest.approx(0, abs=3 * saved)
