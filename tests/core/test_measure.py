"""Counts against known networks; timings for their form, not their size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.measure import (
    Load,
    Stopwatch,
    count_macs,
    count_macs_by_module,
    count_params,
    host_peak_rss,
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


def test_a_network_is_timed_on_its_device_with_the_threads_asked() -> None:
    threads = torch.get_num_threads()
    watch = Stopwatch(network().float(), 56, "cpu", "fp32")
    watch.warm_up(Load(2, 1))
    burst = watch.time(Load(2, 1), 0.05)
    assert sum(burst.times) >= 0.05
    assert min(burst.times) > 0
    assert burst.peaks == {}, "the CPU hands out no CUDA memory"
    assert torch.get_num_threads() == threads


def test_bf16_runs_and_memory_has_its_names() -> None:
    assert Stopwatch(network().float(), 56, "cpu", "bf16").time(Load(1, 1), 0.01).times
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


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow().train()
    monkeypatch.setattr("engine.core.measure.time.perf_counter", lambda: made.now)
    return made


def test_warming_up_is_not_timed(slow: Slow) -> None:
    watch = Stopwatch(slow, 8, "cpu", "fp32")
    watch.warm_up(Load(4, 2))
    assert slow.calls == 1, "10 s are more than enough"
    slow.calls = 2
    assert watch.time(Load(4, 2), 0.5).times == pytest.approx([0.1, 0.2, 0.3])


def test_calls_go_on_until_the_seconds_are_over(slow: Slow) -> None:
    slow.calls = 2
    watch = Stopwatch(slow, 8, "cpu", "fp32")
    assert len(watch.time(Load(4, 2), 6.0).times) == 30  # three take 0.6 s
    assert len(watch.time(Load(4, 2), 0.0).times) == 1


def test_a_network_is_timed_in_eval_mode_without_gradients(slow: Slow) -> None:
    threads = torch.get_num_threads()
    Stopwatch(slow, 8, "cpu", "fp32").time(Load(4, 2), 0.0)
    assert set(slow.seen) == {(False, True, 2, torch.float32)}
    assert torch.get_num_threads() == threads


def test_a_shared_parameter_is_counted_once_and_counting_touches_nothing() -> None:
    twice = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    twice[1].weight = twice[0].weight
    assert count_params(twice) == 16 + 8
    net = network().train()
    count_macs(net, 56)
    assert net.training
    assert {value.device.type for value in net.state_dict().values()} == {"cpu"}


def test_the_resident_peak_is_in_bytes() -> None:
    text = Path("/proc/self/status").read_text()
    kilobytes = int(text.partition("VmHWM:")[2].split()[0])
    assert host_peak_rss() == pytest.approx(kilobytes * 1024, rel=0.3)
