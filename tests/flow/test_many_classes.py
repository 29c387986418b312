"""A set as people have it: 100 classes from 31 to 800 images, all sizes and modes; both splits of it run to the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.inputs.quotas import PARTS, class_quotas
from tests.flow.commands import ask, xp

SMALLEST, LARGEST, OTHERS, CLASSES = 31, 800, 33, 100
SPEC = """
name: many
data:
  {{source: folder, root: "{root}", image_size: 32, short_side: 40, format: jpeg, views: 1}}
student: {{arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1]}}
train: {{epochs: 1, batch_size: 64, lr: 1.0e-3, warmup_epochs: 0, precision: fp32, threads: 1}}
measure: {{batch_sizes: [1], threads: [1], seconds: 0.05, rounds: 2}}
explain: {{images: 2}}
matrix: {{data.split: [60/20/20, 80/10/10]}}
resources: {{gpus: 0, cpus: 1}}
"""
MODES = ("RGB", "L", "P", "CMYK", "RGBA", "16 bits", "EXIF")


def save_image(image: Image.Image, folder: Path, number: int) -> None:
    """Save it in the number's mode, each in a format that has it."""
    mode = MODES[number % len(MODES)]
    if mode == "16 bits":
        levels = np.asarray(image.convert("L")).astype(np.uint16) * 257
        Image.fromarray(levels).save(folder / f"{number}.png")
    elif mode == "EXIF":
        exif = Image.Exif()
        exif[0x0112] = 1 + number % 8
        image.save(folder / f"{number}.JPEG", exif=exif)
    else:
        image.convert(mode).save(folder / f"{number}{'.jpg' if mode in ('RGB', 'L', 'CMYK') else '.png'}")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, noise = tmp_path_factory.mktemp("many") / "set", np.random.default_rng(0)
    for label, count in enumerate(class_sizes()):
        folder = root / f"class {label:03d}"
        folder.mkdir(parents=True)
        for number in range(count):
            coarse = Image.fromarray(noise.integers(0, 256, (6, 7, 3), dtype=np.uint8))
            size = (int(noise.integers(20, 260)), int(noise.integers(20, 260)))
            save_image(coarse.resize(size, Image.Resampling.BICUBIC), folder, number)
    return root


def class_sizes() -> Iterator[int]:
    yield from (SMALLEST, LARGEST, *[OTHERS] * (CLASSES - 2))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_100_uneven_classes_run_through_at_both_splits(root: Path, tmp_path: Path) -> None:
    spec, home = tmp_path / "many.yaml", tmp_path / "home"
    spec.write_text(SPEC.format(root=root))
    xp(home, "submit", spec, "--wait")
    rows = ask(home, "select split, state, test_images, test_top1 from results order by split")
    assert [(row["split"], row["state"]) for row in rows] == [("60/20/20", "done"), ("80/10/10", "done")]
    manifests = [row["value"] for row in ask(home, "select value from facts where name = 'split'")]
    for about in manifests:
        shares = dict(zip(PARTS, map(int, about["text"].split("/")), strict=True))
        asked = {part: sum(class_quotas(count, shares)[part] for count in class_sizes()) for part in PARTS}
        assert about["largest_group"] == 1
        assert {part: about[part] for part in PARTS} == about["asked"] == asked
    assert [row["test_images"] for row in rows] == sorted((about["test"] for about in manifests), reverse=True)
    (pack,) = ask(home, "select value from facts where name = 'pack'")
    assert (pack["value"]["images"], pack["value"]["classes"]) == (sum(class_sizes()), CLASSES)
