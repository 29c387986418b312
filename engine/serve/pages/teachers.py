"""Teachers: takes a home, gives the experiments that have some, and what the report says of those of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import closest_hint
from engine.serve.drawings import Picture, list_pictures
from engine.serve.readings import SOON, Look, look, look_now
from engine.serve.view import Asked, Trouble, View

if TYPE_CHECKING:
    from engine.report.teachers import TeacherSection


@dataclass(frozen=True)
class Taught:
    """An experiment with teachers: their networks, and how many targets there are of them."""

    experiment: str
    title: str
    networks: str
    targets: int


@dataclass(frozen=True)
class Teachers:
    """The page. `section` is None while it is read, and where nothing was examined (`is_read`)."""

    experiments: Sequence[Taught]
    chosen: str
    section: TeacherSection | None
    pictures: Sequence[Picture]
    is_read: bool
    again: float | None
    part: str


def show_teachers(asked: Asked) -> View:
    """Return the page with the experiment that was asked for, else with the newest."""
    with asked.site.snapshot() as snapshot:
        rows = snapshot.ask("serve_taught") if snapshot else []
        known = [row["experiment"] for row in snapshot.ask("claims_experiments")] if snapshot else []
    taught = [
        Taught(row["experiment"], row["title"] or row["experiment"], row["networks"], row["targets"]) for row in rows
    ]
    wanted, part = asked.word("experiment"), asked.word("part")
    if wanted and wanted not in known:
        fix = closest_hint(wanted, known) if known else "submit one: xp submit SPEC"
        return View("trouble", "Not here", Trouble(f"there is no experiment {wanted!r} in the results", "", fix), 404)
    chosen = wanted or next((one.experiment for one in taught), "")
    found = _look(asked, chosen, part) if chosen else Look(None, None)
    reading = found.reading
    section = reading.page.teachers if reading else None
    pictures = list_pictures(reading, "teachers") if reading else []
    return View("teachers", "Teachers", Teachers(taught, chosen, section, pictures, bool(reading), found.again, part))


def _look(asked: Asked, name: str, part: str) -> Look:
    return look(asked.site, name) if part == "section" else look_now(asked.site, name) if not part else Look(None, SOON)
