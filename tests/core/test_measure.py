"""Counts against known networks; timings for their form, not their size."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.measure import (
    LEAST_ROUNDS,
    Figure,
    Speed,
    _figure,
    autocast,
    count_macs,
    count_macs_by_module,
    count_params,
    host_peak_rss,
    measure_speed,
    peak_memory,
)
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


class Slow(nn.Module):
    """Moves a clock of its own: slow in its first calls, as a network is that is still warming up."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.now, self.calls = 0.0, 0
        self.seen: list[tuple[bool, bool, int, torch.dtype]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append((self.training, torch.is_inference_mode_enabled(), torch.get_num_threads(), images.dtype))
        self.now += 10.0 if self.calls <= 2 else 0.1 * (1 + self.calls % 3)
        return images


def timed(monkeypatch: pytest.MonkeyPatch, seconds: float) -> tuple[Slow, Speed]:
    network = Slow().train()
    monkeypatch.setattr("engine.core.measure.time.perf_counter", lambda: network.now)
    return network, measure_speed(network, 8, 4, threads=2, seconds=seconds)


def test_warming_up_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    network, speed = timed(monkeypatch, 0.0)
    assert speed.rate.n == LEAST_ROUNDS == 5
    assert network.calls == 2 + 5
    times = [0.1, 0.2, 0.3, 0.1, 0.2]  # those of the calls 3 to 7
    assert speed.latency.value == pytest.approx(1e3 * statistics.median(times))
    assert speed.rate.value == pytest.approx(4 / statistics.median(times))
    assert (speed.latency.p5, speed.latency.p95) == pytest.approx((100.0, 280.0))
    assert (speed.rate.p5, speed.rate.p95) == pytest.approx((4 / 0.3 + 0.2 * (4 / 0.2 - 4 / 0.3), 40.0))


def test_rounds_go_on_until_the_seconds_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _, speed = timed(monkeypatch, 6.0)
    assert speed.rate.n == 30  # three take 0.6 s


def test_a_network_is_timed_in_eval_mode_without_gradients_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    network, _ = timed(monkeypatch, 0.0)
    assert set(network.seen) == {(False, True, 2, torch.float32)}
    assert network.training
    assert torch.get_num_threads() == threads


def test_a_shared_parameter_is_counted_once_and_counting_touches_nothing() -> None:
    twice = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    twice[1].weight = twice[0].weight
    assert count_params(twice) == 16 + 8
    net = network().train()
    count_macs(net, 56)
    assert net.training
    assert {value.device.type for value in net.state_dict().values()} == {"cpu"}


def test_one_value_is_its_own_spread() -> None:
    assert _figure([3.0]) == Figure(3.0, 3.0, 3.0, 1)
    assert _figure([float(value) for value in range(101)]) == Figure(50.0, 5.0, 95.0, 101)


def test_the_resident_peak_is_in_bytes() -> None:
    text = Path("/proc/self/status").read_text()
    kilobytes = int(text.partition("VmHWM:")[2].split()[0])
    assert host_peak_rss() == pytest.approx(kilobytes * 1024, rel=0.3)


@pytest.mark.parametrize(("precision", "enabled"), [("fp32", False), ("bf16", True)])
def test_only_bf16_runs_under_autocast(precision: str, enabled: bool) -> None:
    with autocast(torch.device("cpu"), precision):
        assert torch.is_autocast_enabled("cpu") == enabled
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if enabled else torch.float32)
