"""The commands: each takes words from the terminal, calls the rooms above, and ends with an exit code.

Rooms are imported inside the commands: `xp validate` answers at once because it loads no torch and no duckdb.
Asked-for output goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import SpecError, XpError
from engine.home import Home, open_home

app = typer.Typer(
    help="Run the experiments behind a model-compression paper: spec -> plan -> run -> SQL -> report.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
SpecFile = Annotated[Path, typer.Argument(metavar="SPEC", help="a spec file, such as specs/quickstart.yaml")]
Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="change a setting, arms too")]
Overlays = Annotated[list[Path] | None, typer.Option("--overlay", metavar="FILE", help="a file merged over all")]
HomeOption = Annotated[
    Path | None, typer.Option("--home", metavar="DIR", help="home folder (else XP_HOME, else ./.xp)")
]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable, on stdout")]
AnyId = Annotated[str, typer.Argument(metavar="ID", help="an experiment, run, job, or the beginning of one")]
_chosen: dict[str, Path | None] = {"home": None}


@app.callback()
def choose_home(home: HomeOption = None) -> None:
    """Remember a --home that stands before the command."""
    _chosen["home"] = home


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="[DIR]")] = Path()) -> None:
    """Lay out specs to start from, and the schema your editor completes them with."""
    from engine.starter import lay_out

    for path in lay_out(folder):
        typer.echo(str(path))
    _note("next: xp submit specs/quickstart.yaml --wait && xp report quickstart")


@app.command()
def validate(
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...")],
    overrides: Overrides = None,
    overlays: Overlays = None,
) -> None:
    """Check specs without running anything; ends with 0 or 2."""
    from engine.check import absent_inputs
    from engine.load import load_spec

    failed = False
    for file in specs:
        try:
            spec = load_spec(file, overrides or (), overlays or ())
        except SpecError as error:
            _note(str(error))
            failed = True
            continue
        for line in absent_inputs(spec):
            _note(f"warning: {file}: {line}")
        typer.echo(f"{file}: valid, {len(spec.arm_names)} arms, {len(spec.seeds)} seeds")
    raise typer.Exit(2 if failed else 0)


@app.command()
def plan(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Show runs and jobs, what is reused, and the time and disk still to spend."""
    from engine.estimate import estimate_plan
    from engine.load import load_spec
    from engine.plan import make_plan
    from engine.show import error_console, plan_table
    from store.queue import Queue

    place = _home(home, create=True)
    made = make_plan(load_spec(spec, overrides or (), overlays or ()), place)
    with Queue.open_readonly(place.queue_db) as queue:
        estimate = estimate_plan(made, place, queue.job_states())
    for line in made.missing:
        _note(f"warning: {line}")
    if as_json:
        from engine.check import plan_json

        _print_json(plan_json(made, estimate))
    else:
        error_console().print(plan_table(made, estimate))


@app.command()
def submit(
    spec: SpecFile,
    overrides: Overrides = None,
    overlays: Overlays = None,
    wait: Annotated[bool, typer.Option("--wait", help="show progress and end with the experiment's exit code")] = False,
    priority: Annotated[
        int | None, typer.Option(help="higher goes first; kept from the last submit if not given")
    ] = None,
    executor: Annotated[str, typer.Option(help="where jobs run: local")] = "local",
    no_start: Annotated[bool, typer.Option("--no-start", help="queue only; start no scheduler")] = False,
    home: HomeOption = None,
) -> None:
    """Queue what is missing and see that a scheduler runs. The same submit again does nothing twice."""
    from engine.load import load_spec
    from engine.plan import make_plan
    from engine.submit import submit_plan
    from engine.worker import start_detached

    _refuse_executor(executor)
    loaded = load_spec(spec, overrides or (), overlays or ())
    place = _home(home, create=True)
    done = submit_plan(make_plan(loaded, place), place, priority)
    _note(f"{done.name}: {done.new} jobs to do, {done.done} done already (submission {done.number})")
    for line in done.changes:
        _note(f"  {line}")
    if not no_start and done.new:
        start_detached(place)
    if wait:
        raise typer.Exit(_wait(place, done.name))
    if done.new:
        _note(f"watch it with `xp status {done.name} --watch`; report it with `xp report {done.name}`")


def _refuse_executor(executor: str) -> None:
    if executor != "local":
        fix = "use --executor local" if executor in ("slurm", "ray") else "choose local"
        raise XpError(f"jobs cannot run on {executor!r} yet", where="--executor", fix=fix)


def _wait(home: Home, experiment: str) -> int:
    from engine.show import error_console
    from engine.watch import wait_for

    try:
        return wait_for(home, experiment, error_console())
    except KeyboardInterrupt:
        _note(
            f"\nstill running; come back with `xp status {experiment} --watch`, stop it with `xp cancel {experiment}`"
        )
        return 130


@app.command()
def worker(
    slots: Annotated[
        int | None, typer.Option(min=1, help="how many jobs at once; default: one per GPU, else 1")
    ] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="end when nothing is left to do")] = False,
    home: HomeOption = None,
) -> None:
    """Be the scheduler, in the foreground."""
    from engine.worker import run_worker

    raise typer.Exit(run_worker(_home(home, create=True), slots=slots, until_idle=until_idle))


