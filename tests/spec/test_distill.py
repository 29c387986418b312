"""The words about temperature and mixing: what may be written, what is refused and how, what enters an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import SpecError
from engine.home.paths import open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.spec import Distill, EntropyMatch, TemperatureSchedule
from engine.spec.cells import expand_cells
from engine.spec.identity import counted_settings

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"
ARM = "arms.distilled.distill"


def load(**changes: Any) -> Any:
    overrides = [f"{path}={value}" for path, value in changes.items()]
    return load_spec(TINY, overrides)


def distilled(**changes: Any) -> Distill:
    cells = {cell.arm: cell for cell in expand_cells(load(**changes))}
    return cells["distilled"].settings.distill


def test_a_temperature_is_a_number_a_schedule_or_matched() -> None:
    assert distilled(**{f"{ARM}.temperature": "3"}).temperature == 3.0
    schedule = distilled(**{f"{ARM}.temperature": "{from: 8, to: 1.0, schedule: cosine, by: epoch}"}).temperature
    assert schedule == TemperatureSchedule.model_validate({"from": 8.0, "to": 1.0, "schedule": "cosine", "by": "epoch"})
    reference = "{arch: timm/vit_tiny_patch16_224, train: {epochs: 1, warmup_epochs: 0}}"
    matched = distilled(**{f"{ARM}.temperature": f"{{match: entropy, reference: {reference}}}"}).temperature
    assert isinstance(matched, EntropyMatch)
    assert matched.at == 1.0


def test_what_is_written_is_what_is_hashed_and_read_again() -> None:
    words = Distill.model_validate({"temperature": {"from": 8.0, "to": 1.0}})
    counted = counted_settings(words)
    assert counted["temperature"] == {"from": 8.0, "to": 1.0, "schedule": "linear", "by": "step"}
    assert Distill.model_validate(counted) == words


@pytest.mark.parametrize(
    ("temperature", "said"),
    [
        ("hot", "'hot' is not a number"),
        ("0", "greater than 0"),
        ("{from: 8}", "'to' is missing"),
        ("{frm: 8, to: 1}", "'from'"),
        ("{from: 8, to: 1, schedule: steep}", "cosine"),
        ("{match: accuracy, reference: {arch: timm/vit_tiny_patch16_224}}", "entropy"),
    ],
)
def test_a_wrong_temperature_is_refused_in_words(temperature: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(**{f"{ARM}.temperature": temperature})
    assert said in str(caught.value)
    assert "distill.temperature" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("schedule", "matched", "Traceback"))


def test_mixed_images_need_a_linear_teacher_or_one_that_looks_at_them() -> None:
    with pytest.raises(SpecError, match=r"mix_targets: linear, teacher\.targets: online"):
        load(**{"data.augment.mixup": "0.8"})
    load(**{"data.augment.mixup": "0.8", "data.augment.mix_targets": "linear"})
    load(**{"data.augment.mixup": "0.8", "arms.distilled.teacher.targets": "online"})


def test_every_job_plays_a_role_in_a_run_that_needs_it(tmp_path: Path) -> None:
    """A job that no run names is never scheduled: the teacher of a reference is one that is easily forgotten."""
    reference = "{arch: timm/vit_tiny_patch16_224, train: {epochs: 1, warmup_epochs: 0}}"
    words = {f"{ARM}.temperature": f"{{match: entropy, reference: {reference}}}"}
    plan = make_plan(load(**words), open_home(tmp_path / "home", create=True))
    assert {job.key for job in plan.jobs} == {key for run in plan.runs for key in run.jobs.values()}
    roles = {role for run in plan.runs for role in run.jobs}
    assert {"reference", "reference_teacher", "targets", "teacher"} <= roles
