"""Commands about what is here: ls, history, tag, note."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import completion
from engine.cli.base import AsJson, ExperimentName, HomeOption, app, find_home, print_json, say, tell, tell_table
from engine.errors import XpError
from store.amounts import counted

if TYPE_CHECKING:
    from engine.home.notes import Notes
    from engine.inspect.history import CellResult, SubmissionLine
    from engine.inspect.listing import ExperimentLine, JobLine, RunLine


@app.command("ls")
def list_home(
    name: Annotated[
        str | None,
        typer.Argument(metavar="EXPERIMENT", help="one, to see its runs", autocompletion=completion.experiments),
    ] = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="of one experiment: its jobs")] = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="of `results`, or what runs logged; repeatable",
            autocompletion=completion.metrics,
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="only experiments that have it")] = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """What is here: experiments; of one, its runs with state and metrics, or its jobs."""
    place = find_home(home)
    _check_words(name, jobs=jobs, metric=metric, tag=tag)
    if name is None:
        from engine.inspect.listing import list_experiments

        _show_experiments(list_experiments(place, tag), as_json=as_json)
    elif jobs:
        from engine.inspect.listing import list_job_lines

        _show_jobs(list_job_lines(place, name), as_json=as_json)
    else:
        from engine.cli.base import find_fresh
        from engine.inspect.listing import list_run_lines

        _show_runs(list_run_lines(find_fresh(home), name, metric), as_json=as_json)


def _check_words(name: str | None, *, jobs: bool, metric: list[str] | None, tag: str | None) -> None:
    if name is None and (jobs or metric):
        raise XpError("--jobs and --metric are of one experiment", where="xp ls", fix="xp ls EXPERIMENT --jobs")
    if name is not None and tag is not None:
        raise XpError("--tag chooses among experiments", where="xp ls", fix="xp ls --tag TAG")
    if jobs and metric:
        raise XpError("jobs have no metrics of their own", where="xp ls", fix="leave --jobs or --metric away")


def _show_experiments(lines: Sequence[ExperimentLine], *, as_json: bool) -> None:
    if as_json:
        print_json([line.as_json() for line in lines])
    elif not lines:
        say("nothing was submitted here yet: xp submit SPEC")
    else:
        rows = [
            (line.name, time_text(line.submitted_at), str(line.submissions), _counts(line.runs), _about(line))
            for line in lines
        ]
        tell_table(("experiment", "submitted", "times", "runs", "about"), rows)


def _about(line: ExperimentLine) -> str:
    trial = [f"trial of {line.trial_of}"] if line.trial_of else []
    tags = [f"[{', '.join(line.notes.tags)}]"] if line.notes.tags else []
    note = [line.notes.note.splitlines()[0]] if line.notes.note.strip() else []
    return "; ".join((*trial, *tags, *(note or [line.title]))).replace("]; ", "] ")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "none queued"


def _show_runs(lines: Sequence[RunLine], *, as_json: bool) -> None:
    if as_json:
        print_json([line.as_json() for line in lines])
        return
    metrics = list(lines[0].figures) if lines else []
    rows = [
        (
            line.arm,
            line.cell,
            str(line.seed),
            line.state,
            *(number_text(line.figures[one]) for one in metrics),
            line.run,
        )
        for line in lines
    ]
    tell_table(("arm", "cell", "seed", "state", *metrics, "run"), rows)


def _show_jobs(lines: Sequence[JobLine], *, as_json: bool) -> None:
    if as_json:
        print_json([line.as_json() for line in lines])
        return
    rows = [(line.title, line.state, str(line.attempts), f"{line.seconds:.1f}", line.job) for line in lines]
    tell_table(("job", "state", "attempts", "seconds", "id"), rows)


@app.command()
def history(
    name: ExperimentName,
    metric: Annotated[
        str,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="what jobs log, such as test_top1 or val_loss",
            autocompletion=completion.metrics,
        ),
    ] = "test_top1",
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """The submissions of an experiment: when each was made, what changed, and the results of its runs.

    Results are those of the jobs that a submission asked for; what was removed since is missing from them.
    """
    from engine.cli.base import find_fresh
    from engine.inspect.history import read_history

    lines = read_history(find_fresh(home), name, metric)
    if as_json:
        print_json([line.as_json() for line in lines])
        return
    for line in lines:
        for text in _submission_text(line, metric):
            tell(text)
    if any(line.unseen for line in lines):
        say(f"nobody may choose trials by test images: xp history {name} --metric val_top1 has what decides")


def _submission_text(line: SubmissionLine, metric: str) -> list[str]:
    if line.damage:
        return [f"{line.number}  {line.damage}"]
    head = f"{line.number}  {time_text(line.at)}  {line.runs} runs"
    changes = [f"  {text}" for text in (*line.settings, *line.changes)]
    count = counted(line.unseen, "trial")
    unseen = [f"  {metric} of {count}: left out"] if line.unseen else []
    return [head, *changes, *(f"  {metric} {_result_text(one)}" for one in line.results), *unseen]


def _result_text(one: CellResult) -> str:
    place = one.arm if one.cell == "default" else f"{one.arm}, {one.cell}"
    spread = "" if one.std is None else f", std {one.std:.4g}"
    count = f"{one.n} of {one.runs} runs" if one.n < one.runs else counted(one.runs, "run")
    return f"{place}: {number_text(one.mean)}{spread} ({count})"


@app.command()
def tag(
    name: ExperimentName,
    tags: Annotated[list[str] | None, typer.Argument(metavar="TAG", help="to add")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", metavar="TAG", help="to take away")] = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Show the tags of an experiment, add some, or take some away. They are no part of any id."""
    from engine.home.notes import change_tags, read_notes
    from engine.schedule.lookup import list_runs

    place = find_home(home)
    list_runs(place, name)
    changed = bool(tags or remove)
    notes = change_tags(place, name, tags or (), remove or ()) if changed else read_notes(place, name)
    _show_notes(notes, " ".join(notes.tags), "no tags", as_json=as_json)


@app.command()
def note(
    name: ExperimentName,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="the new note")] = None,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    """Show the note of an experiment, or put a text in its place ("" for none)."""
    from engine.home.notes import read_notes, write_note
    from engine.schedule.lookup import list_runs

    place = find_home(home)
    list_runs(place, name)
    notes = read_notes(place, name) if text is None else write_note(place, name, text)
    _show_notes(notes, notes.note, "no note", as_json=as_json)


def _show_notes(notes: Notes, text: str, none: str, *, as_json: bool) -> None:
    if as_json:
        print_json(notes.model_dump(mode="json"))
    elif text:
        tell(text)
    else:
        say(none)


def number_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def time_text(at: float | None) -> str:
    """Return the minute, by the clock of this machine."""
    return "-" if at is None else datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
