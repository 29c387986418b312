"""The targets job: takes a teacher, gives its answers on the images that students see, and what it is like.

Whoever needs the answers later opens them here. A cache that is gone, damaged or of other data is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.core.data.loader import count_threads
from engine.core.data.pack import Pack
from engine.core.distill.diagnose import diagnose_logits, reliability
from engine.core.distill.encoding import RowFormat
from engine.core.distill.feature_rows import FeatureForm
from engine.core.distill.make import CENTRE_VIEW, Maker, Said, write_targets
from engine.core.distill.taps import find_layers, listening, probe_layers, read_layer, reduce_map
from engine.core.distill.targets import CENTRE, Origin, Targets, map_rows, open_targets, targets_problem
from engine.core.distill.teacher import require_skill
from engine.core.host_memory import keep_freed
from engine.core.network.heads import SlicedNetwork
from engine.core.train.checkpoint import capture_random, restore_random
from engine.core.train.forward import Forward
from engine.errors import DataError
from engine.home.files import publish_folder
from engine.home.paths import JobFolder
from engine.inputs.looks import Look, timm_size
from engine.inputs.machine import cpu_model
from engine.inputs.splits import Rows
from engine.run.attempt import Attempt
from engine.run.device import TORCH_VERSION, device_name, prepare_device
from engine.run.inputs import HomeVisit, Images, load_teacher, make_forward, open_images
from engine.run.lineage import describe_lineage, teacher_lineage
from engine.run.provenance import write_origin
from engine.run.unseen import expected_top1, head_skill, require_known, seen_share, unchecked_reason, unseen_rows
from engine.spec import Data
from engine.spec.features import KeptFeature
from engine.spec.job_file import JobSpec, read_job
from engine.spec.job_settings import TargetsSettings

DIAGNOSED = 10_000_000
"""How many logits of a part are looked at: beyond, an even sample of its images."""
# A sample, because the teacher is asked once more for its whole head.
MASS_IMAGES = 512
# A share of them is known to 1.6 points, as one standard error at most.
UNSEEN_IMAGES = 1000


@dataclass(frozen=True)
class OpenTeacher:
    """A loaded teacher, ready to be asked: `about` says which weights it has and how it sees, `kept` what of its layers
    is wanted beside its logits."""

    network: SlicedNetwork
    forward: Forward
    scale: float
    about: Mapping[str, Any]
    look: Look
    kept: tuple[KeptFeature, ...] = ()

    @property
    def classes(self) -> int:
        places = self.network.places
        return int(self.about["outputs"]) if places is None else len(places)

    def predict(self, shown: torch.Tensor) -> torch.Tensor:
        """Return logits (B, classes) for uint8 (B, 3, size, size)."""
        with torch.no_grad():
            return self.forward(self.network, shown) * self.scale

    def listen(self, shown: torch.Tensor) -> Said:
        """Return logits (B, classes), and for each of `kept` the feature (B, places, channels)."""
        layers = find_layers(self.network.full, [one.layer for one in self.kept])
        with listening(layers) as heard:
            logits = self.predict(shown)
        features = (reduce_map(read_layer(heard, one.layer, len(shown)), one.pool, one.keeps) for one in self.kept)
        return logits, tuple(features)

    def forms(self) -> tuple[FeatureForm, ...]:
        """Return how the features lie in a row."""
        shapes = probe_layers(self.network.full, [one.layer for one in self.kept], self.look.image_size)
        channels = (shapes[one.layer][0] if one.keeps == "map" else 1 for one in self.kept)
        return tuple(FeatureForm(one.pool**2, many, one.dtype) for one, many in zip(self.kept, channels, strict=True))

    def slice_mass(self, shown: torch.Tensor) -> torch.Tensor:
        """Return (B,): how much of the whole head's probability lies on the data's classes."""
        with torch.no_grad():
            shares = (self.forward(self.network.full, shown) * self.scale).softmax(dim=1)
        return shares.sum(dim=1) if self.network.places is None else shares[:, self.network.places].sum(dim=1)


def run_targets(attempt: Attempt) -> None:
    """Cache the teacher's answers and log what it is like on each part, once it is known to be better than chance."""
    spec = read_job(attempt.job, TargetsSettings)
    threads = spec.settings.threads
    device = prepare_device(attempt.order.slot, threads, True, spec.settings.precision)
    keep_freed()
    images = open_images(attempt, spec.settings.data)
    write_origin(attempt, device, threads, images.pack.digest)
    lineage = teacher_lineage(attempt, None if saw_no_split(spec) else images)
    teacher = open_teacher(attempt, spec, device)
    known = _judge_unseen(attempt, spec, images, teacher) if saw_no_split(spec) else {}
    made, found = _publish(attempt, attempt.order.job, spec, images, teacher)
    origin = targets_origin(attempt.order.job, spec, images)
    targets = open_targets(attempt.home.targets(attempt.order.job), origin, origin.rows)
    size = {"views": origin.views, "images": len(origin.rows)}
    about = {"made": made, "found": found, **size, "kept": targets.form.kept, "teacher": dict(teacher.about)}
    attempt.journal.fact("targets", about)
    attempt.journal.fact("lineage", describe_lineage(lineage))
    figures = known | _diagnose(attempt, spec, images, targets)
    if teacher.network.places is not None:
        figures["in_slice_mass"] = _log_mass(attempt, origin, teacher)
    attempt.write_result(0, {**size, **figures})


