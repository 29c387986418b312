"""An import: takes a tool and a path, gives experiments in a home; twice the same changes nothing.

Each experiment or project of the tool becomes one here. Runs that came in before and are not at the path any more stay;
one that has grown is replaced by what it is now.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import DataError, closest_hint
from engine.exchange.folders import Renaming, Written, read_renaming, run_id, write_run
from engine.exchange.foreign import BrokenRun, ForeignRun, Found, Tool
from engine.exchange.mlflow_database import is_database, read_database
from engine.exchange.mlflow_folder import is_mlruns, read_mlruns
from engine.exchange.neptune_parquet import read_neptune
from engine.exchange.places import Place, Placed, experiment_name, place_runs
from engine.exchange.tensorboard_files import read_tensorboard
from engine.exchange.wandb_folder import read_wandb
from engine.home.files import write_json
from engine.home.paths import Home, is_own_name
from engine.home.records import read_record
from engine.home.seals import seal
from engine.home.users import note_user
from engine.schedule.keep.trash import removing
from engine.schedule.submit import RECORD_VERSION
from engine.spec.identity import canonical_json
from engine.spec.job_file import IMPORTED
from store.queue import Queue

Tell = Callable[[str], None]
MLFLOW_FIX = "name an mlruns folder, an mlflow.db, or a folder that has one of them"


@dataclass(frozen=True)
class Wish:
    """How to import: the experiment's `name` here, which of the tool's, what arms and metrics are called."""

    name: str | None = None
    only: str | None = None
    arm: str | None = None
    renamings: tuple[Renaming, ...] = ()


@dataclass(frozen=True)
class Imported:
    """What an import did to one experiment: its number of submissions, runs by what became of them, and values."""

    name: str
    number: int
    is_changed: bool
    new: int
    grown: int
    same: int
    kept: int
    values: int
    notes: tuple[str, ...]


@dataclass
class _Batch:
    """The runs of one experiment that were read and written."""

    runs: list[tuple[Placed, Written]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def import_runs(home: Home, tool: str, path: Path, wish: Wish, tell: Tell = lambda _: None) -> list[Imported]:
    """Bring the runs at `path` in. Raises DataError where there are none, and writes nothing then."""
    if tool not in READERS:
        raise DataError(f"xp imports nothing from {tool!r}", where="xp import", fix=closest_hint(tool, READERS))
    if not path.exists():
        raise DataError("there is nothing here", where=str(path), fix="name what the tool wrote")
    found = READERS[tool](path)
    groups = _groups(found, path, wish)
    note_user(home)
    for line in found.left_out:
        tell(f"left out: {line}")
    with removing(home):
        return [_import_group(home, _as_tool(tool), name, runs, path, wish, tell) for name, runs in groups.items()]


def _as_tool(tool: str) -> Tool:
    return next(one for one in TOOLS if one == tool)


def _groups(found: Found, path: Path, wish: Wish) -> dict[str, list[ForeignRun]]:
    """Return the runs by the name that their experiment has here."""
    by_group: dict[str, list[ForeignRun]] = {}
    for run in found.runs:
        by_group.setdefault(run.group, []).append(run)
    if wish.only is not None:
        if wish.only not in by_group:
            fix = closest_hint(wish.only, by_group) if by_group else "leave --experiment away"
            raise DataError(f"there is no experiment {wish.only!r} here", where=str(path), fix=fix)
        by_group = {wish.only: by_group[wish.only]}
    if not by_group:
        told = f": {found.left_out[0]}" if found.left_out else ""
        raise DataError(f"no run here can be imported{told}", where=str(path), fix="name where the runs are")
    if wish.name is not None and len(by_group) > 1:
        fix = f"choose one with --experiment: {', '.join(repr(group) for group in by_group)}"
        raise DataError(f"{len(by_group)} experiments are here, and --as names one", where="--as", fix=fix)
    if wish.name is not None and not is_own_name(wish.name):
        raise DataError(
            f"{wish.name!r} can be no experiment's name", where="--as", fix="use letters, digits, . _ and -"
        )
    return _named(by_group, wish)


def _named(by_group: Mapping[str, list[ForeignRun]], wish: Wish) -> dict[str, list[ForeignRun]]:
    named: dict[str, list[ForeignRun]] = {}
    for group, runs in by_group.items():
        name, number = wish.name or experiment_name(group), 1
        while name in named:  # two whose names differ in letters that none may have here
            number += 1
            name = f"{experiment_name(group)}_{number}"
        named[name] = runs
    return named


def _import_group(
    home: Home, tool: Tool, name: str, runs: Sequence[ForeignRun], path: Path, wish: Wish, tell: Tell
) -> Imported:
    old = _old_record(home, tool, name)
    wish = _as_before(wish, old)
    known = {} if wish.arm != _words(old).get("arm") else _known(old)
    batch = _Batch()
    for placed in place_runs(runs, wish.arm, known):
        try:
            batch.runs.append((placed, write_run(home, tool, placed.run, wish.renamings)))
        except BrokenRun as error:
            batch.left_out.append(f"{placed.run.name} ({error.where}): {error.what}")
    for line in batch.left_out:
        tell(f"left out: {line}")
    if not batch.runs:
        raise DataError(f"no run of {name} can be read", where=str(path), fix="see what is told of each above")
    record = _make_record(name, tool, path, wish, batch, old)
    return _submit(home, record, batch, old)


def _old_record(home: Home, tool: Tool, name: str) -> dict[str, Any] | None:
    """Return what was imported under this name. Raises DataError for an experiment of ours, or of another tool."""
    paths = home.records(name)
    if not paths:
        return None
    record = read_record(paths[-1])
    was = _words(record).get("tool")
    if was != tool:
        what = f"{name} is an experiment that xp ran" if was is None else f"{name} was imported from {was}"
        raise DataError(f"the name is taken: {what}", where="xp import", fix="give it another with --as NAME")
    return record


def _words(record: Mapping[str, Any] | None) -> Mapping[str, Any]:
    told = (record or {}).get(IMPORTED)
    return told if isinstance(told, Mapping) else {}


def _as_before(wish: Wish, old: Mapping[str, Any] | None) -> Wish:
    """Return the wish with what was asked for the last time, where it is not asked for otherwise."""
    words = _words(old)
    renamings = wish.renamings or tuple(map(read_renaming, words.get("map", ())))
    return Wish(wish.name, wish.only, wish.arm or words.get("arm"), renamings)


def _known(old: Mapping[str, Any] | None) -> dict[tuple[str, str], Place]:
    return {_identity(run): (run["arm"], run["cell"], run["seed"]) for run in (old or {}).get("runs", ())}


def _identity(run: Mapping[str, Any]) -> tuple[str, str]:
    told = run["settings"][IMPORTED]
    return str(told.get("group", "")), str(told.get("id", ""))


def _make_record(
    name: str, tool: Tool, path: Path, wish: Wish, batch: _Batch, old: Mapping[str, Any] | None
) -> dict[str, Any]:
    now = {(placed.run.group, placed.run.id) for placed, _ in batch.runs}
    kept = [run for run in (old or {}).get("runs", ()) if _identity(run) not in now]
    runs = [*kept, *(_run_record(placed, written) for placed, written in batch.runs)]
    told = [f"{one.theirs}{'%' if one.factor != 1 else ''}={one.ours}" for one in wish.renamings]
    words = {"tool": tool, "source": str(path.resolve()), **({"arm": wish.arm} if wish.arm else {}),
             **({"map": told} if told else {})}  # fmt: skip
    jobs = dict.fromkeys(job for run in runs for job in run["jobs"].values())
    return {
        "version": RECORD_VERSION,
        "name": name,
        "title": f"{batch.runs[0][0].run.group} (imported from {TITLES[tool]})",
        "baseline": None,
        "submitted_at": time.time(),
        "priority": 0,
        "spec": {"name": name, IMPORTED: words},
        "claims": [],
        IMPORTED: words,
        "runs": runs,
        "jobs": [{"job": job, "kind": IMPORTED, "needs": [], "details": {}, "cost": 1.0, "chain": 1.0} for job in jobs],
    }


def _run_record(placed: Placed, written: Written) -> dict[str, Any]:
    place = {"arm": placed.arm, "cell": placed.cell, "seed": placed.seed, "split": None}
    # The role of the network that a run ends with: tables, curves and comparisons take their figures from it.
    return {"run": run_id(written.job), **place, "settings": dict(written.settings), "jobs": {"student": written.job}}


def _submit(home: Home, record: dict[str, Any], batch: _Batch, old: Mapping[str, Any] | None) -> Imported:
    name = record["name"]
    home.experiment(name).mkdir(parents=True, exist_ok=True)
    with FileLock(home.experiment(name) / ".lock"):
        number = int(home.records(name)[-1].stem) if old else 0
        is_changed = old is None or _essence(old) != _essence(record)
        if is_changed:
            number += 1
            record = seal({**record, "number": number})
            write_json(home.experiment(name) / f"{number}.json", record)
    # Also where nothing changed: a command that was killed may have written it and queued nothing.
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record if is_changed else dict(old or {}), {entry["job"] for entry in record["jobs"]})
    return _outcome(name, number, is_changed, batch, old)


def _essence(record: Mapping[str, Any]) -> str:
    words = {**_words(record), "source": None}
    return canonical_json({"runs": record["runs"], "words": words, "title": record["title"]})


def _outcome(name: str, number: int, is_changed: bool, batch: _Batch, old: Mapping[str, Any] | None) -> Imported:
    before = {_identity(run): run["jobs"]["student"] for run in (old or {}).get("runs", ())}
    fates = Counter(_fate(before.get((placed.run.group, placed.run.id)), written) for placed, written in batch.runs)
    return Imported(
        name=name,
        number=number,
        is_changed=is_changed,
        new=fates["new"],
        grown=fates["grown"],
        same=fates["same"],
        kept=len(before.keys() - {(placed.run.group, placed.run.id) for placed, _ in batch.runs}),
        values=sum(written.values for _, written in batch.runs),
        notes=tuple(_notes([written for _, written in batch.runs])),
    )


def _fate(before: str | None, written: Written) -> str:
    return "new" if before is None else "same" if before == written.job else "grown"


def _notes(written: Sequence[Written]) -> list[str]:
    """Say what a reader of the numbers must know: what is no number, what stands twice, what stayed behind."""
    odd, twice = sum(one.not_finite for one in written), sum(one.repeated for one in written)
    left: Counter[str] = Counter()
    for one in written:
        left.update(one.left)
    notes = [f"{odd:,} values are NaN or infinite: they are kept, and left out of means"] if odd else []
    notes += [f"{twice:,} values stand at a step that has one already: all are kept, the last counts"] if twice else []
    notes += [f"{count:,} {kind} stayed where they are: only numbers come in" for kind, count in sorted(left.items())]
    return [*notes, *dict.fromkeys(note for one in written for note in one.notes)]


def read_mlflow(path: Path) -> Found:
    """Return the runs of an mlruns folder or an mlflow.db, or of a folder that has one of these."""
    if path.is_file():
        if not is_database(path):
            raise DataError("this is no SQLite file", where=str(path), fix=MLFLOW_FIX)
        return read_database(path)
    for folder in (path, path / "mlruns"):
        if folder.is_dir() and is_mlruns(folder):
            return read_mlruns(folder)
    if is_database(path / "mlflow.db"):
        return read_database(path / "mlflow.db")
    raise DataError("there is neither an mlruns folder nor an mlflow.db here", where=str(path), fix=MLFLOW_FIX)


TITLES: Mapping[Tool, str] = {"mlflow": "MLflow", "wandb": "W&B", "tensorboard": "TensorBoard", "neptune": "Neptune"}
READERS: Mapping[str, Callable[[Path], Found]] = {
    "mlflow": read_mlflow,
    "wandb": read_wandb,
    "tensorboard": read_tensorboard,
    "neptune": read_neptune,
}
TOOLS: tuple[Tool, ...] = tuple(TITLES)
