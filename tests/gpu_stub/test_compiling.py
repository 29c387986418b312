"""torch.compile and CUDA graphs of whole steps on the stub: what is compiled for a card is launched, without a wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gpu_stub.build import why_not
from tests.gpu_stub.children import H100, T4, Card, call_on
from tests.gpu_stub.compiling import compile_step, replay_step

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


def test_a_step_as_a_graph_is_one_launch_and_the_optimizers(tmp_path: Path) -> None:
    found = call_on(H100, replay_step, folder=str(tmp_path))
    assert (found["graphs"], found["waits"], found["syncs"]) == (1, [], 0)
    assert found["replayed"] > 10 * found["launches"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("card", "precision"), [(H100, "bf16"), (T4, "fp16")], ids=["H100", "T4"])
def test_a_step_is_compiled_for_the_card_and_waits_for_nothing(tmp_path: Path, card: Card, precision: str) -> None:
    """Without CUDA graphs, which Inductor does not get captured on the stub."""
    found = call_on(card, compile_step, cache=str(tmp_path), wish="auto", precision=precision, is_whole=False)
    assert found["mode"] == "default", found["reason"]
    assert found["waits"] == []
    assert found["triton"] > 0