def targets_origin(job: str, spec: JobSpec[TargetsSettings], images: Images, data: Data | None = None) -> Origin:
    """Return what the targets of `job` are of; `data` are the views that are wanted, by default those of the job."""
    settings = spec.settings
    rows = np.arange(len(images.pack)) if saw_no_split(spec) else images.split.train
    viewed = data or settings.data.model_copy(update={"workers": images.data.workers})
    return Origin(images.pack, rows, viewed, settings.views, {"job": job})


def saw_no_split(spec: JobSpec[TargetsSettings]) -> bool:
    """Whether the teacher was trained on none of these images, so that its targets are of all of them."""
    return spec.settings.rows == "all"


def open_job_targets(attempt: Attempt, images: Images, device: torch.device, role: str = "targets") -> Targets:
    """Return the targets of the job in `role` for this job's training images, made again where they cannot be used."""
    job = attempt.need(role)
    spec, folder = read_job(job, TargetsSettings), attempt.home.targets(job.job)
    origin = targets_origin(job.job, spec, images, images.data if role == "targets" else None)
    try:
        return open_targets(folder, origin, images.split.train)
    except DataError as error:
        print(f"the targets are made again: {error.what}", flush=True)
        _make_again(attempt, job, spec, images, device)
        return open_targets(folder, origin, images.split.train)


def _make_again(
    attempt: Attempt, job: JobFolder, spec: JobSpec[TargetsSettings], images: Images, device: torch.device
) -> None:
    """Make the targets of another job; the generators stay where they are, or this training would be another one."""
    state = capture_random()
    _publish(attempt, job.job, spec, images, open_teacher(attempt, spec, device))
    restore_random(state)


def open_teacher(
    attempt: Attempt | HomeVisit,
    spec: JobSpec[TargetsSettings],
    device: torch.device,
    kept: Sequence[KeptFeature] | None = None,
) -> OpenTeacher:
    """Return the teacher that a targets job asks for, on `device`; with the features that the job keeps, or `kept`."""
    network, about = load_teacher(attempt, spec)
    network = network.to(device)
    forward = make_forward(network, device, spec.settings.precision)
    look = data_look(spec.settings.data)
    wanted = tuple(spec.settings.features if kept is None else kept)
    return OpenTeacher(network, forward, spec.settings.logit_scale, {**about, **look.placed}, look, wanted)


