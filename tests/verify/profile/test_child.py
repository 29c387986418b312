"""The process that is profiled explains what a person can mend, and counts steps without a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.train.loop import Stopped
from engine.core.train.soundness import Diverged
from engine.errors import JobError
from engine.verify.profile.child import StepCount, _explain, _train_until_stopped
from tests.core.train.toy import Notes, make_loop, make_pack


def test_errors_that_a_person_can_mend_are_told_and_others_are_ours() -> None:
    own = JobError("no", fix="yes")
    assert _explain(own) is own
    diverged, memory = _explain(Diverged("the loss is not finite")), _explain(MemoryError())
    assert diverged is not None
    assert "diverges" in diverged.what
    assert memory is not None
    assert "train.batch_size" in memory.fix
    assert _explain(KeyError("x")) is None


def test_a_count_ends_a_training_of_any_length_without_a_checkpoint(tmp_path: Path) -> None:
    notes = Notes()
    loop = make_loop(make_pack(tmp_path), notes)
    loop.marks = counter = StepCount(4)
    _train_until_stopped(loop)
    assert (counter.done, notes.saved) == (4, [])
    whole = 3 * loop.groups.steps
    loop.marks = longer = StepCount(whole + 2)
    _train_until_stopped(loop)
    assert longer.done == whole + 2
    with pytest.raises(Stopped):
        StepCount(1).end_step()
