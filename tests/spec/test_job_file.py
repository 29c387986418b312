"""spec.json of a job: what was written comes back, and what another version wrote is refused with the way out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from engine.errors import HomeError, VersionError
from engine.home.files import encode_json, read_json, write_json
from engine.home.paths import Home, JobFolder
from engine.spec import Data, Prune, Student, Train, job_settings
from engine.spec.identity import IDENTITY_VERSION
from engine.spec.job_file import canonical_spec, read_details, read_job
from engine.spec.job_settings import JobDetails, JobSettings, PruneSettings, TargetsSettings, TrainSettings, ViewedData

ENGINE = Path(job_settings.__file__).parents[1]
SETTINGS = PruneSettings(
    data=ViewedData.of(Data(source="digits", augment={"mixup": 0.5}), 3),  # type: ignore[arg-type]  # as YAML has it
    network=Student(arch="tiny_vit_5m", attention={"kind": "longformer"}),  # type: ignore[arg-type]  # as YAML has it
    num_classes=10,
    train=Train(lr=1e-3),
    seed=3,
    prune=Prune(ratio=0.25),
)


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    folder = Home(tmp_path, tmp_path / "cache").job("prune-1")
    folder.root.mkdir(parents=True)
    folder.spec.write_text(encode_json(canonical_spec("prune", {"pack": "pack-1"}, SETTINGS)))
    return folder


def change(job: JobFolder, **words: Any) -> None:
    write_json(job.spec, {**read_json(job.spec), **words})


def test_what_was_written_comes_back(job: JobFolder) -> None:
    read = read_job(job, PruneSettings)
    assert (read.kind, read.needs, read.settings) == ("prune", {"pack": "pack-1"}, SETTINGS)
    assert read_job(job, TrainSettings).settings == read_job(job, JobSettings).settings == SETTINGS
    assert read_json(job.spec)["version"] == IDENTITY_VERSION


def test_another_kind_than_was_expected_is_refused(job: JobFolder) -> None:
    with pytest.raises(HomeError, match="prune-1 is a prune job"):
        read_job(job, TargetsSettings)


def test_a_job_without_a_file_is_refused(job: JobFolder) -> None:
    job.spec.unlink()
    with pytest.raises(HomeError, match=r"prune-1 has no spec\.json"):
        read_job(job, JobSettings)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "an earlier version": ({"version": 1}, "version 1 of job settings, and this xp has version 2"),
    "a later version": ({"version": 3}, "version 3 of job settings, and this xp has version 2"),
    "no version": ({"version": None}, "version None of job settings"),
    "an unknown kind": ({"kind": "brew"}, "a job of kind 'brew', which this xp does not know"),
    "settings of another kind": ({"kind": "targets"}, "head: Input should be"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_another_version_wrote_is_refused_with_the_way_out(case: str, job: JobFolder) -> None:
    words, said = CHANGES[case]
    change(job, **words)
    with pytest.raises(VersionError, match=said) as caught:
        read_job(job, JobSettings)
    assert caught.value.what.startswith("prune-1 was made by another version of xp: ")
    assert caught.value.where == str(job.spec)
    assert caught.value.fix.startswith("submit its experiment again")


def edited(job: JobFolder, section: str, edit: dict[str, Any], drop: str | None = None) -> None:
    settings = read_json(job.spec)["settings"]
    settings[section] |= edit
    settings[section].pop(drop, None)
    change(job, settings=settings)


def test_a_word_that_is_missing_is_not_taken_for_todays_default(job: JobFolder) -> None:
    edited(job, "train", {}, drop="label_smoothing")
    with pytest.raises(VersionError, match="other words in train"):
        read_job(job, JobSettings)


def test_a_word_that_is_unknown_or_wrong_is_named(job: JobFolder) -> None:
    edited(job, "train", {"inertia": 0.9})
    with pytest.raises(VersionError, match=r"train\.inertia: Extra inputs"):
        read_job(job, JobSettings)


def test_views_of_another_version_are_named(job: JobFolder) -> None:
    edited(job, "data", {"view_version": 1})
    with pytest.raises(VersionError, match=r"data\.view_version: views of version 1"):
        read_job(job, JobSettings)


def test_details_that_were_never_written_are_the_defaults(job: JobFolder) -> None:
    assert read_details(job) == JobDetails()
    write_json(job.details, {"workers": 2})
    assert read_details(job) == JobDetails(workers=2)
    write_json(job.details, {"wrokers": 2})
    with pytest.raises(VersionError, match=r"details\.json: wrokers: Extra inputs"):
        read_details(job)


# Who looks at a spec.json without understanding it, and for what.
OTHER_LOOKS = {
    "archive/gather.py": "it packs the file as it is",
    "archive/rerun.py": "its words, held against those of a job that is done again",
    "collect/__init__.py": "whether it is there",
    "collect/files.py": "its words as they stand, for a table, and its time",
    "home/commits.py": "its checksum, and whether it is there",
    "inputs/ancestors.py": "the words of a lineage, also of jobs of earlier versions",
    "inspect/deep.py": "the digests that a cache was made of",
    "launch/attempt_process.py": "whether it is there",
    "launch/local.py": "whether weights may be downloaded",
    "plan/teacher_run.py": "its place, in a message",
    "run/attempt.py": "whether it is there",
    "run/inputs.py": "whether it is there",
    "run/provenance.py": "the digest of its bytes",
    "run/quantized_file.py": "whether it is there",
    "schedule/keep/choose.py": "its time, with those of the files beside it",
    "schedule/keep/needs.py": "its words as they stand: what a job needs must be found in a damaged file, too",
    "schedule/lookup.py": "whether it is there",
    "schedule/submit.py": "it writes it",
    "schedule/worker/loop.py": "whether it is there",
    "serve/pages/run.py": "whether it is there",
    "verify/profile/profile.py": "it writes it, in a scratch home; whether weights may be downloaded",
    "verify/profile/subject.py": "whether it is there, and its words for a copy",
}


def test_a_spec_file_is_understood_in_one_place() -> None:
    look = re.compile(r"(\b(folder|job)|\))\.spec\b")
    found = {str(path.relative_to(ENGINE)) for path in ENGINE.rglob("*.py") if look.search(path.read_text())}
    assert found - {"spec/job_file.py"} == OTHER_LOOKS.keys()
