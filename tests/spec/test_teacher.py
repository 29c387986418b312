"""Words about teachers that cannot go together are refused when the spec is read, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec
from engine.spec import Settings
from engine.spec.architectures import has_pretrained, known_networks
from engine.spec.cells import expand_cells

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
PLAIN = ("teacher.train=null", "teacher.options=null")

REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "typo in head": (("teacher.head=prob",), "no choice", "'probe'"),
    "typo in weights": (("teacher.weights=pretraned",), "no choice", "'pretrained'"),
    "typo in arch": (("teacher.arch=timm/convnetv2_atto",), "unknown network", "timm/convnextv2_atto"),
    "a pickle": (("teacher.weights=teacher.pth",), "no .safetensors file", "save_file"),
    "nothing known": (("teacher.train=null",), "knows nothing", "run: EXPERIMENT/ARM"),
    "nobody's weights": (
        (*PLAIN, "teacher.arch=timm/coatnet_1_224", "teacher.weights=pretrained"),
        "no pretrained weights of timm/coatnet_1_224",
        "train it",
    ),
    "a probe of nothing": ((*PLAIN, "teacher.head=probe"), "there are none", "pretrained"),
    "a probe that trains": (("teacher.weights=a.safetensors", "teacher.head=probe"), "takes no train", "finetune"),
    "fine-tuning nothing": (("teacher.head=finetune",), "there are none", "pretrained"),
    "a run and a network": (("teacher={run: a/b, arch: timm/resnet18}",), "arch", "leave `arch` away"),
    "a run with a head": (("teacher={run: a/b, head: probe}",), "head", "leave `head` away"),
    "no run's name": (("teacher.run=quickstart",), "names no run", "EXPERIMENT/ARM"),
    "a class twice": (
        ("teacher.train=null", "teacher.weights=a.safetensors", "teacher.classes=[a, b, a]"),
        "'a' is listed twice",
        "each class once",
    ),
    "classes of a trained head": (("teacher.classes=[a, b]",), "taken as they come", "leave `classes` away"),
    "pixels of a trained network": (("teacher.mean=[0.5, 0.5, 0.5]",), "taken as they come", "leave `mean` away"),
    "digits and ImageNet's head": ((*PLAIN, "teacher.weights=pretrained"), "ImageNet's classes", "probe or finetune"),
    "classes that are not the data's": (
        ("teacher.train=null", "teacher.weights=a.safetensors", "teacher.classes=[zero, one]"),
        "10 classes of the data are not in teacher.classes",
        "probe",
    ),
    "calibration without images": (("teacher.calibrate=true", "data.split=80/0/20"), "has none", "validation part"),
    "logits without scale": (("teacher.logit_scale=0",), "0", "above 0"),
    "a reference that teaches": (
        ("distill.temperature={match: entropy, reference: {arch: timm/resnet18, train: {}, calibrate: true}}",),
        "a reference teacher has no calibrate",
        "leave calibrate away",
    ),
    "an assistant's heads": (
        ("teacher.assistants=[{arch: tiny_vit, dims: [8, 8, 8, 8], depths: [1, 1, 1, 1], heads: [1, 3, 1, 1]}]",),
        "do not divide",
        "heads there",
    ),
    "an assistant's weights": (("teacher.assistants=[{arch: timm/resnet18, weights: a.pt}]",), "no .safetensors", ""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_its_repair(case: str) -> None:
    words, what, fix = REFUSED[case]
    with pytest.raises(SpecError) as caught:
        load_spec(QUICKSTART, words)
    told = [(problem.what, problem.fix) for problem in caught.value.problems]
    assert any(what in said and fix in repair for said, repair in told), told


def settings_of(*words: str) -> Settings:
    cells = {cell.arm: cell for cell in expand_cells(load_spec(QUICKSTART, words))}
    return cells["distilled"].settings


ALLOWED: dict[str, tuple[str, ...]] = {
    "trained from weights": ("teacher.weights=pretrained", "teacher.options=null"),
    "a probe": (*PLAIN, "teacher.weights=pretrained", "teacher.head=probe"),
    "fine-tuned as the student trains": (*PLAIN, "teacher.weights=pretrained", "teacher.head=finetune"),
    "a file": (
        "teacher.train=null",
        "teacher.weights=a.safetensors",
        "teacher.mean=[0, 0, 0]",
        "teacher.std=[1, 1, 1]",
    ),
    "another run": ("teacher={run: quickstart/original, seed: 1, calibrate: true, logit_scale: 2}",),
    "another run's cell": ("teacher.run=quickstart/original/data.split=60/20/20 train.lr=0.1",),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_every_kind_can_be_said(case: str) -> None:
    assert settings_of(*ALLOWED[case]).teacher is not None


def test_a_run_takes_the_place_of_a_network_and_the_other_way_round() -> None:
    by_run = settings_of("teacher.run=quickstart/original").teacher
    assert by_run is not None
    assert (by_run.arch, by_run.train) == ("", None)
    back = settings_of("teacher.run=quickstart/original", "teacher={arch: timm/resnet18, train: {}}").teacher
    assert back is not None
    assert (back.arch, back.run) == ("timm/resnet18", None)


def test_weights_that_nobody_published_are_known_by_name() -> None:
    assert has_pretrained("timm/convnextv2_atto")
    assert has_pretrained("timm/convnextv2_huge.fcmae_ft_in1k")
    assert has_pretrained("tiny_vit_5m")
    assert not has_pretrained("tiny_vit")
    lacking = [name for name in known_networks() if not has_pretrained(name)]
    assert "timm/resnet18" not in lacking
    assert len(lacking) > 10
