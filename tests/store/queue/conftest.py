"""A queue that is sound when a test begins and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.queue import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Queue(tmp_path / "queue.db") as opened:
        yield opened
        assert opened.check_integrity() == []
