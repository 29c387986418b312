"""Every target by its name."""

from __future__ import annotations

from tests.fuzz import homes, inputs
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {target.name: target for target in (*inputs.TARGETS, *homes.TARGETS)}
