"""The work in a job: takes its settings and how it is done, gives passes of networks, images to load, fixed seconds.

Counted as the job does it: epochs with their validation, tests at the end, the teacher in the step or for its cache,
views that are rendered once and kept. All but the counts of images comes from the settings, so that a job of a plan and
one of an old record are taken apart alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from engine.plan.cost.speeds import Feed, Probe, Speeds, Way
from engine.spec import Augment, Student
from engine.spec.job_settings import (
    DeviceKind,
    ExplainSettings,
    JobDetails,
    JobSettings,
    MeasureSettings,
    PackSettings,
    PruneSettings,
    QuantizeSettings,
    TargetsSettings,
    TrainSettings,
    ViewedData,
)

KEPT_PIXELS = 1 << 30  # bytes of rendered images that a loader keeps; core/data/loader.py, a test compares the two
CALIBRATION_IMAGES = 512  # that pruning looks at; run/training.py
ASKED = 64  # images at once of a teacher
JOB_THREADS = 1  # of jobs that are no training
FORK = 0.3  # seconds: a process, its folder, the pack opened, a result committed
EPOCH = 0.1  # a checkpoint and its lines
STEP = 1.5e-3  # heartbeat, journal and sums of a step
QUANTIZED_BATCH, QUANTIZING = 32, 8.0  # images at once; seconds: the graph traced, exported and written anew
BENCH = 0.1  # a process of a measurement, and the network in it
EXPORT = 15.0  # a network written as a file for a runtime, which is then run alone: of TinyViT-5M, a guess for others
WARM_UP = 0.1  # of each load in it, at least one call
DELETION_PASSES = 2 * 15  # for an image's two curves in one order of cells
CURVE_PASSES = 4 * 17  # through a network for an image's deletion and insertion, and as many of chance


@dataclass(frozen=True)
class Pass:
    """`images` through a network in one way."""

    probe: Probe
    way: Way
    images: float


@dataclass(frozen=True)
class Timing:
    """A network whose `call` is timed in `rounds` rounds: a warm-up, then two calls and `seconds` at least."""

    call: Pass
    rounds: int
    seconds: float

    def whole(self, speeds: Speeds) -> float:
        call = self.call.images * speeds.seconds(self.call.probe, self.call.way)
        return self.rounds * (max(WARM_UP, call) + max(self.seconds, 2 * call))


@dataclass(frozen=True)
class Loading:
    """Images on their way to a network: training views, centre crops, or originals to pack."""

    feed: Feed
    train: float = 0.0
    evaluate: float = 0.0
    pack: float = 0.0


@dataclass(frozen=True)
class Work:
    """What a job does; `workers` threads load while the network works, 0: it waits."""

    passes: tuple[Pass, ...] = ()
    loads: tuple[Loading, ...] = ()
    fixed: float = FORK
    workers: int = 0
    threads: int = 1
    timings: tuple[Timing, ...] = ()

    @property
    def probes(self) -> tuple[Pass, ...]:
        """Every network's passes, of those that are timed too."""
        return (*self.passes, *(each.call for each in self.timings))

    def seconds(self, speeds: Speeds, cores: int) -> float:
        """Return how long it takes; loading beside the network costs nothing as long as there are cores for both."""
        network = sum(each.images * speeds.seconds(each.probe, each.way) for each in self.passes)
        loading = sum(_loading_seconds(each, speeds) for each in self.loads)
        on_cpu = all(each.probe.device == "cpu" for each in self.passes)
        spare = max(0, cores - (self.threads if on_cpu else 1))
        beside = min(self.workers, spare)
        network += sum(each.whole(speeds) for each in self.timings)
        return self.fixed + (max(network, loading / beside) if beside else network + loading)


@dataclass(frozen=True)
class Asked:
    """A job as its work is counted: `teacher` is what the job in its role `targets` asks, where it has one."""

    settings: JobSettings
    details: JobDetails
    images: float
    device: DeviceKind
    teacher: TargetsSettings | None = None

    @property
    def workers(self) -> int:
        return self.details.count_workers(on_cpu=self.device == "cpu")


def count_work(asked: Asked) -> Work:
    """Return the work in a job; fixed seconds alone for a kind that nobody has taken apart."""
    found = next((count for model, count in COUNTS.items() if type(asked.settings) is model), None)
    return found(asked) if found is not None else Work()


def _loading_seconds(loading: Loading, speeds: Speeds) -> float:
    rate = speeds.feed(loading.feed)
    return loading.train * rate.train + loading.evaluate * rate.evaluate + loading.pack * rate.pack