def data_look(data: Data) -> Look:
    """Return how a network looks whose images are those of `data`."""
    return Look(data.image_size, data.crop_share, data.interpolation)


def make_maker(origin: Origin, teacher: OpenTeacher) -> Maker:
    workers, device = count_threads(origin.data), teacher.forward.device
    maker = Maker(origin, teacher.predict, teacher.look, teacher.classes, workers=workers, device=device)
    return replace(maker, listen=teacher.listen, features=teacher.forms()) if teacher.kept else maker


def _publish(
    attempt: Attempt, job: str, spec: JobSpec[TargetsSettings], images: Images, teacher: OpenTeacher
) -> tuple[bool, int]:
    """Put the targets of `job` into the cache unless valid ones are there.

    Return whether they were made, and of how many images a killed attempt had left them.
    """
    found = 0
    origin = targets_origin(job, spec, images)
    whole = Origin(images.pack, origin.rows, origin.data, origin.views, targets_info(job, spec, images.pack, teacher))

    def check(folder: Path, form: RowFormat) -> None:
        part, rows = skill_part(spec, images)
        labels = torch.from_numpy(images.pack.labels[rows])
        answers = form.decode(map_rows(folder / CENTRE, form, (len(images.pack),))[rows]).logits.argmax(dim=1)
        require_skill(float((answers == labels).double().mean()), len(images.pack.class_names), len(rows), part)

    def build(folder: Path) -> None:
        nonlocal found
        found = write_targets(make_maker(whole, teacher), folder, attempt.watcher("targets"), check)

    final = attempt.home.targets(job)
    made = publish_folder(final, build, lambda folder: targets_problem(folder, origin) is None, resume=True)
    return made, found


def skill_part(spec: JobSpec[TargetsSettings], images: Images) -> tuple[str, Rows]:
    """Return the images on which a teacher must be better than chance: validation where it could see a split."""
    if saw_no_split(spec):
        return "all", np.arange(len(images.pack))
    return ("validation", images.split.val) if len(images.split.val) else ("training", images.split.train)


def targets_info(job: str, spec: JobSpec[TargetsSettings], pack: Pack, teacher: OpenTeacher) -> dict[str, Any]:
    """Return what made these targets: enough to say later whether making them again must give the same bits."""
    return {
        "job": job,
        "teacher": dict(teacher.about),
        "logit_scale": teacher.scale,
        "data": pack.digest,
        "precision": spec.settings.precision,
        "threads": torch.get_num_threads(),
        "cpu": cpu_model(),
        "device": device_name(teacher.forward.device),
        "torch": TORCH_VERSION,
        "timm": version("timm"),
    }


# Diagnosis ------------------------------------------------------------------------------------------------------------


def _diagnose(attempt: Attempt, spec: JobSpec[TargetsSettings], images: Images, targets: Targets) -> dict[str, float]:
    """Log the teacher's figures and reliability on the centre crops of each part that it can be judged on."""
    parts = {name: images.split.part(name) for name in ("train", "val", "test")}
    if saw_no_split(spec):
        parts = {"all": np.arange(len(images.pack)), "unseen": _unseen(images, spec)}
    figures: dict[str, float] = {}
    bins: dict[str, Any] = {}
    for part, rows in parts.items():
        if not len(rows):
            continue
        found, bins[part] = describe_part(targets, images.pack, rows)
        for name, value in found.items():
            attempt.journal.teacher(part, name, value)
            figures[f"{part}_{name}"] = value
    attempt.journal.fact("reliability", bins)
    return figures


def _unseen(images: Images, spec: JobSpec[TargetsSettings]) -> Rows:
    """Return the rows that a teacher of ImageNet has not seen; none where that is no question."""
    found = unseen_rows(images.pack, spec.settings.data)
    return np.array([], dtype=np.int64) if found is None else found


