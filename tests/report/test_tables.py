"""Every column of the tables, against numbers that were worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.analysis.claims import Judged
from engine.analysis.compare import Comparison
from engine.analysis.statistics import Interval
from engine.analysis.trainings import NetworkTraining
from engine.inputs.lineage import Training
from engine.report import number_text
from engine.report import number_text as words
from engine.report.changes import Changes
from engine.report.sheet import Sheet
from engine.report.tables import (
    Table,
    claim_table,
    difference_table,
    result_table,
    run_table,
)
from engine.spec import Claim
from tests.report.rows import MB, cell_rows, make_rows, run_row, unequal_runs

COMMON = (
    "Accuracy: mean over n seeds, on the test part, measured once; ±: half of the 95 % interval of the mean over seeds."
)
SPREADS = "± in other columns: half of the 95 % interval of the mean over seeds."
CHANGE = (
    "Change: the mean difference over common seeds, in percentage points; relative: in per cent of the baseline. "
    "± of a change: half of its 95 % interval, over common seeds."
)


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def result_texts(runs: list[dict[str, Any]], baseline: str | None, **parts: Any) -> list[list[str]]:
    sheet = Sheet(make_rows(runs, baseline, **parts))
    return texts(result_table(sheet, sheet.points[0]))


def test_every_column_of_the_results_is_exact_where_seeds_are_unequal() -> None:
    """Common are seeds 1 and 2: 0.66 - 0.62, with differences of 0.03 and 0.05; half is 12.7062 * 0.01."""
    table = result_table(Sheet(make_rows(unequal_runs(), "base")), "default")
    assert table.title == ""
    assert list(table.columns) == [
        "arm", "test top-1 [%]", "change [points]", "relative", "params", "MACs, computed", "inference [images/s]",
        "training [images/s]", "peak GPU memory, reserved [MB]",
    ]  # fmt: skip
    assert texts(table) == [
        ["base (baseline)", "61.0 ± 13.4 (n=4)", "", "", "21.00 M", "4.00 G", "515 ± 21", "51.5 ± 2.1", "1,030 ± 41"],
        ["new", "74.0 ± 35.2 (n=3)", "+4.0 ± 12.7", "+6.5 %", "21.40 M", "3.80 G", "660 ± 149", "66.0 ± 14.9",
         "1,320 ± 298"],
    ]  # fmt: skip
    assert list(table.notes) == [COMMON, CHANGE, SPREADS]
    assert [[cell.is_best for cell in row] for row in table.rows] == [[False] * 9] * 2


def test_a_speed_up_has_the_interval_of_its_rounds() -> None:
    """One measurement in rounds serves all seeds of `new`; the pruned networks of `cut` are one for each seed."""
    edges: dict[str, Any] = {"speedup_low": 0.6569, "speedup_high": 0.7744}
    once: dict[str, Any] = {**edges, "infer_speedup": 0.7132, "macs_algorithm": 3_700_000_000}
    runs = [run_row("base", seed, infer_speedup=1.0, speedup_low=None, speedup_high=None) for seed in (0, 1)]
    runs += [run_row("new", seed, **once) for seed in (0, 1)]
    runs += [run_row("cut", seed, infer_speedup=ratio, speedup_low=ratio - 0.1, speedup_high=ratio + 0.1)
             for seed, ratio in enumerate((1.25, 1.35))]  # fmt: skip
    cells = cell_rows(runs, ("infer_speedup", "macs_algorithm"))
    table = result_table(Sheet(make_rows(runs, "base", cells=cells)), "default")
    speed, work = (list(table.columns).index(name) for name in ("speed-up", "MACs, of the algorithm"))
    assert [row[speed] for row in texts(table)] == ["1.00", "0.713 [0.657, 0.774]", "1.30 ± 0.64"]
    assert [row[work] for row in texts(table)] == [number_text.NONE, "3.70 G", number_text.NONE]
    assert any(note.startswith("Speed-up: images/s over the baseline's") for note in table.notes)


def test_every_number_of_the_results_names_its_runs() -> None:
    row = result_table(Sheet(make_rows(unequal_runs(), "base")), "default").rows[1]
    runs = "run-new-1-default, run-new-2-default, run-new-4-default"
    pair = f"paired over seeds against base: {runs}"
    assert [cell.source for cell in row] == [
        runs, f"test_top1 of {runs}", pair, pair, f"params of {runs}", f"macs of {runs}",
        f"infer_images_per_second of {runs}", f"train_images_per_second of {runs}", f"cuda_peak_reserved of {runs}",
    ]  # fmt: skip


def test_an_arm_of_unknown_training_has_a_note() -> None:
    said = (
        "new begins with or learns from weights of unknown training, which may have been trained on these test images."
    )
    notes_by: dict[Training, list[str]] = {"unknown": [said], "known": [], "pretrained": []}
    for training, notes in notes_by.items():
        one = NetworkTraining("new", "default", "student", "train-1", training)
        sheet = Sheet(make_rows(unequal_runs(), "base", trainings=[one]))
        assert list(result_table(sheet, "default").notes) == [*notes, COMMON, CHANGE, SPREADS]


def test_each_table_is_of_its_own_point() -> None:
    runs = unequal_runs("one") + [{**run, "test_top1": run["test_top1"] / 2} for run in unequal_runs("two")]
    sheet = Sheet(make_rows(runs, "base"))
    one, two = (result_table(sheet, point) for point in sheet.points)
    assert (one.title, two.title) == ("one", "two")
    assert [row[1] for row in texts(two)] == ["30.5 ± 6.7 (n=4)", "37.0 ± 17.6 (n=3)"]
    assert [row[2] for row in texts(two)] == ["", "+2.0 ± 6.4"]
    assert list(one.notes) == [], "what all tables share is said once, under the last"
    assert list(two.notes) == [COMMON, CHANGE, SPREADS]


@pytest.mark.parametrize(
    ("words", "are_apart"),
    [({"split": "80/10/10"}, True), ({"split_seed": 1}, True), ({"split": "80/10/10", "nested": True}, False),
     ({"view_seed": 3}, False)],
)  # fmt: skip
def test_tables_of_other_test_images_are_not_to_be_compared(words: dict[str, Any], are_apart: bool) -> None:
    """Nested splits share their test images."""
    base = {"split": "60/20/20", **({"nested": True} if "nested" in words else {})}
    runs = [run_row("a", 0, "one", {"data": base}, test_top1=0.5), run_row("a", 0, "two", {"data": {**base, **words}})]
    notes = result_table(Sheet(make_rows(runs)), "two").notes
    assert any(note.startswith("The tables have different test images") for note in notes) == are_apart


def test_an_arm_without_runs_at_a_point_has_no_row_there() -> None:
    runs = [run_row("a", 0, "one", test_top1=0.5), run_row("a", 0, "two", test_top1=0.5),
            run_row("b", 0, "two", test_top1=0.6)]  # fmt: skip
    sheet = Sheet(make_rows(runs, "a"))
    assert [row[0] for row in texts(result_table(sheet, "one"))] == ["a (baseline)"]


def test_without_a_common_seed_there_is_no_change() -> None:
    rows = result_texts([run_row("a", 0, test_top1=0.5), run_row("b", 1, test_top1=0.6)], "a")
    assert rows[1][2:4] == [words.NONE, words.NONE]


def test_one_common_seed_has_a_change_without_interval() -> None:
    rows = result_texts([run_row("a", 0, test_top1=0.5), run_row("b", 0, test_top1=0.45)], "a")
    assert rows[1][2:4] == ["-5.0", "-10.0 %"]


def test_without_a_baseline_there_are_no_changes() -> None:
    runs = unequal_runs()
    table = result_table(Sheet(make_rows(runs, None)), "default")
    assert [row[:4] for row in texts(table)] == [
        ["base", "61.0 ± 13.4 (n=4)", "", ""],
        ["new", "74.0 ± 35.2 (n=3)", "", ""],
    ]
    assert list(table.notes) == [COMMON, SPREADS]


def test_bold_is_the_leader_of_its_point_alone() -> None:
    runs = unequal_runs("one") + unequal_runs("two")
    sheet = Sheet(make_rows(runs, "base"), Changes({}, {"two": "new"}))
    one, two = ([[cell.is_best for cell in row] for row in result_table(sheet, at).rows] for at in ("one", "two"))
    assert (one, two) == ([[False] * 9] * 2, [[False] * 9, [False, True, *[False] * 7]])


def test_a_change_carries_the_mark_of_its_comparison() -> None:
    told = Comparison("test_top1", "default", ("new", "base"), (0.6, 0.5), ((), ()), Interval(0.1, 0.1, 0, 1, 2),
                      0.01, 0.01, None, None, (), ())  # fmt: skip
    sheet = Sheet(make_rows(unequal_runs(), "base"), Changes({("new", "default"): told}))
    table = result_table(sheet, "default")
    assert texts(table)[1][2] == "+10.0 ± 50.0 †"
    assert table.notes[0] == "† p < 0.05, after Holm over all changes of this report."


def test_narrow_intervals_get_two_decimals_in_all_rows() -> None:
    tight, wide = [0.5, 0.5004], [0.6, 0.6002]  # halves of 0.25 and 0.13 points
    runs = [run_row("a", seed, test_top1=value) for seed, value in enumerate(tight)]
    runs += [run_row("b", seed, test_top1=value) for seed, value in enumerate(wide)]
    assert [row[1] for row in result_texts(runs, None)] == ["50.02 ± 0.25 (n=2)", "60.01 ± 0.13 (n=2)"]
    runs += [run_row("c", seed, test_top1=value) for seed, value in enumerate([0.4, 0.5])]
    assert [row[1] for row in result_texts(runs, None)] == [
        "50.0 ± 0.3 (n=2)", "60.0 ± 0.1 (n=2)", "45.0 ± 63.5 (n=2)",
    ]  # fmt: skip


def test_one_run_has_wilsons_interval_over_its_images() -> None:
    runs = [run_row("a", 0, test_top1=0.5, test_low=0.402, test_high=0.598), run_row("b", 0, test_top1=0.6)]
    sheet = Sheet(make_rows(runs, None))
    table = result_table(sheet, "default")
    assert [row[1] for row in texts(table)] == ["50.0 [40.2, 59.8] (n=1)", "60.0 (n=1)"]
    assert any(note.startswith("With one seed, in brackets: Wilson's 95 % interval") for note in table.notes)
    two = [run_row("a", seed, test_top1=0.5 + seed / 10) for seed in range(2)]
    for runs in (unequal_runs(), two):
        assert not any("Wilson" in note for note in result_table(Sheet(make_rows(runs)), "default").notes)


def test_an_arm_without_numbers_has_dashes() -> None:
    rows = result_texts([run_row("a", 0, test_top1=0.5), run_row("b", 0)], "a")
    assert rows[1] == ["b", *[words.NONE] * 8]


def test_a_lone_arm_is_not_the_best() -> None:
    table = result_table(Sheet(make_rows([run_row("a", 0, test_top1=0.5)], "a")), "default")
    assert not table.rows[0][1].is_best
    assert not any(note.startswith("Change:") for note in table.notes)


def test_pruning_says_what_was_asked_and_reached() -> None:
    runs = [run_row("a", 0), run_row("b", 0)]
    pruned = {"arm": "b", "cell": "default", "n": 1, "std": None, "low": None, "high": None, "not_finite": 0}
    cells = [
        {**pruned, "metric": "prune_asked", "mean": 0.2},
        {**pruned, "metric": "prune_achieved", "mean": 0.1964},
        {**pruned, "arm": "a", "metric": "prune_asked", "mean": 0.0},
    ]
    notes = result_table(Sheet(make_rows(runs, None, cells=cells)), "default").notes
    assert [note for note in notes if "pruning" in note] == ["b: pruning of 20.0 % was asked, 19.6 % reached."]


@pytest.mark.parametrize(
    ("masks", "batch_norm", "end"),
    [
        (False, False, "the steps are the same up to rounding."),
        (True, False, "dropout and drop path drew other masks."),
        (
            False,
            True,
            "BatchNorm saw 16 images, not 64: another training.",
        ),
    ],
)
def test_a_training_in_micro_batches_is_told(masks: bool, batch_norm: bool, end: str) -> None:
    split = (
        f'{{"images": 16, "batch_size": 64, "masks": {str(masks).lower()}, "batch_norm": {str(batch_norm).lower()}}}'
    )
    row = {"arm": "a", "cell": "default", "role": "student", "split": split, "seeds": [0, 2]}
    sheet = Sheet(make_rows([run_row("a", 0)], splits=[row, {**row, "cell": "other"}]))
    notes = [note for note in result_table(sheet, "default").notes if "memory" in note]
    assert notes == [f"a, seed 0, 2: student trained 16 of 64 images at a time, after running out of memory; {end}"]


def test_memory_of_the_host_is_shown_where_no_gpu_was() -> None:
    runs = [run_row("a", 0, host_peak_rss=512.0 * MB)]
    cells = [{"arm": "a", "cell": "default", "metric": "host_peak_rss", "n": 1, "mean": 512.0 * MB, "std": None,
              "low": None, "high": None, "not_finite": 0}]  # fmt: skip
    table = result_table(Sheet(make_rows(runs, None, cells=cells)), "default")
    assert table.columns[-1] == "peak host memory (RSS) [MB]"
    assert texts(table)[0][-1] == "512"


def claim(**more: Any) -> Claim:
    about = {"id": "one", "text": "B wins.", "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
    return Claim.model_validate({**about, **more})


def compared(cell: str) -> Comparison:
    interval = Interval(0.02, 0.01, 0.005, 0.035, 4)
    return Comparison("test_top1", cell, ("b", "a"), (0.62, 0.6), (("run-b",), ("run-a",)), interval, 0.02, 0.02, None,
                      None, (), ())  # fmt: skip


TESTED = "test_top1 of b greater than of a"


def test_claims_have_verdict_difference_and_runs() -> None:
    table = claim_table([Judged(claim(), "split", "holds", "because", compared("split"), 0.02)])
    assert table is not None
    assert list(table.columns) == ["claim", "where", "tested", "verdict", "difference", "remark"]
    assert texts(table) == [
        ["B wins.", "split", TESTED, "holds", "test_top1 +2.00 points [+0.50, +3.50], n=4", "because"],
    ]
    assert [cell.source for cell in table.rows[0]] == ["one", "", "", "run-b, run-a", "run-b, run-a", ""]
    assert "over common seeds, with its 95 % interval" in table.notes[0]


def test_empty_columns_of_claims_are_left_out() -> None:
    table = claim_table([Judged(claim(), "default", "holds", "", compared("default"), 0.02)])
    assert table is not None
    assert list(table.columns) == ["claim", "tested", "verdict", "difference"]
    assert texts(table) == [["B wins.", TESTED, "holds", "test_top1 +2.00 points [+0.50, +3.50], n=4"]]
    assert claim_table([]) is None
    without = claim_table([Judged(claim(), "", "undecided", "no runs", None)])
    assert without is not None
    assert texts(without) == [["B wins.", TESTED, "undecided", words.NONE, "no runs"]]


def test_differences_are_what_the_arms_say_and_truly_vary() -> None:
    """`loss` is said, `epochs` truly varies, `weight` comes with the loss; `lr` is alike."""
    settings: dict[str, dict[str, Any]] = {
        "a": {"train": {"lr": 0.1, "epochs": 3}},
        "b": {"train": {"lr": 0.1, "epochs": 4}, "distill": {"loss": "hinton", "weight": 0.5}},
    }
    spec = '{"arms": {"a": {}, "b": {"distill.loss": "hinton"}}}'
    runs = [run_row(arm, 0, settings=tree) for arm, tree in settings.items()]
    table = difference_table(Sheet(make_rows(runs, "a", about={"spec": spec})))
    assert table is not None
    assert list(table.columns) == ["setting", "a", "b"]
    assert texts(table) == [["distill.loss", words.NONE, "hinton"], ["train.epochs", "3", "4"]]
    assert [note.split()[0] for note in table.notes] == ["1"]


def test_differences_are_those_of_the_first_point() -> None:
    runs = [
        run_row("a", 0, "one", {"train": {"lr": 1}}), run_row("b", 0, "one", {"train": {"lr": 2}}),
        run_row("a", 0, "two", {"train": {"lr": 3}}), run_row("b", 0, "two", {"train": {"lr": 4}}),
    ]  # fmt: skip
    table = difference_table(Sheet(make_rows(runs, "a")))
    assert table is not None
    assert texts(table) == [["train.lr", "1", "2"]]
    assert list(table.notes) == []


def test_arms_that_are_alike_have_no_differences() -> None:
    assert difference_table(Sheet(make_rows([run_row("a", 0), run_row("b", 0)]))) is None
    assert difference_table(Sheet(make_rows([]))) is None


def test_a_record_without_spec_is_told_by_head_words() -> None:
    runs = [run_row("a", 0), run_row("b", 0, settings={"prune": {"ratio": 0.2, "rounds": 3}})]
    table = difference_table(Sheet(make_rows(runs, "a")))
    assert table is not None
    assert texts(table) == [["prune.ratio", words.NONE, "0.2"]]


def test_how_a_teacher_was_trained_is_no_difference_of_arms() -> None:
    spec = '{"arms": {"b": {"teacher.train.epochs": 5, "teacher.arch": "x"}}}'
    runs = [run_row("a", 0), run_row("b", 0, settings={"teacher": {"arch": "x", "train": {"epochs": 5}}})]
    table = difference_table(Sheet(make_rows(runs, "a", about={"spec": spec})))
    assert table is not None
    assert texts(table) == [["teacher.arch", words.NONE, "x"]]


def test_runs_are_listed_with_their_figures() -> None:
    runs = [
        run_row("a", 3, "one", test_top1=0.61234, val_top1=0.5, train_seconds=61.0),
        run_row("b", 4, "two") | {"state": "queued"},
    ]
    table = run_table(make_rows(runs))
    assert list(table.columns) == [
        "run", "arm", "cell", "seed", "state", "test top-1 [%]", "val top-1 [%]", "training time",
    ]  # fmt: skip
    assert texts(table) == [
        ["run-a-3-one", "a", "one", "3", "done", "61.23", "50.00", "1 min 1 s"],
        ["run-b-4-two", "b", "two", "4", "queued", *[words.NONE] * 3],
    ]


def test_the_teacher_under_study_is_named_wherever_it_was_said() -> None:
    """The base has the teacher, and an arm leaves it away: no arm says which it is."""
    taught = {"teacher": {"arch": "timm/clip", "seed": 0}, "distill": {"loss": "hinton"}}
    runs = [run_row("taught", 0, settings=taught), run_row("alone", 0, settings={"distill": {"loss": "hinton"}})]
    rows = make_rows(runs, "alone", about={"spec": json.dumps({"arms": {"taught": {}, "alone": {"teacher": None}}})})
    table = difference_table(Sheet(rows))
    assert table is not None
    assert texts(table) == [["teacher.arch", "timm/clip", words.NONE]]


def test_a_factor_is_named_also_where_an_arm_only_leaves_it_away() -> None:
    """Whose network the teacher is stands in the base; nothing of it is said by an arm, and nothing truly varies."""
    taught = {"teacher": {"run": "quickstart/original", "seed": 0}, "distill": {"loss": "hinton"}}
    runs = [run_row("taught", 0, settings=taught), run_row("alone", 0, settings={"distill": {"loss": "hinton"}})]
    rows = make_rows(runs, "alone", about={"spec": json.dumps({"arms": {"taught": {}, "alone": {"teacher": None}}})})
    table = difference_table(Sheet(rows))
    assert table is not None
    assert texts(table) == [["teacher.run", "quickstart/original", words.NONE]]


def test_the_results_say_what_each_arm_is_where_that_is_few_things() -> None:
    def columns(*differing: str) -> list[str]:
        tree = {name: {"lr": 0.1} if name == "train" else {"arch": "x"} for name in ("student", "train")}
        other: dict[str, Any] = {**tree, "train": dict.fromkeys(differing, 0.2)}
        runs = [run_row("a", 0, settings=tree), run_row("b", 0, settings=other)]
        return list(result_table(Sheet(make_rows(runs, "a")), "default").columns)

    assert columns("lr")[:3] == ["arm", "lr", "test top-1 [%]"]
    assert columns("lr", "min_lr", "weight_decay")[:5] == ["arm", "lr", "min_lr", "weight_decay", "test top-1 [%]"]
    assert columns("lr", "min_lr", "weight_decay", "clip_grad")[:2] == ["arm", "test top-1 [%]"], "too many for a table"


def test_words_stand_left_and_bold_is_the_accuracy_whatever_stands_before_it() -> None:
    trees: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"teacher": {"arch": "timm/clip.x"}, "distill": {"loss": "hinton"}},
    }
    runs = [run_row(arm, 0, settings=tree, test_top1=0.5) for arm, tree in trees.items()]
    table = result_table(Sheet(make_rows(runs, "a"), Changes({}, {"default": "b"})), "default")
    assert table.words == 2
    assert texts(table)[1][:3] == ["b", "clip", "50.0 (n=1)"]
    assert [cell.is_best for cell in table.rows[1][:4]] == [False, False, True, False]


def test_epochs_are_a_column_only_where_arms_differ_in_them() -> None:
    def table_of(*counts: float) -> Table:
        runs = [run_row(arm, 0, test_top1=0.5, epochs_spent=count) for arm, count in zip("abc", counts, strict=False)]
        return result_table(Sheet(make_rows(runs, "a", cells=cell_rows(runs, ("epochs_spent",)))), "default")

    assert [row[1] for row in texts(table_of(10, 13))] == ["10", "13"]
    assert "epochs" not in table_of(10, 10).columns


def test_the_next_highest_mean_is_underlined_only_beside_a_bold_one() -> None:
    runs = [*leading_runs("a", 0.5), *leading_runs("b", 0.9), *leading_runs("c", 0.7)]
    marked = result_table(Sheet(make_rows(runs, "a"), Changes({}, {"default": "b"})), "default")
    bare = result_table(Sheet(make_rows(runs, "a"), Changes({}, {})), "default")
    assert [[cell.is_second for cell in row].count(True) for row in marked.rows] == [0, 0, 1]
    assert not any(cell.is_second or cell.is_best for row in bare.rows for cell in row)


def leading_runs(arm: str, top1: float) -> list[dict[str, Any]]:
    return [run_row(arm, seed, test_top1=top1 + seed / 100) for seed in range(3)]
