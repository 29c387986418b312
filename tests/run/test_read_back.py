"""A trained network read back by nothing but torch says what the job logged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from engine.core.data.loader import EvalLoader
from engine.core.data.pack import open_pack
from engine.core.network.build import build_network
from engine.home.files import read_json
from engine.spec import Data, Student
from tests.run.bench import DATA, Bench, digits_bench, visible_lines


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-1")) == 0
        yield bench


def test_weights_are_read_back_by_anyone(bench: Bench) -> None:
    winner = bench.home.job("train-1").winner()
    assert winner is not None
    weights = load_file(winner.artifacts / "weights.safetensors")
    about = read_json(winner.artifacts / "network.json")
    network = build_network(Student.model_validate(about["network"]), about["num_classes"], about["image_size"])
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    lines = visible_lines(bench.home.job("train-1"))
    (told,) = [line for line in lines if line["type"] == "predictions" and line["part"] == "test"]
    pack = open_pack(bench.home.pack("pack-1"))
    images = EvalLoader(
        pack, np.array([pack.keys.index(key) for key in told["sample"]]), Data.model_validate(DATA), 24, 64
    )
    shares = torch.cat([predict(network.eval(), batch.images) for batch in images])
    assert shares.argmax(1).tolist() == told["predicted"]
    np.testing.assert_allclose(shares.amax(1), told["confidence"], rtol=1e-3)


def predict(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return the probabilities, by nothing but torch and the means and deviations of ImageNet."""
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        answer: torch.Tensor = network((images / 255 - mean) / std)
    return answer.softmax(1)
