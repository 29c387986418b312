"""Which jobs follow which word: every field of every model of a spec is changed, and the ids of two plans compared.

A new field fails `test_id_table.py` until the table here says whose ids it changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.home.paths import Home, open_home
from engine.plan import make_plan
from engine.schedule.submit import submit_plan
from engine.spec import Spec

Ids = dict[str, str]
Tree = dict[str, Any]

# Which jobs change with what. `alone` is the student that nobody teaches, `measure` its speed; all others are of the
# arm that is taught through an assistant, by a temperature matched to a reference, and pruned.
PRUNED = "prune explain"
TAUGHT = f"student {PRUNED}"
LEARNERS = f"alone {TAUGHT}"
STUDENT = f"measure {LEARNERS}"
HELPED = f"assistant_1 targets {TAUGHT}"
ASKED = f"teacher_targets {HELPED}"
TEACHER = f"teacher {ASKED}"
REFERENCE = f"reference {HELPED}"
OTHER = f"reference_teacher {REFERENCE}"
SEEN = f"alone reference reference_teacher {TEACHER}"  # all that look at images by the words of `data`
PACKED = f"pack {SEEN}"
NOTHING = ""

TINY: Tree = {"arch": "tiny_vit", "dims": [8, 8, 16, 16], "depths": [1] * 4, "heads": [1] * 4, "windows": [4, 4, 2, 1]}
SPARSE: Tree = {"kind": "longformer", "radius": 1, "globals": 1, "tile": 2}
SHORT: Tree = {"epochs": 3, "batch_size": 8, "warmup_epochs": 1}
TIMM: Tree = {"arch": "timm/resnet10t", "options": {"base_width": 32}, "train": SHORT}


def base_tree(root: Path) -> Tree:
    """A spec in which every word has a part; numbers differ between the networks, so that none are one job."""
    reference = {**TINY, "depths": [1, 1, 1, 2], "train": SHORT, "attention": SPARSE}
    helper = {**TINY, "dims": [8, 8, 8, 8], "train": {**SHORT, "epochs": 2}, "attention": SPARSE}
    teacher = {**TINY, "dims": [8, 16, 16, 16], "train": SHORT, "attention": SPARSE, "assistants": [helper]}
    claim = {"id": "c", "text": "t", "metric": "test_top1", "arm": "taught", "against": "plain", "expect": "greater"}
    return {
        "name": "base",
        "data": {"source": "folder", "root": str(root), "image_size": 32, "short_side": 32},
        "student": {**TINY, "attention": SPARSE},
        "teacher": teacher,
        "distill": {"temperature": {"match": "entropy", "reference": reference}},
        "train": {"epochs": 4, "batch_size": 8},
        "prune": {"ratio": 0.2},
        "arms": {"plain": {"teacher": None, "prune": None}, "taught": {}},
        "claims": [claim],
    }


# path -> (another value, whose ids follow); a mapping of several paths is one change --------------------------------

NETWORK: dict[str, Any] = {
    "arch": "tiny_vit_5m",
    "dims": [8, 8, 16, 32],
    "depths": [1, 1, 3, 1],
    "heads": [1, 2, 1, 1],
    "windows": [4, 4, 2, 2],
    "attention": {"kind": "window"},
    "padding": "timm",
    "drop_path": 0.1,
    "weights": "FILE",
    "attention.pattern": "row",
    "attention.radius": 2,
    "attention.globals": 2,
    "attention.tile": 1,
    "attention.select": "norm",
    "attention.projections": "shared",
    "attention.bias": "none",
    "attention.combine": "sum",
    "attention.stages": [1],
}
TRAIN: dict[str, Any] = {
    "epochs": 5,
    "batch_size": 4,
    "optimizer": "sgd",
    "betas": [0.8, 0.99],
    "eps": 1e-6,
    "schedule": "linear",
    "ema": 0.99,
    "accumulate": 2,
    "lr": 0.1,
    "min_lr": 0.0,
    "weight_decay": 0.1,
    "warmup_epochs": 0,
    "clip_grad": None,
    "label_smoothing": 0.1,
    "precision": "fp32",
    "threads": 1,
    "deterministic": True,
    "compile": "max",
    "checkpoint": "best_val",
    "on_oom": "split",
}
PLACES = {
    "student": STUDENT,
    "teacher": TEACHER,
    "teacher.assistants.0": HELPED,
    "distill.temperature.reference": OTHER,
}
TRAININGS = {"train": LEARNERS, "teacher.train": TEACHER, "teacher.assistants.0.train": HELPED}
SPECIAL = {  # where a word reaches further than its neighbours
    "student.weights": LEARNERS,  # speed is that of the shape
    "train.epochs": f"targets {LEARNERS}",  # one view of the targets for each epoch
    "train.precision": STUDENT,  # speed is measured in it
    "teacher.assistants.0.train.epochs": ASKED,
}
WORDS: dict[str, tuple[Any, str]] = {
    "data.image_size": (64, f"measure {SEEN}"),
    "data.split": ("80/10/10", SEEN),
    "data.given": ("test", SEEN),
    "data.split_seed": (1, SEEN),
    "data.view_seed": (1, SEEN),
    "data.views": (7, SEEN),
    "data.short_side": (48, PACKED),
    "data.format": ("jpeg", PACKED),
    "data.broken": ("skip", PACKED),
    "data.nested": (True, SEEN),
    "data.classes": (["b", "a", "c"], PACKED),
    "data.crop_share": (0.9, SEEN),
    "data.interpolation": ("bilinear", SEEN),
    "data.root": ("COPY", NOTHING),
    "data.boxes": ("BOXES", "explain"),
    "data.cache": ("raw", NOTHING),
    "data.workers": (3, NOTHING),
    "data.augment.crop_scale": ([0.5, 1.0], SEEN),
    "data.augment.crop_ratio": ([1.0, 1.0], SEEN),
    "data.augment.flip": (0.0, SEEN),
    "data.augment.rand_augment": ("rand-m9-inc1", SEEN),
    "data.augment.color_jitter": (0.4, SEEN),
    "data.augment.erasing": (0.25, SEEN),
    "data.augment.mix_targets": ("linear", SEEN),
    "teacher.logit_scale": (2.0, ASKED),
    "teacher.image_size": (64, TEACHER),
    "teacher.crop_share": (0.9, TEACHER),
    "teacher.interpolation": ("bilinear", TEACHER),
    "teacher.targets": ("online", ASKED),
    "teacher.seed": (1, TEACHER),
    "teacher.calibrate": (True, HELPED),
    "distill.loss": ("dist", HELPED),
    "distill.weight": (0.5, HELPED),
    "distill.label_weight": (0.5, HELPED),
    "distill.until": (0.5, HELPED),
    "distill.temperature": (3.0, HELPED),
    "distill.temperature.at": (2.0, HELPED),
    "prune.ratio": (0.3, PRUNED),
    "prune.of": ("macs", PRUNED),
    "prune.method": ("unstructured", PRUNED),
    "prune.criterion": ("l1", PRUNED),
    "prune.scope": ("global", PRUNED),
    "prune.control": ("random", PRUNED),
    "prune.embedding": (True, PRUNED),
    "prune.round_to": (16, PRUNED),
    "prune.recover_epochs": (3, PRUNED),
    "prune.recover_lr": (0.01, PRUNED),
    "measure.batch_sizes": ([2], "measure"),
    "measure.threads": ([2], "measure"),
    "measure.seconds": (2.0, "measure"),
    "measure.rounds": (3, "measure"),
    "measure.compiled": (True, "measure"),
    "measure.runtimes": (["onnxruntime"], "measure"),
    "explain.images": (9, "explain"),
    "explain.maps": (["received", "gradcam"], "explain"),
    "resources.gpus": (0, NOTHING),
    "resources.cpus": (1, NOTHING),
    "resources.memory": ("1G", NOTHING),
    "resources.time": ("1h", NOTHING),
    "train.memory": ("lean", NOTHING),
    "train.save_minutes": (1.0, NOTHING),
    "student.attention.backend": ("reference", f"{LEARNERS} measure"),  # named, it is run: other speeds, other rounding
    "seeds": ([5], LEARNERS),
    "title": ("another", NOTHING),
    "report.columns": (["params"], NOTHING),
    "extends": ("other.yaml", NOTHING),
    "baseline": ("plain", "run"),  # whose network is measured beside the others
    "name": ("other", "run"),
    "matrix": ({"data.nested": [False]}, "run"),
    "arms.more": ({"train": {"lr": 0.1}}, NOTHING),
    "claims": ([], NOTHING),
    "claims.0.id": ("d", NOTHING),
    "claims.0.text": ("u", NOTHING),
    "claims.0.metric": ("val_top1", NOTHING),
    "claims.0.arm": ("plain", NOTHING),
    "claims.0.against": ("taught", NOTHING),
    "claims.0.expect": ("less", NOTHING),
    "claims.0.margin": (0.5, NOTHING),
    **{
        f"{place}.{word}": (value, SPECIAL.get(f"{place}.{word}", roles))
        for places, words in ((PLACES, NETWORK), (TRAININGS, TRAIN))
        for place, roles in places.items()
        for word, value in words.items()
    },
}

GIVEN = {"teacher.train": None, "teacher.arch": "timm/resnet10t", "teacher.attention": {"kind": "window"}} | {
    f"teacher.{word}": None for word in ("dims", "depths", "heads", "windows")
}
FILED = {**GIVEN, "teacher.weights": "FILE"}
COURSE = {"distill.temperature": {"from": 8.0, "to": 1.0}}
OWN = {"distill.temperature": None}
FOLLOWED: Tree = {
    "teacher.assistants": [],
    "distill.features": [
        {"student": "stages.2", "teacher": "stages.3"},
        {"student": "stages.3", "teacher": "stages.3"},
    ],
}
CACHED = f"targets {TAUGHT}"
INT8: Tree = {"arms.taught.quantize": {}}
OWN_ATTENTION: Tree = {"student.attention": {"kind": "m:A@0123456789abcdef"}}
OWN_VIEWS: Tree = {"data.augment.extra": "m:V@0123456789abcdef"}
MIXED = {"data.augment.mix_targets": "linear"}

# words that need another base: (field, changes before, changes after, whose ids follow)
CASES: list[tuple[str, Tree, Tree, str]] = [
    ("Data.source", {}, {"data.source": "digits", "data.root": None}, f"measure {PACKED}"),
    ("Data.options", {"data.source": "m:D@0123456789abcdef"}, {"data.options": {"n": 3}}, PACKED),
    ("Data.most", {"data.source": "m:D@0123456789abcdef"}, {"data.most": 50}, NOTHING),
    ("OwnAttention.kind", OWN_ATTENTION, {"student.attention.kind": "m:A@fedcba9876543210"}, STUDENT),
    ("OwnAttention.options", OWN_ATTENTION, {"student.attention.options": {"n": 3}}, STUDENT),
    ("Data.label", {}, {"data.root": "TABLE"}, NOTHING),  # the same images by another form
    ("Data.label", {"data.root": "TABLE"}, {"data.label": "sort"}, PACKED),
    ("Augment.extra", {}, {"data.augment.extra": "m:V@0123456789abcdef"}, SEEN),
    ("Augment.extra", OWN_VIEWS, {"data.augment.extra": "m:V@fedcba9876543210"}, SEEN),
    ("Augment.options", OWN_VIEWS, {"data.augment.options": {"n": 3}}, SEEN),
    ("Augment.mixup", MIXED, {"data.augment.mixup": 0.5}, SEEN),
    ("Augment.cutmix", MIXED, {"data.augment.cutmix": 0.5}, SEEN),
    ("Network.options", {"teacher": TIMM}, {"teacher.options": {"base_width": 64}}, f"teacher targets {TAUGHT}"),
    ("Teacher.run", {}, {"teacher": {"run": "base/plain"}}, f"teacher targets {TAUGHT}"),
    ("Teacher.head", {"teacher.weights": "FILE"}, {"teacher.head": "finetune"}, TEACHER),
    ("Teacher.classes", FILED, {"teacher.classes": ["c", "b", "a"]}, ASKED),
    ("Teacher.expect", FILED, {"teacher.expect": "any"}, ASKED),
    ("Teacher.mean", FILED, {"teacher.mean": [0.5, 0.5, 0.5]}, ASKED),
    ("Teacher.std", FILED, {"teacher.std": [0.5, 0.5, 0.5]}, ASKED),
    ("Teacher.image_size", FILED, {"teacher.image_size": 64}, ASKED),
    ("TemperatureSchedule.start", COURSE, {"distill.temperature.from": 4.0}, HELPED),
    ("TemperatureSchedule.end", COURSE, {"distill.temperature.to": 2.0}, HELPED),
    ("TemperatureSchedule.schedule", COURSE, {"distill.temperature.schedule": "cosine"}, HELPED),
    ("TemperatureSchedule.by", COURSE, {"distill.temperature.by": "epoch"}, HELPED),
    ("Distill.options", {"distill.loss": "dkd"}, {"distill.options": {"beta": 2.0}}, HELPED),
    ("Distill.options", {"distill.loss": "dkd"}, {"distill.options": {"beta": 0.5}}, NOTHING),
    ("Distill.temperature", OWN, {"distill.temperature": 2.0}, NOTHING),
    ("Feature.student", FOLLOWED, {"distill.features.0.student": "stages.1"}, TAUGHT),
    ("Feature.teacher", FOLLOWED, {"distill.features.0.teacher": "stages.2"}, CACHED),
    ("Feature.loss", FOLLOWED, {"distill.features.0.loss": "cosine"}, TAUGHT),
    ("Feature.loss", FOLLOWED, {"distill.features.0.loss": "attention"}, CACHED),
    ("Feature.projector", FOLLOWED, {"distill.features.0.projector": "orthogonal"}, TAUGHT),
    ("Feature.weight", FOLLOWED, {"distill.features.0.weight": 2.0}, TAUGHT),
    ("Feature.weight", FOLLOWED, {"distill.features.0.weight": 1.0}, NOTHING),
    ("Feature.pool", FOLLOWED, {"distill.features.0.pool": 2}, CACHED),
    ("Feature.dtype", FOLLOWED, {"distill.features.0.dtype": "fp32"}, CACHED),
    ("Feature.dtype", FOLLOWED, {"teacher.targets": "online"}, CACHED),
    ("Distill.features", FOLLOWED, {"distill.features": []}, CACHED),
    ("Explain.deletion", {"explain.maps": ["gradcam"]}, {"explain.deletion": 50}, "explain"),
    ("Train.momentum", {"train.optimizer": "sgd"}, {"train.momentum": 0.8}, LEARNERS),
    ("Train.ema_warmup", {"train.ema": 0.9}, {"train.ema_warmup": False}, LEARNERS),
    ("Train.optimizer", {}, {"train.optimizer": "lamb"}, LEARNERS),
    ("Train.power", {"train.schedule": "poly"}, {"train.power": 2.0}, LEARNERS),
    ("Train.decay_epochs", {"train.schedule": "step"}, {"train.decay_epochs": 1}, LEARNERS),
    ("Train.decay_epochs", {"train.schedule": "step"}, {"train.decay_epochs": [1, 2]}, LEARNERS),
    ("Train.decay_epochs", {"train.schedule": "wsd"}, {"train.decay_epochs": 1}, LEARNERS),
    ("Train.decay_share", {"train.schedule": "wsd"}, {"train.decay_share": 0.5}, LEARNERS),
    ("Train.rungs", {"train.schedule": "wsd"}, {"train.rungs": [2, 4, 8]}, NOTHING),
    ("Train.decay_rate", {"train.schedule": "step"}, {"train.decay_rate": 0.5}, LEARNERS),
    ("Train.precision", {}, {"train.precision": "fp16"}, STUDENT),
    ("Train.on_oom", {}, {"train.on_oom": "stop"}, NOTHING),
    ("Prune.when", {"prune.method": "unstructured", "prune.criterion": "l1"}, {"prune.when": "gradual"}, PRUNED),
    ("Quantize.backend", INT8, {"arms.taught.quantize.backend": "torchao"}, "quantize"),
    ("Quantize.mode", INT8, {"arms.taught.quantize.mode": "dynamic"}, "quantize"),
    ("Quantize.images", INT8, {"arms.taught.quantize.images": 64}, "quantize"),
    ("Quantize.per_channel", INT8, {"arms.taught.quantize.per_channel": False}, "quantize"),
    ("Quantize.calibration", INT8, {"arms.taught.quantize.calibration": "entropy"}, "quantize"),
    ("Data.boxes", {"data.boxes": "BOXES"}, {"data.boxes": "SAME"}, NOTHING),
    ("Data.view_seed", {"seeds": [5]}, {"data.view_seed": "run"}, f"{LEARNERS} targets reference"),
    ("Resources.ranks", {"resources.gpus": 0}, {"resources.ranks": 2}, NOTHING),
    ("Distill.weight", {}, {"distill.weight": 0.9, "distill.label_weight": 0.1}, NOTHING),
]


# The two plans --------------------------------------------------------------------------------------------------------


def put(tree: Tree, path: str, value: Any) -> None:
    """Set `path` of a tree, making what is on the way."""
    *parents, last = path.split(".")
    here: Any = tree
    for part in parents:
        here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
    here[int(last) if isinstance(here, list) else last] = value


class Bench:
    """A home, a set of images and its copy, a weights file; plans specs in them."""

    def __init__(self, folder: Path) -> None:
        self.home: Home = open_home(folder / "home", create=True)
        self.known: dict[str, Ids] = {}
        self.files = {"COPY": str(folder / "copy"), "FILE": str(folder / "weights.safetensors"),
                      "TABLE": str(folder / "images.csv"),
                      "BOXES": str(folder / "boxes.csv"), "SAME": str(folder / "same.csv")}  # fmt: skip
        for name in ("BOXES", "SAME"):
            Path(self.files[name]).write_text("image,xmin,ymin,xmax,ymax\ntrain/a/0.png,1,2,3,4\n")
        for root in (folder / "set", folder / "copy"):
            write_set(root)
        lines = [
            f"{path},{path.parent.name},{path.parent.name},{path.parent.parent.name}"
            for path in folder.glob("set/*/*/*")
        ]
        Path(self.files["TABLE"]).write_text("\n".join(["path,label,sort,split", *lines]))
        save_file({"fc.weight": torch.zeros(3, 4)}, self.files["FILE"])
        self.tree = base_tree(folder / "set")
        submit_plan(make_plan(Spec.model_validate(self.tree), self.home), self.home)

    def ids(self, *changes: Mapping[str, Any]) -> Ids:
        text = json.dumps(changes)
        if text not in self.known:
            self.known[text] = self._plan_ids(json.loads(text))
        return self.known[text]

    def _plan_ids(self, changes: list[Tree]) -> Ids:
        tree = json.loads(json.dumps(self.tree))  # no part of it is another's too
        for path, value in (pair for change in changes for pair in change.items()):
            put(tree, path, self.files.get(value, value) if isinstance(value, str) else value)
        plan = make_plan(Spec.model_validate(tree), self.home)
        assert not plan.is_provisional
        plain = next(run for run in plan.runs if run.arm == "plain")
        taught = next(run for run in plan.runs if run.arm == "taught")
        return {**taught.jobs, "alone": plain.jobs["student"], "measure": plain.jobs["measure"], "run": taught.run}

    def changed(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
        one, other = self.ids(before), self.ids(before, after)
        return {role for role in one.keys() & other.keys() if one[role] != other[role]}


def write_set(root: Path) -> None:
    for name in ("a", "b", "c"):
        for part, count in (("train", 10), ("test", 4)):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                (root / part / name / f"{number}.png").write_bytes(f"{part} {name} {number}".encode())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("ids"))


def expected(roles: str) -> set[str]:
    """The run's own id follows the jobs of its run; `alone` and `measure` here belong to another one."""
    named = set(roles.split())
    return named | ({"run"} if named - {"alone"} else set())


