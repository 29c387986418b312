"""A submission that grows: takes a searched experiment's record, gives it with further trials, and says what is due.

What was tried, and why, stands in the record beside the runs that it led to, and is written with them as one file: a
kill leaves both or neither. The queue follows; `heal` puts in what a kill kept from it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from filelock import FileLock

from engine.errors import XpError, closest_hint
from engine.home.files import write_atomic, write_json
from engine.home.paths import Home
from engine.home.records import read_record
from engine.home.seals import SELF, seal
from engine.plan import Plan
from engine.plan.subset import keep_runs, place_of
from engine.spec import Spec
from engine.spec.identity import canonical_json
from store.queue import Queue

WORD = "search"
DUE, WAITING = "due", "waiting"
REMOVED = "it was removed"
ASIDE = ("title", "claims", "report", "resources")
LATER = ("trials", "parallel", "final")  # may be changed while a search is under way
Record = dict[str, Any]


def mark_search(home: Home, name: str, state: str | None) -> None:
    """Say of a search that it has something to decide (`due`) or waits for its trials; None: it has ended."""
    if state is None:
        home.search_mark(name).unlink(missing_ok=True)
    else:
        write_atomic(home.search_mark(name), state)


def open_searches(home: Home) -> list[str]:
    """Return the experiments whose search is open."""
    root = str(home.experiments_root)
    leaf = home.search_mark(WORD).name
    # As texts: schedulers and pages look twice a second, and paths of hundreds of experiments take milliseconds.
    names = os.listdir(root) if os.path.isdir(root) else []
    return sorted(name for name in names if os.path.exists(f"{root}/{name}/{leaf}"))


def is_due(home: Home, name: str) -> bool:
    try:
        return home.search_mark(name).read_text() == DUE
    except OSError:
        return False


def keep_unsearched(plan: Plan) -> Plan:
    """Return what of a plan is run as it is written: the arms that are searched come as trials, later."""
    search = plan.spec.search
    if search is None:
        return plan
    return keep_runs(plan, {place_of(run) for run in plan.runs if not search.is_searched(run.arm)})


def begin_search(record: Record, old: Mapping[str, Any] | None, plan: Plan) -> Record:
    """Return a searched experiment's record with what was tried before, where that was the same search."""
    if plan.spec.search is None:
        return record
    packs = sorted({run.jobs["pack"] for run in plan.runs if "pack" in run.jobs})
    about = canonical_json([search_words(plan.spec), packs])
    told: dict[str, Any] = {"about": about, "trials": [], "stopped": False, "asked": plan.spec.search.trials}
    if old is None or old.get(WORD, {}).get("about") != about:
        return {**record, WORD: told}
    before = old[WORD]
    # What was stopped stays so, until more is asked for.
    told["stopped"] = before["stopped"] and told["asked"] <= before["asked"]
    told |= {"trials": before["trials"], "asked": max(told["asked"], before["asked"] if before.get("extended") else 0)}
    runs = [run for run in old["runs"] if run["arm"] in trial_arms(old)]
    return {**add_runs(record, runs, old["jobs"]), WORD: told | ({"extended": True} if before.get("extended") else {})}


def search_words(spec: Spec) -> Record:
    """Return the words of a spec that decide its trials."""
    words = spec.model_dump(mode="json")
    kept = {key: value for key, value in words.items() if key not in ASIDE}
    return {**kept, WORD: {key: value for key, value in kept[WORD].items() if key not in LATER}}


def count_trials(record: Mapping[str, Any], spec: Spec) -> int:
    """Return how many trials there may be in all, over all arms that are searched."""
    search = spec.search
    return 0 if search is None else record[WORD]["asked"] * sum(map(search.is_searched, spec.arm_names))


def without_trial(record: Mapping[str, Any], arm: str) -> Record:
    """Return a record in which a trial, or a best that was trained anew, is refused as removed; others stay."""
    if WORD not in record:
        return dict(record)
    told = [{**one, "refused": REMOVED} if one["trial_arm"] == arm else one for one in record[WORD]["trials"]]
    return {**record, WORD: {**record[WORD], "trials": told}}


