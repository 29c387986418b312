"""Commands about jobs: worker, logs, orders, why, diff, doctor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.base import (
    AnyId,
    AsJson,
    Executor,
    HomeOption,
    app,
    find_home,
    print_json,
    say,
    tell,
)
from engine.cli.terminal import drawing_stream
from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.launch.places import choose_executor

if TYPE_CHECKING:
    from engine.inspect.doctor import Finding


@app.command()
def worker(
    slots: Annotated[
        int | None,
        typer.Option(min=1, help="how many jobs at once without a GPU, 1 if not given; GPUs are shared as jobs ask"),
    ] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when nothing is left to do")] = False,
    executor: Executor = None,
    home: HomeOption = None,
) -> None:
    """Be the scheduler, in the foreground; what it does is said on stderr."""
    from engine.schedule.worker import run_worker

    place = find_home(home, create=True)
    choose_executor(place, executor)
    say(f"scheduler of {place.root}; Ctrl-C ends it, and jobs that run go on")
    with _told_aloud():
        code = run_worker(place, slots=slots, until_idle=until_idle)
    say(_ending_text(place, code))
    raise typer.Exit(code)


def _ending_text(home: Home, code: int) -> str:
    from engine.schedule.worker.lock import scheduler_alive

    if code != 0:
        return "ended; xp worker goes on from here"
    if scheduler_alive(home):
        return "this scheduler ends: another one works in this home"
    return "this scheduler ends: nothing is left for it to do"


@contextmanager
def _told_aloud() -> Iterator[None]:
    """Let what the scheduler writes into its log stand on stderr, each line with its time."""
    log, handler = logging.getLogger("xp.scheduler"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


@app.command()
def logs(
    name: AnyId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on as lines come")] = False,
    home: HomeOption = None,
) -> None:
    """Print the log of a job's newest attempt, or of every job of a run or experiment."""
    from engine.inspect.logs import follow_logs, read_logs
    from engine.schedule.lookup import find_match

    place = find_home(home)
    match = find_match(place, name)
    for line in follow_logs(place, match.jobs) if follow else read_logs(place, match.jobs):
        tell(line)


@app.command()
def cancel(name: AnyId, home: HomeOption = None) -> None:
    """Stop what an id stands for; jobs that another experiment needs go on."""
    _order("cancel", name, home)


@app.command()
def retry(name: AnyId, home: HomeOption = None) -> None:
    """Give failed and cancelled jobs a fresh chance, or a slot that is shut out: name it as `xp status` does."""
    from engine.schedule.orders import retry_slot

    mark = retry_slot(find_home(home), name)
    if mark is None:
        _order("retry", name, home)
    else:
        say(f"retry: jobs go to slot {mark.slot} again, which was shut out: {mark.reason}")


@app.command()
def pause(name: AnyId, home: HomeOption = None) -> None:
    """Save and stop what an id stands for, until `xp resume`; jobs that another experiment needs go on."""
    _order("pause", name, home)


@app.command()
def resume(name: AnyId, home: HomeOption = None) -> None:
    """Let paused jobs go on from where they stopped."""
    _order("resume", name, home)


def _order(verb: str, name: str, home: Path | None) -> None:
    from engine.inspect.foreign import tell_foreign
    from engine.schedule.lookup import find_match, name_jobs
    from engine.schedule.orders import explain_nothing, give_order

    place = find_home(home)
    match = find_match(place, name)
    try:
        jobs = give_order(place, verb, match)
    except XpError:  # they go on after a while: why that may be
        for line in tell_foreign(place):
            say(line)
        raise
    say(f"{verb}: {len(jobs)} jobs" if jobs else f"{verb}: nothing to do: {explain_nothing(place, verb, match)}")
    if jobs:
        # At once: a write for each of a hundred thousand lines takes seconds.
        names = name_jobs(place, jobs)
        tell("\n".join(job if names[job] == job else f"{job}  {names[job]}" for job in jobs))
    for line in tell_foreign(place):
        say(line)


@app.command()
def why(
    name: AnyId,
    everything: Annotated[bool, typer.Option("--all", help="every setting of every job")] = False,
    home: HomeOption = None,
) -> None:
    """Say what an id is made of, and why it ran or was reused; of an experiment, an arm or a run on one screen."""
    from engine.inspect.why import explain_job
    from engine.inspect.why_arms import explain_match
    from engine.schedule.lookup import find_match

    place = find_home(home)
    match = find_match(place, name)
    if match.kind != "job" and not everything:
        tell("\n".join(explain_match(place, match)))
        return
    if not match.jobs:
        say(f"none of the jobs of {match.name} is in the queue: xp rebuild --queue makes it again from the folders")
    for job in match.jobs:
        for line in explain_job(place, job):
            tell(line)


@app.command()
def diff(one: AnyId, other: AnyId, home: HomeOption = None) -> None:
    """Show the settings in which two arms, two runs (EXPERIMENT/ARM@SEED) or two jobs differ."""
    from engine.inspect.own_code import difference_lines
    from engine.inspect.why import list_differences
    from engine.schedule.lookup import find_match

    place = find_home(home)
    for difference in list_differences(place, find_match(place, one), find_match(place, other)):
        tell(f"{difference.path}: {difference.first!r} -> {difference.second!r}")
        for line in difference_lines(place, difference.first, difference.second):
            tell(f"  {line}")


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="read every file that counts and verify its checksum")] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Say what this machine and home have, and what is wrong with them; ends with 1 when something is."""
    from engine.inspect.doctor import examine

    place = _look_for_home(home)
    findings = examine(place)
    if deep and isinstance(place, Home) and place.root.is_dir():
        findings += _examine_deep(place)
    if as_json:
        print_json([finding.as_json() for finding in findings])
    for finding in [] if as_json else findings:
        tell(str(finding))
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else 1)


def _look_for_home(home: Path | None) -> Home | HomeError:
    """Return the home even where there is none yet: to look makes no folder."""
    try:
        return find_home(home, required=False)
    except HomeError as error:
        return error


def _examine_deep(home: Home) -> list[Finding]:
    from engine.inspect.deep import examine_files

    with typer.progressbar(length=1, label="reading", file=drawing_stream()) as bar:

        def move(done: int, steps: int) -> None:
            bar.length = steps
            bar.update(done - bar.pos)

        return list(examine_files(home, move))
