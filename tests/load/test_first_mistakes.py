"""The mistakes that a first-time user made, one by one: each is refused at its word with what helps, or warned of.

`test_ignored.py`, `test_messages.py` and `test_yaml_slips.py` say more of each kind; this is the list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec

BASE = """\
name: first
data: {source: digits, image_size: 56, short_side: 64}
student: {arch: tiny_vit, dims: [16, 32, 48, 64], depths: [1, 1, 2, 1], heads: [1, 2, 3, 4], windows: [7, 7, 4, 2]}
train: {epochs: 2, batch_size: 64, lr: 2.0e-3, precision: fp32}
"""
TAUGHT = "teacher: {arch: timm/resnet18, weights: none, train: {epochs: 1}}\n"
ARMS = "arms: {a: {}, b: {train.lr: 1.0e-3}}\nbaseline: a\n"
CLAIM = "{id: x, text: t, metric: %s, arm: %s, against: a, expect: greater}"


def claim(metric: str = "test_top1", arm: str = "b") -> str:
    return CLAIM % (metric, arm)


# The text after BASE, the place, what is said, how the fix begins.
ADDED = [
    ("distill: {loss: hinton}\n", "5:1", "no teacher", "give it a teacher"),
    ("arms: {ce: {}, kd: {distill.loss: hinton}}\n", "5:21", "no teacher", "give it"),
    (f"{ARMS}claims: [{claim('test_top2')}]\n", "7:35", "'test_top2'", "did you mean 'test_top1'"),
    (f"{ARMS}claims: [{claim()}, {claim()}]\n", "7:89", "have the id 'x'", "give each claim"),
    (f"{ARMS}claims: [{claim(arm='q')}]\n", "7:51", "names 'q'", "choose one of 'a', 'b'"),
    ("arms: {a: {}, b: {train.lr: 1}}\nbaseline: c\n", "6:11", "'c' is no arm", "choose"),
    ("arms: {}\nbaseline: a\n", "5:7", "there is no arm here", "write the arms"),
    (TAUGHT.replace("none,", "none, options: {deepths: [1]},"), "5:57", "'deepths'", "choose"),
    ("arms: {a: {train.warmup_epochs: 2}, b: {}}\n", "5:33", "never reach lr", "write `1`"),
    ("seeds: !!python/tuple [0]\n", "5:8", "tag '!!python/tuple'", "remove the tag"),
    ("seeds: !foo [0, 1]\n", "5:8", "tag '!foo'", "remove the tag"),
    (f"seeds: {'[' * 3000}{']' * 3000}\n", "5:71", "64 deep", "close a bracket"),
    ("seeds: [0, 1\narms: {a: {}}\n", "5:8", "nothing closes", "write `[0, 1]`"),
    ("seeds:[0]\n", "5:1", "no space after the colon", "write `seeds: [0]`"),
    ("seeds: 2\n", "5:8", "not a list", "write `[0, 1]` for 2 seeds"),
    ("prune: {ratio: 20}\n", "5:16", "not below 1", "write `0.2` for 20 %"),
    ("arms: {b: {train.batch_size: 63, data.augment.mixup: 0.2}}\n", "5:30", "in pairs", "write `64`"),
    ("teacher: {arch: convnext_tiny}\n", "5:17", "'convnext_tiny'", "did you mean 'timm/convnext_tiny'"),
    (f"{TAUGHT}distill: {{loss: kd}}\n", "6:17", "'kd'", "did you mean 'hinton'"),
    ("resources: {memory: 16GB}\n", "5:21", "'16GB' is no memory", "write `16G`"),
    ("prune:\n\tratio: 0.2\n", "6:1", "a tab indents", "indent it by 2 spaces"),
    ("3: 4\n", "5:1", "unknown key '3'", "choose one of"),
    ("---\nname: two\n", "5:1", "a second document", "keep one"),
    ("title: a\0b\n", "5:9", "U+0000", "remove it"),
]  # fmt: skip
# A word of BASE, what stands in its place, then as above.
CHANGED = [
    ("lr: 2.0e-3", "lr: '1e-3'", "4:40", "not a number", "remove the quotes"),
    ("lr: 2.0e-3", "lr: .nan", "4:40", "NaN", "write a number"),
    ("lr: 2.0e-3", "lr: .inf", "4:40", "infinity", "write the largest"),
    ("lr: 2.0e-3", "lr: 1.0e9", "4:40", "above 100", "use a value"),
    ("lr: 2.0e-3", "lr: 2.0e-3, min_lr: 1.0", "4:56", "never fall", "write `2e-05`"),
    ("name: first", "name: a b/c", "1:7", "is no name", "write `a_b_c`"),
    ("[7, 7, 4, 2]", "[7, 7]", "3:103", "a list of 2", "write at least 4"),
    ("batch_size: 64", "batch: 64", "4:20", "unknown key 'batch'", "did you mean"),
]


def refusal(folder: Path, text: str, *overrides: str) -> str:
    path = folder / "first.yaml"
    path.write_bytes(text.encode())
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize(("text", "place", "what", "fix"), ADDED)
def test_a_section_that_is_wrong(tmp_path: Path, text: str, place: str, what: str, fix: str) -> None:
    told = refusal(tmp_path, BASE + text)
    assert f"first.yaml:{place}: " in told
    assert what in told
    assert f"fix: {fix}" in told


@pytest.mark.parametrize(("old", "new", "place", "what", "fix"), CHANGED)
def test_a_value_that_is_wrong(tmp_path: Path, old: str, new: str, place: str, what: str, fix: str) -> None:
    assert BASE.count(old) == 1
    told = refusal(tmp_path, BASE.replace(old, new))
    assert f"first.yaml:{place}: " in told
    assert what in told
    assert f"fix: {fix}" in told


@pytest.mark.parametrize(
    ("override", "what", "fix"),
    [
        ("arms.zz.train.lr=1", "there is no arm 'zz'", "choose one of 'a', 'b'"),
        ("train.epochs=many", "'many' is not a whole number", "write a whole number"),
        ("train.epoch=3", "unknown key 'epoch'", "did you mean 'train.epochs'"),
    ],
)
def test_a_wrong_override_quotes_itself_and_no_line(tmp_path: Path, override: str, what: str, fix: str) -> None:
    told = refusal(tmp_path, BASE + ARMS, override)
    assert f"--set {override}: " in told
    assert "first.yaml:" not in told
    assert what in told
    assert f"fix: {fix}" in told


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words\n"])
def test_what_is_no_mapping_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    assert "a spec is one YAML mapping" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("batch_size: 64", "batch_size: 1_000"),
        lambda text: text + "title: 2024-13-45\n",
    ],
    ids=("byte order mark", "CRLF", "1_000", "a title like a date"),
)  # fmt: skip
def test_what_is_legal_passes(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]  # a lambda of text
    path = tmp_path / "first.yaml"
    path.write_bytes(change(BASE).encode())
    assert load_spec(path).name == "first"
