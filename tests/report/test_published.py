"""The paper's figures: both readings of each, and ours only where the same thing was run against the same."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from engine.report import number_text as words
from engine.report.published import UNCLEAR, UNMATCHED, published_table, wanted_pair
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Table
from tests.report.rows import MB, make_rows, run_row


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


PUBLISHED: dict[str, Any] = {
    "model": "tiny_vit_5m", "windows": "", "attention": "longformer", "teacher": None, "prune": None,
    "split": "80/10/10", "metric": "top1", "value": 73.645, "unit": "percent", "change": -0.84,
    "change_unit": "percent", "relative_change": -0.84, "absolute_change": -0.62,
    "against": "tiny_vit_5m window attention",
}  # fmt: skip


def paper_runs() -> list[dict[str, Any]]:
    """`new` on both splits, untaught, taught and pruned; seeds 1 and 2 are common with the baseline."""

    def tree(split: str, kind: str, **more: Any) -> dict[str, Any]:
        return {"data": {"split": split}, "student": {"arch": "tiny_vit_5m", "attention": {"kind": kind}}, **more}

    runs = []
    for shift, split in ((0.0, "60/20/20"), (0.1, "80/10/10")):
        for arm, kind, more, gain in (
            ("base", "window", {}, 0.0), ("new", "longformer", {}, 0.03),
            ("pruned", "longformer", {"prune": {"ratio": 0.2}}, -0.05),
            ("taught", "longformer", {"teacher": {"arch": "timm/clip"}}, 0.06),
        ):  # fmt: skip
            for seed in (0, 1, 2) if arm == "base" else (1, 2, 3):
                runs.append(
                    run_row(
                        arm,
                        seed,
                        split,
                        tree(split, kind, **more),
                        test_top1=0.5 + shift + gain + seed / 100,
                        train_images_per_second=100.0 * (1 + shift + gain),
                        cuda_peak_reserved=(1000 + 1000 * gain) * MB,
                    )
                )
    return runs


def published_texts(**changes: Any) -> list[str]:
    row = {**PUBLISHED, **changes}
    rows = make_rows(paper_runs(), "base", published=[row])
    table = published_table(rows, Sheet(rows))
    assert table is not None
    return texts(table)[0]


def test_a_published_row_has_both_readings_and_ours() -> None:
    """Ours on 80/10/10, common seeds 1 and 2: 0.645 against 0.615."""
    assert published_texts() == [
        "tiny_vit_5m longformer: top1", "80/10/10", "73.645 %", "-0.84 %", "-0.84 %", "-0.62 points",
        "64.50 %", "+3.00 points", "+4.9 %",
    ]  # fmt: skip


def test_a_published_row_is_matched_by_split_pruning_and_teacher() -> None:
    assert published_texts(split="60/20/20")[-3:] == ["54.50 %", "+3.00 points", "+5.8 %"]
    assert published_texts(prune=0.2)[0] == "tiny_vit_5m longformer pruned: top1"
    assert published_texts(prune=0.2)[-3:] == ["56.50 %", "-5.00 points", "-8.1 %"]
    taught = published_texts(teacher="clip", against="tiny_vit_5m window attention")
    assert taught[-3:] == ["67.50 %", "+6.00 points", "+9.8 %"]
    for other in ({"prune": 0.3}, {"teacher": "convnext"}, {"attention": "window"}, {"split": "50/25/25"}):
        assert published_texts(**other)[-3:] == [UNMATCHED, words.NONE, words.NONE]


def test_published_throughput_and_memory_keep_their_units() -> None:
    speed = published_texts(metric="throughput", unit="images/s", value=500.0, absolute_change=12.0, change=2.4)
    assert speed[2:] == ["500 images/s", "+2.4 %", "-0.84 %", "+12 images/s", "113", "+3.00", "+2.7 %"]
    memory = published_texts(metric="memory", unit="MB", value=None, absolute_change=None, change_unit="MB", prune=0.2)
    assert memory[2:] == [words.NONE, f"-0.84 {UNCLEAR}", "-0.84 %", words.NONE, "950", "-50.0", "-5.0 %"]
    assert published_texts(metric="energy")[-3:] == [UNMATCHED, words.NONE, words.NONE]


def test_ours_of_a_published_row_names_both_arms_runs() -> None:
    rows = make_rows(paper_runs(), "base", published=[PUBLISHED])
    table = published_table(rows, Sheet(rows))
    assert table is not None
    runs = [f"run-{arm}-{seed}-80/10/10" for arm, seeds in (("new", (1, 2, 3)), ("base", (0, 1, 2))) for seed in seeds]
    assert [cell.source for cell in table.rows[0]] == [
        "against tiny_vit_5m window attention",
        *[""] * 5,
        *[", ".join(runs)] * 3,
    ]
    assert published_table(make_rows(paper_runs(), "base"), Sheet(make_rows(paper_runs(), "base"))) is None


def test_without_common_seeds_nothing_stands_beside_the_published() -> None:
    runs = [run for run in paper_runs() if run["arm"] == "base" or run["seed"] == 3]
    rows = make_rows(runs, "base", published=[PUBLISHED])
    table = published_table(rows, Sheet(rows))
    assert table is not None
    assert texts(table)[0][-3:] == [words.NONE] * 3


def notes_of(*changes: dict[str, Any]) -> list[str]:
    rows = make_rows(paper_runs(), "base", published=[{**PUBLISHED, **one} for one in changes])
    table = published_table(rows, Sheet(rows))
    assert table is not None
    return list(table.notes)


def test_ours_is_against_the_arm_that_the_paper_compared_with() -> None:
    """No arm is window attention under CLIP: the baseline is untaught, and does not take its place."""
    taught = {"teacher": "clip", "against": "tiny_vit window attention with CLIP ViT teacher", "model": "tiny_vit"}
    assert published_texts(**taught)[-3:] == [UNMATCHED, words.NONE, words.NONE]
    need = "tiny_vit with window attention, taught by CLIP, split 80/10/10"
    assert notes_of(taught)[-1] == f"No run corresponds without {need}."


@pytest.mark.parametrize("other", [{"model": "tiny_vit_21m"}, {"windows": "14-14-14-7"}])
def test_another_size_or_window_is_another_network(other: dict[str, Any]) -> None:
    assert published_texts(**other)[-3:] == [UNMATCHED, words.NONE, words.NONE]
    assert published_texts(windows="7-7-14-7")[-3:] == ["64.50 %", "+3.00 points", "+4.9 %"], "TinyViT's own"


def test_both_arms_are_of_one_point_of_the_matrix() -> None:
    """Of two learning rates each arm has another one done: they were never run against each other."""

    def run(arm: str, point: str, kind: str) -> dict[str, Any]:
        tree = {"data": {"split": "80/10/10"}, "student": {"arch": "tiny_vit_5m", "attention": {"kind": kind}}}
        return run_row(arm, 0, point, tree, test_top1=0.5)

    apart = [run("base", "lr=1", "window"), run("new", "lr=2", "longformer")]
    for runs, told in ((apart, UNMATCHED), ([*apart, run("base", "lr=2", "window")], "50.00 %")):
        rows = make_rows(runs, "base", published=[PUBLISHED])
        table = published_table(rows, Sheet(rows))
        assert table is not None
        assert texts(table)[0][-3] == told


def test_windows_count_but_for_the_first_which_is_unused() -> None:
    ours, against = wanted_pair({**PUBLISHED, "windows": "14-14-14-7"})
    settings = {"student.arch": "tiny_vit_5m", "student.attention.kind": "longformer", "data.split": "80/10/10"}
    assert ours.fits({**settings, "student.windows": [7, 14, 14, 7]})
    assert not ours.fits({**settings, "student.windows": [14, 7, 14, 7]})
    assert not against.fits({**settings, "student.windows": [14, 14, 14, 7]})


def test_what_the_paper_leaves_unclear_is_marked() -> None:
    """Two changes of one figure, and whom a pruned network is held against."""
    assert say("two_changes", mark=UNCLEAR) in notes_of({"change": 29.9}, {"change": 16.98})
    assert say("two_changes", mark=UNCLEAR) not in notes_of({}, {"metric": "memory"})
    assert say("pruned_against", mark=UNCLEAR) in notes_of({"prune": 0.2})
    assert say("pruned_against", mark=UNCLEAR) not in notes_of({})
    assert published_texts(prune=0.2)[3].endswith(UNCLEAR)
    assert not published_texts()[3].endswith(UNCLEAR)


def test_the_shipped_figures_name_whom_they_are_against() -> None:
    with (Path(__file__).parents[2] / "specs" / "published.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["change"]]
    assert {row["against"] for row in rows} == {
        "tiny_vit_5m window attention", "tiny_vit_21m window attention",
        "tiny_vit window attention with CLIP ViT teacher",
    }  # fmt: skip
    assert {wanted_pair(row)[1].teacher for row in rows} == {"", "clip"}
