"""An evaluation counts each image once, in order, and leaves the network as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.core.data.loader import EvalLoader
from engine.core.data.pack import Pack
from engine.core.train.evaluate import evaluate

from .toy import CPU, DATA, make_network


def test_figures_equal_those_of_one_big_batch(pack: Pack) -> None:
    network = make_network().train()
    rows = np.arange(100, 203)
    found = evaluate(network, EvalLoader(pack, rows, DATA, 8, 32), CPU, lambda seen, total: None)
    whole = next(iter(EvalLoader(pack, rows, DATA, 8, 200)))
    logits = CPU(network.eval(), whole.images).detach()
    shares = logits.softmax(1)
    assert found.rows.tolist() == rows.tolist()
    assert found.n == 103
    assert found.labels.tolist() == pack.labels[rows].tolist()
    assert found.predicted.tolist() == logits.argmax(1).tolist()
    assert found.loss == pytest.approx(float(functional.cross_entropy(logits, whole.labels)), rel=1e-5)
    assert found.top1 == pytest.approx(float((logits.argmax(1) == whole.labels).float().mean()))
    np.testing.assert_allclose(found.confidence, shares.amax(1), rtol=1e-5)
    np.testing.assert_allclose(found.entropy, torch.special.entr(shares).sum(1), rtol=1e-4)


def test_mode_weights_and_generator_stay_as_they_were(pack: Pack) -> None:
    network = make_network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch.manual_seed(5)
    evaluate(network, EvalLoader(pack, np.arange(40), DATA, 8, 32), CPU, lambda seen, total: None)
    drawn = torch.rand(())
    torch.manual_seed(5)
    assert network.training
    assert drawn == torch.rand(())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_the_one_it_was(pack: Pack, training: bool) -> None:
    network = make_network().train(training)
    evaluate(network, EvalLoader(pack, np.arange(5), DATA, 8, 32), CPU, lambda seen, total: None)
    assert {part.training for part in network.modules()} == {training}


def test_what_is_done_is_told_after_each_batch_and_may_stop_it(pack: Pack) -> None:
    told: list[tuple[int, int]] = []
    loader = EvalLoader(pack, np.arange(70), DATA, 8, 32)
    evaluate(make_network(), loader, CPU, lambda seen, total: told.append((seen, total)))
    assert told == [(32, 70), (64, 70), (70, 70)]

    def stop(seen: int, total: int) -> None:
        raise InterruptedError(f"{seen} of {total}")

    with pytest.raises(InterruptedError, match="32 of 70"):
        evaluate(make_network(), loader, CPU, stop)
