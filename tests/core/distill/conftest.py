"""Packed digits, and a fixed linear teacher that is as sure as a real one."""

from __future__ import annotations

import pytest

from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images

from .linear import DATA


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    write_pack(list_images(DATA), folder, 256, lambda done, count: None)
    return open_pack(folder)
