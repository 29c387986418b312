"""The graph has a free batch and nothing of this machine; what cannot be traced is refused."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine.core.export.trace import trace_network
from engine.errors import JobError
from tests.core.export.conftest import SIZE, make_network, some_images


def test_the_graph_takes_any_batch_and_names_no_file() -> None:
    network = make_network()
    program = trace_network(network, SIZE)
    with torch.no_grad():
        for count in (1, 5):
            images = some_images(count)
            torch.testing.assert_close(program.module()(images), network(images), atol=1e-6, rtol=0)
    assert not any("stack_trace" in node.meta for node in program.graph.nodes)


class Moody(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


def test_a_network_that_looks_at_values_is_refused() -> None:
    with pytest.raises(JobError, match="its graph cannot be traced") as caught:
        trace_network(Moody(), SIZE)
    assert caught.value.where == "Moody"