def with_growth(old: Mapping[str, Any], newest: Mapping[str, Any]) -> Record:
    """Return an earlier record with all that its search asked for since; what was removed since is as it was before."""
    if WORD not in old or old[WORD]["about"] != newest.get(WORD, {}).get("about"):
        return dict(old)
    before = {one["trial_arm"]: one for one in old[WORD]["trials"]}
    told = [
        before.get(one["trial_arm"], one) if one.get("refused") == REMOVED else one for one in newest[WORD]["trials"]
    ]
    runs = [run for run in newest["runs"] if run["arm"] in trial_arms(newest)]
    return {**add_runs(dict(old), runs, newest["jobs"]), WORD: {**newest[WORD], "trials": told}}


def trial_arms(record: Mapping[str, Any]) -> set[str]:
    return {trial["trial_arm"] for trial in record.get(WORD, {}).get("trials", ())}


def add_runs(record: Record, runs: Collection[Mapping[str, Any]], jobs: Collection[Mapping[str, Any]]) -> Record:
    """Return the record with these runs in place of those at the same arm, point and seed, and the jobs they need."""
    places = {(run["arm"], run["cell"], run["seed"]) for run in runs}
    kept = [run for run in record["runs"] if (run["arm"], run["cell"], run["seed"]) not in places]
    known = {entry["job"]: entry for entry in (*jobs, *record["jobs"])}
    wanted = [job for run in (*kept, *runs) for job in run["jobs"].values()]
    entries: dict[str, Any] = {}
    while wanted:
        job = wanted.pop()
        if job not in entries:
            entries[job] = known[job]
            wanted += known[job]["needs"]
    ordered = [entry for job, entry in known.items() if job in entries]
    return {**record, "runs": [*kept, *map(dict, runs)], "jobs": ordered}


def grow_record(home: Home, name: str, number: int, change: Callable[[Record], Record]) -> Record | None:
    """Change submission `number` where it is still the newest, and queue what it has more of; None where it is not."""
    with FileLock(home.experiment(name) / ".lock"):
        path = home.records(name)[-1]
        if int(path.stem) != number:
            return None
        record = {key: value for key, value in read_record(path).items() if key != SELF}
        grown = seal(change(record))
        write_json(path, grown)
    heal(home, grown)
    return grown


def heal(home: Home, record: Mapping[str, Any]) -> None:
    """Put into the queue what the record has and the queue has not."""
    with Queue(home.queue_db) as queue:
        queue.grow_experiment(record, jobs_done(home, record))


def jobs_done(home: Home, record: Mapping[str, Any]) -> set[str]:
    return {entry["job"] for entry in record["jobs"] if home.job(entry["job"]).result.exists()}


def stop_search(home: Home, name: str) -> None:
    """Ask for no more trials. Raises XpError where nothing is searched."""
    _order(home, name, {"stopped": True})


def extend_search(home: Home, name: str, trials: int) -> None:
    """Ask for `trials` of each arm in all. Raises XpError where nothing is searched, or more were asked for before."""
    asked = _read_searched(home, name)[WORD]["asked"]
    if trials < asked:
        what = f"{asked} trials of each arm are asked for already"
        raise XpError(what, where="--trials", fix=f"write more than {asked}, or xp search stop {name}")
    _order(home, name, {"stopped": False, "asked": trials, "extended": True})


def _order(home: Home, name: str, words: Mapping[str, Any]) -> None:
    _read_searched(home, name)
    while True:
        number = int(home.records(name)[-1].stem)
        if grow_record(home, name, number, lambda record: {**record, WORD: {**record[WORD], **words}}) is not None:
            break
    mark_search(home, name, DUE)


def _read_searched(home: Home, name: str) -> Record:
    names = [path.name for path in home.experiments()]
    if name not in names:
        raise XpError(f"there is no experiment {name!r} here", fix=closest_hint(name, names))
    record = read_record(home.records(name)[-1])
    if WORD not in record:
        raise XpError(f"{name} searches nothing", fix="write `search:` in its spec, and submit it")
    return record
