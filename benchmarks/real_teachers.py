"""Whether a real pretrained teacher is as good over small students as it is known to be: its accuracy as a run asks it.

    python benchmarks/real_teachers.py [--quick] [--json]

Two EfficientNet-Lite with ImageNet's weights, head: slice, over students at 48, 64 and 224 px, on the photographs of
imagenette224 that are named ILSVRC2012_val: all others may have been among the teachers' training images. Ours is the
teacher as a plan asks it; the peer the same one that is made to look at the student's size. The folders teachers and
imagenette224 lie in shared/data beside the checkout; without them nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import ROOT, Row
from engine.core.data.pack import open_pack
from engine.core.distill.make import CENTRE_VIEW, Maker
from engine.core.distill.targets import Origin
from engine.home.paths import Home, open_home
from engine.plan import Job, make_plan
from engine.run.inputs import HomeVisit, make_pack
from engine.run.targets import make_maker, open_teacher
from engine.spec import Spec
from engine.spec.job_file import JobSpec
from engine.spec.job_settings import PackSettings, TargetsSettings

SIZES, TEACHERS = (48, 64, 224), ("tf_efficientnet_lite0", "tf_efficientnet_lite2")
QUICK_IMAGES = 200
SHARED = ROOT.parent / "shared" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_IMAGES} photographs")
    parser.add_argument("--json", action="store_true", help="print one list of rows")
    asked = parser.parse_args()
    rows = measure(QUICK_IMAGES if asked.quick else None) if (SHARED / "teachers").is_dir() else []
    if asked.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        print(f"{row.case}: {row.ours:.1f} {row.unit} against {row.peer:.1f} at the student's size, n {row.n}")


def measure(most: int | None) -> list[Row]:
    """Return a row for each teacher and size of student."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="xp-") as folder:
        root, home = Path(folder), open_home(Path(folder) / "home", create=True)
        _lay_out(root / "images", most)
        known: dict[str, tuple[float, int]] = {}
        return [_compare(root, home, name, size, known) for name in TEACHERS for size in SIZES]


def _lay_out(images: Path, most: int | None) -> None:
    """Unpack the photographs that no teacher was trained on, evenly over the classes."""
    for archive in ("train.zip", "val.zip"):
        with zipfile.ZipFile(SHARED / "imagenette224" / archive) as held:
            held.extractall(images, [name for name in held.namelist() if "ILSVRC2012_val_" in name])
    if most is not None:
        classes = [folder for folder in images.iterdir() if folder.is_dir()]
        for folder in classes:
            for path in sorted(folder.iterdir())[most // len(classes) :]:
                path.unlink()


def _compare(root: Path, home: Home, name: str, size: int, known: dict[str, tuple[float, int]]) -> Row:
    ours, count = _accuracy(root, home, {"arch": f"timm/{name}"}, name, size, known)
    peer, _ = _accuracy(root, home, {"arch": f"timm/{name}", "image_size": size}, name, size, known)
    return Row(f"{name} over a student at {size} px", "top-1 of ten classes", ours, peer, ours / peer, "%", count)


def _accuracy(
    root: Path, home: Home, words: dict[str, object], name: str, size: int, known: dict[str, tuple[float, int]]
) -> tuple[float, int]:
    """Return per cent right and how many photographs; equal jobs are asked once."""
    teacher = {**words, "weights": str(SHARED / "teachers" / f"{name}.safetensors")}
    plan = make_plan(_spec(root / "images", teacher, size), home)
    job, pack = (next(job for job in plan.jobs if job.kind == kind) for kind in ("targets", "pack"))
    if job.key not in known:
        assert isinstance(pack.settings, PackSettings)
        make_pack(home, pack.settings, pack.key, str(root / "images"), lambda phase, done, count: None)
        known[job.key] = _ask(home, job, pack.key)
    return known[job.key]


def _spec(images: Path, teacher: dict[str, object], size: int) -> Spec:
    student = {"arch": "tiny_vit", "dims": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "heads": [1, 2, 3, 4]}
    data = {"source": "folder", "root": str(images), "image_size": size}
    train = {"precision": "fp32", "threads": 1}
    return Spec.model_validate(
        {"name": "real", "data": data, "student": student, "teacher": teacher, "train": train, "seeds": [0]}
    )


def _ask(home: Home, job: Job, pack: str) -> tuple[float, int]:
    settings = job.settings
    assert isinstance(settings, TargetsSettings)
    images = open_pack(home.pack(pack))
    visit = HomeVisit(home, job.details)
    teacher = open_teacher(visit, JobSpec("targets", {"pack": pack}, settings), torch.device("cpu"))
    maker: Maker = make_maker(Origin(images, np.arange(len(images)), settings.data, 0, {}), teacher)
    maker = replace(maker, batch=32)
    rows = np.arange(len(images))
    parts = [rows[first : first + maker.batch] for first in range(0, len(rows), maker.batch)]
    right = sum(_count_right(maker, part, images.labels[part]) for part in parts)
    return 100 * right / len(rows), len(rows)


def _count_right(maker: Maker, rows: np.ndarray, labels: np.ndarray) -> int:
    answer = maker.predict(maker.render(CENTRE_VIEW, rows)).argmax(dim=1)
    return int((answer == torch.from_numpy(labels)).sum())


if __name__ == "__main__":
    main()
