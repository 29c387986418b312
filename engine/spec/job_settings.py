"""What decides a job: takes words of a spec, gives one frozen model for each kind of job, and one of how it is done.

The same object stands in a plan, in jobs/<job>/spec.json (its canonical JSON, which is what the id is made of) and in
the job's process. Fields marked ASIDE are at their defaults in it: what they say is how, and stands in JobDetails.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from engine.spec.base import LATER, Epochs, Model, Positive, Precision, Seed, Weight, ranged, refuse
from engine.spec.data import Data
from engine.spec.distill import Distill, EntropyMatch, TemperatureSchedule
from engine.spec.experiment import Settings
from engine.spec.features import Feature, KeptFeature
from engine.spec.identity import MAP_VERSION, PACK_VERSION, VIEW_VERSION
from engine.spec.network import Student
from engine.spec.prune import Prune
from engine.spec.quantize import Quantize
from engine.spec.registries import one_of
from engine.spec.training import Explain, Measure, Resources, Train

SPLIT_WORDS = ("split", "split_seed", "nested", "given")
"""The words of `data` that say, for the images of one pack, which of them are trained on."""


class JobSettings(Model):
    """What decides a job of some kind; each kind has a model of its own (job_kinds.py)."""


class PackedData(Model):
    """The words of `data` that decide what a pack holds."""

    source: Annotated[str, one_of("source", or_code=True)]
    options: dict[str, bool | int | float | str] = Field({}, json_schema_extra=LATER)
    label: str | None = Field(None, json_schema_extra=LATER)
    short_side: int
    format: Literal["raw", "jpeg"]
    broken: Literal["stop", "skip"]
    classes: list[str] | None

    @classmethod
    def of(cls, data: Data) -> PackedData:
        return cls.model_validate({name: getattr(data, name) for name in cls.model_fields})

    def located(self, root: str | None) -> Data:
        """Return the words as a spec has them, with the folder that the images lie in."""
        return Data.model_validate({**dict(self), "root": root})


class ViewedData(Data):
    """The packed images as a job splits and views them; where they lay before is no part of it."""

    view_seed: Seed = 0
    view_version: int = Field(default_factory=lambda: VIEW_VERSION)

    @classmethod
    def of(cls, data: Data, seed: int) -> ViewedData:
        """Views that the run's seed decides are written down with that seed, all with the version of augmentation."""
        words = {name: getattr(data, name) for name in Data.model_fields}
        words["view_seed"] = seed if data.view_seed == "run" else data.view_seed
        return cls.model_validate(words)

    def unsplit(self) -> ViewedData:
        """Return the data for work on all images: the words of a split are at their defaults, and mean nothing.

        Which images came as test images stays: a network of ImageNet may have seen the others.
        """
        words = (name for name in SPLIT_WORDS if name != "given")
        return self.model_copy(update={name: Data.model_fields[name].default for name in words})

    @field_validator("view_version")
    @classmethod
    def _drawn_here(cls, version: int) -> int:
        if version != VIEW_VERSION:
            raise refuse(f"views of version {version}, and this xp draws version {VIEW_VERSION}", "submit it again")
        return version

    @model_validator(mode="after")
    def _root_for_folder(self) -> ViewedData:
        """Takes the place of the rule for a spec: the images are packed, and no job but the pack looks for them."""
        return self


class MatchedTemperature(Model):
    """The temperature at which the teacher's mean entropy is that of the reference, a need of the job, at `at`."""

    match: Literal["entropy"]
    at: Positive


class LessonSettings(Model):
    """What a student makes of its teacher: `distill` with weights and options by value, and how the teacher answers."""

    loss: Annotated[str, one_of("loss", or_code=True)]
    temperature: Positive | TemperatureSchedule | MatchedTemperature
    weight: Weight
    label_weight: Weight
    until: Annotated[float, ranged(gt=0.0, le=1.0)]
    options: dict[str, float | None]
    targets: Literal["cached", "online"]
    calibrate: bool
    features: list[Feature] = Field([], json_schema_extra=LATER)
    feature_targets: Literal["cached", "online"] = Field("cached", json_schema_extra=LATER)

    @property
    def hears_features_online(self) -> bool:
        """Whether the teacher is asked for its features in the step."""
        return bool(self.features) and "online" in (self.targets, self.feature_targets)

    @property
    def asks_in_steps(self) -> bool:
        """Whether the teacher is asked for anything in the step."""
        return self.targets == "online" or self.hears_features_online

    @classmethod
    def of(cls, distill: Distill, targets: str, *, calibrate: bool, feature_targets: str = "cached") -> LessonSettings:
        """A loss's own weights, spelt out or not, are one setting; the reference of a temperature is a need."""
        words: dict[str, Any] = {**dict(distill), "targets": targets, "calibrate": calibrate}
        words["feature_targets"] = feature_targets
        words["weight"], words["label_weight"] = distill.weights
        if isinstance(distill.temperature, EntropyMatch):
            words["temperature"] = MatchedTemperature(match=distill.temperature.match, at=distill.temperature.at)
        return cls.model_validate(words)

    def words(self, matched: float | None = None) -> Distill:
        """Return `distill` as a spec has it; `matched` is the number that a matched temperature came to."""
        words = {name: getattr(self, name) for name in Distill.model_fields}
        if matched is not None:
            words["temperature"] = matched
        return Distill.model_validate(words)


class PackSettings(JobSettings):
    """`digest` is of the images that were planned with."""

    data: PackedData
    digest: str
    pack_version: int = Field(default_factory=lambda: PACK_VERSION)

    @field_validator("pack_version")
    @classmethod
    def _packed_here(cls, version: int) -> int:
        if version != PACK_VERSION:
            raise refuse(f"a pack of version {version}, and this xp packs version {PACK_VERSION}", "submit it again")
        return version


