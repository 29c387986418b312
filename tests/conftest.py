"""What every test stands on: threads that do not spin against each other, no home or data of the person's own, an order
in which the longest files come first."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from engine.home import access

HERE = Path(__file__).parent
# before anything loads torch: spinning threads make a busy machine ten times slower
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# one thread: networks of tests are so small that sharing them out costs more than it gives, and two workers share two
# cores. A test of threads says how many itself
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# a plan would try this machine's speed for some seconds, in every test that makes one in a home of its own
os.environ["XP_CALIBRATE"] = "0"


# The files that take longest, longest first: begun at the end, one of them would keep one process busy alone
LONGEST = (
    "run/test_teachers.py", "flow/test_flow.py", "gpu_stub/test_jobs.py", "run/test_targets.py", "run/test_pruning.py",
    "run/test_training.py", "gpu_stub/test_two_cards.py", "flow/test_memory.py", "gpu_stub/test_walks.py",
    "cli/test_cli.py", "core/network/test_oracles.py", "collect/test_collect.py", "hostile/test_hostile.py",
)  # fmt: skip


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays for good: looked through for garbage once at its end, and never again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(trylast=True)  # after pytest-randomly, whose order of chance all other files keep
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {HERE / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(autouse=True)
def _no_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XP_HOME", "XP_CACHE", "XP_DATA", "XP_SLOT", "XP_OOMS", "XP_MOST_CELLS", "XP_LIMITS", "XP_OWN_CODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """A command that a test calls here takes on the umask of its home: the next test has its own again."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)
    access.before.clear()
