"""The words of each Protocol are those that code is called with."""

from __future__ import annotations

import inspect
from typing import get_args

from engine.core.own_code.protocols import PROTOCOLS
from engine.core.own_code.subject import WORDS
from engine.core.own_code.trials import TRIALS
from engine.spec.own_code import CodeKind


def test_protocols_name_the_words_of_calls() -> None:
    assert {kind: tuple(inspect.signature(one.__call__).parameters)[1:] for kind, one in PROTOCOLS.items()} == WORDS


def test_every_kind_has_protocol_and_trial() -> None:
    assert set(PROTOCOLS) == set(TRIALS) == set(get_args(CodeKind))
    assert all(inspect.getdoc(one) for one in PROTOCOLS.values())
