"""A small experiment on synthetic photographs with boxes: its explain job counts, its report shows the number."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import DataError
from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.launch.exits import Exit
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.report import make_report
from engine.schedule.submit import submit_plan
from tests.run.bench import Bench, open_bench, visible_lines

WIDTH, HEIGHT, SPOT = 120, 90, 24
SPEC = """
name: spots
data: {source: folder, root: ROOT, boxes: BOXES, image_size: 32, short_side: 64, split: 40/20/40, views: 1}
student: {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1]}
train: {epochs: 1, batch_size: 8, warmup_epochs: 0, precision: fp32, threads: 1}
measure: {batch_sizes: [1], seconds: 0.01, rounds: 2}
explain: {images: 8}
resources: {gpus: 0}
"""


@dataclass
class Spots:
    """A folder of photographs with one bright spot each, and a table of where the spots are."""

    root: Path
    table: Path

    @classmethod
    def draw(cls, folder: Path) -> Spots:
        noise, rows = np.random.default_rng(0), ["image,xmin,ymin,xmax,ymax"]
        for number in range(40):
            name = f"{'red' if number % 2 else 'blue'}/{number:03d}.png"
            path = folder / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = noise.integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            left, top = (int(noise.integers(20, side - SPOT - 20)) for side in (WIDTH, HEIGHT))
            pixels[top : top + SPOT, left : left + SPOT, 0 if number % 2 else 2] = 250
            Image.fromarray(pixels).save(path)
            rows.append(f"{name},{left},{top},{left + SPOT},{top + SPOT}")
        table = folder / "boxes.csv"
        table.write_text("\n".join(rows) + "\n")
        return cls(folder / "set", table)

    def plan(self, bench: Bench, boxes: Path | None = None) -> Plan:
        """Plan the experiment; with other boxes it has another name, so that what one test submits is its own."""
        spec = bench.home.root / "spots.yaml"
        spec.write_text(SPEC.replace("ROOT", str(self.root)).replace("BOXES", str(boxes or self.table)))
        return make_plan(load_spec(spec, [f"name={'others' if boxes else 'spots'}"]), bench.home)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_bench(tmp_path_factory.mktemp("home")) as bench:
        yield bench


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory) -> Spots:
    return Spots.draw(tmp_path_factory.mktemp("spots"))


def run_all(bench: Bench, plan: Plan) -> dict[str, int]:
    """Submit a plan and run what is not done of it, speed apart; return the exit of each job by kind."""
    submit_plan(plan, bench.home)
    exits = {}
    for job in plan.jobs:
        folder = bench.home.job(job.key)
        if job.kind != "measure" and not folder.result.exists():
            exits[job.kind] = bench.run(folder, **job.details.model_dump(mode="json"))
    return exits


@pytest.fixture(scope="module")
def explained(bench: Bench, spots: Spots) -> JobFolder:
    plan = spots.plan(bench)
    assert set(run_all(bench, plan).values()) == {0}
    return bench.home.job(plan.runs[0].jobs["explain"])


def boxes_fact(job: JobFolder) -> dict[str, Any]:
    (line,) = [line for line in visible_lines(job) if line.get("name") == "boxes"]
    return dict(line["value"])


def test_figures_are_logged_with_their_images(explained: JobFolder) -> None:
    fact = boxes_fact(explained)
    lines = {line["name"]: line for line in visible_lines(explained) if line["type"] == "measurement"}
    assert (fact["explained"], fact["absent"], fact["counted"] + fact["cropped"]) == (8, 0, 8)
    assert lines["pointing_game"]["value"] == pytest.approx(fact["hits"] / fact["counted"])
    assert {lines[name]["n"] for name in ("pointing_game", "pointing_chance", "box_energy", "box_area")} == {
        fact["counted"]
    }
    # The view shows 7/8 of 90 pixels, in both directions.
    assert lines["box_area"]["p95"] == pytest.approx((SPOT / (0.875 * HEIGHT)) ** 2, rel=0.15)
    assert 0 < lines["pointing_chance"]["value"] < 1


def test_the_boxes_are_drawn_where_the_spots_are(explained: JobFolder) -> None:
    """White lines are at the edges of the bright spot, which no other pixel of the pictures is as bright as."""
    winner = explained.winner()
    assert winner is not None
    pictures = [read_half(path) for path in sorted(winner.artifacts.rglob("*.png"))]
    whole = [pixels for pixels in pictures if is_whole((pixels == 255).all(axis=-1))]
    assert len(whole) >= 3
    for pixels in whole:
        lines, spot = (pixels == 255).all(axis=-1), (pixels.max(axis=-1) > 170) & (pixels.min(axis=-1) < 110)
        for line, edge in zip(extent(lines), extent(spot), strict=True):
            assert abs(line - edge) <= 1.5 * len(pixels) // 32, "in pixels of the view, of 32"


def read_half(path: Path) -> NDArray[np.int64]:
    """Return the plain picture, which stands on the left."""
    with Image.open(path) as picture:
        return np.asarray(picture).astype(np.int64)[:, : picture.width // 2]


def extent(marked: NDArray[np.bool_]) -> list[int]:
    return [int(edge) for places in np.nonzero(marked) for edge in (places.min(), places.max())]


def is_whole(lines: NDArray[np.bool_]) -> bool:
    """Whether an outline is there, and no edge of the picture cuts it off."""
    return bool(lines.any()) and min(extent(lines)) > 6 and max(extent(lines)) < len(lines) - 6


def test_sql_and_report_show_the_number(bench: Bench, explained: JobFolder, tmp_path: Path) -> None:
    collect(bench.home)
    fact = boxes_fact(explained)
    with one_snapshot(bench.home) as snapshot:
        (maps,) = snapshot.ask("report_maps", name="spots")
        cells = {cell["metric"]: cell["mean"] for cell in snapshot.ask("report_cells", name="spots")}
    assert json.loads(maps["boxes"]) == fact
    assert cells["pointing_game"] == pytest.approx(fact["hits"] / fact["counted"])
    pages = make_report(bench.home, "spots", ("md", "html", "tex"), tmp_path / "out")
    for page in pages:
        tables = sorted(page.parent.rglob("tables/*.tex")) if page.suffix == ".tex" else []
        # LaTeX has each table in a file of its own, and the digits after a point in a column of their own.
        text = "".join(path.read_text() for path in (page, *tables)).replace(" & .", ".")
        assert f"{100 * fact['hits'] / fact['counted']:.2f}" in text
        assert f"{fact['counted']} of {fact['explained']}" in text
        assert f"Boxes for {8 - fact['absent']} of 8 explained images" in text


def test_the_job_alone_follows_the_boxes(bench: Bench, spots: Spots, explained: JobFolder, tmp_path: Path) -> None:
    """A copy elsewhere is the same job; other boxes are another; none at all is the job that was before."""
    copy = Path(shutil.copy(spots.table, tmp_path / "elsewhere.csv"))
    assert spots.plan(bench, copy).runs[0].jobs["explain"] == explained.job
    rows = copy.read_text().splitlines()
    copy.write_text("\n".join(rows[:-1]) + "\n")
    other = spots.plan(bench, copy).runs[0].jobs
    same = spots.plan(bench).runs[0].jobs
    assert {role for role in same if same[role] != other[role]} == {"explain"}
    assert "boxes" in read_json(explained.spec)["settings"]


def test_boxes_that_changed_after_submitting_are_refused(
    bench: Bench, spots: Spots, explained: JobFolder, tmp_path: Path
) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text("image,xmin,ymin,xmax,ymax\n" + "".join(f"{n:03d},1,1,100,80\n" for n in range(0, 40, 3)))
    plan = spots.plan(bench, table)
    submit_plan(plan, bench.home)
    told = next(job for job in plan.jobs if job.kind == "explain")
    details = told.details.model_dump(mode="json")
    table.write_text(table.read_text().replace("100,80", "100,81", 1))
    assert bench.run(bench.home.job(told.key), **details) == Exit.FAILED
    table.write_text(table.read_text().replace("100,81", "100,80", 1))
    assert bench.run(bench.home.job(told.key), **details) == 0
    fact = boxes_fact(bench.home.job(told.key))
    assert fact["counted"] + fact["absent"] == 8
    assert 0 < fact["absent"] < 8


def test_a_box_beyond_its_image_stops_the_plan(bench: Bench, spots: Spots, tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(f"image,xmin,ymin,xmax,ymax\n002,1,1,{WIDTH + 1},80\n")
    with pytest.raises(DataError, match=f"lies beyond its image of {WIDTH} x {HEIGHT} pixels") as caught:
        spots.plan(bench, table)
    assert caught.value.where == f"{table}:2"


def test_boxes_that_are_gone_are_named_with_their_path(
    bench: Bench, spots: Spots, explained: JobFolder, tmp_path: Path
) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text("image,xmin,ymin,xmax,ymax\n002,1,1,9,80\n")
    plan = spots.plan(bench, table)
    submit_plan(plan, bench.home)
    told = next(job for job in plan.jobs if job.kind == "explain")
    table.unlink()
    assert bench.run(bench.home.job(told.key), **told.details.model_dump(mode="json")) == Exit.FAILED
    log = bench.home.job(told.key).attempts()[-1].log.read_text()
    assert f"{table}: boxes are of the original images, and data.boxes is not here\nfix: " in log
