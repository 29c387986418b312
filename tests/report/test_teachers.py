"""The report's section on teachers: every figure from the store, twins together, sentences by the rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.report import make_report
from engine.report import number_text as words
from engine.report.charts.files import to_svg
from engine.report.charts.reliability import Reliability, ReliabilityLine, draw_reliability
from engine.report.sentences import PART_TEXTS
from engine.report.sheet import Sheet
from engine.report.tables import Table
from engine.report.teachers import PARTS, TeacherSection, teacher_section
from store.journal import JournalWriter
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.report.rows import make_rows, run_row

CALM = {"top1": 0.8, "fitted_temperature": 1.0, "signed_ece": 0.0, "sure_share": 0.1, "entropy": 1.0}
SHARP = {"top1": 0.8, "fitted_temperature": 8.0, "signed_ece": 0.12, "sure_share": 0.9, "entropy": 0.01}
BINS = {"counts": [0.0] * 7 + [10.0] * 8, "accuracy": [0.5] * 15, "confidence": [(at + 0.5) / 15 for at in range(15)]}


def taught(scale: float, loss: str, accuracy: float) -> Arm:
    teacher = {"arch": "timm/vit", "logit_scale": scale, "calibrate": False, "assistants": []}
    return Arm(accuracy, settings={"teacher": teacher, "distill": {"loss": loss, "temperature": 2.0}})


ARMS = {
    "plain": taught(1.0, "hinton", 0.60),
    "sharp": taught(8.0, "hinton", 0.40),
    "sharp_lskd": taught(8.0, "lskd", 0.90),
}


def add_targets(made: SyntheticHome, job: str, scale: float, views: int, parts: dict[str, dict[str, float]]) -> str:
    if made.home.job(job).root.exists():
        return job
    made.job(job, "targets", {}, {"network": {"arch": "timm/vit"}, "logit_scale": scale, "views": views})
    attempt, journal = made.attempt(job, 1)
    with journal:
        for part, figures in parts.items():
            for name, value in figures.items():
                journal.teacher(part, name, value)
        journal.fact("reliability", dict.fromkeys(parts, BINS))
    made.finish(job, attempt)
    return job


def log_student(made: SyntheticHome, job: str, rows: dict[tuple[str, str], float]) -> None:
    """Go on in the committed journal of a student, as its job does before it commits."""
    with JournalWriter(made.home.job(job).attempt(1).journal) as journal:
        for (part, name), value in rows.items():
            journal.teacher(part, name, value)


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    home = SyntheticHome(tmp_path / "home")
    runs = home.experiment("taught", ARMS)
    for run in runs:
        figures = CALM if run["arm"] == "plain" else SHARP
        name, scale = ("targets-calm", 1.0) if run["arm"] == "plain" else ("targets-sharp", 8.0)
        parts = {"train": figures, "test": figures}
        run["jobs"]["targets"] = add_targets(home, name, scale, 2, parts)
        if run["arm"] == "plain" and run["seed"] == 2:
            run["jobs"]["targets"] = add_targets(home, "targets-online", 1.0, 0, parts)
        agreement = {("train", "agreement"): 0.7, ("test", "agreement"): 0.6, ("train", "divergence"): 0.5}
        log_student(home, run["jobs"]["student"], agreement)
    home.record("taught", runs, "plain")
    return home


def report(made: SyntheticHome, folder: Path) -> str:
    collect(made.home)
    page, html = make_report(made.home, "taught", ("md", "html"), folder)
    text = html.read_text()
    assert "Is the teacher over-confident?" in text
    assert text.count('aria-label="Reliability') == 1
    return page.read_text()


def test_figures_of_each_teacher_stand_by_part(made: SyntheticHome, tmp_path: Path) -> None:
    text = report(made, tmp_path / "out")
    rows = [line for line in text.splitlines() if line.startswith("| timm/vit")]
    assert len(rows) == 4  # the teacher in the step is the cached one
    assert "| timm/vit x 8 | 60/20/20 | test | over-confident | 80.0 | 0.120 | 8.00 | 90.0 | 0.0100 |" in text
    assert "| timm/vit | 60/20/20 | test | calibrated |" in text
    assert "timm/vit x 8, split 60/20/20, teaches sharp, sharp_lskd." in text
    assert "| sharp | 70.0 | 60.0 | 0.500 |" in text
    assert (tmp_path / "out" / "reliability.svg").is_file()


def test_without_an_untaught_twin_nothing_is_supported(made: SyntheticHome, tmp_path: Path) -> None:
    text = report(made, tmp_path / "out")
    (noise,) = [line for line in text.splitlines() if line.startswith("- timm/vit x 8") and "noisy labels" in line]
    assert "cannot be told from these runs: over-confident" in noise
    assert "no untaught student with all else the same has finished; plain against sharp" in noise
    assert "add an arm like sharp without a teacher" in noise
    assert "sharp_lskd against" not in noise  # its weights differ too


def test_every_line_about_a_teacher_of_unknown_training_says_so(made: SyntheticHome, tmp_path: Path) -> None:
    said = "timm/vit x 8 of unknown training"
    with JournalWriter(made.home.job("targets-sharp").attempt(1).journal) as journal:
        journal.fact("lineage", {"training": "unknown", "pretrained": [], "unknown": ["its weights"]})
    text = report(made, tmp_path / "out")
    lines = [line for line in text.splitlines() if "timm/vit x 8" in line]
    assert len(lines) > 4
    assert all(line.count("timm/vit x 8") == line.count(said) for line in lines)
    assert "timm/vit of unknown" not in text


def test_a_teacher_of_no_split_is_shown_by_the_parts_that_its_students_logged(tmp_path: Path) -> None:
    home = SyntheticHome(tmp_path / "home")
    runs = home.experiment("taught", {"only": taught(1.0, "hinton", 0.6)}, seeds=(0,))
    job = add_targets(home, "targets-all", 1.0, 2, {"all": {**CALM, "in_slice_mass": 0.93}})
    rows = {(part, f"teacher_{name}"): value for part in ("val", "test") for name, value in SHARP.items()}
    log_student(home, runs[0]["jobs"]["student"], rows)
    runs[0]["jobs"]["targets"] = job
    home.record("taught", runs, "only")
    text = report(home, tmp_path / "out")
    assert "| timm/vit | 60/20/20 | test | over-confident |" in text
    assert "| timm/vit | 60/20/20 | all |  |" in text
    assert "| 93.0 |" in text


def test_a_teacher_is_told_from_an_assistant_and_its_students_from_those_of_its_assistant(tmp_path: Path) -> None:
    home = SyntheticHome(tmp_path / "home")
    chain = taught(1.0, "hinton", 0.6)
    chain.settings["teacher"]["assistants"] = [{"arch": "timm/vit"}]
    (run,) = home.experiment("taught", {"chain": chain}, seeds=(0,))
    run["jobs"] |= {
        "teacher_targets": add_targets(home, "targets-first", 1.0, 2, {"test": SHARP}),
        "assistant_1": home.done("train-between", "train"),
        "targets": add_targets(home, "targets-second", 2.0, 2, {"test": CALM}),
    }
    log_student(home, run["jobs"]["student"], {("train", "agreement"): 0.95})
    home.record("taught", [run], "chain")
    text = report(home, tmp_path / "out")
    assert "timm/vit, split 60/20/20, teaches chain through assistants." in text
    assert "timm/vit x 2, split 60/20/20, an assistant, teaches chain." in text
    assert "cannot be told from these runs: no student hears it without an assistant between" in text
    assert text.count("capacity gap") == 1  # the assistant is none


def test_an_experiment_without_teachers_has_no_such_section(tmp_path: Path) -> None:
    home = SyntheticHome(tmp_path / "home")
    home.experiment("plain", {"only": Arm()}, seeds=(0,))
    collect(home.home)
    page = make_report(home.home, "plain", ("md",), tmp_path / "out")[0].read_text()
    assert "over-confident" not in page


def test_a_reliability_chart_is_the_same_byte_for_byte() -> None:
    def line(**changes: Any) -> ReliabilityLine:
        return ReliabilityLine(**{**BINS, **changes})

    chart = Reliability("reliability", "Reliability", {"a": line(), "b": line(counts=[1.0] * 15)})
    one, two = (to_svg(draw_reliability(chart), "r") for _ in range(2))
    assert one == two
    assert "<svg" in one


def test_long_names_of_teachers_stay_on_the_chart() -> None:
    names = [f"timm/vit_large_patch14_clip_224.openai_ft_in12k_in1k ({at}), 60/20/20" for at in range(4)]
    lines = {name: ReliabilityLine(**BINS) for name in names}
    figure = draw_reliability(Reliability("reliability", "Reliability", lines))
    figure.canvas.draw()
    (legend,) = figure.legends
    box, page = legend.get_window_extent(), figure.bbox
    assert page.x0 <= box.x0
    assert box.x1 <= page.x1


# Against rows written by hand -----------------------------------------------------------------------------------------


def teacher_rows(job: str, parts: dict[str, dict[str, float]], **more: Any) -> list[dict[str, Any]]:
    about = {"job": job, "split": "60/20/20", "arms": "plain", "heard_by": "plain", "arch": "timm/vit", "scale": 1.0}
    about |= {"is_reference": False, "is_assistant": False, "is_unknown": False, **more}
    return [{**about, "part": part, "name": name, "value": value}
            for part, figures in parts.items() for name, value in figures.items()]  # fmt: skip


def tree(**distill: Any) -> dict[str, Any]:
    teacher = {"arch": "timm/vit", "logit_scale": 1.0, "calibrate": False, "assistants": []}
    teacher |= distill.pop("teacher", {})
    return {"teacher": teacher, "distill": {"loss": "hinton", "temperature": 2.0, **distill}}


def section(teachers: list[dict[str, Any]], runs: list[dict[str, Any]], **parts: Any) -> TeacherSection:
    rows = make_rows(runs, None, teachers=teachers, **parts)
    found = teacher_section(rows, Sheet(rows))
    assert found is not None
    return found


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


PLAIN = [run_row("plain", 0, settings=tree(), test_top1=0.5)]


def test_figures_of_a_teacher_have_their_units() -> None:
    figures = {"top1": 0.8123, "confidence": 0.9, "signed_ece": 0.0876, "fitted_temperature": 0.0, "nll": 1.234,
               "contradicted": 0.012, "odd": 1.0}  # fmt: skip
    table = section(teacher_rows("targets-1", {"val": figures, "train": {"top1": 0.99}}), PLAIN).table
    assert list(table.columns) == [
        "teacher", "split", "part", "judged", "top-1 [%]", "confidence [%]", "signed ECE", "fitted T", "NLL",
        "contradicted [%]",
    ]  # fmt: skip
    none = words.NONE
    assert texts(table) == [
        ["timm/vit", "60/20/20", "train", "", "99.0", none, none, none, none, none],
        ["timm/vit", "60/20/20", "val", "cannot be judged", "81.2", "90.0", "0.0876", none, "1.23", "1.2"],
    ]


def test_a_teacher_is_judged_on_test_before_val_before_all() -> None:
    def judged(*parts: str) -> str:
        rows = texts(section(teacher_rows("targets-1", dict.fromkeys(parts, CALM)), PLAIN).table)
        (part,) = [row[2] for row in rows if row[3]]
        return part

    assert judged("train", "val", "test", "all") == "test"
    assert judged("all", "val", "train") == "val"
    assert judged("train", "all") == "all"
    assert judged("train") == "train"


def test_two_teachers_of_one_network_are_told_apart_by_their_ids() -> None:
    one, other = teacher_rows("targets-abcdef12", {"test": CALM}), teacher_rows("targets-fedcba98", {"test": SHARP})
    labels = [row[0] for row in texts(section(one + other, PLAIN).table)]
    assert labels == ["timm/vit (abcdef)", "timm/vit (fedcba)"]
    assert [row[0] for row in texts(section(one, PLAIN).table)] == ["timm/vit"]


def test_a_reference_lends_its_entropy_and_is_not_judged() -> None:
    rows = teacher_rows("targets-1", {"test": SHARP}, is_reference=True, heard_by="", arms="b, a")
    found = section(rows, PLAIN)
    assert found.table.notes[0] == "timm/vit, split 60/20/20, lends its entropy to a, b."
    assert found.sentences == []
    twin = teacher_rows("targets-2", {"test": SHARP}, arms="c", heard_by="c")
    joined = section(rows + twin, PLAIN)
    assert joined.table.notes[0] == "timm/vit, split 60/20/20, teaches c and a, b through assistants."
    assert len(joined.sentences) == 2


def test_agreement_of_students_is_in_per_cent_and_divergence_in_nats() -> None:
    said = {("train", "agreement"): 0.876, ("test", "agreement"): 0.7, ("train", "divergence"): 0.1234}
    students = [{"arm": "plain", "cell": "default", "part": part, "name": name, "mean": value}
                for (part, name), value in said.items()]  # fmt: skip
    found = section(teacher_rows("targets-1", {"test": CALM}), PLAIN, students=students)
    assert found.students is not None
    assert list(found.students.columns) == [
        "student", "agreement [%], on train", "agreement [%], on test", "KL [nats], on train", "KL [nats], on test",
    ]  # fmt: skip
    assert texts(found.students) == [["plain", "87.6", "70.0", "0.123", words.NONE]]
    assert section(teacher_rows("targets-1", {"test": CALM}), PLAIN).students is None


BINNED = {"counts": [9], "accuracy": [0.5], "confidence": [0.6]}


def test_the_diagram_is_of_the_held_out_part_and_names_the_split_where_it_must() -> None:
    rows = teacher_rows("targets-1", {"test": CALM}) + teacher_rows("targets-1", {"test": CALM}, split="80/10/10")
    other = {**BINNED, "counts": [3]}
    bins = [{"job": "targets-1", "parts": json.dumps({"train": other, "val": other, "test": BINNED})}]
    drawn = section(rows, PLAIN, bins=bins).reliability
    assert drawn is not None
    assert drawn.lines == dict.fromkeys(["timm/vit", "timm/vit, 80/10/10"], ReliabilityLine((9,), (0.5,), (0.6,)))
    assert section(rows, PLAIN, bins=[{"job": "targets-1", "parts": json.dumps({"train": BINNED})}]).reliability is None


def test_every_part_that_a_teacher_is_judged_on_has_its_words() -> None:
    assert PART_TEXTS.keys() == set(PARTS)
