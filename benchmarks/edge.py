"""What a real network keeps on its way to the edge: EfficientNet-Lite0 pruned, exported and in 8-bit numbers.

    python benchmarks/edge.py [--quick] [--json]

ImageNet's weights with the head's ten classes of imagenette224; asked about the photographs named ILSVRC2012_val, which
it was not trained on. Pruned by a fifth of its parameters, it recovers on a few hundred training photographs by what
the whole network says of them. Of each form: accuracy, how often it says what the network says that it was made of, and
one image's time in turn with the others, one thread. Ours is the form; the peer is that network (accuracy, time), or
the least agreement that was promised. The folders teachers and imagenette224 lie in shared/data beside the checkout;
without them nothing is measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import ROOT, Row
from engine.core.data.decode import decode_image
from engine.core.data.normalize import normalize
from engine.core.data.pack import shrink
from engine.core.data.views import render_center
from engine.core.export.forms import open_form, write_form
from engine.core.network.build import build_network, normalization
from engine.core.network.heads import find_classifier, find_places
from engine.core.prune.structured import prune_network
from engine.core.quantize.onnx_int8 import quantize_onnx
from engine.spec import Prune, Quantize, Student

SHARED = ROOT.parent / "shared" / "data"
FILE = SHARED / "teachers" / "tf_efficientnet_lite0.safetensors"
ARCHIVES = ("train.zip", "val.zip")
SIZE, AT_ONCE, SEED = 224, 16, 0
CALIBRATED, RECOVERED, EPOCHS, RATE = 128, 768, 2, 2e-4
NEW = "ILSVRC2012_val_"  # in the names of photographs that the network was not trained on
WORKERS = 2  # threads while it recovers; what is timed has one
LEAST_FP32, LEAST_INT8 = 0.995, 0.97
ROUNDS, CALLS = 12, 3
INT8: dict[str, dict[str, object]] = {
    "int8": {"images": CALIBRATED}, "int8 entropy": {"images": CALIBRATED, "calibration": "entropy"},
    "int8 one scale": {"images": CALIBRATED, "per_channel": False}, "int8 dynamic": {"mode": "dynamic"},
}  # fmt: skip

Answer = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Form:
    """A network in some form, what it was made of (None: itself), and the least agreement with that."""

    name: str
    answer: Answer
    whole: str | None
    least: float | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Photographs:
    """Normalised images (n, 3, 224, 224) and their classes."""

    images: Tensor
    labels: Tensor

    def some(self, count: int) -> Photographs:
        """Return photographs drawn over all."""
        drawn = np.random.default_rng(SEED).permutation(len(self.labels))[:count]
        return Photographs(self.images[drawn], self.labels[drawn])

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for first in range(0, len(self.labels), AT_ONCE):
            yield self.images[first : first + AT_ONCE], self.labels[first : first + AT_ONCE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a third of the photographs, a short recovery")
    parser.add_argument("--json", action="store_true", help="print one list of rows")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = measure(quick=asked.quick) if FILE.is_file() else []
    if asked.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        peer = "" if row.peer is None else f" against {row.peer:.2f}"
        print(f"{row.case}: {row.figure} {row.ours:.2f} {row.unit}{peer}, n {row.n}")


def measure(*, quick: bool) -> list[Row]:
    whole, classes = _parent()
    tested, seen = _photographs(whole, classes, quick=quick)
    with tempfile.TemporaryDirectory(prefix="xp-edge-") as folder:
        forms = list(_forms(Path(folder), whole, seen, quick=quick))
        said = {form.name: torch.cat([form.answer(images) for images, _ in tested.batches()]) for form in forms}
        rows = [row for form in forms for row in _judge(form, said, tested.labels)]
        return [*rows, *_time(forms, tested.images[:1])]


def _parent() -> tuple[nn.Module, list[str]]:
    """Return the network with the part of its head that names the ten classes."""
    with zipfile.ZipFile(SHARED / "imagenette224" / ARCHIVES[0]) as held:
        classes = sorted({name.split("/")[-2] for name in held.namelist() if name.endswith(".JPEG")})
    network = build_network(Student(arch="timm/tf_efficientnet_lite0", weights=str(FILE)), 1000, SIZE)
    places, head = find_places(classes, 1000, None), find_classifier(network)
    part = nn.Linear(head.in_features, len(classes))
    part.load_state_dict({name: value[places] for name, value in head.state_dict().items()})
    network.set_submodule("classifier", part)
    return network.eval(), classes


def _photographs(network: nn.Module, classes: list[str], *, quick: bool) -> tuple[Photographs, Photographs]:
    """Return those that the network has not seen, and some of those it was trained on."""
    mean, std = normalization(network)
    held = [zipfile.ZipFile(SHARED / "imagenette224" / archive) for archive in ARCHIVES]
    names = [(one, name) for one in held for name in one.namelist() if name.endswith(".JPEG")]
    new = [place for place in names if NEW in place[1]][:: 3 if quick else 1]
    old = [place for place in names if NEW not in place[1]]
    drawn = np.random.default_rng(SEED).permutation(len(old))[: _recovered(quick=quick)]
    found = []
    for part in (new, [old[at] for at in drawn]):
        images = torch.stack([_photograph(one.read(name), name) for one, name in part])
        labels = torch.tensor([classes.index(name.split("/")[-2]) for _, name in part])
        found.append(Photographs(normalize(images, mean, std), labels))
    return found[0], found[1]


def _photograph(raw: bytes, name: str) -> Tensor:
    """Return the pixels, uint8 (3, 224, 224), as evaluation has them."""
    return render_center(shrink(decode_image(raw, name), 256), SIZE, 1.0, "bicubic")


def _recovered(*, quick: bool) -> int:
    """Return on how many photographs the pruned network recovers."""
    return RECOVERED // (8 if quick else 1)


def _forms(folder: Path, whole: nn.Module, seen: Photographs, *, quick: bool) -> Iterator[Form]:
    calibration = seen.some(CALIBRATED // (4 if quick else 1))
    for name, network in (("whole", whole), ("pruned", _pruned(whole, seen, quick=quick))):
        yield Form(name, _plain(network), None if network is whole else "whole")
        for form in ("pt2", "onnx"):
            path = write_form(form, network, SIZE, folder / f"{name}.{form}", {}).path
            yield Form(f"{name} {form}", open_form(path, 1), name, LEAST_FP32, path.stat().st_size)
        for kind, words in INT8.items():
            made = folder / f"{name} {kind}.onnx"
            told = Quantize.model_validate(words)
            batches = [images for images, _ in calibration.batches()] if told.mode == "static" else []
            quantize_onnx(folder / f"{name}.onnx", made, told, batches, {}, lambda done, count: None)
            yield Form(f"{name} {kind}", open_form(made, 1), name, LEAST_INT8, made.stat().st_size)


def _plain(network: nn.Module) -> Answer:
    def answer(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return network(images)  # type: ignore[no-any-return]

    return answer


def _pruned(whole: nn.Module, seen: Photographs, *, quick: bool) -> nn.Module:
    """Return a copy without a fifth of the parameters, recovered by what the whole network says."""
    network, _ = _parent()
    batches = list(seen.batches())
    torch.set_num_threads(WORKERS)
    told = Prune(ratio=0.2, of="params", criterion="taylor")
    prune_network(network, told, batches[:16], seed=SEED, image_size=SIZE)
    heard = [_plain(whole)(images).log_softmax(1).clone() for images, _ in batches]
    optimizer = torch.optim.AdamW(network.requires_grad_().parameters(), RATE)
    network.train()
    for _ in range(1 if quick else EPOCHS):
        for (images, _), wanted in zip(batches, heard, strict=True):
            optimizer.zero_grad()
            said = network(images).log_softmax(1)
            functional.kl_div(said, wanted, log_target=True, reduction="batchmean").backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    torch.set_num_threads(1)
    return network.eval()


def _judge(form: Form, said: dict[str, Tensor], labels: Tensor) -> Iterator[Row]:
    own, count = said[form.name].argmax(1), len(labels)
    accuracy = 100 * float((own == labels).double().mean())
    first = said[form.whole or form.name].argmax(1)
    peer = 100 * float((first == labels).double().mean())
    yield Row(form.name, "top-1 of ten classes", accuracy, peer, accuracy / peer, "%", count)
    if form.whole is not None:
        agreed = 100 * float((own == first).double().mean())
        least = None if form.least is None else 100 * form.least
        yield Row(
            form.name, f"same class as {form.whole}", agreed, least, agreed / least if least else None, "%", count
        )
    if form.bytes is not None:
        yield Row(form.name, "file", form.bytes / 1e6, None, None, "MB", 1)


def _time(forms: list[Form], image: Tensor) -> Iterator[Row]:
    """Time one image in turn: a round asks every form a few times; of a form the median over rounds counts."""
    taken: dict[str, list[float]] = {form.name: [] for form in forms}
    for form in forms:
        form.answer(image)
    for _ in range(ROUNDS):
        for form in forms:
            began = time.process_time()
            for _ in range(CALLS):
                form.answer(image)
            taken[form.name].append(1e3 * (time.process_time() - began) / CALLS)
    first = taken["whole onnx"]
    for form in forms:
        ratios = [other / own for own, other in zip(taken[form.name], first, strict=True)]
        own, peer = statistics.median(taken[form.name]), statistics.median(first)
        yield Row(form.name, "processor time of one image", own, peer, statistics.median(ratios), "ms", ROUNDS)


if __name__ == "__main__":
    main()
