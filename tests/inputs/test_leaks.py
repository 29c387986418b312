"""A leak is refused where it is sure, told where it is not, and never made of images that were only looked at."""

from __future__ import annotations

import pytest

from engine.inputs.image_keys import Keys, Parts
from engine.inputs.leaks import UNKNOWN, join_unknown, judge_lineage
from engine.inputs.lineage import Exposure, How, Lineage


def keys(first: int, last: int) -> Keys:
    return frozenset(number.to_bytes(6, "big") for number in range(first, last))


PARTS = Parts(train=keys(0, 60), val=keys(60, 80), test=keys(80, 100), is_exact=True)


def seen(images: Keys, how: How = "trained on", *, is_exact: bool = True) -> Lineage:
    return Lineage((Exposure(("student.weights", "a.safetensors"), how, "digits 60/20/20", images, is_exact),))


def refusal(lineage: Lineage, parts: Parts | None = PARTS) -> str:
    found, _ = judge_lineage(lineage, parts)
    return found.what if found is not None else ""


def warnings(lineage: Lineage, parts: Parts | None = PARTS) -> list[str]:
    return judge_lineage(lineage, parts)[1]


@pytest.mark.parametrize("how", ["trained on", "calibrated on"])
def test_one_test_image_is_a_leak(how: How) -> None:
    expected = f"student.weights <- a.safetensors (digits 60/20/20): 1 of 20 test images of this run were {how}"
    assert refusal(seen(keys(40, 81), how)) == expected


def test_training_images_are_no_leak() -> None:
    assert judge_lineage(seen(keys(0, 60)), PARTS) == (None, [])


def test_the_largest_leak_is_named() -> None:
    small, large = (Exposure((name,), "trained on", name, keys(80, last)) for name, last in (("a", 82), ("b", 90)))
    assert refusal(Lineage((small, large))).startswith("b (b): 10 of 20")


@pytest.mark.parametrize("where", ["parts", "seen"])
def test_a_few_images_are_not_sure_before_the_pack(where: str) -> None:
    parts = Parts(PARTS.train, PARTS.val, PARTS.test, is_exact=where != "parts")
    few, many = (seen(keys(70, last), is_exact=where != "seen") for last in (81, 82))
    assert refusal(few, parts) == ""
    assert "about 1 of 20 test images of this run may have been trained on" in warnings(few, parts)[0]
    assert "about 2 of 20 test images of this run were trained on" in refusal(many, parts)


def test_test_images_that_chose_a_checkpoint_are_told() -> None:
    assert refusal(seen(keys(80, 100), "chosen on")) == ""
    assert warnings(seen(keys(80, 100), "chosen on"))[0].endswith(
        "20 of 20 test images of this run chose its checkpoint"
    )


def test_validation_images_that_were_trained_on_are_told() -> None:
    (warning,) = warnings(seen(keys(50, 70)))
    assert "10 of 20 validation images of this run were trained on" in warning
    assert warnings(seen(keys(60, 70), "calibrated on")) == []


def test_unknown_training_is_told_even_without_images() -> None:
    lineage = Lineage(seen(keys(80, 90)).exposures, unknown=("teacher.weights <- b.safetensors",))
    assert refusal(lineage, None) == ""
    (warning,) = warnings(lineage, None)
    assert warning.startswith("teacher.weights <- b.safetensors: of unknown training")


def test_networks_of_unknown_training_are_one_line_that_counts_them() -> None:
    lines = [f"arm {number} <- w.safetensors{UNKNOWN}" for number in range(7)]
    assert join_unknown(["first", *lines[:2], "between", *lines[2:], "last"]) == [
        "first",
        f"7 networks, arm 0 <- w.safetensors, arm 1 <- w.safetensors, arm 2 <- w.safetensors and 4 more{UNKNOWN}",
        "between",
        "last",
    ]
    assert join_unknown(["first", lines[0]]) == ["first", lines[0]]
    assert join_unknown(lines[:2]) == [f"2 networks, arm 0 <- w.safetensors, arm 1 <- w.safetensors{UNKNOWN}"]
