"""What a network has seen survives its file: in the header, exactly, in the same bytes each time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.inputs.image_keys import short_keys
from engine.inputs.lineage import (
    MARK,
    Exposure,
    Lineage,
    decode_lineage,
    encode_lineage,
    join_lineages,
    read_lineage,
)

HEXES = [hashlib.sha256(bytes([number])).hexdigest() for number in range(60)]
TRAIN, VAL = short_keys(HEXES[:40]), short_keys(HEXES[40:])
SEEN = Lineage(
    (
        Exposure((), "trained on", "digits 60/20/20, split seed 0", TRAIN),
        Exposure(("its teacher",), "trained on", "digits 80/10/10, split seed 1", TRAIN | VAL, is_exact=False),
        Exposure((), "calibrated on", "digits 60/20/20, split seed 0", VAL),
    ),
    ("its weights <- timm/a pretrained",),
    ("its teacher <- weights ab12",),
)


def told(lineage: Lineage = SEEN) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(encode_lineage(lineage, arch="tiny_vit", seed=3)[MARK])
    return value


def test_a_lineage_is_read_back_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(2)}, file, encode_lineage(SEEN, arch="tiny_vit", seed=3))
    assert read_lineage(file) == SEEN
    assert torch.equal(load_file(file)["a"], torch.ones(2))
    assert told()["arch"] == "tiny_vit"


def test_equal_lineages_are_equal_bytes(tmp_path: Path) -> None:
    again = Lineage(tuple(replace(one, images=frozenset(sorted(one.images))) for one in SEEN.exposures))
    again = replace(again, pretrained=SEEN.pretrained, unknown=SEEN.unknown)
    assert encode_lineage(SEEN, arch="a", seed=0) == encode_lineage(again, seed=0, arch="a")


def test_an_image_takes_eight_characters_and_a_set_is_kept_once() -> None:
    twice = Lineage((SEEN.exposures[0], Exposure(("its teacher",), "chosen on", "x", TRAIN)))
    assert [len(text) for text in told(twice)["images"]] == [8 * len(TRAIN)]


def test_a_file_without_a_lineage_has_none(tmp_path: Path) -> None:
    plain, cut = tmp_path / "plain.safetensors", tmp_path / "cut.safetensors"
    save_file({"a": torch.ones(2)}, plain)
    cut.write_bytes(plain.read_bytes()[:20])
    assert [read_lineage(file) for file in (plain, cut, tmp_path / "absent.safetensors")] == [None, None, None]


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"exposures": [{}]}, {"images": []}, {"images": ["%%%%"]}, {"unknown": 3}]
)
def test_a_lineage_that_is_not_understood_is_none(change: dict[str, Any]) -> None:
    assert decode_lineage({MARK: json.dumps(told())}) == SEEN
    assert decode_lineage({MARK: json.dumps({**told(), **change})}) is None


def test_the_way_to_an_ancestor_grows_at_the_front() -> None:
    moved = SEEN.under("student.weights", "a.safetensors")
    assert moved.exposures[1].path == ("student.weights", "a.safetensors", "its teacher")
    assert moved.unknown == ("student.weights <- a.safetensors <- its teacher <- weights ab12",)
    assert Lineage(unknown=("",)).under("student").unknown == ("student",)


def test_what_was_seen_twice_counts_once() -> None:
    parent = Lineage((SEEN.exposures[0],), unknown=("a",)).under("its parent")
    joined = join_lineages([SEEN, parent, SEEN])
    assert joined.exposures == SEEN.exposures
    assert joined.unknown == ("its teacher <- weights ab12", "its parent <- a")


@pytest.mark.parametrize(
    ("lineage", "expected"),
    [(Lineage(), "known"), (Lineage(SEEN.exposures), "known"), (Lineage((), ("a",)), "pretrained"), (SEEN, "unknown")],
)
def test_the_least_known_ancestor_decides(lineage: Lineage, expected: str) -> None:
    assert lineage.training == expected
