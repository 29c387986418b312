"""Parts of a unit: which rows and columns are one unit's, and that nothing else goes with it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.core.network.unit_parts import along, counts, inputs, is_depthwise, is_plain, keep_part, outputs, table


def test_a_unit_has_rows_in_each_block() -> None:
    part = outputs(nn.Linear(4, 12), wide=2, blocks=3)
    assert part.places(torch.tensor([1]), 2).tolist() == [2, 3, 6, 7, 10, 11]
    keep_part(part, torch.tensor([1]), 2)
    assert isinstance(part.module, nn.Linear)
    assert part.module.out_features == 6
    assert part.weight.shape == (6, 4)


def test_columns_and_channels_go_with_their_sizes() -> None:
    read, deep, norm = nn.Conv2d(4, 3, 1), nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)
    wanted = read.weight[:, [0, 2]].detach().clone()
    for part in (inputs(read), along(deep), along(norm)):
        keep_part(part, torch.tensor([0, 2]), 4)
    assert torch.equal(read.weight, wanted)
    assert (read.in_channels, deep.groups, deep.in_channels, deep.out_channels, norm.num_features) == (2, 2, 2, 2, 2)
    assert norm.running_var is not None
    assert norm.running_var.shape == (2,)


def test_a_table_and_a_count_are_of_the_module_itself() -> None:
    module: Any = nn.Module()
    module.bias_table, module.width = nn.Parameter(torch.arange(6.0).view(3, 2)), 12
    keep_part(table(module, "bias_table"), torch.tensor([2]), 3)
    keep_part(counts(module, "width", 4), torch.tensor([2]), 3)
    assert module.bias_table.tolist() == [[4.0, 5.0]]
    assert module.width == 4


def test_frozen_stays_frozen_and_an_absent_bias_absent() -> None:
    layer = nn.Linear(4, 4, bias=False).requires_grad_(requires_grad=False)
    keep_part(outputs(layer), torch.tensor([0]), 4)
    assert not layer.weight.requires_grad
    assert layer.bias is None


def test_groups_decide_what_a_convolution_is() -> None:
    assert is_depthwise(nn.Conv2d(4, 4, 3, groups=4))
    assert not is_depthwise(nn.Conv2d(4, 8, 3, groups=4))
    assert [is_plain(one) for one in (nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.Linear(2, 2))] == [1, 0, 1]
