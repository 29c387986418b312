"""What arithmetic decides of a paper: takes its printed figures, gives outcomes; COMPUTED has each by its name.

Sizes are counted (sizes.py), and what is printed is read from the rows of published.csv: nothing is written down here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import NormalDist

from engine.analysis.snapshot import Row
from engine.report.paper import sizes
from engine.report.paper.outcomes import Outcome, Word
from engine.report.paper.sentences import say

Published = Sequence[Row]
SMALL, LARGE = "tiny_vit_5m", "tiny_vit_21m"
OWN, BIG = (7, 7, 14, 7), (14, 14, 14, 7)
TEST_SHARE = {"60/20/20": 0.2, "80/10/10": 0.1}
IMAGES = 131_689
"""ImageNet-100 as it is usually taken: 126,689 training and 5,000 validation images; the paper says no number."""
MIB = 1 << 20


def _rows(published: Published, metric: str, **held: object) -> list[Row]:
    return [row for row in published if row["metric"] == metric and all(row[key] == held[key] for key in held)]


def _told(is_so: bool, lines: Sequence[str]) -> Outcome:
    """Return an outcome of counting; a paper that prints other figures may not have the contradiction."""
    verdict: Word = "holds" if is_so else "refuted"
    return Outcome(verdict, f"{say('counted')}: {'; '.join(lines)}")


def _absent() -> Outcome:
    return Outcome("not run", say("nothing_printed"))


def _change(new: float, old: float) -> float:
    return 100 * (new / old - 1)


def second_projections(published: Published) -> Outcome:
    """Parameters with a second set of projections against those without one, at both sizes."""
    lines, more = [], []
    for arch, windows in ((SMALL, OWN), (LARGE, BIG)):
        dense, sparse = (sizes.tiny_vit_size(arch, windows, is_sparse).params for is_sparse in (False, True))
        lines.append(say("params_line", arch=arch, dense=dense, sparse=sparse, change=_change(sparse, dense)))
        more.append(sparse > dense)
    return _told(all(more), lines)


def work_of_two_sets(published: Published) -> Outcome:
    """MACs of the paper's sparse attention against window attention, at the windows of both experiments."""
    tokens = [str(side**2) for side in sorted({*OWN, *BIG})]
    sides = [f"{side} x {side}" for side in sorted({*OWN, *BIG})]
    lines, more = [say("tokens_line", windows=" or ".join(sides), tokens=" or ".join(tokens))], []
    for arch, windows in ((SMALL, OWN), (LARGE, BIG)):
        dense, sparse = (sizes.tiny_vit_size(arch, windows, is_sparse).macs for is_sparse in (False, True))
        shown = {"dense": dense / 1e9, "sparse": sparse / 1e9, "change": _change(sparse, dense)}
        lines.append(say("macs_line", arch=arch, windows="-".join(map(str, windows)), **shown))
        more.append(sparse > dense)
    return _told(all(more), lines)


def throughputs(published: Published) -> Outcome:
    """The printed throughputs of the two phases, and the changes of one network at two splits."""
    first, second = ([row for row in _rows(published, "throughput", phase=n) if row["value"]] for n in (1, 2))
    if not first or not second:
        return _absent()
    low, high = first[0], second[0]
    changes = [f"{row['change']:+g} % at {row['split']}" for row in _rows(published, "throughput", model=low["model"])]
    ratio = high["value"] / low["value"]
    speeds = say("speeds_line", high=high["value"], low=low["value"], high_batch=high["batch_size"],
                 low_batch=low["batch_size"], ratio=ratio)  # fmt: skip
    return _told(ratio > 1 and len(set(changes)) > 1, [speeds, say("splits_line", changes=" and ".join(changes))])