def _judge_unseen(
    attempt: Attempt, spec: JobSpec[TargetsSettings], images: Images, teacher: OpenTeacher
) -> dict[str, float]:
    """Log how the teacher looks, and its accuracy among all its classes beside the known one, before it teaches."""
    pack, settings = images.pack, spec.settings
    unseen = unseen_rows(pack, settings.data)
    figures = _look_figures(pack, settings, teacher.look)
    for name, value in figures.items():
        attempt.journal.teacher("all", name, value)
    if unseen is not None:
        attempt.journal.teacher("all", "seen_share", seen_share(np.arange(len(pack)), unseen))
    reason = unchecked_reason(settings, int(teacher.about["outputs"]), pack, unseen)
    if reason is not None or unseen is None:
        print(f"the teacher's accuracy cannot be checked: {reason}", flush=True)
        return figures
    rows = spread_rows(unseen, UNSEEN_IMAGES)
    maker = make_maker(targets_origin(attempt.order.job, spec, images), teacher)
    labels = (pack.labels[rows[first : first + maker.batch]] for first in range(0, len(rows), maker.batch))
    batches = zip(maker.render_batches(CENTRE_VIEW, rows), labels, strict=True)
    right = torch.cat([_is_right(teacher, shown, wanted) for shown, wanted in batches])
    skill = head_skill(right, torch.from_numpy(pack.labels[rows]))
    known = expected_top1(settings) or 0.0
    told = {"head_top1": skill.top1, "head_error": skill.error, "head_images": float(skill.images), "known_top1": known}
    for name, value in told.items():
        attempt.journal.teacher("unseen", name, value)
    print(f"the teacher: {skill.top1:.1%} of {skill.images} unseen images, known for {known:.1%}", flush=True)
    require_known(settings, skill)
    return figures | told


def _look_figures(pack: Pack, settings: TargetsSettings, look: Look) -> dict[str, float]:
    """Return the size the teacher looks at, that of its weights, and how much of the data is enlarged for it."""
    small = np.array([min(pack.size(row)) for row in range(len(pack))]) * look.crop_share < look.image_size - 0.5
    figures = {"image_size": float(look.image_size), "enlarged_share": float(small.mean())}
    own = timm_size(settings.network.arch)
    return figures | ({"own_image_size": float(own)} if own else {})


def _is_right(teacher: OpenTeacher, shown: torch.Tensor, labels: Rows) -> torch.Tensor:
    wanted, places = torch.from_numpy(labels), teacher.network.places
    with torch.no_grad():
        answer = teacher.forward(teacher.network.full, shown).argmax(dim=1).cpu()
    return answer == (wanted if places is None else places.cpu()[wanted])


def describe_part(targets: Targets, pack: Pack, rows: Rows) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the teacher's figures on `rows`, and by bins of confidence how many there are, accuracy and confidence."""
    chosen = spread_rows(rows, DIAGNOSED // targets.classes)
    logits, labels = targets.centre(chosen), torch.from_numpy(pack.labels[chosen])
    bins = reliability(logits, labels)
    drawn = {"counts": bins.counts, "accuracy": bins.accuracy, "confidence": bins.confidence}
    return asdict(diagnose_logits(logits, labels)), {name: values.tolist() for name, values in drawn.items()}


def spread_rows(rows: Rows, most: int) -> Rows:
    """Return at most `most` of `rows`, evenly spread over them."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), max(most, 1))).astype(np.int64)]


def _log_mass(attempt: Attempt, origin: Origin, teacher: OpenTeacher) -> float:
    """Log how much probability the whole head puts on the data's classes, over an even sample of all images."""
    maker = make_maker(origin, teacher)
    rows = spread_rows(np.arange(len(origin.pack)), MASS_IMAGES)
    shares = [teacher.slice_mass(shown).double().cpu() for shown in maker.render_batches(CENTRE_VIEW, rows)]
    mass = float(torch.cat(shares).mean())
    attempt.journal.teacher("all", "in_slice_mass", mass)
    return mass
