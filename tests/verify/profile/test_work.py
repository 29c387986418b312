"""A card's work is told a step: launches of the host, the union of what the card did, the lines that waited."""

from __future__ import annotations

import pytest

from engine.verify.profile.work import SILENT, Event, sum_work


def kernel(start: int, end: int) -> Event:
    return Event("gemm", True, start, end)


def test_the_card_is_busy_where_any_of_its_streams_is() -> None:
    work = sum_work([kernel(0, 40), kernel(20, 50), kernel(30, 35), kernel(90, 100)], [], 2)
    assert work.busy == pytest.approx(60e-9 / 2)


def test_launches_are_the_hosts_and_of_a_step() -> None:
    calls = [Event(name, False, 0, 1) for name in ("cudaLaunchKernel", "cudaLaunchKernelExC", "cudaGraphLaunch")]
    others = [Event("cudaMemcpyAsync", False, 0, 1), Event("aten::add", False, 0, 1), kernel(0, 5)]
    assert sum_work([*calls, *others], [], 3).launches == 1.0


def test_where_no_kernel_is_told_of_nothing_is_known_of_idle_time() -> None:
    work = sum_work([Event("cudaLaunchKernel", False, 0, 1)], [], 1)
    assert (work.busy, work.launches, work.why) == (None, None, SILENT)


def test_the_lines_that_wait_most_come_first() -> None:
    work = sum_work([kernel(0, 1)], ["b.py:2", "a.py:1", "b.py:2"], 2)
    assert (work.waits, work.lines) == (1.5, ["b.py:2", "a.py:1"])