def memories(published: Published) -> Outcome:
    """Memory of one network at one batch size, printed more than once."""
    valued = [row for row in _rows(published, "memory") if row["value"]]
    models = Counter((row["model"], row["windows"], row["batch_size"]) for row in valued)
    model = next((name for name, count in models.items() if count > 1), None)
    if model is None:
        return _absent()
    same = [row for row in valued if (row["model"], row["windows"], row["batch_size"]) == model]
    values = [row["value"] for row in same]
    shown = " and ".join(f"{row['value']:,.0f} {row['unit']} ({row['split']})" for row in same)
    lines = [say("memory_line", model=model[0], batch=model[2], values=shown, ratio=max(values) / min(values))]
    rises: dict[str, list[float]] = {}
    for row in _rows(published, "memory", model=model[0]):
        rises.setdefault(row["split"], []).append(row["change"])
    twice = {split: found for split, found in rises.items() if len(found) > 1}
    lines += [
        say("twice_line", split=split, changes=" and ".join(f"{change:+g} %" for change in found))
        for split, found in twice.items()
    ]
    return _told(max(values) > min(values) and bool(twice), lines)


def small_above_large(published: Published) -> Outcome:
    """The printed accuracy of the smaller network over that of the larger one, in points."""
    found = [
        next((row for row in _rows(published, "top1", model=name) if row["value"]), None) for name in (SMALL, LARGE)
    ]
    small, large = found
    if small is None or large is None:
        return _absent()
    gap = small["value"] - large["value"]
    small_text, large_text = (f"{row['model']} ({row['value']:g} %, {row['split']})" for row in (small, large))
    return _told(gap > 0, [say("above_line", small=small_text, large=large_text, gap=gap)])


def windows_and_memory(published: Published) -> Outcome:
    """What doubled windows can be, and which baseline the printed rise of memory fits."""
    double, side = 2 * OWN[2], sizes.stage_side(LARGE, 2)
    printed = next((row for row in _rows(published, "memory", model=LARGE) if row["value"] and row["change"]), None)
    if printed is None:
        return _absent()
    batch = printed["batch_size"]
    big, own = (sizes.probability_bytes(LARGE, windows, batch) / MIB for windows in (BIG, OWN))
    rise = printed["value"] - printed["relative_baseline"]
    lines = [
        say("side_line", side=side, image=sizes.IMAGE_SIZE, double=double),
        say("set_line", batch=batch, same=big, own=2 * big - own, printed=rise),
    ]
    return _told(double > side, lines)


def teacher_sizes(published: Published) -> Outcome:
    """The printed sizes of the teachers against those of the networks of these names."""
    huge, clip = sizes.convnextv2_params(*sizes.HUGE) / 1e6, sizes.vit_params(*sizes.LARGE_CLIP) / 1e6
    printed = {row["model"]: row["value"] for row in _rows(published, "params")}
    if not {"convnextv2", "clip_vit"} <= printed.keys():
        return _absent()
    shown = {"printed_huge": printed["convnextv2"], "printed_clip": printed["clip_vit"]}
    line = say("size_line", huge=huge, clip=clip, ratio=huge / clip, **shown)
    apart = abs(printed["convnextv2"] / huge - 1), abs(printed["clip_vit"] / clip - 1)
    return _told(min(apart) > 0.01, [line])


def luck_of_images(published: Published) -> Outcome:
    """Printed changes of accuracy against the half-width that the drawing of two test sets' answers alone has.

    Binomial, of two networks of equal accuracy that err independently: what two single runs of unknown answers can be
    held to.
    """
    lines, within = [], []
    for row in _rows(published, "top1"):
        if row["change"] is None or row["split"] not in TEST_SHARE:
            continue
        images = round(IMAGES * TEST_SHARE[row["split"]])
        share = (row["value"] or 50.0) / 100  # at a half the luck is greatest
        half = 100 * NormalDist().inv_cdf(0.975) * sqrt(2 * share * (1 - share) / images)
        if abs(row["change"]) < half:
            within.append(row)
            lines.append(say("luck_line", name=row["model"], split=row["split"], change=row["change"], images=images,
                             half=half))  # fmt: skip
    return _told(bool(within), lines) if lines else _told(False, [say("no_luck")])


COMPUTED: dict[str, Callable[[Published], Outcome]] = {
    "second_projections": second_projections,
    "work_of_two_sets": work_of_two_sets,
    "throughputs": throughputs,
    "memories": memories,
    "small_above_large": small_above_large,
    "windows_and_memory": windows_and_memory,
    "teacher_sizes": teacher_sizes,
    "luck_of_images": luck_of_images,
}
