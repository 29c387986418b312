"""What `xp submit` does, a step each: takes what was asked, gives checked wishes, specs, submissions, an exit code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.base import say
from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.places import check_executor, keep_executor, try_executor
from engine.load import load_spec
from engine.load.paper_file import is_paper, load_paper, load_specs
from engine.schedule.notices import Target, ask_notice, read_target
from engine.spec import Spec
from engine.spec.base import NAME

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.schedule.submit import Filling, Submission

INTERRUPTED = 130


@dataclass(frozen=True)
class Asked:
    """What a submission asks beside its settings; `budget` is of --fill, in seconds, None for no limit."""

    spec: Path
    priority: int | None
    executor: str | None
    on_cpu: bool
    trial: str | None
    fill: bool
    only: tuple[str, ...] = ()
    budget: float | None = None
    notify: Target | None = None
    is_paper: bool = False


def read_asked(asked: Asked, budget: str | None, notify: str | None) -> Asked:
    """Check what was asked before anything is read or written. Raises XpError."""
    if asked.executor is not None:
        check_executor(asked.executor)
    many = is_paper(asked.spec)
    if asked.trial is not None:
        _check_trial(asked.trial, many=many)
    if asked.only:
        _check_only(asked, many=many)
    limit = _read_budget(budget, fill=asked.fill)
    target = read_target(notify) if notify is not None else None
    return replace(asked, budget=limit, notify=target, is_paper=many)


def load_asked(asked: Asked, overrides: Sequence[str], overlays: Sequence[Path]) -> list[Spec]:
    """Return the spec, under a trial's name where it is one, or those of a paper."""
    if asked.trial is not None:
        overrides = [*overrides, f"name={asked.trial}"]
    if not asked.is_paper:
        return [load_spec(asked.spec, overrides, overlays)]
    loaded = load_specs(load_paper(asked.spec), overrides, overlays)
    if asked.fill and asked.budget is not None:
        one = asked.spec.parent / f"{loaded[0].name}.yaml"
        fix = f"fill one experiment at a time: xp submit {one} --fill --budget 8h"
        raise XpError("a budget is for one experiment, and this is a paper", where="--budget", fix=fix)
    return loaded


def submit_all(home: Home, asked: Asked, specs: Sequence[Spec]) -> list[Submission]:
    """Submit one after the other, and keep where jobs run and who is told of each one's end."""
    try_executor(home, asked.executor)
    of = _trial_of(home, asked.spec, specs[0].name) if asked.trial is not None else None
    done = [_submit_spec(spec, home, asked, _turn(asked.priority, at, specs), of) for at, spec in enumerate(specs)]
    _keep_executor(home, asked.executor)
    if asked.notify is not None:
        for one in done:
            ask_notice(home, one.name, one.number, asked.notify)
    return done


def tell_next(asked: Asked, done: Sequence[Submission]) -> None:
    """Say how to follow what was queued."""
    left = [one.name for one in done if one.has_work]
    if left and asked.is_paper:
        say(f"watch them with `xp status --watch`; report them with `xp report {asked.spec}`")
    elif left:
        say(f"watch it with `xp status {left[0]} --watch`; report it with `xp report {left[0]}`")


def _check_trial(name: str, *, many: bool) -> None:
    if many:
        raise XpError("a trial is of one spec, and this is a paper", where="--as", fix="name one of its specs")
    if not re.fullmatch(NAME, name):
        fix = "use small letters, digits, - and _, 64 at most"
        raise XpError(f"{name!r} is no name for an experiment", where="--as", fix=fix)


def _check_only(asked: Asked, *, many: bool) -> None:
    if many:
        raise XpError("arms are of one spec, and this is a paper", where="--only", fix="name one of its specs")
    if asked.fill:
        fix = "leave one of them away: --fill chooses by what decides comparisons"
        raise XpError("--only and --fill both say what is queued", where="--only", fix=fix)


def _trial_of(home: Home, spec: Path, name: str) -> str:
    """Return the experiment that a spec's own name means. Raises XpError where the trial would take another's name."""
    from engine.home.records import read_record

    own = load_spec(spec).name
    records = home.records(name)
    other = read_record(records[-1]).get("trial_of") if records else own
    if name == own or other != own:
        what = f"is the name that the spec has itself, {own}" if name == own else "is another experiment here"
        fix = "choose a name that is free: a trial leaves the results of all others alone"
        raise XpError(f"{name} {what}", where="--as", fix=fix)
    return own


def _turn(priority: int | None, at: int, specs: Sequence[Spec]) -> int | None:
    """Return the priority of the experiment `at` a place of a paper: in its order, so that the first are done first."""
    return priority if len(specs) == 1 else (priority or 0) + len(specs) - 1 - at


