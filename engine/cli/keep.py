"""Commands of housekeeping: du, rm, gc, undo."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.base import AsJson, HomeOption, app, find_home, help_text, print_json, say, tell
from engine.errors import XpError
from engine.home.paths import Home

if TYPE_CHECKING:
    from engine.schedule.keep.remove import Outlook
    from engine.schedule.keep.sweep import Swept
    from engine.schedule.keep.usage import Use

DU_HELP = help_text(
    """What this home and its cache take of the disk, by experiment and kind, each file once.

    What several experiments use stands in the row (shared).""",
    ("xp du", "xp du --json"),
    "0",
)
RM_HELP = help_text(
    """Remove an experiment, or an arm, with the jobs that only it needs. `xp undo` brings it back for a day.

    What runs for it alone is stopped first. An arm goes as one more submission without its runs.""",
    ("xp rm trial --dry-run", "xp rm trial --yes", "xp rm quickstart/sparse"),
    "0; 1 where a person said no; 2 where there is no such thing, or frozen numbers or an archive rest on it",
)
GC_HELP = help_text(
    """Take what nothing needs: checkpoints of done jobs, jobs that no experiment has, unused packs and targets.

    Kept is what the newest submission of each experiment, frozen numbers, an archive or a running job needs, and what
    it was made from. What goes lies in the trash for a day (`xp undo`); the next `xp gc` after that deletes it.""",
    ("xp gc --dry-run", "xp gc --older 30d", "xp gc --history --keep-checkpoints 1", "xp gc --empty-trash"),
    "0, or with 2 where a damaged file hides what is needed: then nothing goes",
)
UNDO_HELP = help_text(
    """Bring back what `xp rm` or `xp gc` took last, or what the removal of this id took.""",
    ("xp undo --list", "xp undo", "xp undo 3f9c"),
    "0; 1 where something could not come back, as another has its name by now; 2 where there is nothing to bring back",
)
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would go, and change nothing")]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604_800}


@app.command(help=DU_HELP)
def du(as_json: AsJson = False, home: HomeOption = None) -> None:
    from engine.schedule.keep.usage import disk_use

    place = find_home(home)
    rows = disk_use(place)
    if as_json:
        print_json({"rows": [row.as_json() for row in rows], "bytes": sum(row.bytes for row in rows)})
        return
    _tell_use(rows)
    if not place.owns_cache:
        say(f"the cache {place.cache} is outside of this home: what other homes have in it is counted too")


def _tell_use(rows: list[Use]) -> None:
    from engine.inspect.progress_text import size_text
    from engine.schedule.keep.usage import KINDS

    heads = ("", *KINDS, "all", "uses of shared")
    cells = [
        (row.name, *(size_text(row.kinds[kind]) if row.kinds[kind] else "-" for kind in KINDS), size_text(row.bytes),
         size_text(row.shared) if row.shared else "-")
        for row in rows
    ]  # fmt: skip
    sums = [sum(row.kinds[kind] for row in rows) for kind in KINDS]
    cells.append(("together", *map(size_text, sums), size_text(sum(sums)), ""))
    widths = [max(len(line[at]) for line in (heads, *cells)) for at in range(len(heads))]
    for first, *others in (heads, *cells):
        right = "  ".join(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        tell(f"{first.ljust(widths[0])}  {right}".rstrip())


@app.command(help=RM_HELP)
def rm(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT[/ARM]", help="what is to go")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    dry_run: DryRun = False,
    pinned: Annotated[
        bool, typer.Option("--pinned", help="also where frozen numbers or an archive rest on it")
    ] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    from engine.schedule.keep.remove import check_pins, look, remove

    place = find_home(home)
    found = look(place, name)
    if not as_json:
        _tell_outlook(found)
    if dry_run:
        _say_pins(found)
        _maybe_json({**found.as_json(), "removal": None}, as_json=as_json)
        return
    check_pins(found, pinned=pinned)
    if not yes:
        _ask(f"remove {found.target.name}?", f"xp rm {name} --yes")
    found, removal = remove(place, name, pinned=pinned)
    _collect(place)
    _maybe_json({**found.as_json(), "removal": removal.id}, as_json=as_json)
    say(f"removed {found.target.name}; `xp undo {removal.id}` brings it back for a day")


def _tell_outlook(found: Outlook) -> None:
    from engine.inspect.progress_text import size_text

    what = "arm" if found.target.arm else "experiment"
    tell(f"{what} {found.target.name}: {found.jobs} jobs that only it needs go, {size_text(found.bytes)} in all")
    if found.stay:
        tell(f"  {len(found.stay)} of its jobs stay: something else needs them")
    if found.running:
        tell(f"  {len(found.running)} of its jobs run now; those that nothing else wants are stopped")


def _say_pins(found: Outlook) -> None:
    for pin in found.pins:
        say(f"{pin} rests on it: it goes only with --pinned")


def _is_asked() -> bool:
    """Whether somebody sits there who could answer."""
    return sys.stdin.isatty()


def _ask(question: str, otherwise: str) -> None:
    if not _is_asked():
        raise XpError("nobody is there to be asked", where="xp rm", fix=otherwise)
    if not typer.confirm(question, err=True):
        raise typer.Exit(1)


@app.command("gc", help=GC_HELP)
def collect_garbage(
    dry_run: DryRun = False,
    keep_checkpoints: Annotated[
        int, typer.Option(min=0, max=1000, metavar="N", help="of each done job, the newest that stay")
    ] = 0,
    older: Annotated[
        str | None, typer.Option(metavar="TIME", help="only what nobody changed for so long: 12h, 30d, 8w")
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="jobs of earlier submissions stay")] = False,
    shared_cache: Annotated[
        bool, typer.Option("--shared-cache", help="also of a cache outside of the home (XP_CACHE)")
    ] = False,
    empty_trash: Annotated[
        bool, typer.Option("--empty-trash", help="delete for good, also what this gc takes: no undo")
    ] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    from engine.schedule.keep.choose import Wish
    from engine.schedule.keep.sweep import empty, sweep

    wish = Wish(keep_checkpoints, read_seconds(older) if older else 0.0, history, shared_cache)
    place = find_home(home)
    swept = sweep(place, wish, dry_run=dry_run)
    purged = swept.purged + (empty(place) if empty_trash and not dry_run else 0)
    if any(entry.kind == "job" for entry in swept.entries) and not dry_run:
        _collect(place)
    if as_json:
        print_json({**swept.as_json(), "purged": purged})
    else:
        _tell_swept(swept, purged, dry_run=dry_run, is_final=empty_trash)
    for line in swept.notes:
        say(line)


def _tell_swept(swept: Swept, purged: int, *, dry_run: bool, is_final: bool) -> None:
    from engine.inspect.progress_text import size_text

    for kind, number, size in swept.counts():
        tell(f"{kind}: {number:,}, {size_text(size)}")
    verb = "would go" if dry_run else "deleted" if is_final else "moved to the trash"
    tell(f"{size_text(swept.bytes)} {verb}" if swept.entries else "nothing is there that nothing needs")
    if purged:
        tell(f"{size_text(purged)} of the trash deleted for good")
    if swept.removal and not is_final:
        say(f"`xp undo {swept.removal}` brings it back for a day; the next `xp gc` after that deletes it")


def read_seconds(text: str) -> float:
    """Return the seconds of `12h`. Raises XpError for what is no time."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    if found is None:
        raise XpError(f"{text!r} is no time", where="--older", fix="write a number and s, m, h, d or w, such as 30d")
    return float(found[1]) * SECONDS[found[2]]


