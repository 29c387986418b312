"""Whom a network comes from: takes jobs and weights files, gives all that they have seen, each with the way to it.

A job's own settings and needs say what it was trained on. A weights file is known by the lineage in its header, or,
when this home trained it, by its digest or that of its tensors alone, which other tools that save it again leave as
they are. One that is none of these, as a copy in another dtype, is of unknown training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.errors import HomeError
from engine.home.control_files import read_details
from engine.home.files import read_object
from engine.home.paths import Home, JobFolder
from engine.inputs.content import file_digest
from engine.inputs.image_keys import ImageBook, Keys, Parts, split_text
from engine.inputs.lineage import Exposure, How, Lineage, join_lineages, read_lineage
from engine.inputs.tensors import are_changed
from engine.inputs.trained import TrainedNetworks
from engine.spec import Data
from engine.spec.data import source_words
from engine.spec.job_kinds import KINDS
from engine.spec.job_settings import SPLIT_WORDS, PackSettings

DIGEST_MARK = "sha256:"
CHANGED = "tensors that were changed after xp wrote them"
TAUGHT_BY = {"targets": "its teacher", "teacher": "its teacher", "reference": "its reference"}
"""The needs of a job that another network stands behind, by what they are to it; a pruned one's parent is itself."""


@dataclass(frozen=True)
class JobWords:
    """What the lineage asks of a job, from its spec.json and details.json; of this version of xp or an earlier one.

    `is_planned`: a plan has it, and says what it will be trained on. `data` is None where the job has no split, or one
    that this xp cannot read.
    """

    kind: str
    needs: Mapping[str, str]
    settings: Mapping[str, Any]
    details: Mapping[str, Any]
    is_planned: bool = False

    @property
    def trains(self) -> bool:
        kind = KINDS.get(self.kind)
        return kind is not None and kind.trains

    @property
    def weights(self) -> str:
        return str((self.settings.get("network") or {}).get("weights", "none"))

    @property
    def loads_weights(self) -> bool:
        """Whether it begins from weights that no job before it gives it."""
        begins = "parent" not in self.needs and (self.trains or "teacher" not in self.needs)
        return begins and self.weights != "none"

    @property
    def arch(self) -> str:
        return str((self.settings.get("network") or {}).get("arch", "a network"))

    @property
    def files(self) -> list[Path]:
        """Where its weights files lay, its own first."""
        own, taught = self.details.get("weights"), self.details.get("teacher_weights") or ()
        return [Path(path) for path in (own, *taught) if path]

    @property
    def is_calibrated(self) -> bool:
        return bool((self.settings.get("distill") or {}).get("calibrate"))

    @property
    def chooses(self) -> bool:
        """Whether its checkpoint was chosen by validation images."""
        return bool((self.settings.get("train") or {}).get("checkpoint") == "best_val")

    @cached_property
    def data(self) -> Data | None:
        """The words of `data` that decide which images of its pack are in which part."""
        told = self.settings.get("data") or {}
        words = {word: told[word] for word in ("source", *SPLIT_WORDS) if word in told}
        source = str(words.get("source"))
        try:
            root = "-" if source_words(source).has_root else None
            return Data.model_validate({**words, "root": root})
        except (KeyError, ValidationError):
            return None

    @property
    def pack(self) -> PackSettings | None:
        """The settings of a pack job."""
        try:
            return PackSettings.model_validate(self.settings)
        except ValidationError:
            return None


def stored_words(folder: JobFolder) -> JobWords | None:
    """Return the words of a job in a home, None where it has no spec.json."""
    spec = read_object(folder.spec)
    if spec is None:
        return None
    try:
        details = read_details(folder)
    except (HomeError, OSError):  # only where its files lay is lost
        details = {}
    needs, settings = (
        {str(key): value for key, value in (spec.get(name) or {}).items()} for name in ("needs", "settings")
    )
    return JobWords(str(spec.get("kind")), needs, settings, details)


