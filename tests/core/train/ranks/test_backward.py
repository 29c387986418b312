"""Several processes come to what one would: losses, weights, figures; and go on from each other's checkpoints."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from engine.core.data.share import Share
from engine.core.train.ranks.backward import cut_shares
from tests.core.train.ranks.program import TRAIN
from tests.flow.commands import ROOT

Found = dict[str, Any]
NAMES = ("train_loss", "val_loss", "val_top1", "lr")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("ranks")
    words = [sys.executable, "-m", "tests.core.train.ranks.program", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    made: Found = torch.load(folder / "found.pt", weights_only=False)
    return made


def curves(case: Found) -> dict[tuple[str, int], float]:
    return {(name, epoch): value for name, value, _, epoch in case["metrics"] if name in NAMES}


def require_same(shared: Found, alone: Found) -> None:
    """Hold losses to 1e-6, in fp32; accuracies to the image."""
    here, there = curves(shared), curves(alone)
    assert here
    assert here == pytest.approx({key: there[key] for key in here}, rel=1e-6)
    for name, weight in shared["weights"].items():
        torch.testing.assert_close(weight, alone["weights"][name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["two", "four"])
def test_ranks_come_to_what_one_process_does(found: Found, name: str) -> None:
    require_same(found[name], found["one"])
    assert len(curves(found[name])) == len(NAMES) * TRAIN.epochs


def test_uneven_shares_mixed_images_and_groups_of_batches_too(found: Found) -> None:
    require_same(found["three uneven"], found["one uneven"])


def test_a_loss_that_compares_images_sees_all_of_them(found: Found) -> None:
    require_same(found["two compared"], found["one compared"])


@pytest.mark.parametrize(
    ("name", "whole"), [("two in pieces", "one plain"), ("two compared in pieces", "one compared")]
)
def test_micro_batches_of_ranks_change_no_formula(found: Found, name: str, whole: str) -> None:
    require_same(found[name], found[whole])


@pytest.mark.parametrize("name", ["one on from two", "two on from one", "four on from two"])
def test_a_checkpoint_goes_on_with_any_number_of_ranks(found: Found, name: str) -> None:
    require_same(found[name], found["one"])


def test_all_images_of_a_batch_count_in_the_rate(found: Found) -> None:
    assert found["two half"]["saved"]["progress"]["seen"] == found["one half"]["saved"]["progress"]["seen"] > 0


def test_a_stop_is_of_all_ranks_at_the_same_step(found: Found) -> None:
    assert found["two half"]["saved"]["progress"]["step"] == found["one half"]["saved"]["progress"]["step"] == 6


def test_ranks_say_each_other_everything(found: Found) -> None:
    told = found["messages"]
    assert told["rows"].tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]
    assert [value.tolist() for value in told["sums"]] == [[2.0, 2.0], [[1.0, 1.0], [1.0, 1.0]], 6]
    assert (told["first"].tolist(), told["flags"]) == ([0, 7], [True, False])
    assert (told["told"]["a"].tolist(), told["told"]["b"]) == ([1.0, 1.0, 1.0], 5)


def test_draws_that_are_no_masks_are_refused(found: Found) -> None:
    assert found["noise"].startswith("resources: this network draws random numbers that ranks cannot draw")


def test_all_ranks_have_as_many_pieces() -> None:
    pieces = cut_shares(Share(0, 3), 62, 16, 2)
    assert [[piece.stop - piece.start for piece in own] for own in pieces] == [[10, 10], [10, 10], [11, 11]]
    assert cut_shares(Share(0, 2), 62, None, 1) == [[slice(0, 30)], [slice(0, 32)]]
