"""A job settles once what computes its attention: what is named or refused, and for auto what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.core.network import triton_path
from engine.core.network.backend_times import Pair, case_of, read_wins, write_times
from engine.core.network.backends import settle
from engine.core.network.tiny_vit import TinyViT
from engine.errors import JobError
from tests.core.network.nets import network

CARD, NAME = torch.device("cuda", 0), "NVIDIA H100 80GB HBM3"


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triton_path, "HAS_TRITON", True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: NAME)


def settled(net: TinyViT) -> list[bool]:
    return [module.prefers_triton for _, module in net.attention_modules()]


def measured(folder: Path, net: TinyViT, pair: Pair, precision: str = "bf16", device: str = NAME) -> Path:
    """Write a time for the first attention of the network alone."""
    path = folder / "times.json"
    write_times(path, device, {case_of(net.attention_modules()[0][1], precision): pair})
    return path


def test_auto_takes_the_kernels_where_they_were_measured_to_win(tmp_path: Path) -> None:
    net = network(attention={})
    times = measured(tmp_path, net, Pair(1.0, 2.0))
    settle(net, CARD, "bf16", times)
    assert settled(net)[0]
    assert not all(settled(net))


@pytest.mark.parametrize(
    "pair", [Pair(2.0, 1.0), Pair(0.98, 1.0), Pair(0.0, 1.0), Pair(1.0, 2.0, torch="2.0")], ids=str
)
def test_auto_leaves_them_where_they_do_not_win_for_sure(pair: Pair, tmp_path: Path) -> None:
    net = network(attention={})
    settle(net, CARD, "bf16", measured(tmp_path, net, pair))
    assert not any(settled(net))


def test_times_of_another_card_or_precision_or_of_none_say_nothing(tmp_path: Path) -> None:
    net = network(attention={})
    settle(net, CARD, "bf16", measured(tmp_path, net, Pair(1.0, 2.0), device="NVIDIA A100"))
    settle(net, CARD, "fp32", measured(tmp_path, net, Pair(1.0, 2.0)))
    settle(net, CARD, "bf16", tmp_path / "none.json")
    settle(net, CARD, "bf16")
    assert not any(settled(net))


def test_a_run_that_repeats_its_bits_looks_at_no_time(tmp_path: Path) -> None:
    net = network(attention={})
    settle(net, CARD, "bf16", measured(tmp_path, net, Pair(1.0, 2.0)), is_repeatable=True)
    assert not any(settled(net))


def test_on_a_cpu_auto_is_as_ever_and_the_kernels_are_refused(tmp_path: Path) -> None:
    net = network(attention={})
    settle(net, torch.device("cpu"), "fp32", measured(tmp_path, net, Pair(1.0, 2.0), "fp32"))
    assert not any(settled(net))
    with pytest.raises(JobError, match="cannot run here: it needs an NVIDIA GPU") as told:
        settle(network(attention={"backend": "triton"}), torch.device("cpu"), "fp32")
    assert "backend: auto" in str(told.value.fix)
    settle(network(attention={"backend": "triton"}), CARD, "bf16")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"NVIDIA H100 80GB HBM3": {"a": 1}}', '{"NVIDIA H100 80GB HBM3": []}']
)
def test_a_damaged_file_of_times_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "times.json").write_text(text)
    assert read_wins(tmp_path / "times.json", NAME) == frozenset()


def test_times_of_other_devices_stay(tmp_path: Path) -> None:
    path = tmp_path / "times.json"
    write_times(path, "one", {"a": Pair(1.0, 2.0)})
    write_times(path, "other", {"a": Pair(3.0, 2.0)})
    write_times(path, "one", {"b": Pair(1.0, 4.0)})
    assert read_wins(path, "one") == {"a", "b"}
    assert read_wins(path, "other") == frozenset()
