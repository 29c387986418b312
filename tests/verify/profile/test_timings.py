"""What was timed goes through JSON as it is, and a word that nobody knows is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.verify.profile.timings import LOADER_PARTS, PARTS, RARE, Timings
from tests.verify.profile.making import COMPUTING, summary


def test_timings_come_back_from_json_as_they_went() -> None:
    timings = summary(COMPUTING, kind="gpu", card={"busy": 0.05, "waits": 1.0}, ends=(0.1,)).timings
    assert Timings.model_validate_json(timings.model_dump_json()) == timings


def test_an_unknown_word_is_refused() -> None:
    told = summary(COMPUTING).timings.model_dump()
    with pytest.raises(ValidationError):
        Timings.model_validate({**told, "more": 1})


def test_checkpoints_are_no_part_of_a_step_and_the_loaders_parts_are() -> None:
    assert RARE not in PARTS
    assert set(LOADER_PARTS) < set(PARTS)
