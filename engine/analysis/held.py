"""What must be equal: takes a setting's dotted path, gives the families of metrics it decides, and whether to study it.

HELD at the foot classifies each field of the models of engine/spec, AROUND what no setting says. A field that is not
in HELD must be equal for every metric and is never a factor, so that a new one cannot make a pair unfair in silence;
one marked ASIDE says how a job is done and not what, and is never a factor either.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.spec import Settings
from engine.spec.dotted import flatten_settings
from engine.spec.job_settings import JobDetails
from store.metrics import Metric

Family = Literal["accuracy", "speed", "time", "memory", "inference", "size"]
Families = frozenset[Family]

NONE: Families = frozenset()
ACCURACY: Families = frozenset({"accuracy"})
TRAINING: Families = frozenset({"speed", "time", "memory"})
MEASURED: Families = frozenset({"inference"})
SIZE: Families = frozenset({"size"})
ALL: Families = ACCURACY | TRAINING | MEASURED | SIZE
LEARNING = ACCURACY | TRAINING
TIME: Families = frozenset({"time"})
PACE: Families = frozenset({"speed", "time"})
RUNNING = TRAINING | MEASURED


@dataclass(frozen=True)
class Rule:
    """What a field decides (a pair that differs in it is unfair there) and where it is worth a footnote alone.

    `is_factor`: it may be the one thing that is studied. `picks_images`: other values are other test images.
    """

    decides: Families
    noted: Families = NONE
    is_factor: bool = True
    picks_images: bool = False


@dataclass(frozen=True)
class Around:
    """What of a run's surroundings must be equal: its name in Surroundings, how readers know it, and as in Rule."""

    name: str
    what: str
    decides: Families
    noted: Families = NONE


@dataclass(frozen=True)
class FieldPlace:
    """A field where it stands in a spec: its dotted path, the model that declares it, and its name there.

    `in_aside`: the section that it stands in is marked ASIDE as a whole.
    """

    path: str
    owner: type[BaseModel]
    name: str
    in_aside: bool = False

    @property
    def info(self) -> FieldInfo:
        return self.owner.model_fields[self.name]

    @property
    def is_aside(self) -> bool:
        extra = self.info.json_schema_extra
        return self.in_aside or (isinstance(extra, Mapping) and bool(extra.get("aside")))

    @property
    def is_later(self) -> bool:
        """Whether records of earlier versions lack it, and mean its default."""
        extra = self.info.json_schema_extra
        return isinstance(extra, Mapping) and bool(extra.get("later"))

    @property
    def is_counted(self) -> bool:
        """Whether some of its values change results all the same, and are part of ids."""
        extra = self.info.json_schema_extra
        return isinstance(extra, Mapping) and bool(extra.get("counted"))


UNCLASSIFIED = Rule(ALL, is_factor=False)


def family_of(metric: Metric) -> Family:
    """Return the family of a metric: what decides one of it decides all."""
    if not metric.device_bound:
        return "size" if metric.images == "none" else "accuracy"
    if metric.measured == "once":
        return "inference"
    return {"bytes": "memory", "s": "time"}.get(metric.unit, "speed")  # type: ignore[return-value]


@lru_cache(4096)
def rule_of(path: str, root: type[BaseModel] = Settings) -> Rule:
    """Return what a setting decides; UNCLASSIFIED for one that nobody has classified, or that no model has.

    What stands under the teacher or `distill` decides no more than the student's learning; how a teacher was trained,
    and whose entropy is matched, its accuracy alone.
    """
    places = list(places_of(path, root))
    rules = [rule for place in places if (rule := _classified(place)) is not None]
    if not places or len(rules) < len(places):
        return UNCLASSIFIED
    rule, reach = rules[0], _reach_of(path)
    is_factor = rule.is_factor and not any(place.is_aside for place in places)
    return replace(rule, decides=rule.decides & reach, noted=rule.noted & reach, is_factor=is_factor)


def _classified(place: FieldPlace) -> Rule | None:
    """Return the entry of a field under the model that declares it, or under one that it inherits from."""
    names = (f"{model.__name__}.{place.name}" for model in place.owner.__mro__)
    return next((HELD[name] for name in names if name in HELD), None)


