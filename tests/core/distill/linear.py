"""What the tests of targets share: settings of views, a teacher, a maker of its targets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.core.data.pack import Pack
from engine.core.distill.make import Maker, write_targets
from engine.core.distill.targets import Origin
from engine.inputs.looks import Look
from engine.spec import Data

SIZE = 16
DATA = Data(source="digits", image_size=SIZE, views=2)
ROWS = np.arange(10, 60)


def predict(images: Tensor) -> Tensor:
    """A fixed linear teacher: as sure as a real one."""
    weights = torch.randn(3 * SIZE * SIZE, 10, generator=torch.Generator().manual_seed(0))
    return images.flatten(1).float() / 255 @ weights


def make_origin(pack: Pack, **changes: Any) -> Origin:
    return replace(Origin(pack, ROWS, DATA, 2, {"job": "targets-1"}), **changes)


def make_maker(pack: Pack, **changes: Any) -> Maker:
    return replace(Maker(make_origin(pack), predict, Look(SIZE, 0.875, "bicubic"), 10), **changes)


def write_all(maker: Maker, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_targets(maker, folder, lambda done, count: None)
