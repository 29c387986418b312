"""How the results are to be read, said of what is shown: intervals of several kinds are told apart by arm."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.compare import Comparison
from engine.analysis.statistics import Interval
from engine.report import reading_notes
from engine.report.changes import Changes
from engine.report.reading_notes import shared_notes
from engine.report.sheet import Sheet
from tests.report.rows import cell_rows, make_rows, run_row

BOTH, SEEDS, IMAGES = (
    Interval(0.1, 0.1, 0.0, 0.2, n, 0.05, 2.0, over)
    for n, over in ((3, "seeds and images"), (3, "seeds"), (2, "images"))
)


def change_note(**intervals: Interval) -> str:
    arms = ("base", *intervals)
    found = {
        (arm, "default"): Comparison("test_top1", "default", (arm, "base"), (0.6, 0.5), ((), ()), one, None, None, None,
                                     None, (), ())
        for arm, one in intervals.items()
    }  # fmt: skip
    runs = [run_row(arm, seed, test_top1=0.5) for arm in arms for seed in (0, 1)]
    told = shared_notes(Sheet(make_rows(runs, "base"), Changes(found)))
    (note,) = [note for note in told if note.startswith("Change:")]
    return note


def test_intervals_of_one_kind_name_no_arm() -> None:
    assert change_note(a=BOTH, b=BOTH).count("± of a change: half of its 95 % interval") == 1


def test_intervals_of_two_kinds_name_their_arms() -> None:
    note = change_note(a=BOTH, b=SEEDS)
    assert "± of a change of a: half of its 95 % interval, over common seeds and their test images together." in note
    assert "± of a change of b: half of its 95 % interval, over common seeds." in note


def test_an_interval_of_images_alone_is_not_called_one_over_seeds() -> None:
    assert "±" not in change_note(a=IMAGES)
    assert "change of b:" in change_note(a=IMAGES, b=SEEDS)


def test_a_change_without_edges_brings_no_note_on_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arm may have edges at one point of the matrix and none at another: the note is of the one that has them."""
    told = [("a", Interval(0.0, 0.0, None, None, 3)), ("a", BOTH)]
    monkeypatch.setattr(reading_notes, "_changes", lambda _sheet: told)
    (note,) = reading_notes._change_notes(Sheet(make_rows([])))
    assert note.count("half of its 95 % interval") == 1


def test_a_column_that_is_left_out_is_not_named_below_the_table() -> None:
    """The baseline alone has a speed-up, over itself: the table has no column for it."""
    figures: dict[str, Any] = {"test_top1": 0.5, "infer_images_per_second": 500.0, "infer_speedup": 1.0}
    runs = [run_row("a", seed, **figures) for seed in (0, 1)]
    once = ("infer_images_per_second", "infer_speedup")
    cells = [*cell_rows(runs, ("test_top1",)), *cell_rows(runs[:1], once)]
    told = " ".join(shared_notes(Sheet(make_rows(runs, "a", cells=cells))))
    assert "Without ± one measurement stands for all seeds: inference." in told


def test_no_results_need_no_reading() -> None:
    assert shared_notes(Sheet(make_rows([]))) == []
    assert shared_notes(Sheet(make_rows([run_row("a", 0)]))) == []


def test_a_speed_says_on_how_many_images_at_once_it_was_taken() -> None:
    def told(*sizes: int | None) -> list[str]:
        runs = [run_row(arm, 0, infer_batch_size=size) for arm, size in zip("abc", sizes, strict=False)]
        return shared_notes(Sheet(make_rows(runs)))

    assert told(64, 64) == ["Inference: the network alone, on 64 images at once."]
    assert told(64, None) == ["Inference: the network alone, on 64 images at once."]
    (line,) = told(64, 8)
    assert line == "Inference: the network alone, not on as many images at once everywhere: a on 64, b on 8."


def test_a_batch_that_did_not_fit_is_told_of_its_arm() -> None:
    sizes: list[dict[str, Any]] = [{"infer_batch_size": 64}, {"infer_batch_size": 8, "infer_oom_batch_size": 64}]
    runs = [run_row(arm, 0, **size) for arm, size in zip("ab", sizes, strict=True)]
    told = shared_notes(Sheet(make_rows(runs)))
    assert told[-1] == "b: 64 images at once did not fit into memory; its speed is of fewer."
    assert len(told) == 2
