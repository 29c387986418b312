"""What a job works with: takes an attempt, gives its models, packed images, split, trained networks and targets.

A cache that was deleted or damaged is made again here when this home holds what it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_weights
from torch import nn

from engine.core.data.pack import Pack, is_valid_pack, open_pack, pack_threads, write_pack
from engine.core.data.sources import list_images
from engine.core.network.build import Memory, build_network, build_pruned, normalization
from engine.core.network.heads import SlicedNetwork, count_outputs, find_places, reset_head
from engine.core.network.widths import read_widths
from engine.core.train.forward import Forward
from engine.errors import DataError, JobError
from engine.home.files import publish_folder, read_json
from engine.home.paths import Home, JobFolder
from engine.inputs.content import file_digest
from engine.inputs.own_code.keeping import use_home
from engine.inputs.splits import Split, split_pack
from engine.run.attempt import Attempt, absent_fix
from engine.run.device import CPU_SLOT
from engine.spec import Data, Student
from engine.spec.data import source_words
from engine.spec.job_file import JobSpec, job_id, read_job
from engine.spec.job_settings import JobDetails, PackedData, PackSettings, TargetsSettings, TrainSettings, ViewedData

Rows = NDArray[np.int64]
CONTENT_MARK = "sha256:"
JOB_THREADS = 2  # where the settings say none: fixed, because the count changes the bits of a result


@dataclass(frozen=True)
class Images:
    """The packed images of a job and how they are split."""

    data: Data
    pack: Pack
    split: Split


def first_network(attempt: Attempt, num_classes: int, image_size: int, widths: Any = None) -> nn.Module:
    """Return the network as training begins, at the given inner widths (JSON); one with given weights and another
    head has a fresh one."""
    settings = attempt.settings(TrainSettings)
    model = locate_weights(settings.network, [attempt.details.weights])
    shape = read_widths(widths)
    network = build_network(model, num_classes, image_size, memory=attempt.details.memory, widths=shape)
    if settings.head is not None:
        reset_head(network)
    return network


def locate_weights(model: Student, paths: Sequence[str | None]) -> Student:
    """Return `model` with the path of its weights: settings know a file by its content, the details where it lies.

    Raises JobError when none of `paths` holds what the experiment was submitted with.
    """
    if not model.weights.startswith(CONTENT_MARK):
        return model
    there = [path for path in paths if path is not None and Path(path).is_file()]
    for path in there:
        if file_digest(Path(path)) == model.weights.removeprefix(CONTENT_MARK):
            return model.model_copy(update={"weights": path})
    what = "have changed" if there else "are gone"
    where = ", ".join(there) or ", ".join(path for path in paths if path) or model.arch
    fix = "submit the experiment again: it is then planned with the weights that are there now"
    raise JobError(f"the weights {what} since the experiment was submitted", where=where, fix=fix)


def open_images(attempt: Attempt, viewed: ViewedData) -> Images:
    """Return the images of the pack that this job needs. Raises JobError when they are gone and cannot be made here."""
    workers = count_workers(attempt.details, attempt.order.slot, attempt.share.ranks)
    data = attempt.details.feed(viewed).model_copy(update={"workers": workers})
    job = attempt.needs.get("pack")
    if job is None or attempt.home.job(job).spec.exists():
        attempt.need("pack")
    pack = open_needed_pack(attempt.home, attempt.needs["pack"], viewed, attempt)
    return Images(data, pack, split_pack(pack, data))


def count_workers(details: JobDetails, slot: str, ranks: int = 1) -> int:
    """Return how many threads load images in a process of a job on this slot; where nobody asked, no more than may run
    here, all of its processes together.
    """
    asked = details.count_workers(on_cpu=slot.split(":")[0] == CPU_SLOT)
    return max(1, min(asked, pack_threads()) // ranks) if details.workers == "auto" and asked else asked


class Asker(Protocol):
    """Who needs a pack: an attempt, or a look into a home from outside of any."""

    @property
    def details(self) -> JobDetails: ...

    def watch(self, phase: str, done: int, total: int) -> None: ...


def open_needed_pack(home: Home, pack: str, viewed: ViewedData, asker: Asker) -> Pack:
    """Return the pack that a job needs for the data it views, packed anew where the cache has none to use.

    Raises JobError when it is gone and cannot be made here.
    """
    job = home.job(pack)
    try:
        return open_pack(home.pack(job.job))
    except DataError as error:
        if job.spec.exists():
            _pack_again(home, job, asker, error)
        else:
            _pack_elsewhere(home, job, PackedData.of(viewed), asker)
    return open_pack(home.pack(job.job))


def _pack_again(home: Home, job: JobFolder, asker: Asker, error: DataError) -> None:
    settings = read_job(job, PackSettings).settings
    if source_words(settings.data.source).has_root:
        fix = f"remove {job.result} and submit again: the pack is made anew from the images"
        raise JobError(f"the packed images cannot be used: {error.what}", where=error.where, fix=fix) from error
    make_pack(home, settings, job.job, None, asker.watch)


def _pack_elsewhere(home: Home, job: JobFolder, packed: PackedData, asker: Asker) -> None:
    """Pack in a home that does not have the pack's job, as the `data` of who needs it says.

    The id of the job tells whether the images are the right ones.
    """
    root, is_folder = asker.details.root, source_words(packed.source).has_root
    fix = f"copy jobs/{job.job} and, in the cache, pack/{job.job} from the home that has them"
    if is_folder and not (root and Path(root).exists()):
        raise JobError(f"needs {job.job}, which is not here, nor are its images", where=str(root), fix=fix)
    located = packed.located(root if is_folder else None)
    listing = list_images(located, cache=home.digests, progress=partial(asker.watch, "list"))
    settings = PackSettings(data=packed, digest=listing.digest)
    if is_folder and job_id({}, settings) != job.job:
        raise JobError(f"the images are not those of {job.job}", where=str(root), fix=fix)
    make_pack(home, settings, job.job, located.root, asker.watch)


def make_pack(
    home: Home,
    settings: PackSettings,
    job: str,
    root: str | None,
    watch: Callable[[str, int, int], None],
) -> int | None:
    """Pack the images of `settings`, in `root`, into the cache; return how many of them an earlier attempt had packed.

    None where a valid pack is there. A pack that was killed goes on from its complete shards. `watch(phase, done, all)`
    is called after each image. Raises DataError when the images are not the planned ones.
    """
    data = settings.data.located(root)
    found: list[int] = []

    def build(folder: Path) -> None:
        listing = list_images(data, cache=home.digests, progress=partial(watch, "list"))
        check_digest(settings, root, listing.digest)
        progress = partial(watch, "pack")
        held = write_pack(listing, folder, data.short_side, progress, format=data.format, broken=data.broken)
        found.append(held)

    publish_folder(home.pack(job), build, is_valid_pack, resume=True)
    return found[0] if found else None


def check_digest(settings: PackSettings, root: str | None, digest: str) -> None:
    """Refuse images that are not the ones the experiment was planned with, those that will be left out included."""
    if source_words(settings.data.source).has_root and settings.digest != digest:
        raise DataError(
            "the images have changed since the experiment was submitted",
            where=str(root),
            fix="submit the experiment again: it is then planned with the images that are there now",
        )


def load_trained(home: Home, job: JobFolder, memory: Memory = "standard") -> nn.Module:
    """Return the network that a train or prune job committed, pruned shapes and all, on the CPU in eval mode."""
    use_home(home)  # whoever looks at a network of somebody's own runs its copy
    winner = job.winner()
    if winner is None:
        raise JobError(f"{job.job} is not done", where=job.job, fix=absent_fix(job))
    about = read_json(winner.artifacts / "network.json")
    path = winner.artifacts / "weights.safetensors"
    # Read once: what is loaded is what was checked.
    raw = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(raw).hexdigest() != read_json(job.result).get("weights_sha256"):
        fix = f"remove {job.root} and submit again: the network is trained anew"
        raise JobError("the trained weights are missing or damaged", where=str(path), fix=fix)
    model = Student.model_validate(about["network"])
    network = bare_network(model, about["num_classes"], about["image_size"], about["widths"], memory)
    network.load_state_dict(load_weights(raw))
    return network.eval()


@dataclass(frozen=True)
class HomeVisit:
    """A look into a home from outside of any attempt: nothing is written, but for images that the cache lacks."""

    home: Home
    details: JobDetails

    def watch(self, phase: str, done: int, total: int) -> None:
        """Nobody waits for a sign of life."""


def load_teacher(attempt: Attempt | HomeVisit, spec: JobSpec[TargetsSettings]) -> tuple[SlicedNetwork, dict[str, Any]]:
    """Return the network that the targets job of `spec` asks for, in eval mode, and what it is.

    It takes images of info["image_size"] pixels and gives logits (B, num_classes) in the order of the data's classes.
    Raises DataError or JobError when its weights cannot be had, or its head does not fit the data.
    """
    if "teacher" in spec.needs:
        return _trained_teacher(attempt.home, attempt.home.job(spec.needs["teacher"]))
    settings, details = spec.settings, attempt.details
    model = locate_weights(settings.network, [details.weights, *details.teacher_weights])
    outputs = count_outputs(model, model.weights)
    names = open_pack(attempt.home.pack(spec.needs["pack"])).class_names
    places = find_places(names, outputs, settings.classes)
    size = settings.data.image_size
    network = build_network(model, outputs, size).eval()
    sliced = SlicedNetwork(network, places, settings.mean or (), settings.std or ())
    return sliced.eval(), _teacher_info(sliced, outputs, size)


def _trained_teacher(home: Home, job: JobFolder) -> tuple[SlicedNetwork, dict[str, Any]]:
    network = SlicedNetwork(load_trained(home, job), None).eval()
    winner = job.winner()
    about = read_json(winner.artifacts / "network.json") if winner else {}
    return network, _teacher_info(network, about["num_classes"], about["image_size"])


def _teacher_info(network: SlicedNetwork, outputs: int, size: int) -> dict[str, Any]:
    return {
        "head": "own" if network.places is None else "slice",
        "outputs": outputs,
        "image_size": size,
        "mean": list(network.mean),
        "std": list(network.std),
        "weights": _state_digest(network.full),
    }


def _state_digest(network: nn.Module) -> str:
    """Return the sha256 over names and values: which pretrained weights a tag stood for on that day."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(f"{name} {tuple(value.shape)}\n".encode())
        total.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return total.hexdigest()


def bare_network(
    model: Student, num_classes: int, image_size: int, widths: Any, memory: Memory = "standard"
) -> nn.Module:
    """Return the network in its shape, its weights yet to be loaded; `widths` (JSON) are those of a pruned one."""
    return build_pruned(model, num_classes, image_size, read_widths(widths), memory=memory)


def make_forward(network: nn.Module, device: torch.device, precision: str) -> Forward:
    mean, std = normalization(network)
    return Forward(device, precision, mean, std)
