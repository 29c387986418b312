"""A pass taken apart: every operator but views is a piece, told by its shapes and by whose its tensors are."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor, nn

from engine.core.latency.pieces import MADE, OWN, TENSOR, all_pieces, record_pass, write_piece
from engine.errors import JobError


class Net(nn.Module):
    """A convolution, a layer with a residual sum, a softmax; a table that only the first pass makes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.inner = nn.Conv2d(3, 8, 4, stride=4), nn.Linear(16, 16)
        self.kept: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = torch.arange(8).cumsum(0)
        x = self.conv(images).flatten(2)
        summed: Tensor = x + self.inner(x)
        return summed.softmax(-1)


def ops_of(found: dict[str, object]) -> set[str]:
    return {json.loads(piece)["op"] for piece in found}


def test_sums_and_softmax_are_pieces_and_views_are_none() -> None:
    pieces = all_pieces(record_pass(Net(), 16, 1, "fp32"))
    assert ops_of(dict(pieces)) == {
        "aten.convolution.default", "aten.addmm.default", "aten.add.Tensor", "aten._softmax.default"
    }  # fmt: skip


def test_weights_are_told_from_what_the_pass_made() -> None:
    pieces = all_pieces(record_pass(Net(), 16, 1, "fp32"))
    (conv,) = (json.loads(piece)["args"] for piece in pieces if "convolution" in piece)
    assert conv[0][TENSOR] == [[1, 3, 16, 16], [768, 256, 16, 1], "float32", MADE]
    assert [whose for *_, whose in (conv[1][TENSOR], conv[2][TENSOR])] == [OWN, OWN]


def test_pieces_of_an_owner_are_told_apart() -> None:
    network = Net()
    found = record_pass(network, 16, 1, "fp32", {"inner": network.inner})
    assert ops_of(dict(found["inner"])) == {"aten.addmm.default"}
    assert "aten.addmm.default" not in ops_of(dict(found[""]))


def test_what_the_first_pass_alone_makes_is_no_piece() -> None:
    assert not any("cumsum" in piece for piece in all_pieces(record_pass(Net(), 16, 1, "fp32")))


def test_a_pass_counts_a_piece_as_often_as_it_comes() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 48), nn.Linear(48, 48), nn.Linear(48, 5))
    assert sorted(all_pieces(record_pass(network, 4, 1, "fp32")).values()) == [1, 2]


def test_an_argument_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(
        JobError, match=r"^aten.bernoulli.default cannot be timed alone: an argument of it is a Generator"
    ):
        write_piece(torch.ops.aten.bernoulli.default, (torch.zeros(2),), {"generator": torch.Generator()})
