"""A trained network as a file for other runtimes: takes a run of a home, gives the file, checked against the network.

What is written is asked about test images before it gets its name: a file that answers otherwise is never there.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.data.pack import Pack
from engine.core.data.wordnet import class_title
from engine.core.export.about import About, Metadata
from engine.core.export.forms import Written, open_form, write_form
from engine.core.export.onnx_form import OPSET
from engine.core.export.parity import Answer, Parity, compare_answers, first_difference
from engine.core.export.photograph import look_at
from engine.core.network.build import normalization
from engine.errors import DataError, JobError
from engine.home.files import read_json, sync_path
from engine.home.paths import Home, JobFolder
from engine.inputs.splits import Rows, split_pack
from engine.run.attempt import absent_fix
from engine.run.inputs import HomeVisit, load_trained, open_needed_pack
from engine.run.quantized_file import QuantizedFile, find_quantized
from engine.spec import Student
from engine.spec.forms import check_suffix, form_words
from engine.spec.job_file import read_details, read_job
from engine.spec.job_settings import QuantizeSettings, TrainSettings, ViewedData

PARITY_IMAGES, PARITY_BATCH = 256, 32


@dataclass(frozen=True)
class ParityImages:
    """The test images (rows of a pack) that a file is held against its network on."""

    pack: Pack
    data: ViewedData
    rows: Rows

    def batches(self, about: About, most: int = PARITY_IMAGES) -> Iterator[Tensor]:
        """Yield images normalised as `about` says, evenly over the test part, `most` in all at most."""
        places = np.unique(np.linspace(0, len(self.rows) - 1, min(most, len(self.rows))).astype(np.int64))
        for batch in EvalLoader(self.pack, self.rows[places], self.data, self.data.image_size, PARITY_BATCH):
            yield look_at(batch.images, about)


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that a home has trained, with what is known of it, and its test images."""

    network: nn.Module
    about: About
    beside: Metadata
    images: ParityImages

    def batches(self) -> Iterator[Tensor]:
        return self.images.batches(self.about)


@dataclass(frozen=True)
class Exported:
    """A file that was written and holds, and what a person wants to know of it."""

    path: Path
    form: str
    bytes: int
    opset: int | None
    parity: Parity
    job: str

    def as_json(self) -> dict[str, Any]:
        parity = {"images": self.parity.images, "agreement": self.parity.agreement, "largest": self.parity.largest}
        told = {"path": str(self.path), "format": self.form, "bytes": self.bytes, "opset": self.opset, "job": self.job}
        return {**told, "parity": {**parity, "limit": self.parity.limit}}

    def lines(self) -> list[str]:
        """Return what a person reads."""
        opset = f", opset {self.opset}" if self.opset is not None else ""
        size = f"{self.bytes / 1e6:.2f} MB"
        return [str(self.path), f"{self.form}{opset}, {size}, of {self.job}", f"parity: {self.parity}"]


def open_trained(home: Home, job: str) -> TrainedNetwork:
    """Return the network of a train or prune job and its test images.

    Raises JobError where it is not done, or its images are gone and cannot be packed here.
    """
    folder = home.job(job)
    winner = folder.winner()
    if winner is None:
        raise JobError(f"{job} is not done", where=job, fix=absent_fix(folder))
    spec, stored = read_job(folder, TrainSettings), read_json(winner.artifacts / "network.json")
    network = load_trained(home, folder)
    data = spec.settings.data
    pack = open_needed_pack(home, spec.needs["pack"], data, HomeVisit(home, read_details(folder)))
    about = tell_about(folder, network, pack, data, spec.settings.network, stored["widths"])
    return TrainedNetwork(network, about, trained_texts(folder), ParityImages(pack, data, split_pack(pack, data).test))


def tell_about(
    folder: JobFolder, network: nn.Module, pack: Pack, data: ViewedData, told: Student, widths: dict[str, Any] | None
) -> About:
    """Return what a file says of the network that the job of `folder` has trained, on the images of `pack`."""
    mean, std = normalization(network)
    return About(
        network=told.model_copy(update={"weights": "none"}), widths=widths,
        classes=list(pack.class_names), meanings=[_meaning(name) for name in pack.class_names],
        image_size=data.image_size, crop_share=data.crop_share, interpolation=data.interpolation,
        mean=list(mean), std=list(std), short_side=data.short_side, format=pack.format, job=folder.job,
        weights=read_json(folder.result)["weights_sha256"],
    )  # fmt: skip