# The images of a split ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parts:
    """How many images are in each part, about."""

    train: float
    val: float
    test: float

    @classmethod
    def of(cls, data: ViewedData, train: float) -> Parts:
        """Return the parts of a split whose training part is known."""
        first, second, third = (int(share) for share in data.split.split("/"))
        return cls(train, train * second / first, train * third / first)

    @property
    def all(self) -> float:
        return self.train + self.val + self.test


def _rendered(data: ViewedData, images: float, epochs: float) -> float:
    """Return how many training views are made in `epochs` epochs: finite ones that fit the cache are made once."""
    fits = data.views is not None and data.views * images * 3 * data.image_size**2 <= KEPT_PIXELS
    return images * (min(data.views or 0, epochs) if fits else epochs)


# One function for each kind of job ------------------------------------------------------------------------------------


def _count_pack(asked: Asked) -> Work:
    assert isinstance(asked.settings, PackSettings)
    is_photo = asked.settings.data.source != "digits"
    viewed = ViewedData(source="digits", short_side=asked.settings.data.short_side, format=asked.settings.data.format)
    return Work(loads=(Loading(_feed(asked, viewed, is_photo=is_photo), pack=asked.images),))


def _count_train(asked: Asked) -> Work:
    told = asked.settings
    assert isinstance(told, TrainSettings)
    if told.head == "probe":  # its body is never stepped: nothing is kept for a backward pass
        work = _count_training(asked, told, asked.images, 0)
        looks = tuple(replace(each, probe=replace(each.probe, trains=False)) for each in work.passes)
        return replace(work, passes=looks)
    return _count_training(asked, told, asked.images / told.train.epochs, told.train.epochs)


def _count_prune(asked: Asked) -> Work:
    """The calibration's gradients cost as much as steps; what is left of the network recovers."""
    told = asked.settings
    assert isinstance(told, PruneSettings)
    epochs = told.prune.recover_epochs + (told.train.epochs if told.prune.when == "before" else 0)
    train = asked.images / (epochs + 1)
    work = _count_training(asked, told, train, epochs)
    kept = 1 - told.prune.ratio * (not told.prune.is_mask)
    passes = [Pass(each.probe, each.way, each.images * kept) for each in work.passes]
    first = Pass(_trained_probe(asked, told, train), "step", min(CALIBRATION_IMAGES, train))
    return Work((*passes, first), work.loads, work.fixed, work.workers, work.threads)


def _count_training(asked: Asked, told: TrainSettings, train: float, epochs: int) -> Work:
    parts, probe = Parts.of(told.data, train), _trained_probe(asked, told, train)
    # Validation after each epoch; both parts, and samples for comparisons, at the end; a probe's features.
    looks = parts.val * epochs + parts.val + 2 * parts.test + (parts.train if not epochs else 0)
    passes = [Pass(probe, "step", train * epochs), Pass(probe, "forward", looks)]
    views, crops = _rendered(told.data, train, epochs), 2 * parts.val + 2 * parts.test
    loads = [Loading(_feed(asked, told.data), views, crops)]
    online = told.distill is not None and told.distill.asks_in_steps
    if online and asked.teacher is not None and told.distill is not None:
        heard = train * epochs * told.distill.until
        passes.append(Pass(_teacher_probe(asked, asked.teacher), "forward", heard))
        loads.append(Loading(_feed(asked, asked.teacher.data), heard))
    steps = epochs * train / told.train.batch_size
    fixed = FORK + epochs * EPOCH + steps * STEP
    return Work(tuple(passes), tuple(loads), fixed, asked.workers, told.train.threads)


def _count_targets(asked: Asked) -> Work:
    told = asked.settings
    assert isinstance(told, TargetsSettings)
    probe, feed = _teacher_probe(asked, told), _feed(asked, told.data)
    share = int(told.data.split.split("/")[0]) / 100 if told.rows == "train" else 1.0
    whole = asked.images / (1 + told.views * share)
    views = asked.images - whole
    load = Loading(feed, views, whole)
    return Work((Pass(probe, "forward", asked.images),), (load,), FORK, asked.workers, told.threads)


def _count_measure(asked: Asked) -> Work:
    """In each round a new process for each network, in which it meets every load."""
    told = asked.settings
    assert isinstance(told, MeasureSettings)
    measure, timings = told.measure, list[Timing]()
    networks = [told.network, *([told.against] if told.against is not None else [])]
    ways = range(1 + len(measure.runtimes))  # as long each, however fast: they are timed for so many seconds
    for network, threads, batch, _ in product(networks, measure.threads, measure.batch_sizes, ways):
        probe = _probe(asked, network, told, told.image_size, told.precision, batch, threads)
        call = Pass(probe, "single" if batch == 1 else "forward", batch)
        timings.append(Timing(call, measure.rounds, measure.seconds / measure.rounds))
    fixed = FORK + BENCH * (len(networks) * measure.rounds + 1) + EXPORT * len(networks) * len(measure.runtimes)
    return Work(fixed=fixed, timings=tuple(timings))


