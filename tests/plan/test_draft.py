"""A plan while it grows: one job for one piece of work, and no content taken for another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.plan.draft import Choice, Cost, Draft, DraftJob, PlanContext
from engine.spec import Data, Prune, Settings, Student, Train
from engine.spec.identity import PACK_VERSION
from engine.spec.job_settings import (
    AnsweringNetwork,
    JobDetails,
    JobSettings,
    PackedData,
    PackSettings,
    PruneSettings,
    TargetsSettings,
    TrainSettings,
    ViewedData,
)

DIGITS, STUDENT = Data(source="digits"), Student(arch="tiny_vit_5m")


@pytest.fixture
def draft(home: Home) -> Draft:
    return Draft(home)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for part, count in (("train", 10), ("test", 4)):
        for name in ("a", "b", "c"):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for number in range(count):
                (tmp_path / "set" / part / name / f"{number}.png").write_bytes(f"{part} {name} {number}".encode())
    return tmp_path / "set"


def folder(root: Path, **words: object) -> Data:
    return Data.model_validate({"source": "folder", "root": str(root), **words})


def packing(digest: str = "a") -> PackSettings:
    return PackSettings(data=PackedData.of(DIGITS), digest=digest)


def training(seed: int = 1) -> TrainSettings:
    return TrainSettings(data=ViewedData.of(DIGITS, 0), network=STUDENT, num_classes=10, train=Train(), seed=seed)


def pruning(seed: int = 1) -> PruneSettings:
    return PruneSettings.model_validate({**dict(training(seed)), "prune": Prune()})


def asking(views: int = 4) -> TargetsSettings:
    teacher = AnsweringNetwork(network=STUDENT, head="own", logit_scale=1.0, precision="fp32", threads=1)
    return TargetsSettings.of(teacher, data=ViewedData.of(DIGITS, 0), rows="train", num_classes=10, views=views)


def test_the_same_work_is_one_job_and_the_first_says_how(draft: Draft) -> None:
    one = draft.add(packing(), {}, Cost(JobDetails(root="/one"), 5.0, 7))
    assert draft.add(packing(), {}, Cost(JobDetails(root="/two"), 9.0, 9)) == one
    (job,) = draft.jobs.values()
    assert (job.key, job.job, job.kind, job.details.root, job.images, job.bytes) == (one, one, "pack", "/one", 5.0, 7)


@pytest.mark.parametrize(
    ("settings", "role"), [(pruning(), "pack"), (training(), "parent"), (training(seed=2), "pack")]
)
def test_kind_roles_and_settings_are_all_in_a_jobs_id(draft: Draft, settings: JobSettings, role: str) -> None:
    pack = draft.add(packing(), {}, Cost())
    one = draft.add(training(), {"pack": pack}, Cost())
    assert draft.add(settings, {role: pack}, Cost()) != one


def test_a_planned_job_has_the_settings_that_its_process_reads(draft: Draft) -> None:
    """How a job is done is no part of them: it stands in its details alone."""
    lean = training().model_copy(update={"train": Train(memory="lean", save_minutes=1.0, on_oom="split")})
    key = draft.add(lean, {}, Cost())
    job = draft.jobs[key]
    assert type(job.settings).model_validate(job.canonical["settings"]) == job.settings
    assert isinstance(job.settings, TrainSettings)
    assert job.settings.train == Train(on_oom="split")  # this one can change what comes out


def test_settings_of_no_kind_name_the_table(draft: Draft) -> None:
    class ProbeSettings(JobSettings):
        depth: int

    with pytest.raises(XpError, match="ProbeSettings is of no kind of job") as caught:
        draft.add(ProbeSettings(depth=1), {}, Cost())
    assert caught.value.where == "engine/spec/job_kinds.py"
    assert "KINDS" in caught.value.fix


def test_what_a_need_lacks_its_followers_lack_too(draft: Draft) -> None:
    here = draft.add(packing("a"), {}, Cost())
    gone = draft.add(packing("b"), {}, Cost(reason="no images"))
    targets = draft.add(asking(), {"pack": here, "teacher": gone}, Cost())
    student = draft.add(training(), {"pack": here, "targets": targets}, Cost())
    own = draft.add(training(), {"pack": gone}, Cost(reason="no weights"))
    assert [(draft.jobs[key].job, draft.jobs[key].reason) for key in (here, targets, student, own)] == [
        (here, None),
        (None, "no images"),
        (None, "no images"),
        (None, "no weights"),
    ]


def test_a_class_list_makes_another_content_of_one_folder(draft: Draft, images: Path) -> None:
    whole, two = draft.content(folder(images)), draft.content(folder(images, classes=["c", "a"]))
    assert whole is not None
    assert two is not None
    assert (whole.class_names, two.class_names) == (("a", "b", "c"), ("c", "a"))
    assert (whole.count, two.count) == (42, 28)


def test_a_given_test_part_makes_another_content_of_one_folder(draft: Draft, images: Path) -> None:
    merged, given = draft.content(folder(images)), draft.content(folder(images, given="test"))
    assert merged is not None
    assert given is not None
    assert (merged.held, given.held) == (None, (4, 4, 4))


def test_two_folders_are_two_contents(draft: Draft, images: Path) -> None:
    one, other = draft.content(folder(images / "train")), draft.content(folder(images / "test"))
    assert one is not None
    assert other is not None
    assert (one.count, other.count) == (30, 12)


def test_words_that_no_content_follows_share_one(draft: Draft, images: Path) -> None:
    assert draft.content(folder(images)) is draft.content(folder(images, split="80/10/10", image_size=64))


def test_absent_images_are_noted_once_with_their_repair(draft: Draft, tmp_path: Path) -> None:
    for size in (32, 64):
        assert draft.content(folder(tmp_path / "gone", image_size=size)) is None
    assert draft.content(folder(tmp_path / "lost")) is None
    assert [("gone" in line, "fix: " in line) for line in draft.missing] == [(True, True), (False, True)]


def test_the_training_part_is_the_first_share_of_the_images(draft: Draft, images: Path) -> None:
    data = folder(images, split="80/0/20")
    settings = Settings(data=data, student=Student(arch="tiny_vit_5m"))
    context = PlanContext(settings, 0, draft.content(data), draft)
    assert (context.train_images, context.num_classes) == (42 * 0.8, 3)
    blind = PlanContext(settings, 0, None, draft)
    assert (blind.train_images, blind.num_classes) == (0.0, None)


def drawn(views: int, images: float) -> DraftJob:
    return DraftJob(asking(views), {}, Cost(images=images))


def test_what_auto_means_is_asked_once_and_then_known(draft: Draft) -> None:
    cached, online = drawn(4, 500.0), drawn(0, 100.0)
    assert [draft.choose(word, "t", cached, online) for word in ("cached", "online")] == ["cached", "online"]
    assert not draft.undecided
    assert draft.choose("auto", "t", cached, online) == "cached"
    ((key, (name, passes)),) = draft.undecided.items()
    assert (name, passes) == ("t", 400.0)
    assert key == draft.add(asking(4), {}, Cost())
    knowing = Draft(draft.home, choices={key: Choice("online", "why")})
    assert knowing.choose("auto", "t", cached, online) == "online"
    assert not knowing.undecided


def test_a_weights_file_is_known_by_its_bytes(draft: Draft, tmp_path: Path) -> None:
    from hashlib import sha256

    (tmp_path / "a.safetensors").write_bytes(b"weights")
    assert draft.digest(tmp_path / "a.safetensors") == sha256(b"weights").hexdigest()


def test_a_job_writes_down_what_its_id_was_made_of(draft: Draft) -> None:
    key = draft.add(packing(), {}, Cost(JobDetails(root="/somewhere")))
    told = draft.jobs[key].canonical
    data = {"source": "digits", "short_side": 256, "format": "raw", "broken": "stop", "classes": None}
    settings = {"data": data, "digest": "a", "pack_version": PACK_VERSION}
    assert told == {"version": 2, "kind": "pack", "needs": {}, "settings": settings}