@app.command(help=UNDO_HELP)
def undo(
    removal: Annotated[str | None, typer.Argument(metavar="ID", help="a removal, or the beginning of one")] = None,
    listing: Annotated[bool, typer.Option("--list", help="what lies in the trash")] = False,
    as_json: AsJson = False,
    home: HomeOption = None,
) -> None:
    from engine.schedule.keep import undo as room

    place = find_home(home)
    if listing:
        _tell_removals(place, as_json=as_json)
        return
    found = room.undo(place, removal)
    _collect(place)
    about = {"removal": found.removal.id, "back": found.back, "left": list(found.left), "notes": list(found.notes)}
    _maybe_json(about, as_json=as_json)
    for line in (*found.notes, *(f"stays in the trash, as another has its name: {path}" for path in found.left)):
        say(line)
    say(f"{found.removal.command}: {found.back:,} things are back" + _next_step(found.removal.experiments))
    raise typer.Exit(1 if found.left or found.notes else 0)


def _next_step(experiments: tuple[str, ...]) -> str:
    return f"; `xp retry {experiments[0]}` goes on with what was not done" if experiments else ""


def _tell_removals(home: Home, *, as_json: bool) -> None:
    from engine.inspect.progress_text import clock_text, size_text
    from engine.schedule.keep.trash import list_removals

    found = list_removals(home)
    if as_json:
        print_json([{**one.model_dump(mode="json"), "bytes": one.bytes} for one in found])
        return
    for one in found:
        ago = clock_text(max(0.0, time.time() - one.at))
        tell(f"{one.id}  {one.command}, {ago} ago: {len(one.entries):,} things, {size_text(one.bytes)}")
    if not found:
        say("the trash is empty")


def _collect(home: Home) -> None:
    """Let the results forget, or know again, what went or came back."""
    from engine.collect import collect

    collect(home, wait=60.0)


def _maybe_json(value: object, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
