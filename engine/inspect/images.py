"""Images before any training: takes a folder or a spec, gives a report in lines or a contact sheet as a PNG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL.Image import Image

from engine.core.data.pack import open_pack
from engine.core.data.preview import draw_sheet
from engine.core.data.sources import list_images
from engine.core.data.survey import Survey, survey_images
from engine.core.data.wordnet import class_title
from engine.errors import XpError
from engine.home.paths import Home
from engine.inputs.content import data_content
from engine.inputs.folders import passed_over
from engine.inputs.quotas import held_part
from engine.inputs.splits import split_pack
from engine.plan import make_plan
from engine.run.inputs import make_pack
from engine.spec import Data, Spec
from engine.spec.cells import expand_cells
from engine.spec.job_settings import PackSettings

Watcher = Callable[[int, int], None]
MOST_SHOWN = 10  # broken files, groups of duplicates, images of a group
MOST_VIEWS = 6
SHEET_SIDE = 160  # pixels a picture


def survey_path(path: Path, progress: Watcher) -> Survey:
    """Look at every image of a folder or archive. Raises DataError when it holds no classes of images."""
    # Unchecked: no spec names this folder, and a name that none could hold is for the person to see.
    listing = list_images(Data.model_construct(source="folder", root=str(path)))
    found = survey_images(listing, progress)
    return replace(found, passed_over=passed_over(path.absolute(), len(listing.samples)))


def survey_lines(survey: Survey) -> Iterator[str]:
    """Yield counts, sizes, modes, then what a person should look at: broken files and images that are there twice."""
    counts = list(survey.classes.values())
    yield f"{sum(counts)} images in {len(counts)} classes, {min(counts)} to {max(counts)} in one"
    for name, count in survey.classes.items():
        yield f"  {class_title(name)}: {count}"
    alike = _alike(survey.classes)
    if alike:
        yield f"class names that differ only in case: {', '.join(alike)}"
    if survey.parts:
        held = held_part(list(survey.parts))
        kept = f", test keeps {held} as the test part" if held else ""
        yield f"folders: {_listed(survey.parts)} (data.given: merge splits all again{kept})"
    for word, (least, median, most) in (("width", survey.widths), ("height", survey.heights)):
        yield f"{word}: {least} to {most} pixels, median {median}"
    yield f"files: {_listed(survey.suffixes)}; modes: {_listed(survey.modes)}; {survey.grey} look grey"
    if survey.passed_over:
        yield f"passed over: {_listed(survey.passed_over)}"
    yield from _shown("broken", survey.broken)
    yield from _shown("the same or nearly the same image", _groups(survey.duplicates))
    yield from _shown("the same image under different classes", _groups(survey.across))
    if survey.parts:
        yield from _shown("the same image in different folders of train, val, test", _groups(survey.astride))


def _alike(names: Iterable[str]) -> list[str]:
    """Return the names that a disk which does not tell cases apart would make one."""
    counts = Counter(name.casefold() for name in names)
    return [name for name in names if counts[name.casefold()] > 1]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {word}" for word, count in counts.items())


def _groups(groups: list[list[str]]) -> list[str]:
    return [" = ".join([*group[:MOST_SHOWN], *_rest(len(group) - MOST_SHOWN)]) for group in groups]


def _rest(count: int) -> list[str]:
    return [f"{count} more"] if count > 0 else []


def _shown(what: str, lines: list[str]) -> Iterator[str]:
    yield f"{what}: {len(lines)}"
    yield from (f"  {line}" for line in lines[:MOST_SHOWN])
    if len(lines) > MOST_SHOWN:
        yield f"  and {len(lines) - MOST_SHOWN} more"


def write_preview(home: Home, spec: Spec, out: Path, progress: Watcher, rows: int = 8) -> Path:
    """Draw the augmented views of `rows` training images that a student of `spec` will see; pack them if need be.

    They are those of the first arm at the first point of the matrix, as many views as data.views has. Raises XpError
    when `out` is no .png that can be written.
    """
    if out.suffix.lower() != ".png":
        raise XpError("the sheet is a PNG", where=str(out), fix="give it a name that ends in .png: -o sheet.png")
    data = next(expand_cells(spec)).settings.data
    jobs = make_plan(spec, home).jobs
    job, settings = next((job, job.settings) for job in jobs if isinstance(job.settings, PackSettings))
    if job.job is None:
        data_content(data, home.digests)  # says what is missing
    make_pack(home, settings, job.key, job.details.root, lambda phase, done, count: progress(done, count))
    pack = open_pack(home.pack(job.key))
    split = split_pack(pack, data)
    chosen = split.train[np.linspace(0, len(split.train) - 1, rows).astype(np.int64)]
    views = min(MOST_VIEWS, data.views or MOST_VIEWS)
    sheet = draw_sheet(pack, chosen, data, SHEET_SIDE, views, seed=spec.seeds[0], mixed_from=split.train)
    _save_sheet(sheet, out)
    return out


def _save_sheet(sheet: Image, out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, "PNG")
    except OSError as error:
        raise XpError(f"cannot write: {error.strerror}", where=str(out), fix="name another file with -o") from error