def _reach_of(path: str) -> Families:
    if path.startswith("distill.temperature.") or (path.startswith("teacher.") and ".train." in path):
        return ACCURACY
    return LEARNING if path.startswith("teacher.") else ALL


def places_of(path: str, root: type[BaseModel] = Settings) -> Iterator[FieldPlace]:
    """Yield the fields that a dotted path may lead to, one for each model of a union; numbers count in lists."""
    models, owned = [(root, False)], list[FieldPlace]()
    for part in path.split("."):
        if part.isdigit() and owned:
            continue
        if not models:  # into an open mapping, as `options`
            break
        owned = [
            FieldPlace(path, model, name, in_aside)
            for model, in_aside in models
            for name, info in model.model_fields.items()
            if part == (info.alias or name)
        ]
        models = [(inner, place.is_aside) for place in owned for inner in models_in(place.info.annotation)]
        if not owned:
            return
    yield from owned


def walk_fields(model: type[BaseModel] = Settings, before: str = "", in_aside: bool = False) -> Iterator[FieldPlace]:
    """Yield every field of a spec's settings that holds a value, and not only more settings."""
    for name, info in model.model_fields.items():
        place = FieldPlace(f"{before}{info.alias or name}", model, name, in_aside)
        inner = models_in(info.annotation)
        if not inner or holds_values(info.annotation):
            yield place
        for one in inner:
            yield from walk_fields(one, f"{place.path}.", place.is_aside)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a field may hold, looking into unions, Annotated and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def holds_values(annotation: Any) -> bool:
    """Whether a field may hold a value of its own beside models: a number, or a list of them."""
    if annotation is type(None) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    if typing.get_origin(annotation) in (None, list, dict, Literal):
        return annotation is not None and not _is_mark(annotation)
    return any(holds_values(part) for part in typing.get_args(annotation) if not _is_mark(part))


def _is_mark(part: Any) -> bool:
    """Annotated carries marks beside its type: tags, limits, words."""
    return not isinstance(part, type) and typing.get_origin(part) is None


