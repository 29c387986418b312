"""The job that quantises: takes an attempt, gives its parent's network in 8-bit numbers as a file, and tests that.

It is calibrated on training images and tested as a training is; how often it says what its parent says in fp32 is a
figure too. Nothing is kept of an attempt that was killed: the next one comes to the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.export.forms import open_form
from engine.core.export.onnx_form import OPSET
from engine.core.measure import count_params
from engine.core.quantize.backends import AnsweringFile, quantize_network
from engine.core.train.evaluate import Evaluation, evaluate
from engine.core.train.forward import Forward
from engine.errors import JobError
from engine.home.files import read_json, sync_path
from engine.inputs.lineage import Lineage, decode_lineage
from engine.run.answers import write_answers
from engine.run.attempt import Attempt
from engine.run.device import device_name, prepare_device, seed_everything
from engine.run.exporting import tell_about, trained_texts
from engine.run.inputs import JOB_THREADS, Images, load_trained, make_forward, open_images
from engine.run.lineage import describe_lineage
from engine.run.provenance import write_origin
from engine.run.quantized_file import DIGEST, file_name
from engine.spec.job_settings import QuantizeSettings
from engine.spec.quantize import absent_packages, quantized_form

TESTED_BATCH, CALIBRATION_BATCH = 32, 8
PARTS = ("val", "test")
PRECISION = "int8"


@dataclass(frozen=True)
class Work:
    """What a job was asked for, the images it works on, and how they enter a network."""

    told: QuantizeSettings
    images: Images
    forward: Forward

    def loader(self, part: str) -> EvalLoader:
        data = self.images.data
        return EvalLoader(self.images.pack, self.images.split.part(part), data, data.image_size, TESTED_BATCH)


def run_quantize(attempt: Attempt) -> None:
    """Quantise the parent's network, test the file, commit both."""
    told = attempt.settings(QuantizeSettings)
    _need_packages(attempt, told)
    device = prepare_device("cpu:0", JOB_THREADS, True)
    seed_everything(told.seed)
    images = open_images(attempt, told.data)
    write_origin(attempt, device, JOB_THREADS, images.pack.digest)
    network = load_trained(attempt.home, attempt.need("parent"))
    work = Work(told, images, make_forward(network, device, "fp32"))
    _log_facts(attempt, work)
    params = count_params(network)
    before = {part: _test(attempt, work, part, network) for part in _parts(work)}
    path = _write_file(attempt, work, network)
    _log_size(attempt, params, path)
    figures = _test_file(attempt, work, path, before)
    attempt.write_result(0, figures, {DIGEST: hashlib.sha256(path.read_bytes()).hexdigest()})


def _need_packages(attempt: Attempt, told: QuantizeSettings) -> None:
    """Raise JobError where the backend is not installed here: it may have been submitted elsewhere."""
    absent = absent_packages(told.quantize)
    if absent is not None:
        raise JobError(absent[0], where=attempt.order.job, fix=absent[1])


def _parts(work: Work) -> list[str]:
    return [part for part in PARTS if len(work.images.split.part(part))]


def _write_file(attempt: Attempt, work: Work, network: nn.Module) -> Path:
    told, parent = work.told, attempt.need("parent")
    folder = attempt.folder.artifacts
    folder.mkdir(exist_ok=True)
    path = folder / file_name(told.quantize)
    winner = parent.winner()
    widths = read_json(winner.artifacts / "network.json")["widths"] if winner is not None else None
    about = tell_about(parent, network, work.images.pack, told.data, told.network, widths)
    opset = OPSET if quantized_form(told.quantize).form == "onnx" else None
    about = about.model_copy(update={"precision": PRECISION, "opset": opset, "job": attempt.order.job})
    texts, watch = about.texts(trained_texts(parent)), partial(attempt.watch, "calibrate")
    attempt.watch("calibrate", 0, 0)
    kinds = quantize_network(network, about.image_size, path, told.quantize, _calibration(work), texts, watch)
    sync_path(path)
    attempt.journal.fact("quantize", {**told.quantize.model_dump(), **kinds.as_fact()})
    stayed = ", ".join(f"{kind} {count}" for kind, count in kinds.floats.items())
    print(f"quantised; float as before: {stayed or 'nothing'}", flush=True)
    return path


def _calibration(work: Work) -> list[Tensor]:
    """Return prepared training images centre-cropped, drawn by the run's seed; none where none are looked at.

    All batches are of one size: a histogram of values is made of equal ones.
    """
    rows, told = work.images.split.train, work.told
    if told.quantize.mode == "dynamic":
        return []
    drawn = np.sort(np.random.default_rng(told.seed).permutation(len(rows))[: told.quantize.images])
    size = next(size for size in range(CALIBRATION_BATCH, 0, -1) if len(drawn) % size == 0)
    data = work.images.data
    loader = EvalLoader(work.images.pack, rows[drawn], data, data.image_size, size)
    return [work.forward.prepare(batch.images) for batch in loader]


def _test(attempt: Attempt, work: Work, part: str, network: nn.Module) -> Evaluation:
    return evaluate(network, work.loader(part), work.forward, attempt.watcher("evaluate"))


def _test_file(attempt: Attempt, work: Work, path: Path, before: Mapping[str, Evaluation]) -> dict[str, float]:
    """Log accuracy, loss and what the file says of each image, as a training does; return the figures."""
    network, figures = AnsweringFile(open_form(path, JOB_THREADS)).eval(), dict[str, float]()
    for part, parent in before.items():
        found = _test(attempt, work, part, network)
        keys = [work.images.pack.keys[row] for row in found.rows]
        attempt.journal.predictions(
            part, keys, found.labels.tolist(), found.predicted.tolist(), found.confidence.tolist()
        )
        figures |= {f"{part}_top1": found.top1, f"{part}_loss": found.loss}
        if part == "test":
            agreed = found.predicted == parent.predicted
            figures["agreement_parent"] = float(agreed.mean())
            _measure(attempt, "agreement_parent", figures["agreement_parent"], "fraction", n=len(agreed))
    for name in sorted(figures.keys() - {"agreement_parent"}):
        attempt.metric(name, figures[name], 0, 0)
    write_answers(attempt, None, work.images, network, work.forward)
    return figures


def _log_size(attempt: Attempt, params: int, path: Path) -> None:
    _measure(attempt, "params", params, "1")
    _measure(attempt, "file_bytes", path.stat().st_size, "bytes")


def _measure(attempt: Attempt, name: str, value: float, unit: str, **spread: Any) -> None:
    attempt.journal.measurement(
        name, value, unit, device=device_name(torch.device("cpu")), precision=PRECISION, batch_size=TESTED_BATCH,
        threads=JOB_THREADS, **spread,
    )  # fmt: skip


def _log_facts(attempt: Attempt, work: Work) -> None:
    images, texts = work.images, trained_texts(attempt.need("parent"))
    about = {"text": images.data.split, "pack": attempt.needs["pack"]}
    attempt.journal.fact("split", {**about, **images.split.describe()})
    attempt.journal.fact("classes", list(images.pack.class_names))
    seen = decode_lineage(texts) or Lineage(unknown=("weights that do not say what they have seen",))
    attempt.journal.fact("lineage", describe_lineage(seen))
