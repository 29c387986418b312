"""A view that own code changes is a pure function of its view, seed and key: alike for student and teacher."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.data.augment import augment_views, changes_pixels
from engine.core.data.decoded_cache import open_decoded
from engine.core.data.loader import TrainLoader, render_rows
from engine.core.data.pack import Pack
from engine.core.own_code.views import change_views, seed_generator, view_problem
from engine.errors import JobError
from engine.spec import Augment, Data
from tests.core.data.conftest import make_folder as make_folder
from tests.core.data.conftest import photo_pack as photo_pack
from tests.core.own_code.broken import AUGMENTATION
from tests.core.own_code.trying import settle_text

NOISE = """
import torch

def Thing(image, generator):
    return image ^ torch.randint(256, image.shape, dtype=torch.uint8, generator=generator)
"""
SIZE, KEYS = 32, [f"{number:064x}" for number in range(12)]


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    places = list(sys.path)
    yield
    sys.path[:] = places
    sys.modules.pop("thing", None)


def own(tmp_path: Path, text: str = NOISE) -> Augment:
    return Augment(extra=settle_text(tmp_path, text), erasing=0.5)


def test_a_view_is_the_same_in_any_batch(tmp_path: Path) -> None:
    augment = own(tmp_path)
    assert changes_pixels(augment)
    images = torch.zeros(len(KEYS), 3, SIZE, SIZE, dtype=torch.uint8)
    whole = augment_views(images.clone(), KEYS, 3, 0, augment)
    for place in reversed(range(len(KEYS))):
        alone = augment_views(images[:1].clone(), [KEYS[place]], 3, 0, augment)
        assert torch.equal(alone[0], whole[place])
    others = [augment_views(images.clone(), KEYS, *words, augment) for words in ((4, 0), (3, 1))]
    assert not any(torch.equal(whole, other) for other in others)
    assert len({view.numpy().tobytes() for view in whole}) == len(KEYS)


@pytest.mark.parametrize("workers", [0, 2])
def test_teacher_and_student_see_the_same_bits(photo_pack: Pack, tmp_path: Path, workers: int) -> None:
    data = Data(source="digits", image_size=SIZE, views=2, workers=workers, augment=own(tmp_path))
    rows = np.arange(20)
    loader = TrainLoader(photo_pack, rows, data, SIZE, 8, seed=5, views=2)
    for epoch in (0, 1, 2):
        wanted = render_rows(photo_pack, rows, loader.view_of(epoch), 0, data.augment, SIZE)
        for batch in loader.epoch(epoch):
            assert torch.equal(batch.images, wanted[batch.rows])


def test_auto_keeps_images_on_the_host_for_it(photo_pack: Pack) -> None:
    """No GPU is asked: it would have to give each view back."""
    data = Data(source="digits", augment=Augment(extra="thing:Thing"))
    assert open_decoded(photo_pack, data, torch.device("cuda")).cache == "raw"


def test_it_leaves_the_random_numbers_of_others_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    augment_views(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), KEYS[:2], 0, 0, own(tmp_path))
    assert torch.equal(before, torch.get_rng_state())


def test_its_seed_is_all_that_decides(tmp_path: Path) -> None:
    images = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    given = change_views(images.clone(), [2**53 - 1], settle_text(tmp_path, NOISE), {})
    drawn = torch.randint(256, (3, 4, 4), dtype=torch.uint8, generator=seed_generator(2**53 - 1))
    assert torch.equal(given[0], drawn)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("image[:1]", "the shape (1, 4, 4)"),
        ("image.float()", "it gives torch.float32"),
        ("None", "it gives a NoneType"),
    ],
)
def test_what_is_no_view_stops_the_job(tmp_path: Path, answer: str, says: str) -> None:
    settled = settle_text(tmp_path, AUGMENTATION.replace("return image", f"return {answer}"))
    with pytest.raises(JobError) as caught:
        change_views(torch.zeros(1, 3, 4, 4, dtype=torch.uint8), [1], settled, {})
    assert says in str(caught.value)


def test_a_view_has_no_problem() -> None:
    assert view_problem(Tensor(torch.zeros(3, 4, 4, dtype=torch.uint8)), 4) is None
