"""On a card a step is timed by its events, its launches and waits are counted, and idle time is not made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.verify.profile.summary import Summary
from engine.verify.profile.timings import Timings
from engine.verify.profile.verdict import judge
from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import H100, call_on
from tests.gpu_stub.profiles import profile_steps, watch_silent
from tests.gpu_stub.test_jobs import STEP_LAUNCHES

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

KERNEL = 2e-6  # seconds of each on the stub's clock, which events read


@pytest.mark.parametrize("workers", [0, 2])
def test_the_parts_of_a_step_are_the_kernels_of_the_card(tmp_path: Path, workers: int) -> None:
    found = Summary(Timings.model_validate(call_on(H100, profile_steps, root=str(tmp_path), workers=workers)))
    card, about = found.timings.card, found.timings.about
    assert card is not None
    assert (about.kind, about.workers) == ("gpu", workers)
    assert found.accounted == pytest.approx(1.0, rel=0.05)
    assert card.launches is not None
    assert found.wall.median == pytest.approx(KERNEL * card.launches, rel=0.25)
    step = found.share("forward", "backward", "optimizer") * found.wall.mean
    assert step == pytest.approx(KERNEL * STEP_LAUNCHES["train-teacher"], rel=0.25)
    assert found.beside("device")["augment"] > 0
    assert set(found.host) == set(found.parts)
    assert found.host["forward"].mean > found.parts["forward"].mean  # the stub's kernels cost its host more
    assert card.waits <= 1
    assert card.busy is None
    assert "how long the GPU idles was not measured: CUPTI told of no kernel" in judge(found)
    assert ("render" in found.beside("busy")) == (workers > 0)


def test_where_cupti_is_silent_waits_are_still_told_with_their_lines() -> None:
    told = call_on(H100, watch_silent)
    assert (told["busy"], told["launches"]) == (None, None)
    assert told["waits"] == 1.0
    assert told["lines"][0].startswith("tests/gpu_stub/profiles.py:")
