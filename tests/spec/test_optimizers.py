"""The shipped list of optimizers against timm's own, and what it says of each."""

from __future__ import annotations

import pytest

from engine.spec.optimizers import OPTIMIZER_WORDS, REFUSED_OPTIMIZERS, TABLE
from tests.spec.timm_optimizers import OURS, optimizer_table


def test_the_shipped_list_is_timms_own() -> None:
    assert TABLE.read_text() == optimizer_table()


def test_every_name_of_timm_is_run_or_refused_with_a_reason() -> None:
    listed = {line.split()[0] for line in TABLE.read_text().splitlines() if not line.startswith("#")}
    assert OPTIMIZER_WORDS.keys() | REFUSED_OPTIMIZERS.keys() == listed | set(OURS)
    assert not OPTIMIZER_WORDS.keys() & REFUSED_OPTIMIZERS.keys()
    assert {"adahessian", "fusedadam", "bnbadam", "kron"} <= REFUSED_OPTIMIZERS.keys()
    assert {"adamw", "sgd", "lamb", "lion", "adopt", "muon", "lars", "nadamw"} <= OPTIMIZER_WORDS.keys()


@pytest.mark.parametrize(
    ("name", "taken", "rate"),
    [
        ("adamw", {"betas", "eps"}, 1.0),
        ("sgd", {"momentum"}, 10.0),
        ("lion", {"betas"}, 1.0),
        ("muon", {"betas", "momentum", "eps"}, 1.0),
        ("lars", {"momentum", "eps"}, 100.0),
        ("adadelta", {"eps"}, 10.0),
    ],
)
def test_what_an_optimizer_takes_is_known(name: str, taken: set[str], rate: float) -> None:
    words = OPTIMIZER_WORDS[name]
    assert {option for option in ("betas", "momentum", "eps") if words.takes(option)} == taken
    assert words.largest_rate == rate
