"""Finding: takes what a person typed (an experiment, a run, a job, or a unique beginning), gives the jobs it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import XpError, closest_hint
from engine.home.paths import Home
from store.queue import FoundName, Queue

MOST = 7  # ids that are looked for: one more than are shown


@dataclass(frozen=True)
class Match:
    """What an id stands for. `jobs` are all jobs of it, in the order they are needed."""

    kind: Literal["experiment", "run", "job"]
    name: str
    experiment: str | None
    jobs: tuple[str, ...]


def find_experiment(home: Home, text: str) -> str:
    """Return the experiment that `text` names, or that has the run it names. Raises XpError when there is none."""
    with Queue.open_readonly(home.queue_db) as queue:
        if text in queue.experiment_names():
            return text
    match = find_match(home, text)
    if match.experiment is None:
        raise XpError(f"{match.name} is a job, which several experiments may have", fix=f"try `xp why {match.name}`")
    return match.experiment


def find_match(home: Home, text: str) -> Match:
    """Return what `text` names. Raises XpError when nothing, or more than one thing, begins so."""
    # Bytes of an argument that are no Unicode name nothing here, and SQLite does not take them.
    text = text.encode("utf-8", "replace").decode()
    with Queue.open_readonly(home.queue_db) as queue:
        names = queue.experiment_names()
        if text in names:
            return Match("experiment", text, text, tuple(queue.jobs_of(text)))
        if home.job(text).spec.exists():  # a job's folder is enough, such as one that was copied here
            return Match("job", text, None, (text,))
        # One letter is too little to mean anything.
        found = queue.find_ids(text, MOST) if len(text) >= 2 else []
        if len(found) == 1:
            return _match_of(queue, found[0])
    raise _no_match(text, found, names)


def _match_of(queue: Queue, found: FoundName) -> Match:
    if found.experiment is None:
        return Match("job", found.name, None, (found.name,))
    return Match("run", found.name, found.experiment, tuple(queue.jobs_of(found.experiment, [found.name])))


def _no_match(text: str, found: list[FoundName], experiments: list[str]) -> XpError:
    if found:
        names = ", ".join(match.name for match in found[: MOST - 1])
        more = f" more than {MOST - 1} ids" if len(found) == MOST else f" {len(found)} ids"
        return XpError(f"{text!r} begins{more}: {names}", fix="type more of the one you mean")
    fix = closest_hint(text, experiments) if experiments else "submit a spec first: xp submit SPEC"
    return XpError(f"nothing here is called {text!r}", where="xp status lists what there is", fix=fix)
