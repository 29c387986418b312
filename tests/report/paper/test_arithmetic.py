"""What counting decides: sizes against public ones, printed figures as shipped and changed, and none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import pytest

from engine.report.paper import sizes
from engine.report.paper.arithmetic import COMPUTED
from engine.spec.paper import Counting
from tests.report.paper.printed import printed_rows

PRINTED = printed_rows()
SHAPES = ("second_projections", "work_of_two_sets")


def test_a_papers_file_may_name_each_of_them() -> None:
    assert set(get_args(Counting)) == set(COMPUTED)


def test_sizes_are_those_that_are_known() -> None:
    """As timm counts convnextv2_huge, CLIP's visual tower, and TinyViT with a head of 100 classes."""
    assert sizes.convnextv2_params(*sizes.HUGE) == 660_289_640
    assert sizes.convnextv2_params((40, 80, 160, 320), (2, 2, 6, 2)) == 3_708_400
    assert sizes.vit_params(*sizes.LARGE_CLIP) == 303_966_208
    assert sizes.tiny_vit_size("tiny_vit_5m", (7, 7, 14, 7), False).params == 5_103_864


def test_probabilities_take_what_the_windows_hold() -> None:
    """TinyViT-5M has 4 heads on 16 windows of 49 tokens, 5 on one of 196, 10 on one of 49: 2, 6 and 2 blocks."""
    entries = 2 * 4 * 16 * 49**2 + 6 * 5 * 196**2 + 2 * 10 * 49**2
    assert sizes.probability_bytes("tiny_vit_5m", (7, 7, 14, 7), 256) == 6 * 256 * entries


@pytest.mark.parametrize("name", COMPUTED)
def test_the_paper_as_printed_has_each_contradiction(name: str) -> None:
    assert COMPUTED[name](PRINTED).verdict == "holds"


@pytest.mark.parametrize("name", [name for name in COMPUTED if name not in SHAPES])
def test_a_paper_that_prints_nothing_contradicts_nothing(name: str) -> None:
    assert COMPUTED[name]([]).verdict in ("not run", "refuted")


def changed(metric: str, model: str, **more: Any) -> Sequence[Mapping[str, Any]]:
    return [{**row, **more} if (row["metric"], row["model"]) == (metric, model) else row for row in PRINTED]


def test_other_figures_are_counted_otherwise() -> None:
    assert COMPUTED["small_above_large"](changed("top1", "tiny_vit_21m", value=80.0)).verdict == "refuted"
    assert COMPUTED["throughputs"](changed("throughput", "tiny_vit", value=300.0)).verdict == "refuted"
    assert COMPUTED["memories"](changed("memory", "tiny_vit_21m", value=27_428.0)).verdict == "refuted"
    assert COMPUTED["teacher_sizes"](changed("params", "convnextv2", value=660.3)).verdict == "refuted"


def test_a_change_beyond_the_luck_of_the_images_is_not_named() -> None:
    line = COMPUTED["luck_of_images"](PRINTED).line
    assert "-0.62 points" in line
    assert "4.44" not in line
    large = [{**row, "change": 30.0} if row["change"] else row for row in PRINTED]
    assert COMPUTED["luck_of_images"](large).verdict == "refuted"
