"""Each sentence under a chart: numbers with which it is true and stands there, and numbers with which it must not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.analysis.compare import Comparison
from engine.analysis.statistics import Interval
from engine.report.changes import Changes
from engine.report.charts.bars import Bars, draw_bars
from engine.report.charts.data.bars import make_bars
from engine.report.charts.data.costs import cost_charts
from engine.report.charts.data.curves import curve_charts
from engine.report.charts.data.effects import effect_chart
from engine.report.charts.data.grids import search_grids
from engine.report.charts.data.likeness import likeness_chart
from engine.report.sheet import Sheet
from store.metrics import METRICS
from tests.report.rows import cell_rows, make_rows, run_row

Told = Callable[[], str]
Cases = dict[str, tuple[Told, Told]]
Runs = Sequence[dict[str, Any]]
TREE = {"student": {"attention": {"kind": "longformer"}}}


def top1(arm: str, *values: float | None, **more: Any) -> list[dict[str, Any]]:
    return [run_row(arm, seed, test_top1=value, **more) for seed, value in enumerate(values)]


def sheet_of(*runs: Runs, baseline: str | None = None, changes: Changes | None = None) -> Sheet:
    rows = [run for arm in runs for run in arm]
    return Sheet(make_rows(rows, baseline, cells=cell_rows(rows, ("test_top1", "macs", "prune_asked"))), changes)


def bars(*runs: Runs) -> Told:
    return lambda: " ".join(make_bars(sheet_of(*runs), "accuracy", METRICS["test_top1"]).notes)


def speeds(*values: float, edges: tuple[float, float] | None = None) -> Told:
    """Speeds of jobs apart, or with `edges` speed-ups of rounds side by side."""
    name = "infer_images_per_second" if edges is None else "infer_speedup"
    low, high = edges or (None, None)
    bare = [run_row(f"a{at}", 0, speedup_low=low, speedup_high=high) for at in range(len(values))]
    rows = [row | {name: value} for row, value in zip(bare, values, strict=True)]
    sheet = Sheet(make_rows(rows, cells=cell_rows(rows, (name,))))
    return lambda: " ".join(make_bars(sheet, "throughput", METRICS[name]).notes)


def legend(names: int) -> Told:
    values = {f"arm{number}": (1.0,) for number in range(names)}
    return lambda: draw_bars(Bars("a", "A", "%", ("one",), values)).get_supxlabel()


def curve(
    arm: str, *values: float, role: str = "student", n: int = 2, name: str = "val_top1", spread: float = 0.01
) -> list[dict[str, Any]]:
    about = {"arm": arm, "cell": "default", "role": role, "name": name, "n": n, "seeds": 2}
    return [
        {**about, "epoch": epoch, "mean": value, "least": value - spread, "most": value + spread}
        for epoch, value in enumerate(values)
    ]


def curves(*lines: Runs, cut: str = "", trees: Mapping[str, Any] | None = None) -> Told:
    runs = [
        run_row(arm, 0, settings=(trees or {}).get(arm), test_top1=0.5, prune_asked=0.2 if arm == cut else None)
        for arm in ("a", "b")
    ]
    rows = [row for line in lines for row in line]
    return lambda: " ".join(note for one in curve_charts(rows, sheet_of(runs)) for note in one.notes)


def taught(loss: str, temperature: float = 2.0) -> dict[str, Any]:
    return {"distill": {"loss": loss, "temperature": temperature}, "teacher": {"arch": "timm/vit"}}


def losses(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> Told:
    lines = [curve(arm, 2.0, 1.0, name="train_loss") for arm in ("a", "b")]
    return curves(*lines, trees={"a": first or {}, "b": second or {}})


def effects(
    *, low: float | None = 0.05, adjusted: float = 0.2, notes: tuple[str, ...] = (), baseline: str = "a"
) -> Told:
    interval = Interval(0.1, 0.1, low, None if low is None else 0.15, 3, 0.05, 2.0, "seeds")
    one = Comparison(
        "test_top1", "default", ("b", "a"), (0.6, 0.5), ((), ()), interval, adjusted, adjusted, None, None, (), (),
        notes=notes,
    )  # fmt: skip
    sheet = sheet_of(
        top1("a", 0.5, 0.6), top1("b", 0.6, 0.7), baseline=baseline, changes=Changes({("b", "default"): one})
    )

    def told() -> str:
        found = effect_chart(sheet)
        return " ".join(found.notes) if found else ""

    return told


def likeness(*arms: str, n: int = 2, archs: Sequence[str] = ("x", "x")) -> Told:
    runs = [top1(arm, 0.5, 0.6, settings={"teacher": {"arch": arch}}) for arm, arch in zip("ab", archs, strict=True)]
    rows = [
        {
            "arm": arm,
            "cell": "default",
            "part": "test",
            "name": "agreement",
            "mean": 0.8,
            "least": 0.7,
            "most": 0.9,
            "n": n,
        }
        for arm in arms
    ]

    def told() -> str:
        found = likeness_chart(rows, sheet_of(*runs))
        return " ".join(found.notes) if found else ""

    return told


def searched(*places: tuple[int, int], values: Sequence[float | None] = (0.5, 0.6)) -> Told:
    runs = [
        top1(f"r{radius}g{count}", *values, settings={
            "student": {"attention": {"kind": "longformer", "radius": radius, "globals": count}}})
        for radius, count in places
    ]  # fmt: skip
    return lambda: " ".join(note for one in search_grids(sheet_of(*runs)) for note in one.notes)


def costs(*sizes: int, values: Sequence[float] = (0.5, 0.6)) -> Told:
    runs = [top1(arm, *values, macs=size) for arm, size in zip("abc", sizes, strict=False)]
    return lambda: " ".join(note for one in cost_charts(sheet_of(*runs)) for note in one.notes)


A = top1("a", 0.5, 0.6, 0.55)
LONE = top1("a", 0.5, test_low=0.4, test_high=0.6)
RISING, OTHER, RECOVERED = curve("a", 0.1, 0.2), curve("b", 0.2, 0.3), curve("b", 0.1, 0.4, role="prune")
TWIN, FEWER = curve("b", 0.1, 0.2), curve("b", 0.2, 0.3, n=1)
WHOLE = ((1, 2), (1, 4), (2, 2), (2, 4))
CHART_CASES: Cases = {
    "bars_note": (bars(A), curves(RISING)), "whiskers_note": (bars(A), bars(LONE)),
    "wilson_whiskers": (bars(LONE), bars(A)), "dots_note": (bars(A), bars(LONE)),
    "apart_note": (speeds(100.0, 120.0), speeds(1.0, 1.2, edges=(1.1, 1.3))),
    "rounds_whiskers": (speeds(1.0, 1.2, edges=(1.1, 1.3)), speeds(100.0, 120.0)),
    "hatched_note": (bars(top1("a", 0.5, prune_asked=0.2)), bars(A)),
    "hatched_scratch": (bars(top1("a", 0.5, settings={"prune": {"control": "scratch"}})), bars(A)),
    "many_names": (legend(25), legend(24)),
    "curves_note": (curves(RISING), curves(curve("a", 0.1))),
    "band_note": (curves(RISING), curves(curve("a", 0.1, 0.2, spread=0.0))),
    "cross_note": (curves(RISING, OTHER, RECOVERED, cut="b"), curves(RISING, OTHER)),
    "dashes_note": (curves(RISING, TWIN), curves(RISING, OTHER)),
    "fewer_note": (curves(RISING, FEWER), curves(RISING, OTHER)),
    "losses_note": (losses(None, taught("hinton")), losses(taught("hinton"), taught("hinton"))),
    "unlike_losses": (losses(taught("hinton"), taught("hinton", 4.0)), losses(taught("hinton"), taught("hinton"))),
    "effect_dots": (effects(), effects(baseline="")), "effect_edges": (effects(), effects(low=None)),
    "effect_bare": (effects(low=None), effects()),
    "effect_filled": (effects(adjusted=0.01), effects()), "effect_none_told": (effects(), effects(adjusted=0.01)),
    "effect_letters": (effects(notes=("why",)), effects()),
    "likeness_note": (likeness("a", "b"), likeness("a")),
    "likeness_ranges": (likeness("a", "b"), likeness("a", "b", n=1)),
    "likeness_teachers": (likeness("a", "b", archs=("x", "y")), likeness("a", "b")),
    "grid_note": (searched(*WHOLE), searched(*WHOLE[:2])),
    "grid_half": (searched(*WHOLE), searched(*WHOLE, values=(0.5,))),
    "grid_empty": (searched(*WHOLE[:3]), searched(*WHOLE)),
    "cost_front": (costs(100, 200), costs(100, 100)), "cost_edges": (costs(100, 200), costs(100, 200, values=(0.5,))),
}  # fmt: skip