def how_it_ran(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings marked ASIDE, by dotted path, that a job's details name; those left out are at defaults.

    Without those that a run's settings tell themselves, as far as they count, and without where the images and their
    boxes lie.
    """
    known = _default_details() | flatten_settings(details)
    return {path: known[name] for path, name in _own_asides().items() if name in known}


@cache
def _default_details() -> dict[str, Any]:
    return flatten_settings(JobDetails().model_dump(mode="json"))


@cache
def _own_asides() -> dict[str, str]:
    """Return the paths of the settings marked ASIDE -> what a job's details call them."""
    asides = [place for place in walk_fields() if place.is_aside and not place.is_counted]
    return {place.path: place.path if place.in_aside else place.name for place in asides if _is_own(place)}


def _is_own(place: FieldPlace) -> bool:
    """Whether it is of the run itself, and not of the training of its teacher."""
    return place.path.count(".") == 1 and place.name not in ("root", "boxes")


AROUND = (
    Around("code", "the code", ALL),
    Around("device", "the device", RUNNING, noted=ACCURACY),
    Around("driver", "the driver", RUNNING),
    Around("torch", "the torch version", RUNNING, noted=ACCURACY),
    Around("timm", "the timm version", NONE, noted=ALL),
    Around("host", "the host", NONE, noted=RUNNING),
    Around("infer_batch", "the largest batch that fits", MEASURED),
    Around("at_once", "the images that go through at once", TRAINING, noted=ACCURACY),
    Around("trials", "the number of trials that it was chosen from", ALL),  # effort that the other side did not have
)

# One row for fields of a model that decide the same. A field of a subclass is looked up there first.
ROWS: tuple[tuple[str, str, Rule], ...] = (
    ("Data", "source options label classes", Rule(ALL, picks_images=True)),  # how many classes is the width of the head
    ("Data", "split given nested broken", Rule(ACCURACY | TIME, picks_images=True)),
    ("Data", "split_seed", Rule(ACCURACY, picks_images=True)),
    ("Data", "image_size", Rule(ALL)),
    ("Data", "view_seed crop_share", Rule(ACCURACY)),
    ("Data", "views short_side format interpolation", Rule(LEARNING)),
    ("Data", "root", Rule(NONE)),  # which images they are is known by content
    ("Data", "most", Rule(NONE)),  # a source that gives more is refused
    ("Data", "boxes", Rule(NONE)),  # no network learns from them: maps alone are judged by them
    ("Data", "cache workers", Rule(TRAINING)),
    ("Augment", "crop_scale crop_ratio flip rand_augment color_jitter erasing", Rule(LEARNING)),
    ("Augment", "mixup cutmix mix_targets extra options", Rule(LEARNING)),
    ("Network", "arch dims depths heads windows padding options", Rule(ALL)),
    ("Network", "drop_path", Rule(LEARNING)),
    ("WindowAttention", "kind", Rule(ALL)),
    ("LongformerAttention", "kind pattern radius globals tile select projections bias combine stages", Rule(ALL)),
    ("OwnAttention", "kind stages options", Rule(ALL)),
    ("OwnAttention", "backend", Rule(NONE)),  # it has one alone
    ("WindowAttention", "backend", Rule(RUNNING, noted=ACCURACY)),
    ("LongformerAttention", "backend", Rule(RUNNING, noted=ACCURACY)),  # the same formula, rounded otherwise
    ("Student", "weights", Rule(ACCURACY, is_factor=False)),  # one side has learnt from images that the other never saw
    ("Assistant", "weights", Rule(ACCURACY)),
    ("Teacher", "run image_size targets assistants", Rule(LEARNING)),
    ("Teacher", "weights head classes mean std crop_share interpolation logit_scale seed calibrate", Rule(ACCURACY)),
    ("Teacher", "expect", Rule(NONE)),  # it stops a teacher, and changes none
    ("Distill", "loss until", Rule(LEARNING)),
    ("Distill", "temperature weight label_weight options", Rule(ACCURACY)),
    ("Distill", "features", Rule(LEARNING)),
    ("Feature", "student teacher loss projector pool dtype", Rule(LEARNING)),
    ("Feature", "weight", Rule(ACCURACY)),
    ("TemperatureSchedule", "start end schedule by", Rule(ACCURACY)),
    ("EntropyMatch", "match at", Rule(ACCURACY)),
    ("Train", "epochs", Rule(ACCURACY | TIME)),
    ("Train", "batch_size optimizer deterministic ema accumulate", Rule(LEARNING)),
    ("Train", "precision", Rule(LEARNING | MEASURED)),
    ("Train", "clip_grad", Rule(ACCURACY | PACE)),
    ("Train", "betas momentum eps schedule decay_epochs decay_share decay_rate power ema_warmup", Rule(ACCURACY)),
    ("Train", "lr min_lr weight_decay warmup_epochs label_smoothing checkpoint", Rule(ACCURACY)),
    ("Train", "threads", Rule(TRAINING, noted=ACCURACY)),  # the order of sums
    ("Train", "compile", Rule(TRAINING, noted=ACCURACY)),  # rounded otherwise
    ("Train", "memory", Rule(TRAINING)),
    ("Train", "on_oom", Rule(LEARNING)),  # as far as it counts: what an attempt did about it is in AROUND
    ("Train", "save_minutes", Rule(PACE)),
    ("Train", "rungs", Rule(NONE)),  # the same bits; the time of what is taken over was spent by another job
    ("Prune", "ratio of method criterion scope when control embedding round_to", Rule(ALL)),
    ("Prune", "recover_epochs", Rule(ACCURACY | TIME)),
    ("Prune", "recover_lr", Rule(ACCURACY)),
    ("Quantize", "backend bits mode images per_channel calibration", Rule(ACCURACY | MEASURED | SIZE)),
    (
        "Measure",
        "batch_sizes threads seconds rounds compiled runtimes",
        Rule(MEASURED, is_factor=False),
    ),  # the ruler
    ("Explain", "images", Rule(NONE)),
    ("Explain", "maps", Rule(NONE)),
    ("Explain", "deletion", Rule(NONE)),
    ("Resources", "gpus cpus ranks", Rule(PACE)),
    ("Resources", "memory time", Rule(NONE)),
)
HELD: dict[str, Rule] = {f"{model}.{name}": rule for model, names, rule in ROWS for name in names.split()}
