"""A student's side of teaching: temperature and agreement are of the right images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.distill.diagnose import diagnose_entropy, fit_temperature
from engine.core.distill.targets import Targets
from engine.errors import JobError
from engine.run.inputs import Images
from engine.run.targets import spread_rows
from engine.run.teaching import MATCHED_IMAGES, Teaching, calibration_temperature, matched_temperature
from engine.spec import Distill

LABELS = torch.randint(0, 5, (90,), generator=torch.Generator().manual_seed(3)).numpy()


@dataclass(frozen=True)
class Centre:
    """Targets that know the centre crops of every image, and which were asked for."""

    logits: Tensor

    def centre(self, rows: Any) -> Tensor:
        return self.logits[torch.as_tensor(np.asarray(rows))]


def drawn(seed: int, scale: float) -> Targets:
    noise = torch.Generator().manual_seed(seed)
    labels = torch.nn.functional.one_hot(torch.from_numpy(LABELS), 5)
    return cast(Targets, Centre(scale * torch.randn(90, 5, generator=noise, dtype=torch.float64) + 3 * labels))


def images(val: int = 30) -> Images:
    split = SimpleNamespace(train=np.arange(40), val=np.arange(40, 40 + val), test=np.arange(70, 90))
    return cast(Images, SimpleNamespace(split=split, pack=SimpleNamespace(labels=LABELS)))


def test_calibration_looks_at_validation_images_alone() -> None:
    targets = drawn(0, 3.0)
    found = calibration_temperature(targets, images())
    rows = np.arange(40, 70)
    assert found == fit_temperature(targets.centre(rows), torch.from_numpy(LABELS[rows]))
    assert found != fit_temperature(targets.centre(np.arange(70, 90)), torch.from_numpy(LABELS[70:]))


def test_calibration_needs_validation_images_on_which_the_teacher_errs() -> None:
    with pytest.raises(JobError, match="the split has none"):
        calibration_temperature(drawn(0, 3.0), images(val=0))
    right = cast(Targets, Centre(9.0 * torch.nn.functional.one_hot(torch.from_numpy(LABELS), 5).double()))
    with pytest.raises(JobError, match="no temperature is best on 30"):
        calibration_temperature(right, images())


def test_calibration_leaves_out_what_the_teacher_was_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    targets, unseen = drawn(0, 3.0), np.arange(50, 90)
    with pytest.raises(JobError, match="20 of the validation images are none that the teacher was trained on: 50"):
        calibration_temperature(targets, images(), unseen)
    monkeypatch.setattr("engine.run.teaching.LEAST_IMAGES", 20)
    rows = np.arange(50, 70)
    wanted = fit_temperature(targets.centre(rows), torch.from_numpy(LABELS[rows]))
    assert calibration_temperature(targets, images(), unseen) == wanted


@pytest.mark.parametrize(("divisor", "at"), [(1.0, 1.0), (2.0, 1.0), (1.0, 3.0)])
def test_entropy_is_matched_on_training_images_with_the_calibrated_teacher(divisor: float, at: float) -> None:
    targets, reference = drawn(0, 3.0), drawn(1, 2.0)
    found = matched_temperature(targets, reference, images(), divisor, at)
    rows = np.arange(40)
    mine, wanted = targets.centre(rows) / divisor, reference.centre(rows)
    assert diagnose_entropy(mine, found) == pytest.approx(diagnose_entropy(wanted, at), rel=1e-9)
    assert MATCHED_IMAGES == 4096


def test_what_is_effective_is_told() -> None:
    words = Distill.model_validate({"temperature": {"from": 8.0, "to": 2.0, "schedule": "cosine", "by": "epoch"}})
    teaching = Teaching(words, drawn(0, 1.0), cast(Any, None), 1.7)
    wanted = {"start": 8.0, "end": 2.0, "schedule": "cosine", "by": "epoch", "calibration": 1.7}
    assert teaching.about() == wanted
    assert replace(teaching, distill=Distill(temperature=3.0)).about()["end"] == 3.0
    schedule = teaching.schedule(4, 5)
    assert (schedule.epochs, schedule.steps) == (4, 5)


def test_a_sample_of_rows_is_spread_from_the_first_to_the_last() -> None:
    rows = np.arange(100, 200)
    assert spread_rows(rows, 4).tolist() == [100, 133, 166, 199]
    assert spread_rows(rows, 1000).tolist() == rows.tolist()
    assert spread_rows(rows, 0).tolist() == [100]