class NetworkSettings(JobSettings):
    """Of work on a network; `num_classes` is None in a plan whose images are not here, and no such job is written."""

    network: Student
    num_classes: int | None

    @property
    def classes_here(self) -> int:
        assert self.num_classes is not None, "a job without its images was submitted"
        return self.num_classes


class TrainSettings(NetworkSettings):
    """`head` where a fresh one is put on given weights."""

    data: ViewedData
    train: Train
    distill: LessonSettings | None = None
    seed: int
    head: Literal["probe", "finetune"] | None = None


DeviceKind = Literal["gpu", "cpu"]


class LatencyTarget(Model):
    """Whose latency a share is of: what threads of which kind of device need for so many images."""

    batch_size: int = 1
    threads: int
    device: DeviceKind


class PruneSettings(TrainSettings):
    """A training that begins with a pruned network. `latency`: of a share of that, whose widths depend on a machine."""

    prune: Prune
    latency: LatencyTarget | None = Field(None, json_schema_extra=LATER)


class QuantizeSettings(NetworkSettings):
    """Of a network that the job before has trained; `seed` draws the images that it is calibrated on."""

    data: ViewedData
    quantize: Quantize
    seed: int


class AnsweringNetwork(Model):
    """A network that teaches: which one, its head (its own here, or a slice of one it came with), how it is asked.

    The last four are None but for a teacher that is taken as its weights come. The size, crop and interpolation that
    it looks with are those of the job's `data`.
    """

    network: Student
    head: Literal["own", "slice"]
    logit_scale: Positive
    precision: Precision
    threads: int
    classes: list[str] | None = None
    expect: Literal["listed", "any"] | float | None = None
    mean: list[float] | None = None
    std: list[Positive] | None = None


class TargetsSettings(JobSettings, AnsweringNetwork):
    """`rows`: the images that are asked about; all where the teacher has seen no split. `views` 0 examines it alone.

    `features`: what of its layers is kept beside its logits.
    """

    data: ViewedData
    rows: Literal["train", "all"]
    num_classes: int | None
    views: int
    features: list[KeptFeature] = Field([], json_schema_extra=LATER)

    @classmethod
    def of(cls, teacher: AnsweringNetwork, **words: object) -> TargetsSettings:
        """Return the settings that ask `teacher` about what `words` name."""
        return cls.model_validate({**dict(teacher), **words})


class MeasureSettings(NetworkSettings):
    """Of a network's shape: no weights, no images.

    `against`: the network of the experiment's baseline, which is measured in turn with it; None where it is that very
    network, where there is no baseline, and where the baseline is measured in another way or its shape is a result.
    `device`: how fast it is on a CPU and how fast on a GPU are two results. `timing`: so are the time that the host
    waits for a call, and that in which a GPU replays one (graph replay between events).
    """

    image_size: int
    precision: Precision
    measure: Measure
    against: Student | None = None
    device: DeviceKind = Field("cpu", json_schema_extra=LATER)
    timing: Literal["calls", "replays"] = Field("calls", json_schema_extra=LATER)


class ExplainSettings(NetworkSettings):
    """`boxes` is the digest of where the objects lie in the images, None where nobody has said it."""

    data: ViewedData
    explain: Explain
    boxes: str | None = Field(None, json_schema_extra=LATER)
    map_version: int = Field(default_factory=lambda: MAP_VERSION)

    @field_validator("map_version")
    @classmethod
    def _drawn_here(cls, version: int) -> int:
        if version != MAP_VERSION:
            raise refuse(f"maps of version {version}, and this xp draws version {MAP_VERSION}", "submit it again")
        return version


CPU_WORKERS = 1  # it loads while the training waits for its slower thread


class JobDetails(Model):
    """How a job is done, never what comes out, and where its inputs lie: no part of any id.

    Words that a spec has too have their defaults there. `device`: `auto` is a GPU where there is one, else the CPU;
    a job of `gpu` waits for one. `begins`: the shorter trainings whose state a training may begin with, longest first.
    """

    root: str | None = None
    boxes: str | None = None
    weights: str | None = None
    teacher_weights: list[str] = Field([])
    workers: int | Literal["auto"] = Data.model_fields["workers"].default
    cache: Literal["auto", "jpeg", "raw", "device"] = Data.model_fields["cache"].default
    memory: Literal["standard", "lean"] = Train.model_fields["memory"].default
    on_oom: Literal["auto", "split", "stop"] = Train.model_fields["on_oom"].default
    save_minutes: Positive = Train.model_fields["save_minutes"].default
    rungs: list[Epochs] = Train.model_fields["rungs"].default
    begins: list[str] = Field([])
    resources: Resources = Resources()
    device: Literal["auto", "gpu", "cpu"] = "auto"

    @classmethod
    def of(cls, settings: Settings, root: str | None) -> JobDetails:
        """Return how the jobs of a run with these settings are done, whose images lie in `root`."""
        data, train = settings.data, settings.train
        return cls(
            root=root,
            workers=data.workers,
            cache=data.cache,
            memory=train.memory,
            on_oom=train.on_oom,
            save_minutes=train.save_minutes,
            resources=settings.resources,
            device="gpu" if settings.resources.asks_gpu else "auto",
        )

    def count_workers(self, *, on_cpu: bool) -> int:
        """Return how many threads load images: as asked, else for a GPU what the job may use, one beside a CPU's."""
        if self.workers != "auto":
            return self.workers
        return CPU_WORKERS if on_cpu else max(1, self.resources.cpus)

    def feed(self, data: ViewedData) -> ViewedData:
        """Return `data` with the words of how its images are fed."""
        return data.model_copy(update={"workers": self.workers, "cache": self.cache})
