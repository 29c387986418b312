"""Searches that cannot be: each is refused at its place, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import SpecError
from engine.load import load_spec
from engine.load.search_space import JUDGES
from engine.spec.data import Data

HEAD = """\
name: study
data: {source: digits, image_size: 56, short_side: 56}
student: {arch: tiny_vit, dims: [16, 16, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], windows: [7, 7, 4, 2]}
train: {epochs: 9, lr: 1.0e-3}
search:
  trials: 4
"""
SPACE = "  space:\n    train.lr: {log: [1.0e-4, 1.0e-2]}\n"
WAITING = (
    "  space: {train.optimizer: {choice: [adamw, sgd]}, "
    "train.lr: {log: [1.0e-4, 1.0e-2], when: {train.optimizer: [sgd]}}}"
)


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("lines", "place", "what"),
    [
        ("  space: {train.lrr: {log: [1.0e-4, 1.0e-2]}}", "7:11", "did you mean 'train.lr'"),
        ("  space: {train.lr: {log: [0, 1.0]}}", "7:27", "0 has no order of magnitude"),
        ("  space: {train.lr: {log: [1.0, 0.1]}}", "7:27", "write `[0.1, 1]`"),
        ("  space: {train.lr: {float: [0.1, 0.1]}}", "7:29", "nothing to draw"),
        ("  space: {train.lr: {}}", "7:21", "log, float, int and choice"),
        ("  space: {train.lr: {log: [1.0e-3, 1.0], step: 0.1}}", "7:48", "step is of float and int"),
        ("  space: {data.split: {choice: [60/20/20, 80/10/10]}}", "7:11", "decides which images judge"),
        ("  space: {data.split_seed: {int: [0, 3]}}", "7:11", "decides which images judge"),
        ("  space: {data.view_seed: {int: [0, 3]}}", "7:11", "the luckiest"),
        ("  space: {measure.seconds: {float: [0.1, 1.0]}}", "7:11", "no part of the network"),
        ("  space: {student.attention.kind: {choice: [window, wndow]}}", "7:53", "wndow"),
        ("  space: {student.attention.radius: {int: [1, 3]}}", "7:43", "radius"),
        ("  metric: test_top1\n" + SPACE, "7:11", "write `val_top1`"),
        ("  metric: val_top\n" + SPACE, "7:11", "did you mean 'val_top1'"),
        ("  metric: train_images_per_second\n" + SPACE, "7:11", "infer_latency"),
        ("  metric: [val_top1, macs]\n  direction: [max]\n" + SPACE, "8:14", "1 direction of 2 metrics"),
        ("  metric: [val_top1, infer_latency]\n  direction: max\n" + SPACE, "8:14", "such as `[max, min]`"),
        (SPACE + "matrix: {data.split: [80/0/20]}", "5:1", "80/0/20 has no validation images"),
        (SPACE + "arms: {a: {data.split: 80/0/20}, b: {}}", "5:1", "80/0/20 has no validation images"),
        ("  sampler: grid\n  space: {train.lr: {float: [0, 0.5], step: 1.0e-9}}", "7:12", "the most are 100,000"),
        ("  space: {student.attention: {choice: [{kind: window}]}, student.attention.kind: {choice: [window]}}", "7:58",
         "student.attention is drawn too"),
        (SPACE + "matrix: {train: [{epochs: 9}]}", "8:5", "by the matrix, and one of the two holds train.lr"),
        (SPACE + "arms: {a: {train: {lr: 0.1}}, b: {extends: a, train.epochs: 9}}", "8:5", "arm a says it itself"),
        ("  space: {train: {choice: [{lr: 0.1, epochs: 9}, {lr: 0.2, epochs: 9}]}}\narms: {a: {train.lr: 0.1}, b: {}}",
         "7:11", "arm a says train.lr itself"),
        ("  space: {train.lr: {log: [0.1, 1.0], when: {train.epochs: 9}}}", "7:46", "draw that too"),
        ("  prior: [{}]\n" + SPACE, "7:11", "it says nothing to try"),
        (f"  prior: {[{'train.lr': 0.001}] * 5}\n" + SPACE, "7:95", "5 are to be tried first, in 4 trials"),
        ("  space: {train.lr: {float: [0.1, 0.2], step: 0.5}}", "7:29", "a step of 0.5 leads beyond 0.2"),
        ("  constraint: {val_top1: {above: 90}}\n" + SPACE, "7:16", "write 0.8 for 80 %"),
        ("  space: {train.save_minutes: {choice: [1, 2]}}", "7:11", "nothing that is trained follows from it"),
        ("  space: {distill.temperature: {log: [1, 8]}}", "7:11", "nothing that is trained follows from it"),
        ("  metric: epochs_spent\n" + SPACE, "7:11", "write `direction` too"),
        ("  constraint: {test_loss: {below: 1.0}}\n" + SPACE, "7:16", "write `val_loss`"),
        ("  constraint: {params: {}}\n" + SPACE, "7:24", "`below` or `above`"),
        ("  constraint: {params: {below: 1.0, above: 2.0}}\n" + SPACE, "7:44", "swap"),
        ("  sampler: grid\n" + SPACE, "7:12", "a `step`"),
        ("  prior: {train.lr: 3.0}\n" + SPACE, "7:21", "use 0.0001 to 0.01"),
        ("  prior: {train.lr: 0.001, train.optimizer: adamw}\n" + WAITING, "7:11", "only where train.optimizer is sgd"),
        ("  space: {seeds: {choice: [1, 2]}}", "7:11", "the luckiest"),
        ("  space: {search.trials: {int: [1, 3]}}", "7:11", "search is no setting of a run"),
        ("  space: {train.lr: [1.0e-4, 1.0e-2]}", "7:21", "write `{choice: [0.0001, 0.01]}`"),
        ("  prior: [{train.epochs: 3}]\n" + SPACE, "7:12", "train.epochs is not drawn"),
        ("  final: {seeds: [0, 1]}\n" + SPACE, "7:18", "seeds that chose nothing"),
        ("  fidelity: {epochs: [3, 10]}\n" + SPACE, "7:22", "train.epochs says 9"),
        ("  fidelity: {epochs: [9, 3]}\n" + SPACE, "7:22", "[3, 9]"),
        ("  arms: {other: null}\n" + SPACE, "7:10", "no arm 'other'"),
        ("  arms: {study: null}\n" + SPACE, "7:9", "nothing is searched"),
        (SPACE + "    train.epochs: {int: [1, 3], when: {train.lrr: 3}}", "9:40", "did you mean 'train.lr'"),
        (SPACE + "    train.epochs: {int: [1, 3], when: {train.lr: 3.0}}", "9:50", "use 0.0001 to 0.01"),
        (SPACE + "matrix: {data.split: [60/20/20, 80/10/10]}", "9:1", "one point of the matrix"),
        (SPACE + "arms: {a: {train.lr: 0.1}, b: {}}", "8:5", "arm a says it itself"),
        (SPACE + "arms: {a: {train.epochs: 3}, a-t1: {}}", "9:30", "rename that arm"),
        (SPACE + "arms: {a: {train.epochs: 3}, a-best: {}}", "9:30", "rename that arm"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused_at_its_place(tmp_path: Path, lines: str, place: str, what: str) -> None:
    told = refusal(tmp_path, HEAD + lines + "\n")
    assert f"study.yaml:{place}: " in told, told
    assert what in told
    assert "fix: " in told


@pytest.mark.parametrize("prior", ["{train.lr: 0.001}", "{train.lr: 0.001, train.optimizer: sgd}"])
def test_a_prior_whose_condition_can_be_met_is_taken(prior: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"{HEAD}  prior: {prior}\n{WAITING}\n")
    assert load_spec(path).search is not None


def test_circles_of_conditions_are_refused(tmp_path: Path) -> None:
    lines = (
        "  space:\n    train.epochs: {int: [1, 3], when: {train.batch_size: 8}}\n"
        "    train.batch_size: {int: [8, 16], when: {train.epochs: 2}}\n"
    )
    assert "waits for itself" in refusal(tmp_path, HEAD + lines)


def test_every_word_of_data_is_drawn_or_known_to_judge(tmp_path: Path) -> None:
    """A new word of `data` has to say on which side it is."""
    free = {"image_size", "view_seed", "views", "short_side", "format", "augment", "crop_share", "interpolation"}
    free |= {"cache", "workers"}
    assert {*JUDGES, *free} == set(Data.model_fields)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sampler": "grid", "space": {"train.batch_size": {"int": [8, 64], "step": 8}}},
        {"metric": ["val_top1", "params"], "direction": ["max", "min"], "sampler": "nsga2"},
        {"prior": [{"train.lr": 1e-3}], "constraint": {"params": {"below": 1e6}}, "final": {"seeds": [1, 2]}},
    ],
)
def test_a_space_that_can_be_is_taken(more: dict[str, Any]) -> None:
    from engine.load import load_words
    from tests.search.objective import make_spec

    assert load_words(make_spec(**more)).search is not None


def test_arms_that_share_no_seed_with_what_is_searched_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    text = f"{HEAD}{SPACE}  arms: {{b: null}}\n  final: {{seeds: [1, 2]}}\narms: {{a: {{}}, b: {{train.epochs: 3}}}}\n"
    path.write_text(f"{text}seeds: [0]\n")
    (doubt,) = load_spec(path).doubts
    assert "study.yaml:12:8: seeds: the best of the search is trained on seeds [1, 2], and b on [0]" in doubt
    assert "write `[0, 1, 2]`" in doubt
    path.write_text(f"{text}seeds: [0, 1, 2]\n")
    assert load_spec(path).doubts == ()
