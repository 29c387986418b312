"""The words about pruning: what a mask cannot do is refused, and 2:4 says its own share."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Prune

MASK = {"method": "unstructured", "ratio": 0.2}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({**MASK, "of": "macs"}, "takes no macs away"),
        ({**MASK, "of": "units"}, "takes no units away"),
        ({**MASK, "of": "latency"}, "takes no latency away"),
        ({"ratio": 0.2, "of": "latency", "scope": "global"}, "solved before any unit is ranked"),
        ({**MASK, "criterion": "fpgm"}, "of whole units"),
        ({"method": "2:4", "ratio": 0.2}, "half of the weights"),
        ({"method": "2:4", "scope": "global"}, "none across layers"),
        ({**MASK, "embedding": True}, "takes no channel away"),
        ({**MASK, "round_to": 16}, "leaves all widths as they are"),
        ({"ratio": 0.2, "of": "latency", "round_to": 16}, "in steps of 8"),
        ({"ratio": 0.2, "of": "latency", "embedding": True}, "inner widths alone"),
        ({"method": "2:4", "when": "gradual", "criterion": "l1"}, "does not grow"),
        ({**MASK, "when": "gradual"}, "takes gradients on images"),
        ({**MASK, "when": "gradual", "criterion": "l1", "recover_epochs": 0}, "recover_epochs is 0"),
        ({"ratio": 0.2, "when": "gradual"}, "only a mask can grow"),
        ({"ratio": 0.2, "when": "before", "control": "scratch"}, "first weights already"),
        ({"ratio": 1.0}, "less than 1"),
    ],
)
def test_what_cannot_be_is_refused(words: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Prune(**words)


def test_what_is_not_pruned_may_inherit_any_of_it() -> None:
    assert Prune(ratio=0.0, method="unstructured", of="units").ratio == 0.0
    assert Prune(ratio=0.0, of="latency", scope="global").ratio == 0.0


def test_two_of_four_is_half() -> None:
    assert Prune(method="2:4").ratio == 0.5
    assert Prune(method="2:4", ratio=0.0).ratio == 0.0
    assert [Prune(method=method).is_mask for method in ("structured", "unstructured", "2:4")] == [False, True, True]
