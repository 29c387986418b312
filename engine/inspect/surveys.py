"""What a set of images is like: takes a folder or an archive, gives a report in lines. Loads no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from engine.core.data.sources import list_images
from engine.core.data.survey import Survey, survey_images
from engine.core.data.wordnet import class_title
from engine.inputs.folders import passed_over
from engine.inputs.forms import find_form
from engine.inputs.quotas import held_part
from engine.spec import Data

Watcher = Callable[[int, int], None]
MOST_SHOWN = 10  # broken files, groups of duplicates, images of a group


def survey_path(path: Path, progress: Watcher) -> Survey:
    """Look at every image of a folder, or of any form of a set. DataError when it holds no classes of images."""
    # Unchecked: no spec names this folder, and a name that none could hold is for the person to see.
    listing = list_images(Data.model_construct(source="folder", root=str(path)))
    found = survey_images(listing, progress)
    # A table, or a file of rows, has nothing beside its images.
    beside = {} if find_form(path) else passed_over(path.absolute(), len(listing.samples))
    return replace(found, passed_over=beside)


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
