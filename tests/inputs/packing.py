"""A pack in a home's cache, as its job makes it."""

from __future__ import annotations

from engine.core.data.pack import write_pack
from engine.core.data.sources import list_images
from engine.home.paths import Home
from engine.spec import Data


def make_pack(home: Home, data: Data, name: str = "pack-1") -> None:
    home.pack(name).mkdir(parents=True)
    write_pack(list_images(data), home.pack(name), data.short_side, lambda done, count: None)
