"""`xp search`: searches by hand: asking for no more trials, or for more of them."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.base import HomeOption, app, find_home, say
from engine.cli.group import PlainGroup

search = typer.Typer(
    cls=PlainGroup, help="Stop or extend the search of an experiment.", no_args_is_help=True, add_completion=False
)
app.add_typer(search, name="search")
Searched = Annotated[str, typer.Argument(metavar="NAME", help="an experiment whose spec has `search:`")]


@search.callback()
def keep_group() -> None:
    """Stop or extend the search of an experiment."""


@search.command()
def stop(name: Searched, home: HomeOption = None) -> None:
    """Ask for no more trials; those that are open end, and the best is trained anew where the spec says so."""
    from engine.schedule.orders import stop_trials

    stop_trials(find_home(home), name)
    say(f"{name}: no more trials are asked for; `xp search extend {name} --trials N` goes on")


@search.command()
def extend(
    name: Searched,
    trials: Annotated[int, typer.Option(min=1, max=100_000, help="of each arm, those that were tried included")],
    home: HomeOption = None,
) -> None:
    """Go on with a search until each arm has so many trials, also with one that was stopped or is over."""
    from engine.schedule.orders import extend_trials

    extend_trials(find_home(home), name, trials)
    say(f"{name}: up to {trials} trials of each arm; `xp status {name}` says how far it is")
