"""What a spec asks for that is not here: takes a Spec, gives a line for each thing that is missing, with its fix.

A teacher that will not see what its weights were trained on misses something, too, and so does a batch that is larger
than the images are many.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from engine.errors import DataError
from engine.inputs.content import data_counts
from engine.inputs.hub import hub_warnings
from engine.inputs.looks import spec_look_warnings
from engine.inputs.quotas import Counted, Counts, count_part
from engine.inputs.weights import stored_shapes
from engine.spec import Data, Spec, weights_file
from engine.spec.cells import Cell, expand_cells
from engine.spec.own_code import names_code

IMAGE_WORDS = {"source", "root", "classes", "given"}  # which images there are; the rest is what is made of them
BOX_WORDS = {*IMAGE_WORDS, "boxes"}
MOST_ARMS = 4  # that a line names


def absent_inputs(spec: Spec) -> list[str]:
    """Return a line for every folder, file and variable that the spec names and this machine lacks or cannot use.

    And for every teacher that would look in another way than its weights were trained to, and every batch that is
    larger than the training part.
    """
    all_cells = list(expand_cells(spec))
    weights = {(path, network.weights): None for cell in all_cells for path, network in cell.settings.networks}
    # What a source of somebody's own gives is known once it was planned with.
    cells = [cell for cell in all_cells if not names_code(cell.settings.data.source)]
    images = {_images_key(cell.settings.data): cell.settings.data for cell in cells}
    counts = {key: _count(data) for key, data in images.items()}
    lines = [found for found in counts.values() if isinstance(found, str)]
    boxes = {cell.settings.data.model_dump_json(include=BOX_WORDS): cell.settings.data for cell in cells}
    for data in boxes.values():
        lines += _absent_boxes(data, are_images_here=not isinstance(counts[_images_key(data)], str))
    lines += [line for path, file in weights for line in _absent_weights(path, file)]
    lines += [*spec_look_warnings(spec), *(line for cell in all_cells for line in hub_warnings(cell.settings))]
    known = [(cell, counts[_images_key(cell.settings.data)]) for cell in cells]
    lines += batch_doubts((cell, found) for cell, found in known if not isinstance(found, str))
    return list(dict.fromkeys(lines))


def names_weights(spec: Spec) -> bool:
    """Whether a spec names weights that are here or another run: of them it may be known what they have seen."""
    cells = [cell.settings for cell in expand_cells(spec)]
    files = (weights_file(network.weights) for settings in cells for _, network in settings.networks)
    runs = (teacher.run for settings in cells for _, teacher in settings.teachers)
    return any(file is not None and file.is_file() for file in files) or any(runs)


def _images_key(data: Data) -> str:
    return data.model_dump_json(include=IMAGE_WORDS)


def _count(data: Data) -> Counts | str:
    """Return how many images there are, or why they cannot be used."""
    try:
        return data_counts(data)
    except DataError as error:
        return str(error).replace("\nfix: ", "; fix: ")


def batch_doubts(cells: Iterable[tuple[Cell, Counted]]) -> Iterator[str]:
    """Yield a line for each batch that is larger than the training part of its cell, with the arms that have it."""
    arms: dict[tuple[str, int, int], dict[str, None]] = {}
    for cell, found in cells:
        images = count_part(found, cell.settings.data, "train")
        for path, train in cell.settings.trainings:
            if train.batch_size > images:
                arms.setdefault((path, train.batch_size, images), {})[cell.arm] = None
    for (path, batch, images), names in arms.items():
        fix = f"set it to {images} at most; an epoch is one step as it stands"
        what = f"{batch} is more than the {images} images of the training part"
        yield f"{path}.batch_size ({_name_arms(list(names))}): {what}\nfix: {fix}"


def _name_arms(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_ARMS} more" if len(names) > MOST_ARMS else ""
    return f"arm{'s' if len(names) > 1 else ''} {', '.join(names[:MOST_ARMS])}{more}"


def _absent_boxes(data: Data, *, are_images_here: bool) -> Iterator[str]:
    """Yield what is wrong with boxes; whether they are of these images is asked where those are here."""
    if data.boxes is None:
        return
    # Only now: their readers take time to import, and hardly a spec has boxes.
    from engine.inputs.boxes import match_boxes, resolve_boxes

    try:
        resolve_boxes(data)
        if are_images_here:
            match_boxes(data)
    except DataError as error:
        yield str(error).replace("\nfix: ", "; fix: ")


def _absent_weights(path: str, weights: str) -> Iterator[str]:
    """Yield what is wrong with a weights file as far as it can be told without the images."""
    file = weights_file(weights)
    if file is not None and not file.is_file():
        yield f"{path}.weights: there is no weights file {os.path.abspath(file)}; fix: bring it here, or change weights"
    elif file is not None:
        try:
            stored_shapes(file)
        except DataError as error:
            yield f"{path}.weights: {error}".replace("\nfix: ", "; fix: ")
