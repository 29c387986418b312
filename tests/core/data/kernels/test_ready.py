"""The kernels are tried before they are used: where they fail or err, plain operators make the batches."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.core.data.augment import OPERATIONS, Draws, draw_layer
from engine.core.data.kernels import ready
from engine.spec import parse_rand_augment
from engine.spec.base import Interpolation

GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def _untried() -> None:
    ready.has_kernels.cache_clear()


def answer(made: Tensor | Exception) -> object:
    def make(device: torch.device, size: int, kind: Interpolation) -> Tensor:
        if isinstance(made, Exception):
            raise made
        return made

    return make


def test_the_cpu_has_no_kernels() -> None:
    assert not ready.has_kernels(torch.device("cpu"), 24, "bicubic")


def test_kernels_with_the_hosts_bytes_are_used(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ready, "make_there", answer(ready.make_here(24, "bicubic")))
    assert ready.has_kernels(GPU, 24, "bicubic")
    assert capsys.readouterr().out == ""


def test_one_other_byte_is_enough_to_do_without_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ready.make_here(24, "bicubic")
    other[-1, -1, -1, -1] ^= 1
    monkeypatch.setattr(ready, "make_there", answer(other))
    assert not ready.has_kernels(GPU, 24, "bicubic")
    assert "plain operators, no Triton kernels: their bytes are not those of the host" in capsys.readouterr().out


def test_a_missing_triton_is_told_and_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ready, "make_there", answer(ImportError("No module named 'triton'")))
    assert not ready.has_kernels(GPU, 24, "bicubic")
    assert "ImportError: No module named 'triton'" in capsys.readouterr().out


def test_what_is_tried_goes_through_every_operation() -> None:
    settings, keys = parse_rand_augment(str(ready.HARD.rand_augment)), [f"{place:064x}" for place in range(ready.TRIED)]
    drawn = {name for layer in range(settings.layers) for name in draw_layer(keys, Draws(0, 0), settings, layer)}
    assert drawn == set(OPERATIONS)
    here = ready.make_here(24, "bicubic")
    assert here.flatten(1).double().std(dim=1).min() > 5


def test_pixels_are_normalised_by_the_kernel_where_it_has_the_hosts_bits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for made in (ready.TRIED_TABLE[0], ready.TRIED_TABLE[0] + 1e-7):
        monkeypatch.setattr(ready, "look_up_there", lambda device, made=made: made)
        ready.can_look_up.cache_clear()
        told.append(ready.can_look_up(GPU))
    ready.can_look_up.cache_clear()
    assert told == [True, False]
    assert "normalised by plain operators, no Triton kernel: their bytes are not" in capsys.readouterr().out
    assert not ready.can_look_up(torch.device("cpu"))
