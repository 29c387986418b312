"""The parts of sparse attention: its parameters, and which tokens each select makes global."""

from __future__ import annotations

import inspect

import pytest
import torch

from engine.core.network import sparse
from engine.core.network.sparse import SELECTS
from engine.spec.patterns import SELECT_WORDS
from tests.core.network.nets import dense, longformer, tokens


def test_no_globals_makes_no_second_set() -> None:
    names = {name for name, _ in longformer(select="none").named_parameters()}
    assert not any("global" in name or "score" in name for name in names)
    pooled = {name for name, _ in longformer(select="pooled", bias="separate").named_parameters()}
    assert not any("global" in name for name in pooled)


@pytest.mark.parametrize(("bias", "more"), [("shared", 0), ("separate", 2 * 36), ("none", 0)])
def test_dual_projections_cost_what_they_say(bias: str, more: int) -> None:
    base = sum(p.numel() for p in dense().parameters())
    count = sum(p.numel() for p in longformer(bias=bias).parameters())
    assert count == base + 3 * 16 * 16 + 3 * 16 + more
    assert sum(p.numel() for p in longformer(projections="shared").parameters()) == base


def test_learned_score_picks_and_trains() -> None:
    module, x = longformer(select="learned", globals=5), tokens()
    score = module.norm(x) @ module.score
    picked = module.choose(x).places
    assert torch.equal(picked.sort(1).values, score.topk(5, dim=1).indices.sort(1).values)


def test_equal_scores_pick_the_grid() -> None:
    module, x = longformer(select="learned"), tokens()
    module.score.data.zero_()
    picked = module.choose(x).places
    assert torch.equal(picked[0].sort().values, module.grid.sort().values)


def test_norm_picks_the_largest_tokens_before_the_norm() -> None:
    module, x = longformer(select="norm", globals=3), tokens()
    x[:, [4, 20, 31]] *= 10
    picked = module.choose(x).places
    assert picked.sort(1).values.tolist() == [[4, 20, 31]] * 3


def test_every_ranking_has_a_word() -> None:
    written = {function for name, function in inspect.getmembers(sparse, inspect.isfunction) if name[:5] == "rank_"}
    assert {select.rank for select in SELECTS.values()} - {None} == written


@pytest.mark.parametrize("select", SELECTS)
def test_what_a_select_says_is_what_a_spec_reads(select: str) -> None:
    said, read = SELECTS[select], SELECT_WORDS[select]
    assert (said.makes_globals, said.keys_only) == (read.makes_globals, read.keys_only)


def test_selects_differ_in_what_they_do() -> None:
    """Two words that carry out the same would be one too many."""
    assert len(set(SELECTS.values())) == len(SELECTS)


@pytest.mark.parametrize("select", ["grid", "previous"])
def test_without_a_rank_the_grid_is_chosen(select: str) -> None:
    module = longformer(select=select, globals=3)
    assert module.choose(tokens()).places.tolist() == [module.grid.tolist()] * 3


def test_padding_is_chosen_only_where_tokens_run_out() -> None:
    module, keep = longformer(4, 8, 2, select="norm", globals=3), torch.zeros(1, 16, dtype=torch.bool)
    keep[0, [2, 9]] = True
    picked = module.choose(tokens(4, 8, 1), keep).places[0]
    assert set(picked[:2].tolist()) == {2, 9}
    assert picked[2] == module.order[~torch.isin(module.order, torch.tensor([2, 9]))][0]


def test_cells_average_their_real_tokens() -> None:
    module = longformer(4, 8, 2, select="pooled", globals=4)
    keep = torch.ones(1, 16, dtype=torch.bool)
    keep[0, :5] = False
    weights = module.pool_weights(keep, torch.float64)[0]
    assert weights[0].tolist() == [0.0] * 5 + [1.0] + [0.0] * 10  # of tokens 0, 1, 4, 5 only 5 is real
    assert weights[1, [6, 7]].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(("bias", "table"), [("shared", "attention_biases"), ("separate", "attention_biases_global")])
def test_global_rows_have_the_table_that_is_asked_for(bias: str, table: str) -> None:
    module = longformer(bias=bias)
    assert module.global_table() is getattr(module, table)
    entry = getattr(module, table)[1, 6 * 2 + 1]  # two rows down, one column along
    assert module.global_bias()[1, 0, 13] == entry


def test_global_rows_without_a_table_have_no_bias() -> None:
    module = longformer(bias="none")
    assert module.global_table() is None
    assert torch.equal(module.global_bias(), torch.zeros((), dtype=torch.float64))
