"""Whatever form a set comes in, its images, classes, parts and digests are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.core.data.sources import list_images
from engine.errors import DataError
from engine.inputs.content import data_content, data_counts, named_images
from engine.inputs.forms import find_form, list_form
from engine.spec import Data
from tests.inputs.forms.making import (
    Photo,
    draw_photos,
    write_folder,
    write_parquet,
    write_shards,
    write_table,
    write_tar,
    write_zip,
)

Writer = Callable[[Iterable[Photo], Path], Path]
WRITERS: dict[str, Writer] = {
    "zip": write_zip,
    "tar.gz": write_tar,
    "table": write_table,
    "parquet": write_parquet,
    "shards": write_shards,
}


def told(root: Path, cache: Path) -> list[object]:
    """All that a spec, a split and a pack can know of a set."""
    data = Data(source="folder", root=str(root))
    content, listing = data_content(data, cache), list_images(data)
    samples = [(sample.label, sample.key, sample.part, sample.origin) for sample in listing.samples]
    pixels = [listing.read(index).tobytes() for index in range(len(samples))]
    names = sorted(named_images(data, cache))
    return [content.digest, listing.digest, content.class_names, content.counts, dict(content.origins), samples, pixels,
            names, data_counts(data)]  # fmt: skip


@pytest.fixture(scope="module")
def folder_told(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    place = tmp_path_factory.mktemp("folder")
    return told(write_folder(draw_photos(), place / "set"), place / "digests.json")


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_images_are_the_same_set(tmp_path: Path, folder_told: list[object], form: str) -> None:
    root = WRITERS[form](draw_photos(), tmp_path / "set")
    assert told(root, tmp_path / "digests.json") == folder_told
    assert find_form(root) == (form if form in ("table", "parquet", "shards") else None)


@pytest.mark.parametrize("form", ["table", "parquet", "shards"])
def test_a_spec_names_classes_and_keeps_the_test_part(tmp_path: Path, form: str) -> None:
    root = WRITERS[form](draw_photos(), tmp_path / "set")
    data = Data(source="folder", root=str(root), classes=["cat", "ant"], given="test")
    content = data_content(data, tmp_path / "digests.json")
    assert (content.class_names, content.counts, content.held) == (("cat", "ant"), (6, 6), (3, 3))


def test_an_unknown_class_is_told_the_nearest(tmp_path: Path) -> None:
    root = write_table(draw_photos(), tmp_path / "set")
    with pytest.raises(DataError, match=r"there is no class 'cow'\nfix: .*cat"):
        list_form(root, ["cow", "ant"])


def test_a_label_is_for_sets_that_are_no_folders(tmp_path: Path) -> None:
    root = write_folder(draw_photos(), tmp_path / "set")
    with pytest.raises(DataError, match=r"data\.label is 'family', and the classes here are folders\nfix: leave"):
        list_form(root, label="family")
    table = write_table(draw_photos(), tmp_path / "table")
    assert list_form(table, label="family")[1] == ("of a", "of b", "of c")
