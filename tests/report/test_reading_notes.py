"""How the results are to be read, said of what is shown: intervals of several kinds are told apart by arm."""

from __future__ import annotations

from engine.analysis.compare import Comparison
from engine.analysis.statistics import Interval
from engine.report.changes import Changes
from engine.report.reading_notes import shared_notes
from engine.report.sheet import Sheet
from tests.report.rows import make_rows, run_row

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


def test_no_results_need_no_reading() -> None:
    assert shared_notes(Sheet(make_rows([]))) == []
    assert shared_notes(Sheet(make_rows([run_row("a", 0)]))) == []
