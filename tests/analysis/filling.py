"""Invented holes of an experiment of one arm, and the cases of the sentences about holes and filling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from engine.analysis.claims import Judged
from engine.analysis.compare import FEW_SEEDS
from engine.analysis.fill import choose_fill, fill_lines
from engine.analysis.holes import (
    ASKED,
    DECIDES,
    Need,
    Standing,
    find_needs,
    need_of_change,
    need_of_claim,
)
from engine.analysis.lacking import Lacking, lacking_lines, recorded_lacking
from engine.analysis.statistics import Interval
from engine.plan import Job, Plan, Run
from engine.plan.estimate import Estimate, JobEstimate
from engine.spec import Claim, Spec
from engine.spec.job_settings import JobDetails
from tests.analysis.test_text import found
from tests.helpers.synthetic import SyntheticHome

Told = Callable[[], str]
SPEC = Spec.model_validate(
    {"name": "paper", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, "seeds": [0, 1],
     "arms": {"a": {}, "b": {"train": {"epochs": 2}}}}
)  # fmt: skip
OVER_SEEDS = Interval(0.01, 0.02, -0.02, 0.04, 4, 0.01, 3.0, "seeds")
OVER_IMAGES = Interval(0.01, 0.01, -0.02, 0.04, 2, 0.01, 199.0, "images")
# Its error is of the test images, which no seed takes away.
WALLED = Interval(0.001, 0.001, -0.02, 0.02, 4, 0.0099, 6.0, "seeds and images", 0.999)


def empty(*seeds: int) -> Told:
    """Cells of which these seeds are done."""
    done = frozenset((arm, "default", seed) for arm in "ab" for seed in seeds)
    return lambda: "\n".join(need.why for need in find_needs(None, SPEC, Standing(done)))


def change(**more: Any) -> Told:
    def tell() -> str:
        need = need_of_change(found(**{"difference": OVER_SEEDS, **more}), SPEC, Standing(frozenset()))
        return f"{need.what}: {need.why}"

    return tell


def claimed() -> str:
    about = {"id": "one", "text": "A sentence.", "metric": "test_top1", "arm": "b", "against": "a"}
    compared = found(difference=OVER_SEEDS)
    judged = Judged(Claim.model_validate({**about, "expect": "greater"}), "default", "undecided", "", compared)
    need = need_of_claim(judged, compared, SPEC, Standing(frozenset()))
    return f"{need.what}: {need.why}"


def make_lacking(needs: Sequence[Need], states: Sequence[str] = ("new",) * 3, added: Sequence[int] = ()) -> Lacking:
    """One arm, a job of 100 s for each of three seeds, of which the spec asks for two."""
    jobs = tuple(Job(f"train-{at}", f"train-{at}", "train", {}, cast(Any, None), JobDetails()) for at in range(3))
    runs = tuple(Run(f"run-{at}", "a", "default", at, "60/20/20", {}, {"student": f"train-{at}"}) for at in range(3))
    estimates = tuple(JobEstimate(job, state, 100.0, job.bytes) for job, state in zip(jobs, states, strict=True))
    estimate = Estimate(estimates, 300.0, 0, {}, cast(Any, None))
    standing = Standing(frozenset(), tuple(("a", "default", seed) for seed in added))
    return Lacking(SPEC, Plan(SPEC, runs, jobs), estimate, tuple(needs), standing)


def asked(*seeds: int) -> Need:
    return Need(ASKED, "a (default)", "it lacks", tuple(("a", "default", seed) for seed in seeds))


def deciding(seed: int, needed: int) -> Need:
    return Need(DECIDES, "a claim", "it would", (("a", "default", seed),), 3, needed)


def filled(need: Need, budget: float | None = None, **more: Any) -> Told:
    return lambda: "\n".join(fill_lines(choose_fill(make_lacking([need], **more), budget)))


def lacks(*needs: Need) -> Told:
    return lambda: "\n".join(lacking_lines(make_lacking(needs)))


def unreadable() -> str:
    with TemporaryDirectory() as folder:
        made = SyntheticHome(Path(folder))
        made.record("paper", [], "a")
        return str(recorded_lacking(made.home, "paper"))


def unplanned() -> str:
    """A spec that is one, of images that nobody has."""
    with TemporaryDirectory() as folder:
        made = SyntheticHome(Path(folder))
        told = {"name": "paper", "data": {"source": "folder", "root": f"{folder}/none", "split": "60/20/30"}}
        made.record("paper", [], "a", spec={**told, "student": {"arch": "tiny_vit_5m"}})
        return str(recorded_lacking(made.home, "paper"))


FILL_CASES: dict[str, tuple[Told, Told]] = {
    "lacks_seeds": (empty(0), empty(0, 1)),
    "open_claim": (claimed, change()),
    "open_change": (change(), claimed),
    "seeds_idle": (change(metric="infer_images_per_second", images=None), change()),
    "rounds_decide": (change(metric="infer_images_per_second", images=None), change()),
    "beyond_seeds": (change(difference=WALLED), change()),
    "makes_testable": (change(difference=OVER_IMAGES, untested=FEW_SEEDS), change()),
    "shows_no_spread": (change(difference=Interval(0.01, 0.0, None, None, 4)), change()),
    "final_seeds": (change(arms=("b-best", "a")), change()),
    "would_decide": (change(), change(difference=WALLED)),
    "price": (lacks(asked(0)), lacks()),
    "in_all": (lacks(asked(0)), lacks()),
    "no_spec": (unreadable, lacks(asked(0))),
    "cost_unknown": (unreadable, lacks(asked(0))),
    "one_run": (filled(asked(0)), filled(deciding(0, 4))),
    "asked_for": (filled(asked(0)), filled(deciding(0, 4))),
    "over_budget": (filled(asked(0), 99.0), filled(asked(0), 100.0)),
    "many_seeds": (filled(deciding(0, 40)), filled(deciding(0, 40), 100.0)),
    "fill_under_way": (filled(asked(0), states=("new", "queued", "new")), filled(asked(0))),
    "fill_queues": (filled(asked(0), 100.0), filled(asked(0), 99.0)),
    "fill_leaves": (filled(asked(0), 99.0), filled(asked(0), 100.0)),
    "added_seeds": (filled(asked(0), added=(2,)), filled(asked(0))),
}
