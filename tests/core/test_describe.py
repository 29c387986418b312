"""The layer table: effective settings, and figures that add up to the network's own."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.core.describe import count_sizes, describe_network, saved_bytes
from engine.core.measure import count_macs, count_params
from engine.core.network.build import build_network
from tests.core.network.nets import network, student


def test_rows_add_up_to_the_total() -> None:
    words = student(attention={"radius": 9})
    *rows, total = describe_network(words, 10, 56)
    net = build_network(words, 10, 56)
    assert [row.layer for row in rows] == ["patch_embed", "stages.0", "stages.1", "stages.2", "stages.3", "head"]
    assert sum(row.params for row in rows) == total.params == count_params(net)
    assert sum(row.macs for row in rows) == total.macs == count_macs(net, 56)
    assert sum(row.saved_bytes for row in rows) == total.saved_bytes > 0


def test_effective_settings_are_shown() -> None:
    rows = {row.layer: row for row in describe_network(student(attention={"radius": 9}), 10, 56)}
    assert rows["stages.0"].attention == "convolution"
    assert rows["stages.1"].resolution == "7 x 7"
    assert "slide radius 6, 4 globals (grid), dual projections" in rows["stages.1"].attention
    assert rows["stages.2"].window == "4 x 4 (asked 14)"
    assert "radius 1" in rows["stages.3"].attention
    block = {row.layer: row for row in describe_network(student(attention={"pattern": "block"}), 10, 224)}
    assert "block tile 7" in block["stages.2"].attention
    assert block["stages.1"].attention == "window"


def test_lean_memory_saves_less() -> None:
    plain, lean = (describe_network(student(), 10, 56, memory=memory)[-1] for memory in ("standard", "lean"))
    assert lean.saved_bytes < 0.7 * plain.saved_bytes
    assert lean.params == plain.params


def test_saved_bytes_are_those_of_a_real_step() -> None:
    net = network(56).float().train()
    own = {value.untyped_storage().data_ptr() for value in (*net.parameters(), *net.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(value: Tensor) -> Tensor:
        if value.untyped_storage().data_ptr() not in own:
            kept[value.untyped_storage().data_ptr()] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        out = net(torch.randn(2, 3, 56, 56))
    real = sum(value.untyped_storage().nbytes() for value in kept.values()) / 2
    del out
    assert abs(sum(saved_bytes(net, 56).values()) / real - 1) < 0.02


def test_timm_networks_have_a_table_too() -> None:
    rows = describe_network(student("timm/mobilenetv3_small_050"), 10, 64)
    assert rows[-1].params == sum(row.params for row in rows[:-1])
    assert rows[-1].macs > 0


def test_sizes_without_memory_are_those_of_the_table() -> None:
    words = student(attention={"radius": 1})
    total = describe_network(words, 10, 56)[-1]
    assert count_sizes(words, 10, 56) == (total.params, total.macs)
