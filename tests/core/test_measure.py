"""Counts against known networks; timings for their form, not their size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from engine.core.measure import (
    Load,
    Stopwatch,
    count_macs,
    count_macs_by_module,
    count_params,
    host_peak_rss,
    peak_memory,
)
from engine.core.network.build import build_network
from tests.core.network.nets import network, student


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


PATTERNS: dict[str, dict[str, Any] | None] = {
    "window": None, "slide": {}, "block": {"pattern": "block"}, "row": {"pattern": "row"},
}  # fmt: skip
LARGE = pytest.mark.slow
TIMM = (
    "resnet18", "mobilenetv2_050", "mobilenetv3_small_050", "mobilenetv4_conv_small_050", "efficientnet_lite0",
    "efficientnet_b0", "convnext_atto", "convnextv2_atto", "vit_tiny_patch16_224", "deit_tiny_patch16_224",
    "regnetx_002",
)  # fmt: skip


def counted_by_torch(net: nn.Module, size: int) -> int:
    """Return half the FLOPs that torch's counter sees in a real pass; its plain attention, whose products it knows."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net.eval()(torch.zeros(1, 3, size, size))
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(
    "arch", ["tiny_vit_5m", *(pytest.param(f"tiny_vit_{size}m", marks=LARGE) for size in (11, 21))]
)
def test_macs_of_every_built_in_are_torchs(arch: str, pattern: str) -> None:
    net = build_network(student(arch, PATTERNS[pattern]), 100, 224)
    assert count_macs(net, 224) == counted_by_torch(net, 224)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_products_of_attention_are_counted_beside_its_projections(pattern: str) -> None:
    net = network(56, PATTERNS[pattern])
    counts = count_macs_by_module(net, 56)
    for name, module in net.attention_modules():
        projections = module.qkv.weight.numel() + module.proj.weight.numel()
        tokens = net.shape.stages[int(name.split(".")[1])].side ** 2
        assert counts[name] > projections * tokens


@pytest.mark.parametrize("name", TIMM)
def test_macs_of_timm_networks_are_torchs(name: str) -> None:
    size = 224 if "patch16" in name else 64
    net = build_network(student(f"timm/{name}"), 10, size)
    assert count_macs(net, size) == counted_by_torch(net, size)
