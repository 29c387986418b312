"""Sizes counted from shapes: against formulas of single layers."""

from __future__ import annotations

from engine.report.paper.sizes import convnextv2_params, stage_side, tiny_vit_size, vit_params


def test_a_second_set_of_projections_adds_three_squares_a_block() -> None:
    dense, sparse = (tiny_vit_size("tiny_vit_5m", (7, 7, 14, 7), is_sparse) for is_sparse in (False, True))
    added = sum(depth * (3 * dim**2 + 3 * dim) for dim, depth in ((128, 2), (160, 6), (320, 2)))
    assert sparse.params - dense.params == added


def test_one_block_and_no_class_of_a_convnextv2_are_its_layers() -> None:
    stem, block, norm = 3 * 16 * 8 + 8 + 16, 49 * 8 + 8 + 16 + 8 * 32 + 32 + 64 + 32 * 8 + 8, 16
    assert convnextv2_params((8,), (1,), classes=0) == stem + block + norm


def test_a_tower_without_blocks_is_patches_places_norms_and_a_projection() -> None:
    assert vit_params(8, 0, 2, 4, 5) == 3 * 4 * 8 + 8 + 5 * 8 + 16 + 16 + 8 * 5


def test_maps_halve_from_stage_to_stage() -> None:
    assert [stage_side("tiny_vit_21m", stage) for stage in range(4)] == [56, 28, 14, 7]
