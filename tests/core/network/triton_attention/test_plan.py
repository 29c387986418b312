"""How an attention is cut into programs follows from its sizes alone, and a band leaves most blocks out."""

from __future__ import annotations

import pytest

from engine.core.network.triton_attention.plan import (
    FILLED,
    Blocks,
    Geometry,
    Plan,
    choose_blocks,
    power_above,
    share_of,
)


def plan(window: int, side: int, reach: int = -1, raster: int = 0, windows: int = 64) -> Plan:
    geometry = Geometry(window, side, 4, reach, raster, 0)
    return Plan(geometry, windows, 32, 0, choose_blocks(geometry, False))


def test_a_dense_window_visits_every_pair_of_blocks() -> None:
    assert plan(28, 28).visited == 13**2
    assert plan(28, 28).slots == 13


def test_a_band_visits_the_blocks_it_reaches_and_no_more() -> None:
    """28 x 28 with radius 3, rows in blocks of 32: at most 10 of 28 lines of keys are read."""
    banded = plan(28, 28, 3)
    dense = Plan(banded.geometry._replace(reach=-1), 64, 32, 0, banded.blocks)
    assert banded.visited < 0.36 * dense.visited
    first, end = banded.reached(12)
    assert first * 32 <= (12 * 32 // 28 - 3) * 28
    assert end * 32 >= ((13 * 32 - 1) // 28 + 4) * 28


def test_a_raster_band_is_along_the_tokens() -> None:
    cut = Plan(Geometry(8, 8, 1, 5, 1, 0), 1, 16, 0, Blocks(16, 16))
    assert [cut.reached(block) for block in range(4)] == [(0, 2), (0, 3), (1, 4), (2, 4)]


def test_a_tile_is_a_region_of_its_own() -> None:
    cut = plan(28, 7)
    assert (cut.regions, cut.tokens, cut.row_blocks, cut.slots) == (64 * 16, 49, 1, 1)


@pytest.mark.parametrize("work", [1, 7, 64, 100_000])
@pytest.mark.parametrize("programs", [1, 100, 10_000])
def test_shares_cover_the_work_and_fill_a_card(work: int, programs: int) -> None:
    share = share_of(work, programs)
    shares = -(-work // share)
    assert share * (shares - 1) < work <= share * shares
    assert shares * programs >= min(FILLED, work * programs) / 2
    assert shares * programs < 2 * FILLED + programs


@pytest.mark.parametrize(("side", "reach", "rows"), [(4, -1, 16), (5, -1, 32), (7, -1, 64), (7, 2, 64), (14, 3, 32)])
def test_blocks_are_as_large_as_the_region_needs(side: int, reach: int, rows: int) -> None:
    assert choose_blocks(Geometry(28, side, 4, reach, 0, 0), False).rows == rows


@pytest.mark.parametrize(("size", "power"), [(0, 16), (16, 16), (17, 32), (48, 64), (64, 64)])
def test_sides_of_products_are_powers_of_two(size: int, power: int) -> None:
    assert power_above(size) == power


@pytest.mark.parametrize(("side", "reach", "rows"), [(4, -1, 16), (7, -1, 32), (28, -1, 32), (14, 3, 16)])
def test_blocks_of_fp32_are_smaller(side: int, reach: int, rows: int) -> None:
    assert choose_blocks(Geometry(28, side, 4, reach, 0, 0), True).rows == rows
