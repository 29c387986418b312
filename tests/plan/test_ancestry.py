"""A test image that any ancestor of a network has learnt is refused with the chain; look-alikes are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.core.data.sources import list_images
from engine.home.paths import open_home
from engine.inputs.leaks import LeakError
from engine.inputs.splits import make_split
from engine.spec import Data
from tests.helpers.trained import NETWORK, Trainer

OTHER = ("name=second", "data.split=20/10/70", "data.split_seed=5")
CLASSES = ("n01440764", "n02102040", "n03028079", "n03394916")


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path, open_home(tmp_path / "home", create=True))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 4 classes with 20 images each, all different."""
    drawn = np.random.default_rng(0)
    for name in CLASSES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = drawn.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


def folder_of(root: Path) -> tuple[str, ...]:
    return ("data.source=folder", f"data.root={root}")


def taught_by(file: Path) -> str:
    return f"teacher={{{NETWORK}, weights: {file}}}"


def begun_from(file: Path) -> str:
    return f"student.weights={file}"


# The leak -------------------------------------------------------------------------------------------------------------


def as_student(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return (*OTHER, begun_from(file))


def as_teacher(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return (*OTHER, taught_by(file))


def as_assistant(trainer: Trainer, file: Path) -> tuple[str, ...]:
    helper = f"{{{NETWORK}, weights: {file}, train: {{epochs: 1}}}}"
    return (*OTHER, f"teacher={{{NETWORK}, train: {{epochs: 1, batch_size: 64}}, assistants: [{helper}]}}")


def as_reference(trainer: Trainer, file: Path) -> tuple[str, ...]:
    reference = f"{{match: entropy, reference: {{{NETWORK}, weights: {file}}}}}"
    return (*OTHER, f"teacher={{{NETWORK}, train: {{epochs: 1}}}}", f"distill.temperature={reference}")


def as_probed_teacher(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return (*OTHER, f"teacher={{{NETWORK}, weights: {file}, head: probe}}")


def as_prune_parent(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return (*OTHER, begun_from(file), "prune={ratio: 0.2, recover_epochs: 1}")


def under_another_name(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return (*OTHER, begun_from(trainer.copy(file)))


def under_another_seed(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return ("name=second", "data.split_seed=3", begun_from(file))


def under_a_nested_split(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return ("name=second", "data.split=60/20/20", "data.split_seed=4", "data.nested=true", begun_from(file))


def by_the_header_alone(trainer: Trainer, file: Path) -> tuple[str, ...]:
    """The home that trained it is gone."""
    carried = trainer.copy(file)
    shutil.rmtree(trainer.home.jobs_root)
    return (*OTHER, begun_from(carried))


WAYS = {
    "student.weights": as_student,
    "teacher.weights": as_teacher,
    "teacher.assistants.0.weights": as_assistant,
    "distill.temperature.reference.weights": as_reference,
    "teacher.weights <- ": as_probed_teacher,
    "student.weights <- ": as_prune_parent,
    "student.weights <- carried": under_another_name,
    "student.weights <- weights": under_another_seed,
    "student.weights <- weights.safetensors": under_a_nested_split,
    "student.weights <- carried.safetensors (": by_the_header_alone,
}


@pytest.mark.parametrize("begins", WAYS)
def test_a_leak_is_refused_with_the_chain(begins: str, trainer: Trainer) -> None:
    words = WAYS[begins](trainer, trainer.train())
    with pytest.raises(LeakError, match="of this run were trained on") as caught:
        trainer.plan(*words)
    assert caught.value.what.startswith(begins)
    assert "(digits 80/10/10, split seed 0): " in caught.value.what


@pytest.mark.parametrize("way", [as_student, as_teacher, as_assistant, as_reference, as_prune_parent])
def test_a_file_that_says_nothing_is_known_by_its_digest(
    way: Callable[[Trainer, Path], tuple[str, ...]], trainer: Trainer
) -> None:
    file = trainer.train(says=False)
    job = file.parents[3].name
    carried = trainer.copy(file)
    with pytest.raises(LeakError, match=f"carried.safetensors, job {job} "):
        trainer.plan(*way(trainer, carried))


@pytest.mark.parametrize("says", [True, False], ids=["told", "worked out"])
@pytest.mark.parametrize("way", [as_student, as_teacher, as_assistant, as_reference, as_prune_parent])
def test_a_copy_without_its_header_is_known_by_its_tensors(
    way: Callable[[Trainer, Path], tuple[str, ...]], says: bool, trainer: Trainer
) -> None:
    file = trainer.train(says=says)
    carried = trainer.copy(file)
    save_file(load_file(file), carried)
    with pytest.raises(LeakError, match=f"carried.safetensors, job {file.parents[3].name} .* were trained on"):
        trainer.plan(*way(trainer, carried))


def test_a_copy_in_another_dtype_is_of_unknown_training(trainer: Trainer) -> None:
    carried = trainer.copy(trainer.train())
    save_file({name: value.double() for name, value in load_file(carried).items()}, carried)
    (warning,) = trainer.plan(*OTHER, begun_from(carried)).warnings
    assert warning.startswith("student.weights <- carried.safetensors: of unknown training")


def test_a_file_is_known_in_another_home(trainer: Trainer) -> None:
    file = trainer.train()
    with pytest.raises(LeakError, match="test images of this run were trained on"):
        trainer.elsewhere().plan(*OTHER, taught_by(file))


def test_the_count_is_that_of_two_splits(trainer: Trainer) -> None:
    data = Data(source="digits")
    listing = list_images(data)
    keys, labels = [one.key for one in listing.samples], np.array([one.label for one in listing.samples])
    before = make_split(keys, labels, listing.class_names, "80/10/10", 0)
    after = make_split(keys, labels, listing.class_names, "20/10/70", 5)
    both = len({keys[row] for row in before.train} & {keys[row] for row in after.test})
    with pytest.raises(LeakError, match=f": {both} of {len(after.test)} test images of this run were trained on"):
        trainer.plan(*as_student(trainer, trainer.train()))


def test_an_ancestor_two_steps_away_is_found(trainer: Trainer) -> None:
    """The file that the new run begins from was itself begun from the one that leaks, both in jobs without a header."""
    first = trainer.train("data.nested=true", says=False)
    heir = trainer.train("name=heir", "data.nested=true", "data.split=60/20/20", begun_from(first), says=False)
    with pytest.raises(
        LeakError, match=r"job train-\w+ <- its weights <- .*, job train-\w+ \(digits 80/10/10"
    ) as caught:
        trainer.plan(*OTHER, begun_from(heir))
    assert first.parents[3].name in caught.value.what


def test_a_run_that_teaches_brings_what_it_began_from(trainer: Trainer) -> None:
    """The run was submitted before xp looked: its own split is the same, its first weights are of another one."""
    file = trainer.train()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.plan.check_lineage", lambda run: None)
        trainer.train(*OTHER, begun_from(file))
    with pytest.raises(LeakError, match=r"^teacher\.run second/second <- its weights <- "):
        trainer.plan(*OTHER, "name=third", "teacher={run: second/second}")


def test_a_teachers_teacher_leaks_through_the_student(trainer: Trainer) -> None:
    """Its students carry what its targets told them of its training images."""
    taught = trainer.train("name=taught", f"teacher={{{NETWORK}, train: {{epochs: 1}}}}")
    with pytest.raises(LeakError):
        trainer.elsewhere().plan(*OTHER, begun_from(taught))


def test_validation_images_that_calibrated_a_teacher_are_seen(trainer: Trainer) -> None:
    """All but its temperature is honest: the new test part is the old validation part."""
    teacher = f"teacher={{{NETWORK}, calibrate: true, train: {{epochs: 1}}}}"
    file = trainer.train("name=taught", teacher, "data.split=30/60/10", "data.nested=true")
    with pytest.raises(LeakError, match="test images of this run were calibrated on"):
        trainer.plan("name=second", "data.split=30/10/60", begun_from(file))


def test_a_subset_of_the_classes_does_not_hide_a_leak(trainer: Trainer, images: Path) -> None:
    file = trainer.train(*folder_of(images))
    with pytest.raises(LeakError, match=r"about \d+ of \d+ test images"):
        trainer.plan(*OTHER, *folder_of(images), f"data.classes=[{CLASSES[2]}, {CLASSES[0]}]", taught_words(file))


def taught_words(file: Path) -> str:
    """Four classes in the order of the folder, so that two of them can be sliced."""
    return f"teacher={{{NETWORK}, weights: {file}, classes: [{', '.join(CLASSES)}]}}"


def test_another_folder_of_the_same_images_does_not_hide_a_leak(trainer: Trainer, images: Path) -> None:
    file = trainer.train(*folder_of(images))
    moved = images.with_name("moved")
    for number, path in enumerate(sorted(images.rglob("*.png"))):
        (moved / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, moved / path.parent.name / f"other-{number}.png")
    with pytest.raises(LeakError):
        trainer.elsewhere().plan(*OTHER, *folder_of(moved), begun_from(file))


def test_an_old_network_whose_pack_is_gone_is_known_by_its_images(trainer: Trainer, images: Path) -> None:
    file = trainer.train(*folder_of(images), says=False)
    with pytest.raises(LeakError, match="about"):
        trainer.plan(*OTHER, *folder_of(images), begun_from(file))


# Honest look-alikes ---------------------------------------------------------------------------------------------------


def the_same_split(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", begun_from(trainer.train()))


def the_same_split_in_another_home(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", begun_from(trainer.elsewhere().train()))


def a_teacher_of_the_training_part(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", taught_by(trainer.train()))


def an_assistant_of_the_training_part(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", *as_assistant(trainer, trainer.train())[3:])


def a_reference_of_the_training_part(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", *as_reference(trainer, trainer.train())[3:])


def nested_with_a_larger_training_part(trainer: Trainer) -> tuple[str, ...]:
    file = trainer.train("data.nested=true")
    return ("name=second", "data.nested=true", "data.split=60/20/20", begun_from(file))


def nested_with_a_smaller_training_part(trainer: Trainer) -> tuple[str, ...]:
    file = trainer.train("data.nested=true", "data.split=60/20/20")
    return ("name=second", "data.nested=true", begun_from(file))


def a_leaking_teacher_that_nobody_hears(trainer: Trainer) -> tuple[str, ...]:
    return (*as_teacher(trainer, trainer.train()), "distill.loss=ce")


def other_words_of_training(trainer: Trainer) -> tuple[str, ...]:
    file = trainer.train("seeds=[7]", "train.epochs=3", "data.view_seed=4", says=False)
    return ("name=second", begun_from(file), "prune={ratio: 0.2, recover_epochs: 1}")


def another_pack_of_the_same_images(trainer: Trainer) -> tuple[str, ...]:
    return ("name=second", "data.short_side=40", begun_from(trainer.train()))


def an_honest_chain(trainer: Trainer) -> tuple[str, ...]:
    first = trainer.train()
    return ("name=third", begun_from(trainer.train("name=second", begun_from(first))))


HONEST = (
    the_same_split,
    the_same_split_in_another_home,
    a_teacher_of_the_training_part,
    an_assistant_of_the_training_part,
    a_reference_of_the_training_part,
    nested_with_a_larger_training_part,
    nested_with_a_smaller_training_part,
    a_leaking_teacher_that_nobody_hears,
    other_words_of_training,
    another_pack_of_the_same_images,
    an_honest_chain,
)


@pytest.mark.parametrize("words", HONEST, ids=lambda way: way.__name__)
def test_an_honest_run_is_planned(words: Callable[[Trainer], tuple[str, ...]], trainer: Trainer) -> None:
    made = trainer.plan(*words(trainer))
    assert not made.is_provisional
    assert not [line for line in made.warnings if "test images" in line]


def test_disjoint_classes_are_honest(trainer: Trainer, images: Path) -> None:
    file = trainer.train(*folder_of(images), f"data.classes=[{CLASSES[0]}, {CLASSES[1]}]")
    made = trainer.plan(*OTHER, *folder_of(images), f"data.classes=[{CLASSES[2]}, {CLASSES[3]}]", begun_from(file))
    assert [line for line in made.warnings if "train.batch_size" not in line] == []


def test_the_sets_own_test_part_is_honest(trainer: Trainer, images: Path) -> None:
    """What was trained on the train folder is tested on the val folder, whatever the texts of the splits."""
    whole = images.with_name("whole")
    for part, numbers in {"train": range(16), "val": range(16, 20)}.items():
        for name in CLASSES:
            (whole / part / name).mkdir(parents=True)
            for number in numbers:
                shutil.copy(images / name / f"{number}.png", whole / part / name)
    file = trainer.train(*folder_of(whole), "data.given=test")
    honest = (*OTHER, *folder_of(whole), begun_from(file))
    assert not [line for line in trainer.plan(*honest, "data.given=test").warnings if "test images" in line]
    with pytest.raises(LeakError, match="the set's own test part"):
        trainer.plan(*honest)


def test_a_file_of_unknown_origin_is_planned_with_a_warning(trainer: Trainer) -> None:
    carried = trainer.copy(trainer.train())
    save_file(load_file(carried), carried)
    (warning,) = trainer.elsewhere().plan(*OTHER, begun_from(carried)).warnings
    assert warning.startswith("student.weights <- carried.safetensors: of unknown training")


def test_published_weights_are_no_leak_and_not_unknown(trainer: Trainer) -> None:
    words = "{arch: timm/convnextv2_atto.fcmae_ft_in1k, weights: pretrained, head: probe}"
    assert trainer.plan(f"teacher={words}").warnings == ()


def test_a_plan_without_files_looks_at_no_result(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking through a home costs a read for each job that it has."""
    trainer.train()
    monkeypatch.setattr("engine.inputs.trained.trained_here", None)
    assert trainer.plan(*OTHER).runs


def test_validation_images_that_were_trained_on_are_a_warning(trainer: Trainer) -> None:
    made = trainer.plan(*nested_with_a_larger_training_part(trainer))
    (warning,) = made.warnings
    assert "of 359 validation images of this run were trained on" in warning


def test_test_images_that_chose_a_checkpoint_are_a_warning(trainer: Trainer) -> None:
    file = trainer.train("train.checkpoint=best_val", "data.split=10/80/10", "data.split_seed=1")
    made = trainer.plan("name=second", "data.split=10/80/10", "data.split_seed=1", begun_from(file))
    assert made.warnings == ()
    other = trainer.train("name=third", "train.checkpoint=best_val", "data.split=40/50/10")
    assert [line for line in _warnings(trainer, other) if "test images of this run chose its checkpoint" in line]


def _warnings(trainer: Trainer, file: Path) -> tuple[str, ...]:
    return trainer.plan("name=fourth", "data.split=40/10/50", begun_from(file)).warnings
