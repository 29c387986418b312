"""What a job's network comes from: takes an attempt and its images, gives the lineage, or refuses a leak, exactly.

A plan has refused what could be known before the images were packed. Here their near-duplicates are known, so the count
is exact, and it is made before the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.inputs.ancestors import Ancestors, JobWords, own_lineage, stored_words
from engine.inputs.image_keys import Parts, short_keys
from engine.inputs.leaks import judge_lineage
from engine.inputs.lineage import Lineage, encode_lineage, join_lineages
from engine.run.attempt import Attempt
from engine.run.inputs import Images
from engine.spec.job_settings import TrainSettings


@dataclass(frozen=True)
class Told:
    """A lineage as it is written down, because sets of keys are large: into the weights file, and into the journal."""

    metadata: Mapping[str, str]
    fact: Mapping[str, Any]


def tell_lineage(attempt: Attempt, images: Images) -> Told:
    """Return what a job's network has seen when the job is done, the images of the job itself included.

    Nothing of it depends on when, where or as which job that was; files are named by their digests. Raises LeakError
    when an ancestor has learnt test images of this job.
    """
    words, parts, told = _words(attempt), _parts(images), attempt.settings(TrainSettings)
    whole = join_lineages([own_lineage(words, parts), _honest_parents(attempt, words, parts)])
    metadata = encode_lineage(whole, arch=told.network.arch, seed=told.seed, data=images.pack.digest)
    return Told(metadata, describe_lineage(whole))


def teacher_lineage(attempt: Attempt, images: Images | None) -> Lineage:
    """Return what the teacher of a targets job has seen.

    `images` where it is judged on their test part, None where it belongs to no split: its students' jobs then look.
    Raises LeakError when it, or an ancestor of it, has learnt test images that it would be judged on.
    """
    return _honest_parents(attempt, _words(attempt), _parts(images) if images is not None else None)


def _honest_parents(attempt: Attempt, words: JobWords, parts: Parts | None) -> Lineage:
    before = Ancestors(attempt.home, names_files=False).of_parents(words)
    if judge_lineage(before, parts)[0] is not None:
        # Once more, with the names that a person knows.
        refusal, _ = judge_lineage(Ancestors(attempt.home).of_parents(words), parts)
        if refusal is not None:
            raise refusal
    return before


def describe_lineage(lineage: Lineage) -> dict[str, Any]:
    """Return what the journal keeps: whether all training images are known, and whose are not."""
    return {
        "training": lineage.training,
        "pretrained": list(lineage.pretrained),
        "unknown": list(lineage.unknown),
    }


def _words(attempt: Attempt) -> JobWords:
    words = stored_words(attempt.job)
    assert words is not None, "an attempt has read its settings"
    return words


def _parts(images: Images) -> Parts:
    keys = {
        name: short_keys(images.pack.keys[row] for row in images.split.part(name).tolist())
        for name in ("train", "val", "test")
    }
    return Parts(**keys, is_exact=True)