def _count_quantize(asked: Asked) -> Work:
    """It looks at both parts in fp32 and in int8, whose passes are taken to be as long: they are no longer."""
    told = asked.settings
    assert isinstance(told, QuantizeSettings)
    parts, size = Parts.of(told.data, asked.images), told.data.image_size
    looks = told.quantize.images * (told.quantize.mode == "static") + 2 * (parts.val + parts.test)
    probe = _probe(asked, told.network, told, size, "fp32", QUANTIZED_BATCH, JOB_THREADS)
    return Work((Pass(probe, "forward", looks),), (Loading(_feed(asked, told.data), 0.0, looks),), FORK + QUANTIZING)


def _count_explain(asked: Asked) -> Work:
    told = asked.settings
    assert isinstance(told, ExplainSettings)
    images, size = told.explain.images, told.data.image_size
    probe = _probe(asked, told.network, told, size, "fp32", CURVE_PASSES // 4, JOB_THREADS)
    kinds = len(told.explain.maps or ())
    tested = min(told.explain.deletion, Parts.of(told.data, asked.images).test) if kinds else 0
    passes = (Pass(probe, "forward", images * CURVE_PASSES + tested * DELETION_PASSES * (1 + 2 * kinds)),)
    return Work(passes, (Loading(_feed(asked, told.data), 0.0, images + tested),), FORK)


# What is asked of the machine -----------------------------------------------------------------------------------------


def _trained_probe(asked: Asked, told: TrainSettings, images: float) -> Probe:
    train, size = told.train, told.data.image_size
    batch = max(1, min(train.batch_size, round(images)))
    probe = _probe(asked, told.network, told, size, train.precision, batch, train.threads)
    return Probe(**{**vars(probe), "trains": True, "lean": asked.details.memory == "lean"})


def _teacher_probe(asked: Asked, told: TargetsSettings) -> Probe:
    return _probe(asked, told.network, told, told.data.image_size, told.precision, ASKED, told.threads)


def _probe(
    asked: Asked, network: Student, told: Any, image_size: int, precision: str, batch: int, threads: int
) -> Probe:
    bare = network.model_copy(update={"weights": "none"}).model_dump_json()
    return Probe(bare, told.num_classes or 2, image_size, precision, batch, threads, False, asked.device, False)


def _feed(asked: Asked, data: ViewedData, is_photo: bool | None = None) -> Feed:
    return Feed(
        short_side=data.short_side, format=data.format, cache=asked.details.cache,
        augment=_augment_words(data.augment), image_size=data.image_size, interpolation=data.interpolation,
        crop_share=data.crop_share, device=asked.device, is_photo=data.has_root if is_photo is None else is_photo,
    )  # fmt: skip


def _augment_words(augment: Augment) -> str:
    """Say nothing of code where there is none: what was tried before such words were is not tried again."""
    return augment.model_dump_json(exclude=None if augment.extra else {"extra", "options"})


def list_questions(works: Mapping[str, Work]) -> tuple[list[Probe], list[Feed]]:
    """Return what to ask a machine about these works: networks and feeds, those with the most work first.

    A network that is trained is asked about as it trains, and not once more as others use it.
    """
    probes, macs, feeds = dict[tuple[str, int], Probe](), dict[tuple[str, int], float](), dict[Feed, float]()
    for each in _passes(works):
        key = (each.probe.network, each.probe.image_size)
        if key not in probes or (each.probe.trains and not probes[key].trains):
            probes[key] = each.probe
        macs[key] = macs.get(key, 0.0) + each.images * each.probe.macs * (3 if each.way == "step" else 1)
    for work in works.values():
        for load in work.loads:
            feeds[load.feed] = feeds.get(load.feed, 0.0) + load.train + load.evaluate + load.pack
    busiest = sorted(probes, key=lambda key: -macs[key])
    return [probes[key] for key in busiest], sorted(feeds, key=lambda one: -feeds[one])


def _passes(works: Mapping[str, Work]) -> Iterator[Pass]:
    return (each for work in works.values() for each in work.probes)


COUNTS: Mapping[type[JobSettings], Callable[[Asked], Work]] = {
    PackSettings: _count_pack,
    TrainSettings: _count_train,
    PruneSettings: _count_prune,
    TargetsSettings: _count_targets,
    QuantizeSettings: _count_quantize,
    MeasureSettings: _count_measure,
    ExplainSettings: _count_explain,
}
