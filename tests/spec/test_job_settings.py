"""Settings of jobs: what is written is what is read, how a job is done stays out of it, no word of a spec is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from engine.spec import Data, Distill, EntropyMatch, Explain, Resources, Settings, Student, Teacher, Train
from engine.spec.identity import MAP_VERSION, VIEW_VERSION, counted_settings
from engine.spec.job_settings import (
    SPLIT_WORDS,
    AnsweringNetwork,
    ExplainSettings,
    JobDetails,
    LessonSettings,
    PackedData,
    TargetsSettings,
    ViewedData,
)

FOLDER = Data(source="folder", root="/images", split="80/10/10", split_seed=3, nested=True, given="test", views=4)
REFERENCE = Teacher(arch="timm/resnet10t", train=Train(epochs=2))


def as_file(model: BaseModel) -> Any:
    """What comes back when the model's canonical settings were a file."""
    return type(model).model_validate(json.loads(json.dumps(counted_settings(model))))


def test_packed_data_is_the_images_and_how_they_are_packed() -> None:
    packed = PackedData.of(FOLDER)
    assert counted_settings(packed).keys() == {"source", "short_side", "format", "broken", "classes"}
    there = packed.located("/elsewhere")
    assert (there.root, there.short_side, there.split) == ("/elsewhere", 256, "60/20/20")
    assert as_file(packed) == packed


def test_viewed_data_forgets_where_the_images_lay() -> None:
    viewed = ViewedData.of(FOLDER.model_copy(update={"workers": 3, "cache": "device"}), 7)
    back = as_file(viewed)
    assert (back.root, back.workers, back.cache) == (None, "auto", "auto")
    assert (back.split, back.views, back.view_version) == ("80/10/10", 4, VIEW_VERSION)


@pytest.mark.parametrize(("said", "drawn"), [(2, 2), ("run", 7)])
def test_views_of_the_run_are_written_with_its_seed(said: object, drawn: int) -> None:
    assert ViewedData.of(FOLDER.model_copy(update={"view_seed": said}), 7).view_seed == drawn


def test_views_of_another_version_are_refused() -> None:
    with pytest.raises(ValidationError, match=f"views of version 1, and this xp draws version {VIEW_VERSION}"):
        ViewedData(source="digits", view_version=1)


def test_maps_of_another_version_are_refused() -> None:
    words: dict[str, Any] = {
        "network": Student(arch="tiny_vit_5m"),
        "num_classes": 3,
        "data": ViewedData(source="digits"),
    }
    told = ExplainSettings(**words, explain=Explain())
    assert counted_settings(told)["map_version"] == MAP_VERSION
    with pytest.raises(ValidationError, match=f"maps of version 1, and this xp draws version {MAP_VERSION}"):
        ExplainSettings(**words, explain=Explain(), map_version=1)


def test_unsplit_data_is_the_same_for_all_splits() -> None:
    one, other = (
        ViewedData.of(data, 0).unsplit() for data in (FOLDER, Data(source="folder", root="/x", views=4, given="test"))
    )
    assert counted_settings(one) == counted_settings(other)
    assert {name: getattr(one, name) for name in SPLIT_WORDS} == {
        "split": "60/20/20", "split_seed": 0, "nested": False, "given": "test",  # which images came as test images
    }  # fmt: skip


def test_every_word_of_distill_is_in_a_lesson() -> None:
    """A word that is missing would be accepted in a spec and never reach a student."""
    assert Distill.model_fields.keys() <= LessonSettings.model_fields.keys()
    fields = (LessonSettings.model_fields["loss"], Distill.model_fields["loss"])
    assert fields[0].annotation == fields[1].annotation


@pytest.mark.parametrize("words", [{"temperature": {"from": 4.0, "to": 1.0}}, {"loss": "dkd", "until": 0.5}])
def test_a_lesson_gives_its_words_back(words: dict[str, Any]) -> None:
    asked = Distill.model_validate(words)
    lesson = as_file(LessonSettings.of(asked, "cached", calibrate=True))
    weight, label_weight = asked.weights
    assert lesson.words() == asked.model_copy(update={"weight": weight, "label_weight": label_weight})
    assert (lesson.targets, lesson.calibrate) == ("cached", True)


def test_a_matched_temperature_becomes_a_number_and_its_reference_is_a_need() -> None:
    asked = Distill(temperature=EntropyMatch(match="entropy", reference=REFERENCE, at=3.0))
    lesson = as_file(LessonSettings.of(asked, "online", calibrate=False))
    assert counted_settings(lesson)["temperature"] == {"match": "entropy", "at": 3.0}
    assert lesson.words(2.5).temperature == 2.5


def test_targets_are_told_all_that_is_known_of_who_answers() -> None:
    teacher = AnsweringNetwork(
        network=Student(arch="timm/resnet10t"),
        head="slice",
        logit_scale=2.0,
        precision="bf16",
        threads=3,
        mean=[0.5] * 3,
    )
    told = TargetsSettings.of(teacher, data=ViewedData.of(FOLDER, 0), rows="all", num_classes=5, views=2)
    assert {name: getattr(told, name) for name in AnsweringNetwork.model_fields} == dict(teacher)
    assert (told.rows, told.num_classes, told.views) == ("all", 5, 2)


def test_details_are_all_that_is_aside_in_a_run() -> None:
    """A word marked ASIDE that stands in no details never reaches the job."""
    aside = {
        name: field
        for model in (Data, Train)
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("aside")
        if name != "most"  # a plan draws images of people's own sources, and no job
    }
    details = JobDetails.model_fields
    assert details.keys() - aside.keys() == {"weights", "teacher_weights", "begins", "resources", "device"}
    assert aside.keys() <= details.keys()
    assert {name: (details[name].annotation, details[name].default) for name in aside} == {
        name: (field.annotation, field.default) for name, field in aside.items()
    }


def test_details_of_a_run_are_as_its_spec_says() -> None:
    data = Data(source="digits", workers=3, cache="device")
    train = Train(memory="lean", on_oom="stop", save_minutes=2.0)
    settings = Settings(data=data, student=Student(arch="tiny_vit_5m"), train=train, resources=Resources(cpus=7))
    details = JobDetails.of(settings, "/here")
    assert (details.root, details.workers, details.cache, details.memory) == ("/here", 3, "device", "lean")
    assert (details.on_oom, details.save_minutes, details.resources.cpus) == ("stop", 2.0, 7)
    assert JobDetails.model_validate(json.loads(json.dumps(details.model_dump(mode="json")))) == details
