"""What is missing is told where the plan is the one that was submitted, and nowhere else."""

from __future__ import annotations

import time

from engine.home.paths import Home
from engine.inspect.status import read_status
from engine.serve.lacks import Lacks, ask_lacks
from engine.serve.site import Site


def test_a_record_without_a_spec_says_so(half_home: Home) -> None:
    site, view, end = Site(half_home), read_status(half_home)[0], time.monotonic() + 60
    while (found := ask_lacks(site, view)) is None:
        assert time.monotonic() < end
    assert isinstance(found, Lacks)
    assert "cannot be told here" in found.unknown
    assert found.wanted == ()
