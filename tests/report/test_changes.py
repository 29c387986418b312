"""The change column of a report: paired, and silent where the seeds cannot speak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.analysis.compare import NO_SPREAD, Comparison
from engine.analysis.fairness import footnote_text
from engine.analysis.snapshot import Snapshot
from engine.analysis.statistics import Interval
from engine.analysis.things import Mismatch
from engine.collect import collect
from engine.errors import QueryError
from engine.report import make_report
from engine.report.changes import Changes, compare_baseline
from store.journal import JournalWriter
from tests.analysis.answering import Answers
from tests.helpers.synthetic import Arm, SyntheticHome

LONG = Arm(0.63, kind="longformer")


def _set_accuracy(made: SyntheticHome, run: dict[str, Any], value: float) -> None:
    """Log a test accuracy after the one that is there: the last one counts."""
    with JournalWriter(made.home.job(run["jobs"]["student"]).attempt(1).journal) as journal:
        journal.metric("test_top1", value, step=99, epoch=2)


def _report(folder: Path, accuracies: tuple[float, ...], **more: Any) -> str:
    """Return the report of two arms over half as many seeds as there are accuracies, in Markdown."""
    made = SyntheticHome(folder / "home")
    runs = made.experiment("paper", {"a": Arm(), "b": LONG}, tuple(range(len(accuracies) // 2)), **more)
    for run, accuracy in zip(runs, accuracies, strict=True):
        _set_accuracy(made, run, accuracy)
    collect(made.home)
    return make_report(made.home, "paper", ("md",), folder / "report")[0].read_text()


def _change_of(text: str, arm: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("| arm ", f"| {arm} "))]
    heads, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[:2])
    return cells[heads.index("change [points]")]


def test_seeds_that_all_differ_alike_get_no_interval_and_no_dagger(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.89, 0.79))
    assert _change_of(text, "b") == "-1.0"
    assert "†" not in text
    assert "No ± for b: all seeds differ by exactly as much" in text


def test_seeds_that_tell_two_arms_apart_get_a_dagger(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.85, 0.70, 0.602, 0.65))
    assert _change_of(text, "b").endswith(" †")
    assert "† p < 0.05" in text


def test_diverged_training_is_left_out_of_the_change(tmp_path: Path) -> None:
    text = _report(tmp_path, (0.90, 0.80, 0.85, 0.88, float("nan"), 0.84))
    assert _change_of(text, "b").startswith("-1.5 ± ")
    assert "b data.split=60/20/20: 1 seed has a test_top1 that is no number" in text


def test_numbers_of_claims_name_their_runs(tmp_path: Path) -> None:
    about = {"id": "one", "text": "B wins.", "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
    _report(tmp_path, (0.90, 0.80, 0.85, 0.88, 0.83, 0.84), claims=(about,))
    made = SyntheticHome(tmp_path / "home")
    page = make_report(made.home, "paper", ("html",), tmp_path / "html")[0].read_text()
    cell = next(part for part in page.split("<td") if "test_top1 " in part and "points" in part)
    assert "run-" in cell


# Against comparisons written by hand ----------------------------------------------------------------------------------


def _found(arm: str = "b", cell: str = "one", **more: Any) -> Comparison:
    about: dict[str, Any] = {
        "metric": "test_top1", "cell": cell, "arms": (arm, "a"), "means": (0.6, 0.5), "runs": ((), ()),
        "difference": Interval(0.1, 0.01, 0.08, 0.12, 3), "p": 0.5, "adjusted_p": 0.5, "images": None,
        "smallest": None, "factors": (), "unfair": (),
    }  # fmt: skip
    return Comparison(**{**about, **more})


def _changes_of(*found: Comparison) -> Changes:
    return Changes({(one.arms[0], one.cell): one for one in found})


@pytest.mark.parametrize(("p", "mark"), [(0.049, " †"), (0.05, ""), (0.2, ""), (None, "")])
def test_a_dagger_needs_an_adjusted_p_below_five_per_cent(p: float | None, mark: str) -> None:
    changes = _changes_of(_found(p=0.001, adjusted_p=p))
    assert changes.mark("b", "one") == mark
    assert changes.mark("b", "two") == changes.mark("a", "one") == ""
    note = "† p < 0.05, after Holm over all changes of this report."
    assert changes.notes("one") == [note] * bool(mark)


def test_letters_count_the_unfair_arms_of_one_table() -> None:
    unfair = (Mismatch("train.lr", 1, 2),)
    found = [_found("b", unfair=unfair), _found("fair"), _found("c", unfair=unfair, adjusted_p=0.01),
             _found("d", "two", unfair=unfair)]  # fmt: skip
    changes = _changes_of(*found)
    assert [changes.mark(arm, "one") for arm in ("b", "fair", "c")] == [" [a]", "", " † [b]"]
    assert changes.mark("d", "two") == " [a]", "letters begin anew in each table"
    assert changes.notes("one")[:2] == [
        "[a] b against a: not held equal: train.lr is 1 against 2.",
        "[b] c against a: not held equal: train.lr is 1 against 2.",
    ]
    assert len(changes.notes("two")) == 1


def test_after_z_letters_are_doubled() -> None:
    unfair = (Mismatch("train.lr", 1, 2),)
    changes = _changes_of(*(_found(f"arm{at}", unfair=unfair) for at in range(28)))
    assert [changes.mark(f"arm{at}", "one") for at in (0, 25, 26, 27)] == [" [a]", " [z]", " [aa]", " [bb]"]


def test_a_note_says_what_a_claim_would_say() -> None:
    unfair = (*(Mismatch(f"train.x{at}", 1, 2) for at in range(5)), Mismatch("the code", "c", "d"))
    (note,) = _changes_of(_found(unfair=unfair, notes=("a footnote",))).notes("one")
    assert note == f"[a] b against a: {footnote_text(unfair, ('a footnote',))}."
    assert "the code is c against d; train.x0 is 1 against 2 (and 4 more of train); a footnote" in note


def test_a_fair_arm_with_a_footnote_gets_its_letter() -> None:
    changes = _changes_of(_found(notes=("the device is x against y",)))
    assert changes.mark("b", "one") == " [a]"
    assert changes.notes("one") == ["[a] b against a: the device is x against y."]


def test_other_test_images_get_no_dagger() -> None:
    changes = _changes_of(_found(adjusted_p=0.001, unfair=(Mismatch("the test set", 1, 2, other_images=True),)))
    assert changes.mark("b", "one") == " [a]"
    assert changes.notes("one") == [
        "[a] b against a: not comparable: not the same test images: the test set is 1 against 2."
    ]


def test_what_seeds_could_have_shown_is_in_points() -> None:
    found = _found(smallest=0.0123, tests=3), _found("c"), _found("d", smallest=0.2, tests=3)
    changes = _changes_of(*found, _found("e", "two", smallest=1))
    detected = "What could be detected, with a power of 80 % at p < 0.05"
    assert changes.notes("one") == [f"{detected} after Holm over 3, in points: b 1.2, d 20.0."]
    assert changes.notes("two") == [f"{detected}, in points: e 100.0."], "one test is adjusted by nothing"
    other = Mismatch("data.split_seed", 1, 2, other_images=True)
    assert "detected" not in " ".join(_changes_of(_found(smallest=0.1, unfair=(other,))).notes("one"))
    alike = _changes_of(_found(untested=NO_SPREAD), _found("c", untested=NO_SPREAD), _found("d", untested="else"))
    assert alike.notes("one") == [f"No ± for b, c: {NO_SPREAD}."]


def test_every_arm_is_compared_with_the_baseline_and_holm_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def compare(_snapshot: Snapshot, first: str, second: str, metric: str, *, anyway: bool) -> list[Comparison]:
        asked.append((first, second, metric, anyway))
        if first == "paper/new":
            raise QueryError("no seed yet")
        arm = first.rpartition("/")[2]
        return [_found(arm, cell, p=0.02) for cell in ("one", "two")]

    monkeypatch.setattr("engine.report.changes.compare_arms", compare)
    monkeypatch.setattr("engine.report.changes.find_leaders", lambda *words: {"one": f"of {words[-1]} tests"})
    snapshot = Answers()
    found = compare_baseline(snapshot, "paper", ["b", "a", "new", "c"], "a").comparisons
    assert asked == [(f"paper/{arm}", "paper/a", "test_top1", True) for arm in ("b", "new", "c")]
    assert sorted(found) == [("b", "one"), ("b", "two"), ("c", "one"), ("c", "two")]
    assert [one.adjusted_p for one in found.values()] == pytest.approx([0.08] * 4)
    assert compare_baseline(snapshot, "paper", ["b", "a", "c"], "a").leaders == {"one": "of 4 tests"}
    assert compare_baseline(snapshot, "paper", ["b", "a"], None) == Changes({}, {"one": "of 0 tests"})
