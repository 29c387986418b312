"""`xp targets`: whether cached answers of a teacher are still what it says."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.base import AnyId, HomeOption, app, find_home, say, tell
from engine.cli.group import PlainGroup

targets = typer.Typer(
    cls=PlainGroup, help="Look after cached teacher targets.", no_args_is_help=True, add_completion=False
)
app.add_typer(targets, name="targets")


@targets.callback()
def keep_group() -> None:
    """Look after cached teacher targets."""


@targets.command()
def verify(
    name: AnyId,
    samples: Annotated[int, typer.Option(min=1, help="how many images to ask the teacher about, at least")] = 256,
    seed: Annotated[int | None, typer.Option(help="draws the same sample again")] = None,
    home: HomeOption = None,
) -> None:
    """Ask the teacher again about a random sample and compare; ends with 0 when all is right, else 1.

    What is not made yet, or failed, is named and left out.
    """
    from engine.errors import QueryError, XpError
    from engine.schedule.lookup import find_match
    from engine.spec.job_kinds import kind_in_id
    from engine.spec.job_settings import TargetsSettings

    place = find_home(home)
    kinds = {job: kind_in_id(job) for job in find_match(place, name).jobs}
    jobs = [job for job, kind in kinds.items() if kind is not None and kind.settings is TargetsSettings]
    if not jobs:
        raise XpError(f"{name} has no targets", fix="name an experiment with a teacher, or a targets job: xp status")
    made = [job for job in jobs if place.job(job).result.exists()]
    if not made:
        raise QueryError(
            f"no targets of {name} are made yet", fix="xp status says how far they are, and why one failed"
        )
    # Only now: it loads torch, and a name that is wrong is told at once.
    from engine.verify.targets import verify_targets

    verdicts = [verify_targets(place, job, samples, seed) for job in made]
    for verdict in verdicts:
        tell("\n".join(verdict.lines()))
    for job in sorted({*jobs} - {*made}):
        say(f"{job}: not made yet, so nothing to compare")
    wrong = [verdict.job for verdict in verdicts if not verdict.is_right]
    say(f"{len(made) - len(wrong)} of {len(made)} are right" + (f"; wrong: {', '.join(wrong)}" if wrong else ""))
    if wrong:
        folder = place.targets(wrong[0]).parent
        say(f"fix: remove their folders in {folder}: the next job that needs them makes them again")
    raise typer.Exit(1 if wrong else 0)
