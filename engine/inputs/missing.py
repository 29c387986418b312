"""What a spec asks for that is not here: takes a Spec, gives a line for each thing that is missing, with its fix.

A teacher that will not see what its weights were trained on misses something, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import DataError
from engine.inputs.boxes import match_boxes, resolve_boxes
from engine.inputs.content import data_images
from engine.inputs.looks import spec_look_warnings
from engine.inputs.weights import stored_shapes
from engine.spec import Data, Spec, weights_file
from engine.spec.cells import expand_cells

IMAGE_WORDS = {"source", "root", "classes", "given"}  # which images there are; the rest is what is made of them
BOX_WORDS = {*IMAGE_WORDS, "boxes"}


def absent_inputs(spec: Spec) -> list[str]:
    """Return a line for every folder, file and variable that the spec names and this machine lacks or cannot use.

    And for every teacher that would look in another way than its weights were trained to.
    """
    cells = [cell.settings for cell in expand_cells(spec)]
    images = {settings.data.model_dump_json(include=IMAGE_WORDS): settings.data for settings in cells}
    boxes = {settings.data.model_dump_json(include=BOX_WORDS): settings.data for settings in cells}
    weights = {(path, network.weights): None for settings in cells for path, network in settings.networks}
    lines = [line for data in images.values() for line in _absent_data(data)]
    lines += [line for data in boxes.values() for line in _absent_boxes(data)]
    lines += [line for path, file in weights for line in _absent_weights(path, file)]
    return [*dict.fromkeys(lines), *spec_look_warnings(spec)]


def _absent_data(data: Data) -> list[str]:
    if not data.has_root:
        return []
    try:
        data_images(data)
    except DataError as error:
        return [str(error).replace("\nfix: ", "; fix: ")]
    return []


def _absent_boxes(data: Data) -> Iterator[str]:
    """Yield what is wrong with boxes; whether they are of these images is asked where those are here."""
    if data.boxes is None:
        return
    try:
        resolve_boxes(data)
        if not _absent_data(data):
            match_boxes(data)
    except DataError as error:
        yield str(error).replace("\nfix: ", "; fix: ")


def _absent_weights(path: str, weights: str) -> Iterator[str]:
    """Yield what is wrong with a weights file as far as it can be told without the images."""
    file = weights_file(weights)
    if file is not None and not file.is_file():
        yield f"{path}.weights: there is no weights file {file}; fix: bring it here, or change weights"
    elif file is not None:
        try:
            stored_shapes(file)
        except DataError as error:
            yield f"{path}.weights: {error}".replace("\nfix: ", "; fix: ")
