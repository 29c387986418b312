"""Makes engine/spec/timm_views.txt: what timm says of how each network looks, and the accuracy that its list measured.

python -m tests.spec.timm_table results-imagenet.csv      timm's own list of results, from its repository
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import timm
from timm.models import PretrainedCfg

from engine.spec.timm_views import TABLE

HEAD = """\
# What timm 1.0.31 says of each network: the side of its images in pixels, the share of the short side that its centre
# crop takes, the interpolation, mean and std of its pixels, and how many classes its head has.
# top1: of its own list, per cent of ImageNet's 50,000 validation images at that size and crop (- where it has none):
# github.com/huggingface/pytorch-image-models, results/results-imagenet.csv of 2025-10-30 (4e5207c), Apache-2.0.
# A line of two words: the weights that timm takes for a name without a tag.
network,size,crop_share,interpolation,mean,std,classes,top1
"""


def view_lines() -> Iterator[tuple[str, str]]:
    """Yield each network's name and its line without the accuracy, as timm has it today."""
    tagged = set(timm.list_pretrained())
    for name in sorted({*timm.list_models(), *tagged}):
        config = timm.get_pretrained_cfg(name, allow_unregistered=True)
        if config is None:
            continue
        whole = f"{name}.{config.tag}" if config.tag else name
        yield name, f"{name} {whole}" if name != whole and whole in tagged else _line(name, config)


def _line(name: str, config: PretrainedCfg) -> str:
    crop = min(1.0, config.crop_pct)
    triples = (" ".join(str(float(value)) for value in values) for values in (config.mean, config.std))
    words = (name, config.input_size[-1], f"{crop:g}", config.interpolation, *triples, config.num_classes or 0)
    return ",".join(map(str, words))


def _accuracies(file: Path) -> Mapping[tuple[str, str, str], str]:
    with file.open() as rows:
        return {
            (row["model"], row["img_size"], f"{float(row['crop_pct']):g}"): f"{float(row['top1']):g}"
            for row in csv.DictReader(rows)
        }


def main(file: Path) -> None:
    known, lines = _accuracies(file), []
    for name, line in view_lines():
        words = line.split(",")
        lines.append(line if len(words) == 1 else f"{line},{known.get((name, words[1], words[2]), '-')}")
    TABLE.write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
