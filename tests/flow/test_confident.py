"""A deliberately over-confident teacher, as a person runs it: lskd hears the old one, the report names it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.distill.losses import standardize
from engine.home.paths import Home, open_home
from tests.flow.commands import RESOURCES, ask, xp

CONFIDENT = RESOURCES / "confident.yaml"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("confident") / "home"
    xp(home, "submit", CONFIDENT, "--wait")
    return home


def scaled_jobs(home: Path) -> dict[float, str]:
    """Return scale of the logits -> targets job."""
    rows = ask(home, "select job, (settings ->> '$.logit_scale')::double as scale from jobs where kind = 'targets'")
    return {row["scale"]: row["job"] for row in rows}


def test_lskd_hears_the_unscaled_teacher(done: Path) -> None:
    home: Home = open_home(done)
    files = [home.targets(scaled_jobs(done)[scale]) / "logits.bin" for scale in (1.0, 8.0)]
    one, eight = (torch.from_numpy(np.fromfile(path, "<f2").reshape(-1, 10)).float() for path in files)
    torch.testing.assert_close(standardize(eight), standardize(one), rtol=1e-5, atol=1e-5)
    accuracies = ask(done, "select arm, seed, test_top1 from results order by seed")
    heard = {arm: [row["test_top1"] for row in accuracies if row["arm"] == arm] for arm in ("lskd", "lskd_sure")}
    assert heard["lskd"] == pytest.approx(heard["lskd_sure"], abs=0.005)


def test_its_fitted_temperature_is_eight_times_its_own(done: Path) -> None:
    query = "select job, part, value from teachers where name = 'fitted_temperature'"
    found: dict[Any, float] = {(row["job"], row["part"]): row["value"] for row in ask(done, query)}
    jobs = scaled_jobs(done)
    for part in ("train", "val", "test"):
        assert found[jobs[8.0], part] == pytest.approx(8 * found[jobs[1.0], part], rel=0.01)


def test_the_report_names_it_over_confident(done: Path, tmp_path: Path) -> None:
    paths = [Path(line) for line in xp(done, "report", "confident", "-o", tmp_path).split()]
    text = next(path for path in paths if path.suffix == ".md").read_text()
    assert re.search(r"^\| timm/convnextv2_atto x 8 \| 30/20/50 \| test \| over-confident \|", text, re.MULTILINE)
    assert re.search(r"lskd_sure against hinton_sure: [+-]\d+\.\d points \[[+-]\d+\.\d, [+-]\d+\.\d\]", text)


def test_hinton_and_lskd_are_compared_with_intervals(done: Path) -> None:
    text = xp(done, "compare", "confident/lskd_sure", "confident/hinton_sure")
    low, high = re.search(r"\[([+-][\d.]+), ([+-][\d.]+)\]", text).groups()  # type: ignore[union-attr]
    assert ("undecided" in text) == (float(low) <= 0 <= float(high))


def test_its_targets_are_verified(done: Path) -> None:
    text = xp(done, "targets", "verify", "confident", "--samples", "200")
    assert text.count(": right: ") == 2
