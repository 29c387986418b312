"""A whole spec: what cannot go together is refused, names exist, and the parts of a run are told apart."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from engine.spec import Settings, Spec
from engine.spec.cells import expand_cells
from engine.spec.data import Augment
from engine.spec.experiment import ReportLook
from engine.spec.network import WindowAttention
from engine.spec.training import Explain, Measure, Train

TEACHER: dict[str, Any] = {"arch": "timm/resnet18", "train": {"epochs": 2}}
CLAIM: dict[str, Any] = {"id": "c", "text": "t", "metric": "m", "arm": "b", "against": "a", "expect": "less"}
MIXED = {"source": "digits", "augment": {"mixup": 0.5}}
LINEAR = {"source": "digits", "augment": {"cutmix": 0.5, "mix_targets": "linear"}}


def settings(**words: Any) -> Settings:
    return Settings.model_validate({"data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}, **words})


def spec(**words: Any) -> Spec:
    base = {"name": "whole", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
    return Spec.model_validate({**base, **words})


def refused(**words: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        settings(**words)
    (detail,) = caught.value.errors()
    return detail["msg"], str(detail["ctx"]["fix"])


def matched(**reference: Any) -> dict[str, Any]:
    return {"temperature": {"match": "entropy", "reference": {**TEACHER, **reference}}}


@pytest.mark.parametrize("model", [Augment, WindowAttention, Train, Measure, Explain, ReportLook])
def test_a_default_made_without_its_checks_is_what_they_give(model: type[BaseModel]) -> None:
    """Their checks take time to make, at every start; so no default of theirs may be one that a check changes."""
    unchecked, checked = model.model_construct(), model()
    assert unchecked == checked
    assert unchecked.model_dump() == checked.model_dump()
    assert unchecked.model_fields_set == checked.model_fields_set == set()


# Mixing ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["mixup", "cutmix"])
def test_an_odd_batch_cannot_be_mixed_in_pairs(word: str) -> None:
    what, fix = refused(data={"source": "digits", "augment": {word: 0.1}}, train={"batch_size": 7})
    assert "batch_size is 7" in what
    assert fix == "write `8`, or another even number"
    settings(train={"batch_size": 7})
    settings(data=MIXED, train={"batch_size": 8})


def test_cached_targets_are_of_single_images() -> None:
    what, fix = refused(data=MIXED, teacher=TEACHER)
    assert "cached targets belong to single images" in what
    assert "mix_targets: linear" in fix
    assert "cached" in refused(data=MIXED, teacher={**TEACHER, "targets": "auto"})[0]


@pytest.mark.parametrize(
    "words",
    [
        {"data": LINEAR, "teacher": TEACHER},
        {"data": MIXED, "teacher": {**TEACHER, "targets": "online"}},
        {"data": MIXED},
        {"data": MIXED, "teacher": TEACHER, "distill": {"loss": "ce"}},
    ],
)
def test_images_may_be_mixed_where_the_teacher_can_follow(words: dict[str, Any]) -> None:
    settings(**words)


@pytest.mark.parametrize("loss", ["dkd", "nkd", "ats"])
def test_a_loss_of_one_label_takes_no_mixed_images(loss: str) -> None:
    what, _ = refused(data=LINEAR, teacher=TEACHER, distill={"loss": loss})
    assert f"loss {loss} needs one label" in what
    settings(data=LINEAR, distill={"loss": loss})
    settings(teacher=TEACHER, distill={"loss": loss})


@pytest.mark.parametrize("loss", ["soft_ce", "hinton", "lskd", "dist"])
def test_other_losses_take_mixed_images(loss: str) -> None:
    settings(data=LINEAR, teacher=TEACHER, distill={"loss": loss})


# Teachers -------------------------------------------------------------------------------------------------------------


def test_heads_are_judged_by_the_classes_that_are_known() -> None:
    given = {"arch": "timm/resnet18", "weights": "pretrained"}
    what, _ = refused(teacher=given)
    assert "'0', '1', '2' are none of them" in what
    with pytest.raises(ValidationError) as caught:
        settings(distill={"temperature": {"match": "entropy", "reference": given}})
    assert caught.value.errors()[0]["ctx"]["at"] == "distill.temperature.reference.head"
    folder = {"source": "folder", "root": "/set"}
    settings(data=folder, teacher=given)
    settings(data={**folder, "classes": ["n01440764", "n02102040"]}, teacher=given)
    assert "'cat'" in refused(data={**folder, "classes": ["n01440764", "cat"]}, teacher=given)[0]


@pytest.mark.parametrize("split", ["80/0/20", "80/00/20"])
def test_a_calibrated_teacher_needs_validation_images(split: str) -> None:
    data = {"source": "digits", "split": split}
    what, fix = refused(data=data, teacher={**TEACHER, "calibrate": True})
    assert f"{split} has none" in what
    assert "calibrate: false" in fix
    settings(data=data, teacher=TEACHER)
    settings(teacher={**TEACHER, "calibrate": True})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"calibrate": True}, "calibrate"),
        ({"targets": "online"}, "targets"),
        ({"assistants": [{"arch": "timm/resnet10t"}], "targets": "auto"}, "assistants and targets"),
    ],
)
def test_a_reference_teaches_nobody(words: dict[str, Any], told: str) -> None:
    what, fix = refused(distill=matched(**words))
    assert (what, fix) == (f"a reference teacher has no {told}", f"leave {told} away")
    settings(distill=matched())


def test_networks_are_told_by_their_paths() -> None:
    helped = {**TEACHER, "assistants": [{"arch": "timm/resnet26"}, {"arch": "timm/resnet10t"}]}
    whole = settings(teacher=helped, distill=matched(arch="timm/resnet34"))
    assert [(path, network.arch) for path, network in whole.networks] == [
        ("student", "tiny_vit_5m"),
        ("teacher", "timm/resnet18"),
        ("distill.temperature.reference", "timm/resnet34"),
        ("teacher.assistants.0", "timm/resnet26"),
        ("teacher.assistants.1", "timm/resnet10t"),
    ]
    assert [path for path, _ in settings().networks] == ["student"]


def test_a_student_is_taught_by_a_teacher_that_its_loss_listens_to() -> None:
    assert settings(teacher=TEACHER).is_taught
    assert not settings(teacher=TEACHER, distill={"loss": "ce"}).is_taught
    assert not settings().is_taught


def test_a_student_is_pruned_by_a_ratio_above_0() -> None:
    assert settings(prune={"ratio": 0.1}).is_pruned
    assert not settings(prune={"ratio": 0.0}).is_pruned
    assert not settings().is_pruned


# An experiment --------------------------------------------------------------------------------------------------------


def test_an_experiment_without_arms_is_its_own_arm() -> None:
    assert spec().arm_names == ["whole"]
    assert spec(arms={"b": {}, "a": {}}).arm_names == ["b", "a"]
    assert spec(baseline="whole").baseline == "whole"
    assert (spec().seeds, spec().title, spec().matrix) == ([0], "", {})


@pytest.mark.parametrize("word", ["arm", "against"])
def test_a_claim_names_arms_that_are_there(word: str) -> None:
    arms: dict[str, Any] = {"a": {}, "b": {}}
    assert spec(arms=arms, claims=[CLAIM]).claims[0].margin is None
    with pytest.raises(ValidationError, match="claim 'c' names 'd', no arm here"):
        spec(arms=arms, claims=[{**CLAIM, word: "d"}])


def test_a_baseline_is_an_arm_that_is_there() -> None:
    with pytest.raises(ValidationError, match="baseline 'c' is no arm"):
        spec(arms={"a": {}, "b": {}}, baseline="c")


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a.b", "a" * 65])
def test_names_are_small_and_short(name: str) -> None:
    with pytest.raises(ValidationError):
        spec(name=name)
    with pytest.raises(ValidationError, match="is no name for an arm"):
        spec(arms={name: {}})
    spec(name="a" * 64, arms={"0_a-b": {}})


def test_seeds_are_some_whole_numbers_each_once() -> None:
    for wrong in ([], [-1], [1.5]):
        with pytest.raises(ValidationError):
            spec(seeds=wrong)
    with pytest.raises(ValidationError, match="seed 2 is repeated"):
        spec(seeds=[3, 2, 3, 2])


def test_an_axis_of_the_matrix_has_values() -> None:
    with pytest.raises(ValidationError, match=r"train.lr has no values"):
        spec(matrix={"data.split": ["60/20/20"], "train.lr": []})


def test_a_margin_is_not_negative() -> None:
    with pytest.raises(ValidationError, match="margin"):
        spec(arms={"a": {}, "b": {}}, claims=[{**CLAIM, "margin": -0.1}])


# Cells that a spec carries --------------------------------------------------------------------------------------------


def test_a_changed_copy_makes_cells_of_its_own() -> None:
    first = spec(arms={"a": {}, "b": {"train": {"lr": 1.0}}})
    list(expand_cells(first))
    copied = first.model_copy(update={"arms": {"c": {"train": {"lr": 2.0}}}})
    assert len(first.kept_cells) == 2
    assert [(cell.arm, cell.settings.train.lr) for cell in expand_cells(copied)] == [("c", 2.0)]


def test_a_spec_equals_what_says_the_same_and_nothing_else() -> None:
    first, second = spec(seeds=[1]), spec(seeds=[1])
    first.keep_cells([settings()])
    assert first == second
    assert first != spec(seeds=[2])
    assert first != settings()


def test_ten_thousand_seeds_are_looked_at_once() -> None:
    class Counted(list[int]):
        def count(self, value: int) -> int:
            raise AssertionError("looking for each of n seeds among n takes n times n")

    assert Spec._seeds_once(Counted(range(10_000))) == list(range(10_000))
    with pytest.raises(PydanticCustomError, match="seed 3 is repeated"):
        Spec._seeds_once([7, 3, 7, 3, 9])


def test_a_mask_that_grows_is_tested_at_its_end() -> None:
    grown = {"ratio": 0.2, "method": "unstructured", "criterion": "l1", "when": "gradual"}
    assert settings(prune=grown).is_pruned
    with pytest.raises(ValidationError, match="has its size at the end alone"):
        settings(prune=grown, train={"checkpoint": "best_val"})


def test_a_page_has_columns_or_does_not_speak_of_them() -> None:
    assert spec(report={"columns": ["params", "test_top1"]}).report.columns == ["params", "test_top1"]
    with pytest.raises(ValidationError, match="at least 1"):
        spec(report={"columns": []})
