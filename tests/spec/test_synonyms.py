"""What other tools call our words is known, and so is another spelling."""

from __future__ import annotations

import pytest

from engine.spec.lexicon import all_terms
from engine.spec.optimizers import OPTIMIZER_WORDS
from engine.spec.space_forms import WORDS
from engine.spec.synonyms import SYNONYMS, hint_word, meant_words
from store.metrics import METRICS

LOSSES = ("ce", "dkd", "hinton", "lskd", "nkd")


@pytest.mark.parametrize(
    ("word", "choices", "meant"),
    [
        ("kd", LOSSES, ["hinton"]),
        ("learning_rate", ("lr", "min_lr", "epochs"), ["lr"]),
        ("bs", ("batch_size", "epochs"), ["batch_size"]),
        ("batch", ("batch_size", "epochs"), ["batch_size"]),
        ("AdamW", tuple(OPTIMIZER_WORDS), ["adamw"]),
        ("Adam", ("adamw", "adam"), ["adam"]),
        ("bfloat16", ("bf16", "fp32"), ["bf16"]),
        (">", ("greater", "less"), ["greater"]),
        ("accuracy", tuple(METRICS), ["test_top1"]),
        ("resnet18", ("timm/resnet18", "tiny_vit"), ["timm/resnet18"]),
        ("batch-size", ("batch_size",), ["batch_size"]),
        ("zebra", LOSSES, []),
    ],
)
def test_another_name_is_known(word: str, choices: tuple[str, ...], meant: list[str]) -> None:
    assert meant_words(word, choices) == meant


def test_a_slip_of_the_finger_is_still_found() -> None:
    assert hint_word("hintn", LOSSES) == "did you mean 'hinton'?"
    assert hint_word("kd", LOSSES) == "did you mean 'hinton'?"
    assert hint_word("zebra", LOSSES).startswith("choose one of ")


def test_synonyms_stand_for_words_that_there_are() -> None:
    words = {path.rpartition(".")[2] for path in all_terms()} | set(METRICS) | set(WORDS)
    words |= {str(choice) for term in all_terms().values() for choice in term.facts.choices}
    words |= {"pretrained", "none", "tiny_vit_5m", "tiny_vit_11m", "tiny_vit_21m", "none_longer"}
    assert {ours for meant in SYNONYMS.values() for ours in meant} - words == set()
