"""What a job works with: takes an attempt, gives its models, packed images, split, trained networks and targets.

A cache that was deleted or damaged is made again here when this home holds what it was made from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_weights
from torch import nn

from engine.content import file_digest
from engine.core.data.pack import Pack, is_valid_pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.data.splits import Split, make_split
from engine.core.network.build import Memory, build_network, build_pruned, normalization
from engine.core.network.widths import Widths
from engine.core.train.forward import Forward
from engine.errors import DataError, JobError
from engine.home import Home, JobFolder, publish_folder, read_json
from engine.run.attempt import Attempt
from engine.spec import Data, Student

Rows = NDArray[np.int64]
CONTENT_MARK = "sha256:"
JOB_THREADS = 2  # where the settings say none: fixed, because the count changes the bits of a result


@dataclass(frozen=True)
class Images:
    """The packed images of a job and how they are split."""

    data: Data
    pack: Pack
    split: Split


def read_data(settings: Mapping[str, Any], details: Mapping[str, Any]) -> Data:
    """Return the `data` part of a job's settings. Where the images lie is no part of them: only packing needs it."""
    given = dict(settings["data"])
    if given["source"] == "folder":
        given["root"] = details.get("root") or "(packed)"
    return Data.model_validate(given).model_copy(update={"workers": int(details.get("workers") or 0)})


def read_network(settings: Mapping[str, Any]) -> Student:
    """Return the network of a job's settings."""
    return Student.model_validate(settings["network"])


def first_network(attempt: Attempt, num_classes: int, image_size: int) -> nn.Module:
    """Return the network as training begins. A weights file is known by its content, and found through the details."""
    model = read_network(attempt.settings)
    if model.weights.startswith(CONTENT_MARK):
        path = Path(attempt.order.details["weights"])
        if file_digest(path) != model.weights.removeprefix(CONTENT_MARK):
            fix = "submit the experiment again: it is then planned with the weights that are there now"
            raise JobError("the weights have changed since the experiment was submitted", where=str(path), fix=fix)
        model = model.model_copy(update={"weights": str(path)})
    return build_network(model, num_classes, image_size, memory=attempt.memory)


def open_images(attempt: Attempt) -> Images:
    """Return the images of the pack that this job needs. Raises JobError when they are gone and cannot be made here."""
    data = read_data(attempt.settings, attempt.order.details)
    job = attempt.need("pack")
    try:
        pack = open_pack(attempt.home.pack(job.job))
    except DataError as error:
        pack = _pack_again(attempt, job, error)
    split = make_split(
        pack.keys,
        pack.labels,
        pack.class_names,
        data.split,
        data.split_seed,
        groups=pack.group_names,
        nested=data.nested,
    )
    return Images(data, pack, split)


def _pack_again(attempt: Attempt, job: JobFolder, error: DataError) -> Pack:
    settings = read_json(job.spec)["settings"]
    if settings["data"]["source"] == "folder":
        fix = f"remove {job.result} and submit again: the pack is made anew from the images"
        raise JobError(f"the packed images cannot be used: {error.what}", where=error.where, fix=fix) from error
    make_pack(attempt, settings, job.job, {})
    return open_pack(attempt.home.pack(job.job))


def make_pack(attempt: Attempt, settings: Mapping[str, Any], job: str, details: Mapping[str, Any]) -> bool:
    """Pack the images of `settings` into the cache unless a valid pack is there; return whether it was made."""
    data = read_data(settings, details)

    def build(folder: Path) -> None:
        listing = list_images(data)
        write_pack(listing, folder, data.short_side, attempt.watcher("pack"), format=data.format, broken=data.broken)

    return publish_folder(attempt.home.pack(job), build, is_valid_pack)


def load_trained(home: Home, job: JobFolder, memory: Memory = "standard") -> nn.Module:
    """Return the network that a train or prune job committed, pruned shapes and all, on the CPU in eval mode."""
    winner = job.winner()
    if winner is None:
        raise JobError(f"{job.job} is not done", where=job.job, fix="submit the experiment again")
    about = read_json(winner.artifacts / "network.json")
    path = winner.artifacts / "weights.safetensors"
    raw = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(raw).hexdigest() != read_json(job.result)["weights_sha256"]:
        fix = f"remove {job.root} and submit again: the network is trained anew"
        raise JobError("the trained weights are missing or damaged", where=str(path), fix=fix)
    network = bare_network(read_network(about), about["num_classes"], about["image_size"], about["widths"], memory)
    network.load_state_dict(load_weights(raw))
    return network.eval()


def bare_network(
    model: Student, num_classes: int, image_size: int, widths: Any, memory: Memory = "standard"
) -> nn.Module:
    """Return the network in its shape, its weights yet to be loaded; `widths` (JSON) are those of a pruned one."""
    shape = None if widths is None else Widths.from_json(widths)
    return build_pruned(model, num_classes, image_size, shape, memory=memory)


def make_forward(network: nn.Module, device: torch.device, precision: str) -> Forward:
    mean, std = normalization(network)
    return Forward(device, precision, mean, std)
