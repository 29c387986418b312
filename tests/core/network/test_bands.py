"""Bands of rows: slide and row in less work than the dense product, equal to the reference in every case."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.core.measure import count_macs
from engine.core.network import fast, geometry
from engine.core.network.kernels import _AttendBands, attend_bands
from engine.core.network.sparse import SELECTS
from engine.spec.patterns import neighbours
from tests.core.network.nets import longformer, network, sparse, tokens
from tests.core.network.test_fast import compare, results

UNSCORED = [select for select, entry in SELECTS.items() if not entry.has_score]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bands at any window; the list grows with each time that they are computed."""
    monkeypatch.setattr(fast, "LEAST_BANDED", 1)
    monkeypatch.setattr(fast, "LEAST_ASKED", 1)
    seen: list[int] = []
    real = attend_bands

    def count(*words: Any) -> Tensor:
        seen.append(1)
        return real(*words)

    monkeypatch.setattr(fast, "attend_bands", count)
    return seen


@pytest.mark.parametrize("select", UNSCORED)
@pytest.mark.parametrize("pattern", ["slide", "row"])
@pytest.mark.parametrize("lean", [False, True])
@pytest.mark.parametrize(("projections", "bias"), [("dual", "shared"), ("shared", "separate"), ("dual", "none")])
def test_bands_equal_the_reference(
    select: str, pattern: str, lean: bool, projections: str, bias: str, calls: list[int]
) -> None:
    words: dict[str, Any] = {"pattern": pattern, "select": select, "projections": projections, "bias": bias}
    module = longformer(9, backend="bands", radius=1, globals=3, **words)
    module.lean = lean
    compare(module, tokens(9), None)
    assert calls


@pytest.mark.parametrize("window", [3, 5, 7, 10, 14])
@pytest.mark.parametrize("radius", [0, 1, 3, 13])
def test_any_window_and_radius_fits(window: int, radius: int, calls: list[int]) -> None:
    compare(longformer(window, backend="bands", radius=radius, globals=4), tokens(window, windows=2), None)
    assert calls


@pytest.mark.parametrize("window", [14, 28])
def test_in_fp32_the_reference_is_met_as_promised(window: int) -> None:
    module = longformer(window, 64, 2, backend="bands").float()
    x = tokens(window, 64, 2).float()
    found = results(module, x, None)
    module.backend = "reference"
    expected = results(module, x, None)
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        limit = 1e-4 if number else 1e-5  # of gradients, of the output
        assert float((one - other).abs().max()) < limit * max(1.0, float(other.abs().max()))


def test_given_globals_are_seen_from_every_band(calls: list[int]) -> None:
    module = longformer(9, backend="bands", radius=1, globals=2)
    compare(module, tokens(9), torch.tensor([[0, 7], [80, 3], [40, 41]]))
    assert calls


def test_a_learned_score_stays_with_the_dense_products(calls: list[int]) -> None:
    compare(longformer(9, backend="bands", radius=1, globals=2, select="learned"), tokens(9), None)
    assert not calls


@pytest.mark.parametrize(("window", "backend"), [(13, "bands"), (14, "auto"), (14, "sdpa")])
def test_where_bands_do_not_win_nothing_changes(window: int, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_AttendBands, "apply", lambda *_: pytest.fail("computed in bands"))
    results(longformer(window, backend=backend, radius=1), tokens(window, windows=1), None)


@pytest.mark.parametrize(("window", "is_banded"), [(14, False), (20, True)])
def test_without_gradients_the_fused_kernel_has_small_windows(
    window: int, is_banded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def count(*words: Any) -> Tensor:
        seen.append(1)
        return attend_bands(*words)

    monkeypatch.setattr(fast, "attend_bands", count)
    with torch.no_grad():
        longformer(window, backend="bands")(tokens(window, windows=1))
    assert bool(seen) is is_banded


def test_bands_cover_the_window_and_all_that_is_near() -> None:
    for window in range(1, 30):
        shape = sparse(window, radius=2)
        bands = geometry.key_bands(shape, window)
        queries = [token for band, _ in bands for token in range(band.start, band.stop)]
        assert queries == list(range(window**2))
        near = neighbours(shape, window)
        for band, keys in bands:
            seen = frozenset[int]().union(*near[band])
            assert (keys.start, keys.stop) == (min(seen), max(seen) + 1)


def test_bands_multiply_less_at_28(calls: list[int]) -> None:
    macs = [
        count_macs(network(224, {"radius": 3, "backend": backend}, windows=[7, 28, 14, 7]), 224)
        for backend in ("auto", "bands")
    ]
    assert macs[1] < 0.8 * macs[0]


def test_bands_work_in_bf16(calls: list[int]) -> None:
    module = longformer(9, backend="bands", radius=1).float()
    x = tokens(9).float()
    expected = module(x).out
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x).out
        found.float().square().sum().backward()
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)


def test_two_runs_give_the_same_bits(calls: list[int]) -> None:
    module, x = longformer(14, backend="bands").float(), tokens(14).float()
    for one, other in zip(results(module, x, None), results(module, x, None), strict=True):
        assert torch.equal(one, other)
