"""The words about work on a network: defaults that enter ids, and numbers that cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from engine.spec import Explain, Measure, Prune, Resources, Train

DEFAULTS: dict[type[BaseModel], dict[str, Any]] = {
    Train: {
        "epochs": 10, "batch_size": 256, "optimizer": "adamw", "betas": None, "momentum": None, "eps": None,
        "lr": 5e-4, "schedule": "cosine", "decay_epochs": None, "decay_share": None, "decay_rate": None,
        "power": None, "min_lr": 1e-6,
        "weight_decay": 0.05, "ema": None, "ema_warmup": True, "accumulate": 1,
        "warmup_epochs": 1, "clip_grad": 5.0, "label_smoothing": 0.0, "precision": "bf16", "threads": 2,
        "deterministic": False, "compile": "off", "checkpoint": "last", "memory": "standard", "on_oom": "auto",
        "save_minutes": 10.0, "rungs": [],
    },
    Prune: {
        "ratio": 0.0, "of": "params", "method": "structured", "criterion": "taylor", "scope": "layer",
        "when": "after", "control": None, "embedding": False, "round_to": 8, "recover_epochs": 2, "recover_lr": None,
    },
    Measure: {"batch_sizes": [1, 64], "threads": [1], "seconds": 1.0, "rounds": 6, "compiled": False, "runtimes": []},
    Explain: {"images": 8, "maps": None, "deletion": 200},
    Resources: {"gpus": 1, "ranks": 1, "cpus": 4, "memory": "16G", "time": "4h"},
}  # fmt: skip


@pytest.mark.parametrize("model", DEFAULTS)
def test_what_is_left_away_means_what_it_did(model: type[BaseModel]) -> None:
    """Defaults enter ids by value: another default is another experiment, and never a slip."""
    assert model().model_dump() == DEFAULTS[model]


LIMITS: list[tuple[type[BaseModel], str, Any, Any]] = [
    (Train, "epochs", 1, 0),
    (Train, "batch_size", 1, 0),
    (Train, "lr", 1e-9, 0.0),
    (Train, "min_lr", 0.0, -1e-9),
    (Train, "weight_decay", 0.0, -0.1),
    (Train, "warmup_epochs", 0, -1),
    (Train, "clip_grad", 0.1, 0.0),
    (Train, "label_smoothing", 0.99, 1.0),
    (Train, "label_smoothing", 0.0, -0.1),
    (Train, "threads", 1, 0),
    (Train, "save_minutes", 0.1, 0.0),
    (Train, "epochs", 1_000_000, 1_000_001),
    (Train, "lr", 100.0, 100.1),
    (Train, "batch_size", 1_000_000, 1_000_001),
    (Train, "optimizer", "lamb", "lookahead_lamb"),
    (Train, "betas", [0.0, 0.999], [0.9, 1.0]),
    (Train, "betas", [0.9, 0.0], [0.9, -0.1]),
    (Train, "betas", [0.9, 0.9], [0.9]),
    (Train, "eps", 1.0, 1.1),
    (Train, "eps", 1e-30, 0.0),
    (Train, "schedule", "linear", "exponential"),
    (Train, "ema", 0.9999, 1.0),
    (Train, "ema", 1e-6, 0.0),
    (Train, "accumulate", 1, 0),
    (Train, "accumulate", 100_000, 100_001),
    (Train, "precision", "fp16", "fp8"),
    (Train, "checkpoint", "best_val", "best"),
    (Train, "memory", "lean", "small"),
    (Train, "on_oom", "split", "halve"),
    (Prune, "ratio", 0.99, 1.0),
    (Prune, "ratio", 0.0, -0.1),
    (Prune, "recover_epochs", 0, -1),
    (Prune, "recover_lr", 0.1, 0.0),
    (Prune, "criterion", "random", "l3"),
    (Prune, "of", "units", "channels"),
    (Prune, "method", "unstructured", "other"),
    (Measure, "batch_sizes", [1], []),
    (Measure, "batch_sizes", [1], [0]),
    (Measure, "threads", [1], []),
    (Measure, "seconds", 0.1, 0.0),
    (Measure, "rounds", 2, 1),
    (Explain, "images", 1, 0),
    (Explain, "maps", ["rollout"], ["saliency"]),
    (Explain, "maps", ["rollout"], ["rollout", "rollout"]),
    (Resources, "gpus", 0, -1),
    (Resources, "gpus", 2, 2.5),
    (Resources, "ranks", 1, 0),
    (Resources, "ranks", 1, 65),
    (Resources, "cpus", 1, 0),
    (Resources, "gpus", 1024.0, 1025.0),
    (Resources, "memory", "999999999K", "9999999999K"),
    (Resources, "time", "999999999s", "9999999999s"),
    (Resources, "memory", "1T", "1G of it"),
    (Resources, "memory", "1K", "G"),
    (Resources, "time", "90s", "90"),
    (Resources, "time", "2d", "in 2d"),
]


@pytest.mark.parametrize(("model", "word", "right", "wrong"), LIMITS)
def test_the_last_value_that_can_be_and_the_first_that_cannot(
    model: type[BaseModel], word: str, right: object, wrong: object
) -> None:
    assert getattr(model.model_validate({word: right}), word) == right
    with pytest.raises(ValidationError, match=word):
        model.model_validate({word: wrong})


@pytest.mark.parametrize(("epochs", "warmup"), [(2, 2), (2, 3), (5, 5)])
def test_a_warm_up_that_never_ends_is_refused(epochs: int, warmup: int) -> None:
    with pytest.raises(ValidationError, match=f"warm-up over {warmup} of {epochs} epochs") as caught:
        Train(epochs=epochs, warmup_epochs=warmup)
    assert caught.value.errors()[0]["ctx"]["fix"] == f"write `1`, {epochs - 1} at most"


def test_a_warm_up_that_ends_and_a_smoke_test_are_let_through() -> None:
    assert Train(epochs=2, warmup_epochs=1).warmup_epochs == 1
    assert Train(epochs=1, warmup_epochs=1).warmup_epochs == 1


def test_processes_are_those_of_gpus_or_of_the_cpu() -> None:
    assert [Resources(gpus=gpus).processes for gpus in (0, 0.5, 1, 4)] == [1, 1, 1, 4]
    assert Resources(gpus=0, ranks=3).processes == 3
    with pytest.raises(ValidationError, match="ranks: 2 is for the CPU") as caught:
        Resources(ranks=2)
    assert "gpus: 0 for so many processes on the CPU" in caught.value.errors()[0]["ctx"]["fix"]


@pytest.mark.parametrize("model", DEFAULTS)
def test_models_are_frozen_strict_and_closed(model: type[BaseModel]) -> None:
    word = next(iter(DEFAULTS[model]))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model(), word, DEFAULTS[model][word])
    with pytest.raises(ValidationError, match="Extra inputs"):
        model.model_validate({"bogus": 1})


def test_numbers_are_no_texts_and_finite() -> None:
    for wrong in ("1e-3", float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            Train.model_validate({"lr": wrong})


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"optimizer": "adahessian"}, "adahessian cannot be run: it needs derivatives of derivatives"),
        ({"optimizer": "fusedlamb"}, "fusedlamb cannot be run: it needs the package apex"),
        ({"optimizer": "bnblion8bit"}, "it needs the package bitsandbytes"),
        ({"optimizer": "kron"}, "it needs the package opt_einsum"),
        ({"optimizer": "lion", "eps": 1e-8}, "lion has no eps"),
        ({"optimizer": "sgd", "betas": [0.9, 0.99]}, "sgd has no betas"),
        ({"momentum": 0.9}, "adamw has no momentum"),
        ({"betas": [0.9, 0.9, 0.9]}, "adamw has 2 betas"),
        ({"optimizer": "adan", "betas": [0.9, 0.9]}, "adan has 3 betas"),
        ({"power": 2.0}, "power is of schedule poly, and this one is cosine"),
        ({"schedule": "poly", "decay_rate": 0.1}, "decay_rate is of schedule step, and this one is poly"),
        ({"schedule": "step", "decay_epochs": [3, 2]}, r"decay_epochs \[3, 2\]"),
        ({"decay_epochs": 3}, "decay_epochs is of schedule step or wsd, and this one is cosine"),
        ({"schedule": "step", "decay_share": 0.1}, "decay_share is of schedule wsd, and this one is step"),
        ({"schedule": "wsd", "decay_epochs": [3, 4]}, "schedule wsd falls once, and decay_epochs is a list"),
        ({"schedule": "wsd", "decay_epochs": 3, "decay_share": 0.1}, "both say when"),
        ({"schedule": "wsd", "decay_epochs": 10}, "1 epochs of warm-up and 10 of decay are more than 10"),
        ({"rungs": [10]}, r"rungs \[10\]"),
        ({"rungs": [30, 10]}, r"rungs \[30, 10\]"),
        ({"rungs": [3, 9]}, r"rungs \[3, 9\] are not of this training, whose epochs are 10"),
        ({"ema_warmup": False}, "ema_warmup is of a moving average, and none is kept"),
        ({"schedule": "plateau"}, "schedule plateau follows the validation loss"),
    ],
)
def test_a_word_that_would_be_ignored_or_cannot_run_is_refused(words: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Train.model_validate(words)


@pytest.mark.parametrize(
    "words",
    [
        {"optimizer": "lamb", "betas": [0.9, 0.98], "eps": 1e-6},
        {"optimizer": "adan", "betas": [0.98, 0.92, 0.99]},
        {"optimizer": "sgd", "momentum": 0.5},
        {"schedule": "step", "decay_epochs": [3, 6], "decay_rate": 0.2},
        {"schedule": "step", "decay_epochs": 3},
        {"schedule": "poly", "power": 2.0},
        {"schedule": "wsd"},
        {"schedule": "wsd", "decay_epochs": 2, "rungs": [5, 10]},
        {"schedule": "wsd", "decay_share": 0.5},
    ],
)
def test_options_that_mean_something_are_taken(words: dict[str, Any]) -> None:
    assert Train.model_validate(words).model_dump(exclude_unset=True) == words


def test_a_deletion_test_is_of_maps_that_are_named() -> None:
    assert Explain(maps=["gradcam"], deletion=0).deletion == 0
    with pytest.raises(ValidationError, match=r"deletion is of explain.maps, and there are none"):
        Explain(deletion=50)
