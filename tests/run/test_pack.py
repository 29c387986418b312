"""The pack job takes the images that were planned, all of them and no others, and goes on after a kill."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.data.pack import is_valid_pack, open_pack
from engine.core.data.shards import SHARD_IMAGES
from engine.home.paths import JobFolder
from engine.inputs.content import data_content
from engine.spec import Data
from store.journal import read_journal
from tests.helpers.forking import strike
from tests.run.bench import Bench, open_bench

FAILED = 88


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("home")
    with open_bench(root) as bench:
        yield bench


def write_images(root: Path, count: int, size: tuple[int, int] = (60, 50)) -> Path:
    noise = np.random.default_rng(0)
    for number in range(count):
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "ab"[number % 2] / f"{number}.bmp")
    return root


def plan_pack(bench: Bench, name: str, root: Path, broken: str = "stop") -> JobFolder:
    """Write a pack job as planning does: with the digest of the images that are there now."""
    digest = data_content(Data(source="folder", root=str(root)), bench.home.digests).digest
    data = {"source": "folder", "short_side": 64, "format": "jpeg", "broken": broken, "classes": None}
    return bench.write(name, "pack", {}, {"data": data, "digest": digest})


def pack_fact(job: JobFolder) -> dict[str, Any]:
    winner = job.winner()
    assert winner is not None
    (fact,) = [line["value"] for line in read_journal(winner.journal)[0] if line.get("name") == "pack"]
    return dict(fact)


@pytest.mark.parametrize("broken", ["stop", "skip"])
def test_images_that_changed_after_planning_are_refused(bench: Bench, tmp_path: Path, broken: str) -> None:
    root = write_images(tmp_path / "set", 8)
    job = plan_pack(bench, f"pack-changed-{broken}", root, broken)
    (root / "a" / "0.bmp").write_bytes(b"broken since")
    assert bench.run(job, root=str(root)) == FAILED
    assert "have changed since the experiment was submitted" in job.attempt(1).log.read_text()
    assert not bench.home.pack(job.job).exists()


def test_what_was_left_out_is_counted_and_a_kept_pack_taken_again(bench: Bench, tmp_path: Path) -> None:
    root = write_images(tmp_path / "set", 8)
    (root / "b" / "bad.jpg").write_text("no image")
    shutil.copy(root / "a" / "0.bmp", root / "b" / "copy.bmp")
    job = plan_pack(bench, "pack-skip", root, "skip")
    assert bench.run(job, root=str(root)) == 0
    fact = pack_fact(job)
    assert (fact["images"], fact["skipped"], fact["left_out"]) == (9, 1, [str(root / "b" / "bad.jpg")])
    assert fact["duplicates"] == {"groups": 1, "images": 2, "across_labels": 1}
    job.result.unlink()
    assert bench.run(job, root=str(root)) == 0
    assert pack_fact(job)["made"] is False


def test_a_killed_pack_job_goes_on_in_its_next_attempt(bench: Bench, tmp_path: Path) -> None:
    root = write_images(tmp_path / "set", 3 * SHARD_IMAGES, (400, 300))
    job = plan_pack(bench, "pack-killed", root)
    process, _ = bench.start_held(job, ("pack",), SHARD_IMAGES + 1, root=str(root))
    strike(process, signal.SIGKILL)
    bench.server.wait()
    assert not bench.home.pack(job.job).exists()
    assert bench.run(job, root=str(root)) == 0
    (line,) = [line for line in job.attempt(2).log.read_text().splitlines() if line.startswith("packed")]
    assert int(line.split(", ")[1].split()[0]) == SHARD_IMAGES
    assert is_valid_pack(bench.home.pack(job.job))
    assert len(open_pack(bench.home.pack(job.job))) == 3 * SHARD_IMAGES
