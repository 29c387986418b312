"""Counts against known networks; timings for their form, not their size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from engine.core.measure import count_macs, count_macs_by_module, count_params, measure_speed, peak_memory
from tests.core.network.nets import network


def test_macs_of_one_convolution_are_its_products() -> None:
    conv = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 64, 7))
    assert count_macs(conv, 8) == 64 * 5 * 27 + 5 * 64 * 7
    assert count_params(conv) == 5 * 27 + 5 + 5 * 64 * 7 + 7


def test_macs_by_module_include_attention_products() -> None:
    net = network()
    counts = count_macs_by_module(net, 56)
    tokens, dim = 49, 32
    expected = 4 * tokens * dim * dim + 2 * tokens * tokens * dim
    assert counts["stages.1.blocks.0.attn"] == expected
    assert net.training


def test_speed_is_a_median_with_its_spread() -> None:
    threads = torch.get_num_threads()
    speed = measure_speed(network().float(), 56, 2, threads=1, seconds=0.05)
    assert speed.rate.n >= 5
    assert speed.rate.p5 <= speed.rate.value <= speed.rate.p95
    assert speed.rate.value == pytest.approx(2 / speed.latency.value * 1e3, rel=0.3)
    assert torch.get_num_threads() == threads


def test_bf16_runs_and_memory_has_its_names() -> None:
    assert measure_speed(network().float(), 56, 1, seconds=0.01, precision="bf16").rate.value > 0
    assert set(peak_memory("cpu")) == {"host_peak_rss"}
    assert peak_memory()["host_peak_rss"] > 1_000_000