def trained_texts(folder: JobFolder) -> Metadata:
    """Return what the weights that a job has trained say of themselves: their lineage, and how they look at images."""
    winner = folder.winner()
    return _texts_of(winner.artifacts / "weights.safetensors") if winner is not None else {}


def _meaning(name: str) -> str:
    return class_title(name).removeprefix(f"{name} ")


def _texts_of(file: Path) -> dict[str, str]:
    with safetensors.safe_open(file, framework="np") as stored:
        return dict(stored.metadata() or {})


def export_network(home: Home, job: str, form: str, path: Path, *, force: bool = False) -> Exported:
    """Write the network of `job` in a format, atomically, after it was held against the network on test images.

    Raises DataError for an unknown format, one whose packages are absent, and a file that is there and not to be
    replaced; JobError where the network cannot be had, has an operator that the format lacks, or the file differs.
    """
    form_words(form)
    check_suffix(path, form)
    check_target(path, force=force)
    quantized = find_quantized(home, job)
    if quantized is not None:
        return _copy_quantized(home, quantized, form, path, force=force)
    found = open_trained(home, job)
    opset = OPSET if form == "onnx" else None
    about = found.about.model_copy(update={"opset": opset})
    beside = path.with_name(f".{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        written = write_form(form, found.network, about.image_size, beside, about.texts(found.beside))
        parity = _check(found, written, form, path)
        _give_name(beside, path, force=force)
    finally:
        beside.unlink(missing_ok=True)
    return Exported(path, form, path.stat().st_size, opset, parity, job)


def _copy_quantized(home: Home, found: QuantizedFile, form: str, path: Path, *, force: bool) -> Exported:
    """Give the file itself, asked about test images as any other: there is one for each quantised network."""
    if form != found.form:
        what = f"{found.job} is a network in 8-bit numbers, which its job made as {found.form}, and as nothing else"
        raise DataError(what, where=f"--format {form}", fix=f"export --format {found.form}, or export its fp32 arm")
    job = read_job(home.job(found.job), QuantizeSettings)
    data, details = job.settings.data, read_details(home.job(found.job))
    pack = open_needed_pack(home, job.needs["pack"], data, HomeVisit(home, details))
    images = ParityImages(pack, data, split_pack(pack, data).test)
    beside = path.with_name(f".{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        beside.write_bytes(found.path.read_bytes())
        parity = compare_answers(open_form(found.path), open_form(beside), images.batches(found.about))
        _give_name(beside, path, force=force)
    finally:
        beside.unlink(missing_ok=True)
    return Exported(path, form, path.stat().st_size, found.about.opset, parity, found.job)


def check_target(path: Path, *, force: bool) -> None:
    """Raise DataError where nothing can be written, or something is there that is not to be replaced."""
    if path.exists() and not path.is_file():
        raise DataError("this is no file, which would be replaced", where=str(path), fix="name another with -o")
    if path.exists() and not force:
        fix = "name another with -o, or give --force to replace it"
        raise DataError("there is a file of this name", where=str(path), fix=fix)
    if not path.parent.is_dir():
        raise DataError("there is no such folder", where=str(path.parent), fix="make it, or name another with -o")


def _check(found: TrainedNetwork, written: Written, form: str, path: Path) -> Parity:
    opened = open_form(written.path)
    parity = compare_answers(plain_answer(found.network), opened, found.batches())
    if parity.holds:
        return parity
    layer = first_difference(written, opened, next(found.batches()))
    place = f"the first layer that differs is {layer}" if layer else f"{form} does not show where"
    what = f"the file does not answer as the network does: {parity}; {place}"
    fix = "export --format safetensors, or another format; nothing was left at this name"
    raise JobError(what, where=str(path), fix=fix)


def plain_answer(network: nn.Module) -> Answer:
    """Return what asks the network itself, in fp32 on the CPU."""

    def answer(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(images).float()  # type: ignore[no-any-return]

    return answer


def _give_name(made: Path, path: Path, *, force: bool) -> None:
    """Give a whole file its name; without `force` only where nobody has taken it meanwhile."""
    sync_path(made)
    if force:
        os.replace(made, path)
    else:
        try:
            os.link(made, path)
        except FileExistsError:
            check_target(path, force=False)
    sync_path(path.parent)