def _submit_spec(spec: Spec, home: Home, asked: Asked, priority: int | None, trial_of: str | None) -> Submission:
    from engine.plan import make_plan
    from engine.schedule.submit import Filling, submit_plan

    made, filling = make_plan(spec, home, on_cpu=asked.on_cpu), Filling()
    for line in (*spec.doubts, *made.warnings):
        say(f"warning: {line}")
    if asked.fill and not made.is_provisional:
        made, filling = _choose_fill(spec, home, asked)
    if asked.only:
        filling = _hold_others(made, asked.only)
    done = submit_plan(made, home, priority, filling, trial_of)
    has_others = not done.trials or done.new or done.done or filling.held
    jobs = f"{done.new} jobs to do, {done.done} done already" if has_others else "no job beside its trials"
    say(f"{done.name}: {jobs} (submission {done.number})")
    if done.trials:
        say(f"{done.name}: {_trials_text(home, done)}")
    for line in done.changes:
        say(f"  {line}")
    for line in _tell_paused(home, done.name):
        say(line)
    return done


def _trials_text(home: Home, done: Submission) -> str:
    """Say how many trials are still to be asked for, of all arms; those of a submission before count."""
    from engine.home.records import read_record

    told = read_record(home.records(done.name)[-1])["search"]
    left = max(0, done.trials - count_spent(told["trials"], told["asked"]))
    if not left:
        return f"all its trials were asked for before: xp status {done.name} says how far they are"
    more = "" if left == done.trials else " more"
    what = "trial is asked for" if left == 1 else "trials are asked for one after the other"
    return f"up to {left}{more} {what}, by what came of those before"


def count_spent(trials: Sequence[Mapping[str, Any]], asked: int) -> int:
    """Return for how many trials nothing more will be asked: those that were, and all of an arm that has no others."""
    from engine.analysis.searches import EXHAUSTED

    drawn = [one for one in trials if one["stage"] != "final"]
    over = {one["arm"] for one in drawn if one["why"] == EXHAUSTED}
    tried = {(one["arm"], one["trial"]) for one in drawn if one["refused"] is None and one["arm"] not in over}
    spent = Counter(arm for arm, _ in tried)
    return asked * len(over) + sum(min(asked, count) for count in spent.values())


def _tell_paused(home: Home, name: str) -> list[str]:
    """Return a line where jobs stay paused: a submit asks for them and does not let them go on."""
    from store.queue import Queue
    from store.queue.submit import HELD

    with Queue.open_readonly(home.queue_db) as queue:
        rows = queue.job_rows(experiment=name)
    paused = sum(row.state == "paused" and row.reason != HELD for row in rows)
    what = "1 job stays" if paused == 1 else f"{paused} jobs stay"
    return [f"{what} paused: xp resume {name}"] if paused else []


def _read_budget(text: str | None, *, fill: bool) -> float | None:
    """Return seconds, None for no limit."""
    example = "xp submit SPEC --fill --budget 8h"
    if text is not None and not fill:
        raise XpError("a budget is for --fill", where="--budget", fix=f"{example} (s, m, h or d)")
    return None if text is None else read_budget(text, example)


def read_budget(text: str, example: str) -> float:
    """Return the seconds that `90s`, `30m`, `8h` or `2d` are. Raises XpError with an example for anything else."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd])", text)
    if found is None:
        raise XpError(f"{text!r} is no time", where="--budget", fix=f"{example} (s, m, h or d)")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _choose_fill(spec: Spec, home: Home, asked: Asked) -> tuple[Plan, Filling]:
    """Choose among what is lacking with all results taken in, and say what is queued and what is left."""
    from engine.analysis.fill import choose_fill, fill_lines
    from engine.analysis.lacking import find_lacking
    from engine.collect import collect

    collect(home, wait=60.0)
    chosen = choose_fill(find_lacking(spec, home, on_cpu=asked.on_cpu), asked.budget)
    for line in fill_lines(chosen):
        say(line)
    return chosen.plan, chosen.filling


def _hold_others(made: Plan, arms: Sequence[str]) -> Filling:
    """Leave out for now what no run of these arms needs; all arms are registered all the same."""
    from engine.plan.subset import choose_arms
    from engine.schedule.submit import Filling

    wanted = {job.key for job in choose_arms(made, arms).jobs}
    held = frozenset(job.key for job in made.jobs) - wanted
    if held:
        say(f"{len(held)} jobs of other arms are left out, as paused; the same submit without --only queues them")
    return Filling(held=held)


def _keep_executor(home: Home, executor: str | None) -> None:
    """Write down where jobs run; a scheduler that works already goes on as it began, which is said."""
    from engine.schedule.worker.lock import other_executor

    chosen, other = keep_executor(home, executor), other_executor(home)
    if other:
        say(f"the scheduler that works here runs jobs on {other}; the next one will on {chosen}")


def wait_all(home: Home, experiments: Sequence[str]) -> int:
    """Wait for one after the other; return the worst exit code, or that of an interruption, which ends the waiting."""
    worst = 0
    for name in experiments:
        worst = max(worst, _wait(home, name))
        if worst == INTERRUPTED:
            break
    return worst


def _wait(home: Home, experiment: str) -> int:
    from engine.cli.progress import wait_for
    from engine.cli.render import error_console

    try:
        return wait_for(home, experiment, error_console())
    except KeyboardInterrupt:
        say(f"\nstill running; come back with `xp status {experiment} --watch`, stop it with `xp cancel {experiment}`")
        return INTERRUPTED
