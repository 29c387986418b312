"""Figures of networks on the same images: rows and columns, one scale a column, the same bytes, and no text on text."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from engine.home.files import write_json
from engine.home.paths import Home
from engine.report.charts.files import to_pdf, to_svg
from engine.report.charts.style import COLUMN, SCREEN, Paper
from engine.report.looks import MOST_ROWS, _overlaid, _read_looks, draw_deletion, find_looks
from tests.report.test_maps import kind, row

CLASSES = ["n01440764", "n02102040", "a class whose name is so long that no column of a figure can hold all of it"]
KINDS = ("received", "gradcam")
THREE = ("received", "gradcam_true", "rollout")


def leave_looks(home: Home, arm: str, kinds: tuple[str, ...] = KINDS, images: int = 3, seed: int = 0) -> dict[str, Any]:
    """Commit what an explaining job leaves, and return its row of the store."""
    job = home.job(f"explain-{abs(hash((arm, kinds, images, seed))):x}")
    attempt = job.attempt(1)
    attempt.artifacts.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    pictures = np.random.default_rng(7).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
    maps: dict[str, Any] = {f"map_{kind}": draw.random((images, 6, 6), dtype=np.float32) for kind in kinds}
    about: dict[str, Any] = {"keys": np.array([f"key{at}" for at in range(images)]), "labels": np.arange(images) % 3}
    predicted = np.zeros(images, dtype=np.int64)
    np.savez(attempt.artifacts / "looks.npz", pictures=pictures, predicted=predicted, **about, **maps)
    write_json(attempt.result, {"job": job.job, "attempt": 1})
    job.commit(attempt)
    looks = {"layers": dict.fromkeys(kinds, "stages.2"), "omitted": {}, "images": images}
    return {"arm": arm, "cell": "default", "job": job.job, "seed": 0, "looks": json.dumps(looks),
            "classes": json.dumps(CLASSES)}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, tmp_path / "cache")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_rows_are_images_and_columns_each_networks_maps(home: Home) -> None:
    (found,) = find_looks(home, [leave_looks(home, arm) for arm in ("window", "longformer")])
    assert len(found.draw(SCREEN).axes[0].images) == 3 * (1 + 2 * 2)
    assert texts(found.draw(SCREEN))[:1] == ["image"]
    assert {"window", "longformer", "received", "Grad-CAM", "tench"} <= set(texts(found.draw(SCREEN)))
    assert "tokens get in stages.2" in found.note


def test_right_and_wrong_answers_are_told_by_name(home: Home) -> None:
    (found,) = find_looks(home, [leave_looks(home, "a")])
    assert "tench: right" in texts(found.draw(SCREEN))
    assert texts(found.draw(SCREEN)).count("tench: wrong") == 2
    bold = {text.get_text() for text in found.draw(SCREEN).axes[0].texts if text.get_fontweight() == "bold"}
    assert "tench: wrong" in bold
    assert "tench: right" not in bold


def test_two_networks_stand_beside_each_other_and_more_make_more_figures(home: Home) -> None:
    figures = find_looks(home, [leave_looks(home, f"arm{at}") for at in range(5)])
    assert [one.name for one in figures] == ["attention_maps_1", "attention_maps_2", "attention_maps_3"]
    wide = find_looks(home, [leave_looks(home, f"w{at}", ("received", "gradcam", "rollout")) for at in range(2)])
    assert len(wide) == 1
    assert len(find_looks(home, [leave_looks(home, f"o{at}", ("gradcam",)) for at in range(4)])) == 1


def test_a_column_has_one_scale_of_colours(home: Home) -> None:
    looks = _read_looks(home, leave_looks(home, "a"))
    assert looks is not None
    low, high = looks.span("gradcam", ["key0", "key2"])
    kept = looks.maps["gradcam"][[0, 2]]
    assert (low, high) == (float(kept.min()), float(kept.max()))


def test_the_map_decides_the_colour_over_a_grey_image() -> None:
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255
    low, high = (_overlaid(red, np.full((2, 2), level, dtype=np.float32))[0, 0].astype(int) for level in (0.0, 1.0))
    assert (high - low)[1] > 100, "viridis ends in yellow"
    grey = round(0.299 * 255)
    assert low.tolist() == [round(0.4 * grey + 0.6 * one) for one in (68, 1, 84)]


@pytest.mark.parametrize("paper", [SCREEN, COLUMN], ids=["screen", "print"])
@pytest.mark.parametrize(("arms", "kinds"), [(1, ("gradcam",)), (2, KINDS), (2, THREE)])
def test_no_text_lies_on_another_or_on_a_picture(home: Home, arms: int, kinds: tuple[str, ...], paper: Paper) -> None:
    name = "an_arm_with_a_name_that_is_much_longer_than_its_columns"
    (found,) = find_looks(home, [leave_looks(home, f"{name}{at}", kinds) for at in range(arms)])
    canvas: Any = FigureCanvasAgg(found.draw(paper))
    canvas.draw()
    sheet, edge = canvas.figure.axes[0], canvas.figure.bbox
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in sheet.texts if text.get_text()]
    boxes += [image.get_window_extent(canvas.get_renderer()) for image in sheet.images]
    for one, other in itertools.combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert min(wide, high) < 0.5, "pixels"
    assert all(box.x0 > -0.5 and box.x1 < edge.x1 + 0.5 and box.y0 > -0.5 and box.y1 < edge.y1 + 0.5 for box in boxes)


def test_in_print_it_is_as_wide_as_a_column_or_two(home: Home) -> None:
    """85 mm each, 8 mm between them."""
    narrow, wide = (
        find_looks(home, [leave_looks(home, f"{len(kinds)}{at}", kinds) for at in range(2)])[0]
        for kinds in (KINDS, THREE)
    )
    assert narrow.draw(COLUMN).get_figwidth() * 25.4 == pytest.approx(85)
    assert wide.draw(COLUMN).get_figwidth() * 25.4 == pytest.approx(178)
    assert all(float(text.get_fontsize()) >= 7 for text in narrow.draw(COLUMN).axes[0].texts)


def test_it_says_how_wide_it_is_on_a_screen(home: Home) -> None:
    (figure,) = find_looks(home, [leave_looks(home, arm) for arm in ("a", "b")])
    assert figure.draw(SCREEN).get_figwidth() == pytest.approx(figure.width)


def test_a_figure_is_the_same_bytes_twice(home: Home) -> None:
    rows = [leave_looks(home, arm) for arm in ("a", "b")]
    first, second = (find_looks(home, rows)[0].draw(COLUMN) for _ in range(2))
    assert to_svg(first, "x") == to_svg(second, "x")
    assert to_pdf(first) == to_pdf(second)


def test_as_many_rows_as_fit_on_a_page(home: Home) -> None:
    (found,) = find_looks(home, [leave_looks(home, "a", images=MOST_ROWS + 3)])
    assert len(found.draw(SCREEN).axes[0].images) == MOST_ROWS * 3


def test_networks_without_their_files_are_left_out(home: Home) -> None:
    gone = leave_looks(home, "gone")
    (home.job(gone["job"]).attempt(1).artifacts / "looks.npz").unlink()
    (found,) = find_looks(home, [gone, leave_looks(home, "there")])
    assert "there" in texts(found.draw(SCREEN))
    assert "gone" not in texts(found.draw(SCREEN))
    assert find_looks(home, [{"arm": "a", "cell": "default", "job": "j"}]) == []


def test_deletion_curves_stand_beside_chance() -> None:
    flat = kind(0, 0)
    rows = [row("a", {"gradcam": flat, "received": flat}), row("b", {"gradcam": flat}), row("c", {"gradcam": flat})]
    figure = draw_deletion(rows, SCREEN)
    assert [len(axes.lines) for axes in figure.axes] == [3, 2, 2, 0]
    assert figure.axes[0].get_ylim() == (0, 1)
