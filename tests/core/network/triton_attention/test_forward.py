"""The kernels' output is the reference's, for every word that they claim, padding and odd windows included."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from engine.spec.backends import CLAIMS
from tests.core.network.nets import sparse
from tests.core.network.triton_attention import walks
from tests.core.network.triton_attention.interpreter import WHY_NOT, interpret
from tests.core.network.triton_attention.walks import CASES

FORWARD, GRADIENTS = 1e-5, 1e-4
needs_triton = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
SIDES = (("dual", "shared"), ("shared", "separate"), ("dual", "none"))


def test_outputs_equal_the_reference(walked: dict[str, Any]) -> None:
    assert [case["forward"] < FORWARD for case in walked["compared"]] == [True] * len(CASES)


@pytest.mark.parametrize("word", CLAIMS)
def test_every_word_that_is_claimed_is_tried(word: str) -> None:
    assert {_value(case, word) for case in CASES} >= set(CLAIMS[word])


def _value(case: dict[str, Any], word: str) -> str:
    """What a case says of a word, outright or by its default."""
    if word in ("kind", "padding"):
        return str(case.get(word, {"kind": "longformer", "padding": "timm"}[word]))
    known: dict[str, Any] = {"tile": 3} if case.get("pattern") == "block" else {}
    known |= {name: case[name] for name in ("pattern", "select", "projections", "bias", "combine") if name in case}
    return str(getattr(sparse(6, globals=3, **known), word))


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("pattern", CLAIMS["pattern"])
@pytest.mark.parametrize("select", CLAIMS["select"])
def test_every_mixture_of_words_equals_the_reference(pattern: str, select: str) -> None:
    shape = {"window": 6, "tile": 3, "heads": 2} if pattern == "block" else {"window": 7, "radius": 2}
    cases = [
        {"pattern": pattern, "select": select, "projections": sides[0], "bias": sides[1], "padding": padding, **shape}
        for sides, padding in itertools.product(SIDES, CLAIMS["padding"])
        if (select, padding) != ("previous", "mask")
    ]
    found = interpret(walks.compare, cases=cases)
    assert max(case["forward"] for case in found) < FORWARD
    assert max(case["gradients"] for case in found) < GRADIENTS


@pytest.mark.slow
@needs_triton
@pytest.mark.parametrize("window", [3, 14, 32])
@pytest.mark.parametrize("pattern", [None, "slide"])
def test_windows_from_the_smallest_to_the_largest_equal_the_reference(window: int, pattern: str | None) -> None:
    words: dict[str, Any] = {"kind": "window"} if pattern is None else {"pattern": pattern, "radius": 2, "globals": 4}
    (found,) = interpret(walks.compare, cases=[{**words, "window": window, "windows": 1}], block=64)
    assert found["forward"] < FORWARD
    assert found["gradients"] < GRADIENTS


def test_half_precision_stays_near_the_reference(walked: dict[str, Any]) -> None:
    assert walked["half"] < 0.05