@app.command()
def status(
    experiment: Annotated[str | None, typer.Argument()] = None,
    watch: Annotated[bool, typer.Option("--watch", help="redraw until Ctrl-C")] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Counts by state, progress, time left, and failures with their reasons."""
    from engine.find import find_match
    from engine.show import error_console, status_table
    from engine.status import read_status

    place = _home(home)
    name = find_match(place, experiment).experiment if experiment else None
    if watch and not as_json:
        from engine.watch import watch_status

        watch_status(place, name, error_console())
    views = read_status(place, name)
    if as_json:
        _print_json({"experiments": [view.as_json() for view in views]})
    elif views:
        error_console().print(status_table(views))
    else:
        _note("nothing was submitted here yet: xp submit SPEC")


@app.command()
def logs(
    name: AnyId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on as lines come")] = False,
    home: HomeOption = None,
) -> None:
    """Print the log of a job's newest attempt, or of every job of a run or experiment."""
    from engine.find import find_match
    from engine.logs import follow_logs, read_logs

    place = _home(home)
    match = find_match(place, name)
    for line in follow_logs(place, match.jobs) if follow else read_logs(place, match.jobs):
        typer.echo(line)


@app.command()
def cancel(name: AnyId, home: HomeOption = None) -> None:
    """Stop what an id stands for; jobs that another experiment needs go on."""
    _order("cancel", name, home)


@app.command()
def retry(name: AnyId, home: HomeOption = None) -> None:
    """Give failed and cancelled jobs a fresh chance."""
    _order("retry", name, home)


def _order(verb: str, name: str, home: Path | None) -> None:
    from engine.find import find_match
    from engine.orders import give_order

    place = _home(home)
    jobs = give_order(place, verb, find_match(place, name))
    _note(f"{verb}: {len(jobs)} jobs" if jobs else f"{verb}: nothing to do")
    for job in jobs:
        typer.echo(job)


@app.command()
def why(name: AnyId, home: HomeOption = None) -> None:
    """Say what an id is made of, and why it ran or was reused."""
    from engine.find import find_match
    from engine.why import explain_job

    place = _home(home)
    for job in find_match(place, name).jobs:
        for line in explain_job(place, job):
            typer.echo(line)


@app.command()
def diff(one: AnyId, other: AnyId, home: HomeOption = None) -> None:
    """Show the settings in which two runs, or two jobs, differ."""
    from engine.find import find_match
    from engine.why import list_differences

    place = _home(home)
    for difference in list_differences(place, find_match(place, one), find_match(place, other)):
        typer.echo(f"{difference.path}: {difference.first!r} -> {difference.second!r}")


@app.command()
def sql(
    query: Annotated[str | None, typer.Argument(help="one read-only statement; from stdin when not given")] = None,
    style: Annotated[str, typer.Option("--format", help="table, csv, json, markdown or latex")] = "table",
    fresh: Annotated[bool, typer.Option("--fresh", help="take in what running jobs wrote first")] = False,
    home: HomeOption = None,
) -> None:
    """Ask the results anything, read-only: `xp sql "select arm, mean from cells where metric = 'test_top1'"`."""
    from engine.query import answer_query

    place = _home(home)
    text, note = answer_query(place, query if query is not None else sys.stdin.read(), style, fresh=fresh)
    typer.echo(text)
    if note:
        _note(note)


@app.command()
def report(
    name: Annotated[str, typer.Argument(help="an experiment")],
    style: Annotated[list[str] | None, typer.Option("--format", help="md or html; both by default")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="default: report/NAME")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="list what the report has no numbers for, and stop")
    ] = False,
    home: HomeOption = None,
) -> None:
    """Print the paper's tables and figures from the results."""
    from engine.collect import collect
    from engine.report import list_missing, make_report

    place = _home(home)
    collect(place, wait=60.0)
    if missing:
        for line in list_missing(place, name):
            typer.echo(line)
        return
    for path in make_report(place, name, tuple(style or ("md", "html")), out):
        typer.echo(str(path))


@app.command()
def rebuild(
    queue: Annotated[bool, typer.Option("--queue", help="make queue.db anew instead of the results")] = False,
    home: HomeOption = None,
) -> None:
    """Make the results anew from the job folders, which are the truth."""
    place = _home(home)
    if queue:
        from engine.worker import rebuild_queue

        _note(f"queue.db holds {rebuild_queue(place)} jobs again")
    else:
        from engine.collect import rebuild as rebuild_results

        _note(f"results.duckdb is new: {rebuild_results(place)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors that complete and check YAML."""
    from engine.spec import Spec

    _print_json(Spec.model_json_schema())


@app.command()
def doctor(as_json: AsJson = False, home: HomeOption = None) -> None:
    """Say what this machine and home have, and what is wrong with them; ends with 1 when something is."""
    from engine.doctor import examine

    findings = examine(_home(home, create=True))
    if as_json:
        _print_json([finding.as_json() for finding in findings])
    for finding in [] if as_json else findings:
        typer.echo(str(finding))
    raise typer.Exit(0 if all(finding.is_well for finding in findings) else 1)


def _home(home: Path | None, *, create: bool = False) -> Home:
    return open_home(home or _chosen["home"], create=create)


def _note(text: str) -> None:
    typer.echo(text, err=True)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=1, allow_nan=False))


def main() -> None:
    """Run the command line; expected errors print as `where: what` and `fix: ...`."""
    try:
        app()
    except XpError as error:
        _note(f"error: {error}" if not isinstance(error, SpecError) else str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe went away: nothing to say to anybody
        sys.stderr.close()
        sys.exit(0)


if __name__ == "__main__":
    main()
