"""A teacher that knows nothing is stopped before it teaches."""

from __future__ import annotations

import pytest

from engine.core.distill.teacher import require_skill
from engine.errors import JobError


def test_a_teacher_at_chance_is_stopped_and_a_good_one_is_not() -> None:
    require_skill(0.2, 10, 500)
    require_skill(0.05, 100, 5000)
    require_skill(1.0, 2, 2)
    for top1, classes, images in ((0.1, 10, 500), (0.13, 10, 500), (0.012, 100, 5000), (0.0, 10, 10)):
        with pytest.raises(JobError, match="guessing"):
            require_skill(top1, classes, images)
