"""Each sentence of a page that is not about a teacher: a page where it is true, one where it must not appear."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.analysis.claims import Judged
from engine.analysis.compare import NO_SPREAD, Comparison
from engine.analysis.factorial import Effect
from engine.analysis.speeds import SpeedRatio
from engine.analysis.statistics import Interval
from engine.analysis.things import Mismatch
from engine.report.changes import Changes
from engine.report.images import image_facts
from engine.report.page import _map_note, make_page
from engine.report.published import published_table
from engine.report.sheet import Sheet
from engine.report.squares import _effect_notes
from engine.report.tables import _claim_notes, difference_table, result_table
from engine.spec import Claim
from store.metrics import METRICS
from tests.report.rows import cell_rows, make_rows, run_row
from tests.report.searching import searched_rows, trial_row

Told = Callable[[], str]
Cases = dict[str, tuple[Told, Told]]
Rows = Sequence[dict[str, Any]]


def top1(arm: str, *values: float | None, cell: str = "default", **more: Any) -> list[dict[str, Any]]:
    return [run_row(arm, seed, cell, test_top1=value, **more) for seed, value in enumerate(values)]


def notes(*runs: Rows, baseline: str | None = None, changes: Changes | None = None, **parts: Any) -> Told:
    """What stands below the last table of results."""
    rows = [run for arm in runs for run in arm]
    known = (*METRICS, *parts.pop("metrics", ()))

    def told() -> str:
        parts.setdefault("cells", cell_rows(rows, known))
        sheet = Sheet(make_rows(rows, baseline, **parts), changes)
        return "\n".join(result_table(sheet, sheet.points[-1]).notes)

    return told


def change(over: str = "seeds", n: int = 3, **more: Any) -> Changes:
    """`b` against `a`, its interval over seeds, images or both."""
    low, high = more.pop("edges", (0.0, 0.2))
    interval = Interval(0.1, 0.1, low, high, n, 0.05, 2.0, over)
    about: dict[str, Any] = {"p": 0.2, "adjusted_p": 0.2, "images": None, "smallest": None, "factors": ()}
    about |= {"unfair": (), **more}
    return Changes({("b", "default"): Comparison("test_top1", "default", ("b", "a"), (0.6, 0.5), ((), ()), interval,
                                                 **about)})  # fmt: skip


SPEED = ("infer_images_per_second",)
A, B = top1("a", 0.5, 0.6, 0.55), top1("b", 0.6, 0.7, 0.66)
LONE = top1("a", 0.5, test_low=0.4, test_high=0.6)


def changed(over: str = "seeds", n: int = 3, **more: Any) -> Told:
    return notes(A, B, baseline="a", changes=change(over, n, **more))


def pruned(*, reached: float | None = 0.19, of: str = "params", asked: float = 0.2, method: str = "structured") -> Told:
    tree = {"prune": {"ratio": 0.2, "of": of, "method": method}}
    return notes(top1("a", 0.5, settings=tree, prune_asked=asked, prune_achieved=reached))


def pieces(*, masks: bool = False, norm: bool = False, cell: str = "default") -> Told:
    split = json.dumps({"images": 16, "batch_size": 64, "masks": masks, "batch_norm": norm})
    row = {"arm": "a", "cell": cell, "role": "student", "split": split, "seeds": [0]}
    return notes(A, splits=[row])


def searched(*arms: str, refused: int = 0, fewer: int = 12) -> Told:
    """Arms of a table; those of `a` were chosen from twelve trials, those of `b` from `fewer`."""
    rows = [{"arm": arm, "trials": count, "refused": refused, "paths": "train.lr"}
            for arm, count in (("a", 12), ("b", fewer))]  # fmt: skip
    winners = [{"arm": f"{arm}-best", "searched": arm, "trial": 0} for arm in "ab"]
    return notes(*(top1(arm, 0.5) for arm in arms or ["a-best"]), searched=rows, winners=winners)


def epochs(*counts: int, prune: float | None = 0.2) -> Told:
    arms = zip("abc", counts, strict=False)
    return notes(*(top1(arm, 0.5, epochs_spent=count, prune_asked=prune) for arm, count in arms))


def speed(low: float | None, other: float | None) -> Told:
    edges: list[dict[str, Any]] = [{"speedup_low": edge, "speedup_high": edge and edge + 0.1} for edge in (low, other)]
    return notes([run_row("a", seed, test_top1=0.5, **edge) for seed, edge in enumerate(edges)])


def batches(*sizes: int | None, unfit: int | None = None) -> Told:
    """One run of each arm, whose speed is of so many images at once; `unfit` did not fit for the last."""
    arms = list(zip("abc", sizes, strict=False))
    more: list[dict[str, Any]] = [{"infer_batch_size": size} for _, size in arms]
    more[-1]["infer_oom_batch_size"] = unfit
    return notes(*(top1(arm, 0.5, **one) for (arm, _), one in zip(arms, more, strict=True)))


def measured(*speeds: float) -> Told:
    """Two seeds with one measurement for both, or with one each."""
    pair = speeds if len(speeds) > 1 else speeds * 2
    runs = [run_row("a", seed, test_top1=0.5, infer_images_per_second=speed) for seed, speed in enumerate(pair)]
    return notes(runs, cells=[*cell_rows(runs, ("test_top1",)), *cell_rows(runs[: len(speeds)], SPEED)])


def noisy(*arms: str) -> Told:
    runs = top1("a", 0.5, infer_images_per_second=500.0)
    return notes(runs, noise=[{"arm": arm, "noisy": '[{"spread": 0.2}]'} for arm in arms])


def pending() -> Told:
    """Two seeds whose networks are measured one by one, and one is still to come."""
    runs = [run_row("a", 0, test_top1=0.5, infer_images_per_second=500.0), run_row("a", 1, test_top1=0.5)]
    return notes(runs)


def tables(**words: Any) -> Told:
    first = {"data": {"split": "60/20/20", **{name: value for name, value in words.items() if name == "nested"}}}
    second = {"data": {**first["data"], **words}}
    return notes(top1("a", 0.5, cell="one", settings=first), top1("a", 0.5, cell="two", settings=second))


def leading(*leaders: str) -> Told:
    return notes(A, B, baseline="a", changes=Changes({}, dict.fromkeys(["default"], leaders[0]) if leaders else {}))


RESULTS: Cases = {
    "pruning_note": (pruned(), pruned(reached=None)), "pruning_open": (pruned(reached=None), pruned()),
    "mask_note": (pruned(method="unstructured"), pruned()), "semi_note": (pruned(method="2:4"), pruned()),
    "mask_open": (pruned(method="unstructured", reached=None), pruned(reached=None)),
    "pieces_note": (pieces(), pieces(cell="other")), "pieces_same": (pieces(), pieces(masks=True)),
    "pieces_masks": (pieces(masks=True), pieces()), "pieces_norm": (pieces(norm=True), pieces(masks=True)),
    "searched_note": (searched(), searched("b")), "searched_open": (searched("b"), searched("a-best", "b-best")),
    "searched_refused": (searched(refused=3), searched()),
    "unequal_effort": (searched("a-best", "b-best", fewer=6), searched("a-best", "b-best")),
    "spreads_note": (measured(500.0, 520.0), measured(500.0)), "once_note": (measured(500.0), pending()),
    "wide_note": (measured(500.0, 50.0), measured(500.0, 520.0)),
    "epochs_note": (epochs(10, 12), epochs(10, 12, prune=None)),
    "accuracy_note": (notes(A), notes(LONE)), "one_run_note": (notes(LONE), notes(A)),
    "bold_note": (leading("b"), leading()), "second_note": (leading("b"), leading()),
    "noise_note": (noisy("a"), noisy()),
    "added_note": (notes(A, about={"spec": '{"seeds": [0, 1]}'}), notes(A, about={"spec": '{"seeds": [0, 1, 2]}'})),
    "wilson_note": (notes(LONE), notes(top1("a", 0.5))),
    "change_note": (changed(), notes(A, B)),
    "both_note": (changed("seeds and images"), changed()), "seeds_note": (changed(), changed("images", 2)),
    "few_note": (changed("images", 2), changed()),
    "spread_note": (changed(untested=NO_SPREAD, edges=(None, None)), changed()),
    "detect_note": (changed(smallest=0.02), changed()),
    "dagger_note": (changed(adjusted_p=0.01), changed(adjusted_p=0.06)),
    "letter_note": (changed(unfair=(Mismatch("train.lr", 1, 2),)), changed()),
    "batch_note": (batches(64, 64), batches(64, 32)), "batches_note": (batches(64, 32), batches(64, 64, None)),
    "unfit_note": (batches(64, 32, unfit=64), batches(64, 32)),
    "speed_note": (speed(0.9, 0.9), speed(None, None)), "rounds_note": (speed(0.9, 0.9), speed(0.9, 1.1)),
    "across_note": (tables(split="80/10/10"), tables(split="80/10/10", nested=True)),
}  # fmt: skip


# Charts and pictures --------------------------------------------------------------------------------------------------


def maps(*methods: str, boxes: str | None = None) -> Told:
    rows = [
        {"arm": arm, "maps": json.dumps({"method": method}), "boxes": boxes}
        for arm, method in zip("ab", methods, strict=False)
    ]
    return lambda: _map_note(rows)


SEEN, FELT = "received_attention", "feature_energy"
CHARTS: Cases = {
    "maps_outlined": (maps(SEEN, boxes="{}"), maps(SEEN)),
    "maps_note": (maps(SEEN), maps()), "maps_attention": (maps(SEEN, SEEN), maps(FELT, FELT)),
    "maps_energy": (maps(FELT, FELT), maps(SEEN, SEEN)), "maps_both": (maps(SEEN, FELT), maps(SEEN, SEEN)),
}  # fmt: skip


# Claims, differences, factors, the paper ------------------------------------------------------------------------------

CLAIM = Claim.model_validate(
    {"id": "one", "text": "B wins.", "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
)
(FOUND,) = change().comparisons.values()
(BOTH,) = change("seeds and images").comparisons.values()
EXACT = replace(FOUND, metric="params", difference=Interval(1.0, 0.0, 1.0, 1.0, 3))
RACED = replace(FOUND, metric="infer_latency", speed=SpeedRatio(0.1, 0.1, 3.0, 4, "rounds"))


def claims(*found: Comparison | None, p: float | None = 0.2) -> Told:
    return lambda: " ".join(_claim_notes([Judged(CLAIM, "", "undecided", "", one, p) for one in found]))


def differing(*trees: Mapping[str, Any]) -> Told:
    runs = [run_row(arm, 0, settings=tree) for arm, tree in zip("ab", trees, strict=True)]
    spec = json.dumps({"arms": {"a": {}, "b": {"teacher.arch": "x"}}})

    def told() -> str:
        table = difference_table(Sheet(make_rows(runs, "a", about={"spec": spec})))
        return " ".join(table.notes) if table else ""

    return told


def effects(over: str = "seeds", p: float | None = 0.2) -> Told:
    interval = Interval(0.1, 0.1, 0.0, 0.2, 3, 0.1, 2.0, over)
    one = Effect((("attention", "longformer", "window"),), {}, interval, p, p)
    return lambda: " ".join(_effect_notes([one]))


def noted(note: str) -> Told:
    """What is said of single effects, below what is said of all."""
    one = Effect((("attention", "longformer", "window"),), {}, Interval(0.1, None, None, None, 1), None, None, note)
    return lambda: " ".join(_effect_notes([one])[1:])


def paper(*more: Mapping[str, Any], runs: Rows = A) -> Told:
    row = {
        "model": "tiny_vit_5m", "windows": None, "attention": "window", "teacher": None, "prune": None,
        "split": "60/20/20", "metric": "top1", "value": 60.0, "unit": "percent", "change": 1.0,
        "change_unit": "percent", "relative_change": 1.0, "relative_baseline": 1.0, "absolute_change": 1.0,
        "absolute_baseline": 1.0, "against": "x",
    }  # fmt: skip

    def told() -> str:
        rows = make_rows(runs, published=[{**row, **one} for one in more])
        table = published_table(rows, Sheet(rows))
        return " ".join(table.notes) if table else ""

    return told


def square() -> str:
    from tests.report.test_squares import make_section

    section = make_section()
    return " ".join(section.squares[0].notes) if section else ""


TINY = [run_row("a", 0, settings={"student": {"arch": "tiny_vit_5m", "attention": {"kind": "window"}}}, test_top1=0.5)]
TAUGHT = {"teacher": {"arch": "x", "seed": 0}}
SECTIONS: Cases = {
    "claims_exact": (claims(EXACT), claims(FOUND)), "claims_decided": (claims(FOUND), claims(EXACT, p=None)),
    "claims_difference": (claims(FOUND), claims(None, p=None)), "claims_edges": (claims(FOUND), claims(EXACT, p=None)),
    "claims_both": (claims(BOTH), claims(BOTH, FOUND)), "claims_rounds": (claims(RACED), claims(FOUND)),
    "differences_note": (differing({}, TAUGHT), differing({}, {"teacher": {"arch": "x"}})),
    "square_note": (square, effects()),
    "effects_note": (effects(), square), "effects_both": (effects("seeds and images"), effects()),
    "effects_seeds": (effects(), effects("images", None)), "effects_images": (effects("images", None), effects()),
    "effects_holm": (effects(), effects(p=None)), "effects_meaning": (effects(), square),
    "effect_note": (noted("not held equal"), noted("")),
    "readings": (paper({}), paper()), "ours": (paper({}), paper()),
    "two_changes": (paper({}, {"change": 2.0}), paper({})), "pruned_against": (paper({"prune": 0.2}), paper({})),
    "no_run": (paper({}), paper({}, runs=TINY)),
}  # fmt: skip


# What was run, and what is missing ------------------------------------------------------------------------------------


def holes(*runs: Rows, **parts: Any) -> Told:
    rows = [run for arm in runs for run in arm]
    return lambda: "\n".join(make_page("paper", make_rows(rows, **parts)).holes)


def commit(*origins: Mapping[str, Any]) -> Told:
    about = {"host": "h", "device": "cpu", "cpu_model": "z", "python": "3", "torch": "2", "timm": "1",
             "git_commit": None, "git_dirty": None}  # fmt: skip
    rows = make_rows(A, origins=[{**about, **one} for one in origins])
    return lambda: dict(make_page("paper", rows).facts)["Commit"]


def bare(*trials: Mapping[str, Any]) -> Told:
    """The facts of an experiment that has no run, or trials alone."""
    return lambda: dict(make_page("x", searched_rows(trials)).facts)["Runs"]


def facts(name: str, **more: Any) -> Told:
    nothing = {"groups": 0, "images": 0, "across_labels": 0}
    pack = {"images": 12, "classes": 2, "skipped": 0, "left_out": [], "duplicates": nothing}
    sizes = {"train": 7, "val": 2, "test": 3}
    split = {"text": "60/20/20", **sizes, "asked": sizes, "largest_group": 1, "left_out": 0}
    value = {**(pack if name == "pack" else split), **more}
    return lambda: " ".join(text for _, text in image_facts([{"name": name, "value": json.dumps(value)}]))


def page(name: str) -> Told:
    """The text of a page with a hole and without one, as its template says it."""
    from engine.report.document import Chapter, Document
    from engine.report.forms.environment import make_environment, markdown_environment

    def told() -> str:
        whole = make_page("paper", make_rows(TINY if name == "whole" else QUEUED))
        kind = "md" if name in ("whole", "markdown") else "html"
        document = Document("paper", [Chapter(whole)])
        made = markdown_environment() if kind == "md" else make_environment(is_html=True)
        chapters: list[Any] = [(document.chapters[0], [])]
        about: dict[str, Any] = {"document": document, "chapters": chapters, "style": "", "script": "", "policy": ""}
        return made.get_template(f"report.{kind}.j2").render(**about)

    return told


QUEUED = [run_row("a", 0) | {"state": "queued"}]
JOB = {"job": "train-1", "state": "failed", "attempts": 2, "reason": None}
TWO = {"groups": 1, "images": 2, "across_labels": 0}
RUN: Cases = {
    "some_runs": (holes(QUEUED), holes(A)),
    "damaged_file": (holes(A, damaged=[{"file": "jobs/a", "what": "is gone"}]), holes(A)),
    "ended_job": (holes(A, jobs=[JOB]), holes(A, jobs=[{**JOB, "state": "paused", "attempts": 0}])),
    "no_number": (holes(A, cells=[cell_rows(A)[0] | {"not_finite": 1}]), holes(A)),
    "no_accuracy": (holes(top1("a", None)), holes(QUEUED)),
    "only_trials": (bare(trial_row("a", 0, 0.5)), bare()),
    "no_checkout": (commit({}), commit()),
    "broken": (facts("pack", skipped=1, left_out=["a/b.jpg"]), facts("pack")),
    "doubles": (facts("pack", duplicates=TWO), facts("pack")),
    "asked_for": (facts("split", train=6, val=3), facts("split")),
    "kept_together": (facts("split", train=6, val=3, largest_group=2), facts("split", train=6, val=3)),
    "test_doubles": (facts("split", left_out=2), facts("split")),
    "pointer": (page("html"), page("markdown")), "holes": (page("markdown"), page("whole")),
}  # fmt: skip

NOTE_CASES: Cases = {**RESULTS, **CHARTS, **SECTIONS, **RUN}
