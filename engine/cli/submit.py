"""The command submit: takes a spec or the file of a paper, leaves jobs in the queue and a scheduler at work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.base import Executor, HomeOption, Overlays, Overrides, SpecFile, app, find_home, say
from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.places import check_executor, choose_executor
from engine.spec.base import NAME

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.schedule.submit import Filling, Submission
    from engine.spec import Spec

INTERRUPTED = 130


@dataclass(frozen=True)
class Asked:
    """What a submission asks beside its spec; `budget` is of --fill, in seconds, None for no limit."""

    home: Home
    on_cpu: bool
    fill: bool
    budget: float | None
    trial_of: str | None = None


@app.command()
def submit(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    wait: Annotated[bool, typer.Option("--wait", help="show progress and end with the experiment's exit code")] = False,
    priority: Annotated[
        int | None, typer.Option(help="higher goes first; kept from the last submit if not given")
    ] = None,
    executor: Executor = None,
    on_cpu: Annotated[bool, typer.Option("--cpu", help="run all on the CPU, though the spec asks for a GPU")] = False,
    trial: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="as a trial of that name: what is registered stays as it is"),
    ] = None,
    no_start: Annotated[bool, typer.Option("--no-start", help="queue only; start no scheduler")] = False,
    fill: Annotated[
        bool,
        typer.Option(
            "--fill", help="queue what decides comparisons and fills cells, further seeds too, cheapest first"
        ),
    ] = False,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="with --fill: of all work together, as 90s, 30m, 8h or 2d")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Queue what is missing and see that a scheduler runs. The same submit again does nothing twice.

    `xp submit SPEC --set train.epochs=1 --as trial` tries something beside what is registered under the spec's name; it
    shares its jobs, and `xp rm trial` takes it away again. Of a paper's file: each of its experiments in turn, the
    first with the highest priority.
    """
    from engine.load import load_spec
    from engine.load.paper_file import is_paper, load_paper, load_specs
    from engine.schedule.worker import start_detached

    if executor is not None:
        check_executor(executor)
    many = is_paper(spec)
    if trial is not None:
        _check_trial(trial, many=many)
        overrides = [*(overrides or ()), f"name={trial}"]
    loaded = load_specs(load_paper(spec), overrides or (), overlays or ()) if many else None
    loaded = loaded or [load_spec(spec, overrides or (), overlays or ())]
    place = find_home(home, create=True)
    limit = _read_budget(budget, fill=fill)
    if fill and many and limit is not None:
        one = spec.parent / f"{loaded[0].name}.yaml"
        fix = f"fill one experiment at a time: xp submit {one} --fill --budget {budget}"
        raise XpError("a budget is for one experiment, and this is a paper", where="--budget", fix=fix)
    of = _trial_of(place, spec, loaded[0].name) if trial is not None else None
    asked = Asked(place, on_cpu, fill, limit, of)
    done = [_submit_spec(one, asked, _turn(priority, at, loaded)) for at, one in enumerate(loaded)]
    _choose_executor(place, executor)
    if not no_start and any(one.new for one in done):
        start_detached(place)
    if wait:
        raise typer.Exit(_wait_all(place, [one.name for one in done]))
    left = [one.name for one in done if one.new]
    if left and many:
        say(f"watch them with `xp status --watch`; report them with `xp report {spec}`")
    elif left:
        say(f"watch it with `xp status {left[0]} --watch`; report it with `xp report {left[0]}`")


def _check_trial(name: str, *, many: bool) -> None:
    if many:
        raise XpError("a trial is of one spec, and this is a paper", where="--as", fix="name one of its specs")
    if not re.fullmatch(NAME, name):
        fix = "use small letters, digits, - and _, 64 at most"
        raise XpError(f"{name!r} is no name for an experiment", where="--as", fix=fix)


def _trial_of(home: Home, spec: Path, name: str) -> str:
    """Return the experiment that a spec's own name means. Raises XpError where the trial would take another's name."""
    from engine.home.records import read_record
    from engine.load import load_spec

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


def _submit_spec(spec: Spec, asked: Asked, priority: int | None) -> Submission:
    from engine.plan import make_plan
    from engine.schedule.submit import Filling, submit_plan

    made, filling = make_plan(spec, asked.home, on_cpu=asked.on_cpu), Filling()
    for line in (*spec.doubts, *made.warnings):
        say(f"warning: {line}")
    if asked.fill and not made.is_provisional:
        made, filling = _choose_fill(spec, asked)
    done = submit_plan(made, asked.home, priority, filling, asked.trial_of)
    say(f"{done.name}: {done.new} jobs to do, {done.done} done already (submission {done.number})")
    for line in done.changes:
        say(f"  {line}")
    for line in _tell_paused(asked.home, done.name):
        say(line)
    return done


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


def _choose_fill(spec: Spec, asked: Asked) -> tuple[Plan, Filling]:
    """Choose among what is lacking with all results taken in, and say what is queued and what is left."""
    from engine.analysis.fill import choose_fill, fill_lines
    from engine.analysis.lacking import find_lacking
    from engine.collect import collect

    collect(asked.home, wait=60.0)
    chosen = choose_fill(find_lacking(spec, asked.home, on_cpu=asked.on_cpu), asked.budget)
    for line in fill_lines(chosen):
        say(line)
    return chosen.plan, chosen.filling


def _choose_executor(home: Home, executor: str | None) -> None:
    """Write down where jobs run; a scheduler that works already goes on as it began, which is said."""
    from engine.schedule.worker.lock import other_executor

    chosen, other = choose_executor(home, executor), other_executor(home)
    if other:
        say(f"the scheduler that works here runs jobs on {other}; the next one will on {chosen}")


def _wait_all(home: Home, experiments: Sequence[str]) -> int:
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
