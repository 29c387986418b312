"""Sixty pairs of runs, thirty fair and thirty not, that the guard tells apart; among them all that it once let pass.

Each is the settings of two real specs, resolved as a plan resolves them, and how and where their jobs ran.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from engine.analysis.fairness import Fairness, Surroundings, judge_pair
from engine.analysis.held import Family, family_of, how_it_ran
from engine.load.unsupported import planned_problems
from engine.spec import Settings
from engine.spec.cells import merge_trees, nest_paths
from engine.spec.dotted import flatten_settings
from engine.spec.identity import counted_settings
from store.metrics import METRICS

BASE: dict[str, Any] = {
    "data": {"source": "folder", "root": "images", "image_size": 224, "split": "60/20/20"},
    "student": {"arch": "tiny_vit_5m"},
    "train": {"epochs": 10, "batch_size": 256, "lr": 5e-4},
}
TEACHER = "timm/convnextv2_tiny.fcmae_ft_in1k"
TAUGHT = {"teacher": {"arch": TEACHER, "weights": "pretrained"}}
SPARSE = {"student.attention": {"kind": "longformer", "pattern": "slide"}}
MOBILE = {"student.arch": "timm/mobilenetv3_large_100"}
PRUNED = {"prune": {"ratio": 0.2, "recover_epochs": 2}}
SHARED = {"resources": {"gpus": 0.5}}
WHERE = {"code": "c", "device": "H100", "images": "i", "driver": "550", "torch": "2.9", "timm": "1.0", "host": "n"}
ACC, SPEED, SECONDS, INFER = "test_top1", "train_images_per_second", "train_seconds", "infer_images_per_second"
GPU, HOST = "cuda_peak_allocated", "host_peak_rss"


class Pair(NamedTuple):
    """What the two sides change of BASE, how and where each ran, and the words of what is unfair or noted."""

    metric: str
    first: dict[str, Any]
    second: dict[str, Any]
    says: str = ""
    how: dict[str, Any] = {}  # noqa: RUF012  # of the first side; never changed
    where: dict[str, str] = {}  # noqa: RUF012


def _ran(changes: dict[str, Any], how: dict[str, Any], where: dict[str, str]) -> Surroundings:
    settings = Settings.model_validate(merge_trees(BASE, nest_paths(changes)))
    assert not [problem for problem in planned_problems(settings) if problem[0] != "student.arch"]
    around: dict[str, Any] = {**WHERE, **where}
    return Surroundings(flatten_settings(counted_settings(settings)) | how_it_ran(how), **around)


FAIR: dict[str, Pair] = {
    "sparse attention": Pair(ACC, SPARSE, {}),
    "sparse attention with all its words": Pair(ACC, {"student.attention": {"kind": "longformer", "radius": 1,
                                                                           "globals": 2, "select": "norm"}}, {}),
    "another pattern": Pair(ACC, {"student.attention": {"kind": "longformer", "pattern": "row"}}, SPARSE),
    "a MobileNet": Pair(ACC, MOBILE, {}),
    "a MobileNet against a sparse TinyViT": Pair(ACC, MOBILE, SPARSE),
    "a MobileNet against a TinyViT of big windows": Pair(ACC, MOBILE, {"student.windows": [14, 14, 14, 7]}),
    "a larger student": Pair(ACC, {"student.arch": "tiny_vit_21m"}, {}),
    "windows alone": Pair(ACC, {"student.windows": [7, 7, 7, 7]}, {}),
    "a teacher or none": Pair(ACC, TAUGHT, {}),
    "a teacher that is heard or not": Pair(ACC, TAUGHT, TAUGHT | {"distill.loss": "ce"}),
    "another teacher": Pair(ACC, TAUGHT, TAUGHT | {"teacher.arch": "timm/convnextv2_base.fcmae_ft_in1k"}),
    "the head of a teacher": Pair(ACC, TAUGHT, TAUGHT | {"teacher.head": "probe"}),
    "the scale of a teacher": Pair(ACC, TAUGHT | {"teacher.logit_scale": 8.0}, TAUGHT),
    "a calibrated teacher": Pair(ACC, TAUGHT | {"teacher.calibrate": True}, TAUGHT),
    "an assistant": Pair(ACC, TAUGHT | {"teacher.assistants": [{"arch": "timm/convnextv2_atto"}]}, TAUGHT),
    "a temperature": Pair(ACC, TAUGHT | {"distill.temperature": 4.0}, TAUGHT),
    "a course of temperatures": Pair(
        ACC, TAUGHT | {"distill.temperature": {"from": 8.0, "to": 1.0, "schedule": "cosine"}}, TAUGHT),
    "a loss with its own words": Pair(ACC, TAUGHT | {"distill.loss": "dkd"}, TAUGHT, "with the distillation loss"),
    "a loss with its own words spelt out": Pair(
        ACC, TAUGHT | {"distill": {"loss": "dist", "weight": 1.0, "temperature": 1.0, "options": {"beta": 1.0}}},
        TAUGHT | {"distill": {"loss": "hinton", "weight": 0.9, "label_weight": 0.1}}, "with the distillation loss"),
    "pruned at once, and never trained on": Pair(ACC, {"prune": {"ratio": 0.2, "recover_epochs": 0}}, {}),
    "pruned against a whole one of equal epochs": Pair(ACC, PRUNED, {"train.epochs": 12}),
    "how much is pruned": Pair(ACC, PRUNED, PRUNED | {"prune.ratio": 0.3}),
    "epochs as what is studied": Pair(ACC, {"train.epochs": 20}, {}),
    "recovery as what is studied": Pair(ACC, PRUNED, PRUNED | {"prune.recover_epochs": 4}),
    "accuracy from another GPU, driver and torch": Pair(
        ACC, SPARSE, {}, "the torch version", where={"device": "A100", "driver": "560", "torch": "3"}),
    "accuracy with other workers, memory and cache": Pair(
        ACC, SPARSE, {}, how={"workers": 8, "memory": "lean", "cache": "raw", **SHARED}),
    "speed of networks that learnt otherwise": Pair(INFER, SPARSE, TAUGHT | {"train.lr": 1e-3, "train.epochs": 20}),
    "speed of a pruned network": Pair(INFER, PRUNED, {}),
    "size of networks from other weights and torch": Pair(
        "params", MOBILE | {"student.weights": "pretrained"}, {}, where={"torch": "3", "device": "A100"}),
    "training speed at another rate": Pair(SPEED, SPARSE | {"train.lr": 1e-3, "train.weight_decay": 0.1}, {}),
}  # fmt: skip

UNFAIR: dict[str, Pair] = {
    # What was once called fair
    "a pretrained MobileNet against a TinyViT from scratch": Pair(
        ACC, MOBILE | {"student.weights": "pretrained"}, {}, "student.weights is pretrained against none"),
    "pretrained against none": Pair(ACC, {"student.weights": "pretrained"}, {}, "student.weights"),
    "pruned with recovery against fewer epochs": Pair(
        ACC, {"prune": {"ratio": 0.2, "recover_epochs": 10}}, {}, "epochs in all is 20 against 10"),
    "a teacher that differs in five things": Pair(
        ACC, {"teacher": {"arch": "timm/convnextv2_base.fcmae_ft_in1k", "weights": "pretrained", "head": "probe",
                          "calibrate": True, "logit_scale": 2.0, "assistants": [{"arch": "timm/convnextv2_atto"}]}},
        TAUGHT, "5 factors at once (teacher, assistants, teacher calibration, teacher head, teacher scale)"),
    "a distillation that differs in four things": Pair(
        ACC, TAUGHT | {"distill": {"loss": "dkd", "temperature": 4.0, "until": 0.5, "weight": 3.0}}, TAUGHT,
        "4 factors at once (distillation weights, distillation loss, distillation temperature, distillation end)"),
    "training speed on another GPU": Pair(SPEED, SPARSE, {}, "the device", where={"device": "A100"}),
    "training speed under another torch": Pair(SPEED, SPARSE, {}, "the torch version", where={"torch": "3"}),
    "lean memory": Pair(GPU, {}, {}, "train.memory is lean against standard", how={"memory": "lean"}),
    "half a GPU": Pair(SPEED, {}, {}, "resources.gpus is 0.5 against 1", how=SHARED),
    "workers": Pair(SPEED, {}, {}, "data.workers is 8 against auto", how={"workers": 8}),
    "cache": Pair(SPEED, {}, {}, "data.cache is device against auto", how={"cache": "device"}),
    "a backend": Pair(INFER, SPARSE | {"student.attention.backend": "reference"}, SPARSE,
                      "student.attention.backend is reference against not set"),
    # What was caught rightly
    "augmentation beside the attention": Pair(
        ACC, SPARSE | {"data.augment.erasing": 0.25}, {}, "data.augment.erasing"),
    "views beside the attention": Pair(ACC, SPARSE | {"data.views": 4}, {}, "data.views"),
    "the checkpoint rule beside the attention": Pair(
        ACC, SPARSE | {"train.checkpoint": "best_val"}, {}, "train.checkpoint"),
    "image size beside the attention": Pair(ACC, SPARSE | {"data.image_size": 192}, {}, "data.image_size"),
    "another split seed": Pair(ACC, {"data.split_seed": 1}, {}, "data.split_seed"),
    "other batches in the measurement": Pair(INFER, {"measure.batch_sizes": [1, 8]}, {}, "measure.batch_sizes"),
    "inference under another torch": Pair(INFER, SPARSE, {}, "the torch version", where={"torch": "3"}),
    # And more of each family
    "validation accuracy over two split seeds": Pair("val_top1", {"data.split_seed": 1}, {}, "data.split_seed"),
    "attention and windows": Pair(ACC, SPARSE | {"student.windows": [14, 14, 14, 7]}, {},
                                  "2 factors at once (attention, windows)"),
    "attention and pruning": Pair(ACC, SPARSE | {"prune": {"ratio": 0.2, "recover_epochs": 0}}, {},
                                  "2 factors at once (pruning, attention)"),
    "a standardising loss at another temperature": Pair(
        ACC, TAUGHT | {"distill.loss": "lskd"}, TAUGHT | {"distill.temperature": 1.0},
        "2 factors at once (distillation loss, distillation temperature)"),
    "a teacher trained here against a larger one as it comes": Pair(
        ACC, {"teacher": {"arch": "timm/convnextv2_atto", "train": {"epochs": 5}}}, TAUGHT,
        "2 factors at once (teacher, teacher weights)"),
    "training time of a pruned network": Pair(SECONDS, PRUNED, {}, "epochs in all is 12 against 10"),
    "inference under another driver": Pair(INFER, SPARSE, {}, "the driver", where={"driver": "560"}),
    "memory of the host with workers": Pair(HOST, SPARSE, {}, "data.workers", how={"workers": 4}),
    "memory at another batch beside the attention": Pair(
        GPU, SPARSE | {"train.batch_size": 64}, {}, "train.batch_size"),
    "size at another image size beside the student": Pair("macs", MOBILE | {"data.image_size": 192}, {},
                                                          "data.image_size"),
    "size by other code": Pair("params", SPARSE, {}, "the code", where={"code": "d"}),
}  # fmt: skip


def _judge(pair: Pair, *, turned: bool = False) -> Fairness:
    one, other = _ran(pair.first, pair.how, pair.where), _ran(pair.second, {}, {})
    return judge_pair(other, one, pair.metric) if turned else judge_pair(one, other, pair.metric)


def test_there_are_thirty_of_each_and_all_families_among_both() -> None:
    assert (len(FAIR), len(UNFAIR)) == (30, 30)
    families: set[Family] = {"accuracy", "speed", "inference", "size"}
    for pairs in (FAIR, UNFAIR):
        assert {family_of(METRICS[pair.metric]) for pair in pairs.values()} >= families
    assert {family_of(METRICS[pair.metric]) for pair in UNFAIR.values()} >= families | {"time", "memory"}


@pytest.mark.parametrize("name", FAIR)
def test_a_fair_pair_passes_with_what_must_be_said(name: str) -> None:
    pair = FAIR[name]
    found = _judge(pair)
    assert found.is_fair, list(map(str, found.unfair))
    assert _judge(pair, turned=True).is_fair
    assert bool(found.notes) == bool(pair.says), found.notes
    assert pair.says in "; ".join(found.notes)


@pytest.mark.parametrize("name", UNFAIR)
def test_an_unfair_pair_is_refused_by_its_reason(name: str) -> None:
    pair = UNFAIR[name]
    found = _judge(pair)
    assert any(str(one).startswith(pair.says) for one in found.unfair), list(map(str, found.unfair))
    assert not _judge(pair, turned=True).is_fair


def test_a_setting_of_how_is_refused_only_for_what_it_moves() -> None:
    how, plain = _ran({}, {"workers": 8, "memory": "lean", "cache": "raw", **SHARED}, {}), _ran({}, {}, {})
    for metric in (ACC, "val_loss", INFER, "params"):
        assert judge_pair(how, plain, metric).is_fair, metric
    for metric in (SPEED, SECONDS, GPU, HOST):
        assert not judge_pair(how, plain, metric).is_fair, metric
