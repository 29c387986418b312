"""Latency before any training: takes a plan, gives what its arms' networks will take, where this machine was timed.

What operators take here lies in a table of the cache, which jobs fill that prune a share of latency, and `xp plan
--latency`. Nothing is said of a network that the table does not know: a figure comes with the error that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.home.paths import Home
from engine.inputs.machine import cpu_model
from engine.plan.child import ask_child, run_child
from engine.plan.draft import Plan, Run
from engine.spec.job_settings import LatencyTarget, MeasureSettings, NetworkSettings, PruneSettings

MODULE = "engine.core.latency.child"
TIMING_SECONDS = 600.0
LATER = "how wide its layers stay is measured when the job starts"
BY_WEIGHTS = "its widths follow from the trained weights (prune.scope: global), so that nothing is foretold of it"
WHAT = {"params": "parameters", "macs": "multiply-adds"}


@dataclass(frozen=True)
class Foretold:
    """Of an arm at a point of the matrix: milliseconds an image, and the median error of such figures, a fraction.

    `threads` on the CPU; `left` of a pruned arm: by word (params, macs) how many stay, and of how many.
    """

    arm: str
    cell: str
    threads: int
    ms: float
    error: float
    left: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        told = {"arm": self.arm, "cell": self.cell, "threads": self.threads, "ms": self.ms, "error": self.error}
        for word, (count, before) in self.left.items():
            told |= {word: count, f"{word}_before": before}
        return told


def foretell(plan: Plan, home: Home, tell: Callable[[str], None] | None = None) -> list[Foretold]:
    """Return what is known of the latency of each arm's network, of its first seed.

    `tell` hears that operators are timed here, which takes a while; without it only what was timed counts.
    """
    firsts = {(run.arm, run.cell): run for run in reversed(plan.runs)}
    asked = [(run, question) for run in reversed(firsts.values()) if (question := _question(plan, run)) is not None]
    table = home.latencies(cpu_model())
    if not asked or (tell is None and not table.exists()):
        return []
    if tell is not None:
        tell("timing what the networks' operators take here, for up to a minute a network, and only once")
    found: list[Foretold] = []
    for run, question in asked:
        answer = ask_table(home, question, may_time=tell is not None)
        found += _read_answer(run, question, answer)
    return found


def ask_table(home: Home, question: dict[str, Any], *, may_time: bool = False) -> Any:
    """Return the child's answer to a question about a network, None where nobody could tell; it is kept."""
    path = home.latencies(cpu_model())
    told = {**question, "table": str(path), "may_time": may_time}
    if may_time:
        return run_child(MODULE, told, TIMING_SECONDS)
    return ask_child(home, MODULE, {**told, "state": _state(path)}) if path.exists() else None


def _state(path: Path) -> list[int]:
    """Another table may have another answer."""
    held = path.stat()
    return [held.st_mtime_ns, held.st_size]


def solving(told: PruneSettings, target: LatencyTarget) -> dict[str, Any]:
    """Return the question at which widths a share of latency is gone."""
    return {**_network_words(told, told.data.image_size), "threads": target.threads, "precision": told.train.precision,
            "ratio": told.prune.ratio}  # fmt: skip


def _question(plan: Plan, run: Run) -> dict[str, Any] | None:
    """Return what is asked about a run, None where its network is for a GPU, or not known yet."""
    jobs = {job.key: job for job in plan.jobs}
    pruned = _pruning(plan, run)
    if isinstance(pruned, PruneSettings) and pruned.latency is not None and pruned.num_classes is not None:
        return solving(pruned, pruned.latency)
    told = jobs[run.jobs["measure"]].settings if "measure" in run.jobs else None
    if not isinstance(told, MeasureSettings) or told.num_classes is None or told.device == "gpu":
        return None
    about = {"threads": told.measure.threads[0], "precision": told.precision}
    if pruned is None or pruned.prune.is_mask:
        # What another kind of job left of its network, is a result.
        return None if "pruned" in run.jobs else {**about, "networks": [_network_words(told, told.image_size)]}
    if _is_by_weights(pruned):
        return None
    words = _network_words(pruned, pruned.data.image_size)
    return {**about, "networks": [{**words, "prune": pruned.prune.model_dump(mode="json")}]}


def _pruning(plan: Plan, run: Run) -> PruneSettings | None:
    """Return the settings of the job that prunes a run's network, or the one from which a control has its widths."""
    key = run.jobs.get("prune") or run.jobs.get("pruned")
    found = next((job.settings for job in plan.jobs if job.key == key), None)
    return found if isinstance(found, PruneSettings) else None


def _is_by_weights(told: PruneSettings) -> bool:
    return told.prune.scope == "global" and not told.prune.is_mask


def _network_words(told: NetworkSettings, image_size: int) -> dict[str, Any]:
    network = told.network.model_copy(update={"weights": "none"}).model_dump(mode="json")
    return {"network": network, "outputs": told.num_classes, "image_size": image_size}


def _read_answer(run: Run, question: dict[str, Any], answer: Any) -> Iterator[Foretold]:
    if isinstance(answer, list) and answer and answer[0]:
        one = answer[0]
        yield Foretold(run.arm, run.cell, question["threads"], one["ms"], one["error"], _left(one))
    if isinstance(answer, dict) and answer.get("left"):
        left = answer["left"]
        yield Foretold(run.arm, run.cell, question["threads"], 1e3 * left["seconds"], left["error"], _left(answer))


def _left(answer: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {word: (answer[word], answer[f"{word}_before"]) for word in WHAT if word in answer}


def latency_lines(plan: Plan, found: list[Foretold]) -> list[str]:
    """Return a line for each arm: what its network will take; of a share of latency that nobody solved, when it is."""
    cells = len({run.cell for run in plan.runs})
    lines = [_line(one, cells > 1) for one in found]
    known = {(one.arm, one.cell) for one in found}
    solved = {key for job in plan.jobs if isinstance(job.settings, PruneSettings) and job.settings.latency
              for key in [job.key]}  # fmt: skip
    open_arms = dict.fromkeys(
        run.arm for run in plan.runs if run.jobs.get("prune") in solved and (run.arm, run.cell) not in known
    )
    lines += [f"{arm}: a share of latency is pruned, and {LATER}" for arm in open_arms]
    pruned = {run.arm: told for run in plan.runs if (told := _pruning(plan, run)) is not None}
    return lines + [f"{arm}: {BY_WEIGHTS}" for arm, told in pruned.items() if found and _is_by_weights(told)]


def _line(one: Foretold, has_cells: bool) -> str:
    threads = "one thread" if one.threads == 1 else f"{one.threads} threads"
    where = f" ({one.cell})" if has_cells else ""
    text = f"{one.arm}{where}: about {one.ms:.3g} ms an image on {threads} of this CPU, foretold"
    text += f"; such figures are off by {one.error:.0%} in the median"
    stay = [f"{count / before:.1%} of the {WHAT[word]} ({count:,})" for word, (count, before) in one.left.items()]
    return f"{text}; {' and '.join(stay)} stay" if stay else text