@pytest.mark.parametrize("path", WORDS)
def test_a_word_changes_the_ids_of_the_jobs_that_follow_it(path: str, bench: Bench) -> None:
    value, roles = WORDS[path]
    assert bench.changed({}, {path: value}) == expected(roles)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {next(iter(case[2].values()))}")
def test_a_word_that_needs_others_changes_the_ids_that_follow_it(
    case: tuple[str, Tree, Tree, str], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, before, after, roles = case
    monkeypatch.setattr("engine.plan.own_code.is_trusted_copy", lambda *_: True)  # what it says is looked at alone
    assert bench.changed(before, after) == expected(roles)


def test_another_image_makes_all_anew_but_the_speed(bench: Bench, tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    (tmp_path / "set" / "train" / "a" / "0.png").write_bytes(b"another image")
    assert bench.changed({}, {"data.root": str(tmp_path / "set")}) == expected(PACKED)


def test_a_new_version_of_augmentation_makes_new_whatever_looks_at_views(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = bench.ids()
    monkeypatch.setattr("engine.spec.job_settings.VIEW_VERSION", 10_000)
    new = bench.ids({"title": "new"})
    assert {role for role in old if old[role] != new[role]} == expected(SEEN)


def test_a_new_version_of_maps_makes_them_alone_new(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = bench.ids()
    monkeypatch.setattr("engine.spec.job_settings.MAP_VERSION", 10_000)
    new = bench.ids({"title": "other maps"})
    assert {role for role in old if old[role] != new[role]} == expected("explain")


def test_a_new_version_of_packs_makes_all_anew_but_the_speed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups of near-duplicates lie in a pack, and every split of it keeps them together."""
    old = bench.ids()
    monkeypatch.setattr("engine.spec.job_settings.PACK_VERSION", 10_000)
    new = bench.ids({"title": "other packs"})
    assert {role for role in old if old[role] != new[role]} == expected(PACKED)


def test_a_new_version_of_the_ids_makes_all_jobs_new(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    old = bench.ids()
    monkeypatch.setattr("engine.spec.job_file.IDENTITY_VERSION", 10_000)
    assert not set(old.values()) & set(bench.ids({"title": "newer"}).values())