@dataclass
class Ancestors:
    """Finds lineages in one home; `planned` are jobs by id that are not written yet, or that a plan knows already.

    `digest_of` gives the sha256 of a file. Where `names_files` is false, weights are named by their digest alone, so
    that what is written down is the same wherever a file lay.
    """

    home: Home
    planned: Callable[[str], JobWords | None] = lambda job: None
    digest_of: Callable[[Path], str] = file_digest
    names_files: bool = True
    _words: dict[str, JobWords | None] = field(default_factory=dict)

    @cached_property
    def book(self) -> ImageBook:
        return ImageBook(self.home, self._pack_words)

    @cached_property
    def trained(self) -> TrainedNetworks:
        """Asked only when some weights are a file, because every result of the home is looked at."""
        return TrainedNetworks(self.home)

    def words(self, job: str) -> JobWords | None:
        if job not in self._words:
            self._words[job] = self.planned(job) or stored_words(self.home.job(job))
        return self._words[job]

    def of_job(self, job: str, spots: Mapping[str, str] | None = None, skip: tuple[str, str] | None = None) -> Lineage:
        """Return what the network of a job has seen: what the job itself is fitted to, and all that it comes from.

        `spots` names some jobs as a person knows them: `student`, `teacher`. `skip` is a pack
        and the words of a split: what was trained by it is left out, because it cannot have seen its test images.
        """
        return join_lineages(self._walk(job, (), spots or {}, skip))

    def of_parents(self, words: JobWords) -> Lineage:
        """Return what a job's ancestors have seen, its own images left out."""
        return join_lineages(self._parents(words, (), {}, None))

    def _walk(
        self, job: str, path: tuple[str, ...], spots: Mapping[str, str], skip: tuple[str, str] | None
    ) -> Iterator[Lineage]:
        path = (spots[job],) if job in spots else path
        words = self.words(job)
        told = self._committed(job) if words is None or not words.is_planned else None
        if told is not None:
            yield told.under(*path)
            return
        if words is None:
            yield Lineage(unknown=(_name(path, f"job {job}"),))
            return
        if words.trains:
            yield self._own(job, words, path, skip)
        yield from self._parents(words, path, spots, skip)

    def _committed(self, job: str) -> Lineage | None:
        """Return what the file of a trained network says of it: exact, whatever became of the images since."""
        winner = self.home.job(job).winner()
        return read_lineage(winner.artifacts / "weights.safetensors") if winner is not None else None

    def _own(self, job: str, words: JobWords, path: tuple[str, ...], skip: tuple[str, str] | None) -> Lineage:
        pack, data = words.needs.get("pack"), words.data
        if pack is None or data is None:
            return Lineage(unknown=(_name(path, f"job {job}"),))
        if (pack, split_text(data)) == skip:
            return Lineage()
        parts = self.book.parts(pack, data)
        if parts is None:
            return Lineage(unknown=(_name(path, f"job {job}, whose images are not here any more"),))
        return own_lineage(words, parts).under(*path)

    def _parents(
        self, words: JobWords, path: tuple[str, ...], spots: Mapping[str, str], skip: tuple[str, str] | None
    ) -> Iterator[Lineage]:
        if words.loads_weights:
            yield self._of_weights(words).under(*_weights_path(path))
        for role, need in words.needs.items():
            if role in TAUGHT_BY:
                # A teacher that answers in the step is behind its own targets too: it is met once.
                steps = (*path, TAUGHT_BY[role]) if words.trains else path
                yield from self._walk(need, steps, spots, skip)
            elif role == "parent":
                yield from self._walk(need, path, spots, skip)

    def _of_weights(self, words: JobWords) -> Lineage:
        if not words.weights.startswith(DIGEST_MARK):
            return Lineage(pretrained=(f"{words.arch} {words.weights}",))
        return self.of_file(words.weights.removeprefix(DIGEST_MARK), words.files)

    def of_file(self, digest: str, files: list[Path]) -> Lineage:
        """Return what the weights of this sha256 have seen; `files` are where they may lie."""
        file = next((path for path in files if path.is_file() and self.digest_of(path) == digest), None)
        told, job = read_lineage(file) if file is not None else None, self.trained.by_file(digest)
        if told is not None and job is None and file is not None and are_changed(file, self.home.tensors):
            told = join_lineages([told, Lineage(unknown=(CHANGED,))])
        twin = self.trained.by_tensors(file) if job is None and file is not None else None
        name = self._file_name(digest, file, job or twin)
        known = [told] if told is not None else [self.of_job(job)] if job is not None else []
        # Whatever a header says: of tensors that this home made, this home knows.
        known += [self.of_job(twin)] if twin is not None else []
        return join_lineages(known).under(name) if known else Lineage(unknown=(name,))

    def _file_name(self, digest: str, file: Path | None, job: str | None) -> str:
        if not self.names_files:
            return f"weights {digest[:12]}"
        known = [*([file.name] if file else []), *([f"job {job}"] if job else [])]
        return ", ".join(known) or f"weights {digest[:12]}"

    def _pack_words(self, pack: str) -> tuple[PackSettings, str | None] | None:
        words = self.words(pack)
        settings = words.pack if words is not None else None
        return (settings, words.details.get("root")) if words is not None and settings is not None else None


def own_lineage(words: JobWords, parts: Parts) -> Lineage:
    """Return what a training itself sees of the parts of its split."""
    data = words.data
    what = f"{data.source} {split_text(data)}" if data is not None else "images"
    seen: list[tuple[How, Keys]] = [("trained on", parts.train)]
    seen += [("calibrated on", parts.val)] if words.is_calibrated else []
    seen += [("chosen on", parts.val)] if words.chooses else []
    return Lineage(tuple(Exposure((), how, what, keys, parts.is_exact) for how, keys in seen if keys))


def _weights_path(path: tuple[str, ...]) -> tuple[str, ...]:
    """`student` has `student.weights`; a network further away, or the one that is asked about, simply has weights."""
    if len(path) == 1 and " " not in path[0]:
        return (f"{path[0]}.weights",)
    return (*path, "its weights")


def _name(path: tuple[str, ...], name: str) -> str:
    return " <- ".join((*path, name))
