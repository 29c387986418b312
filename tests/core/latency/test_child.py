"""Questions about latency: what the table lacks is timed where it may be, and kept; else nothing is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.latency import child
from engine.core.latency.child import answer
from engine.core.latency.predict import REFERENCES
from engine.core.latency.table import Times, read_times, setting_name
from engine.core.network.build import build_network
from engine.core.network.widths import read_widths
from tests.core.latency.networks import WHOLES, made_up, small

SETTING = setting_name(1, 1, "fp32")


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is asked of the clock, which is made up; the references are timed already."""
    asked: list[str] = []

    def time_pieces(pieces: Sequence[str], threads: int, wholes: Mapping[str, Any] = {}) -> dict[str, float]:
        asked.extend(pieces)
        return {**{piece: made_up(piece) for piece in pieces}, **dict.fromkeys(wholes, 1.0)}

    monkeypatch.setattr(child, "time_pieces", time_pieces)
    monkeypatch.setattr(child, "time_references", lambda threads, precision, batch_size: Times(wholes=WHOLES))
    threads = torch.get_num_threads()
    yield asked
    torch.set_num_threads(threads)


def question(path: Path, **words: Any) -> dict[str, Any]:
    told = {"network": small().model_dump(mode="json"), "outputs": 10, "image_size": 32}
    about = {"table": str(path / "latency" / "cpu.json"), "threads": 1, "precision": "fp32", "may_time": True, **words}
    return {**told, **about} if "ratio" in words else {**about, "networks": [told]}


def test_a_network_is_timed_once(tmp_path: Path, timed: list[str]) -> None:
    (first,) = answer(question(tmp_path))
    assert first["ms"] > 0
    assert 0 < first["error"] < 1
    assert timed, "what nobody had timed"
    timed.clear()
    assert answer(question(tmp_path, may_time=False)) == [first]
    assert answer(question(tmp_path)) == [first]
    assert timed == []


def test_without_a_table_nothing_is_said(tmp_path: Path, timed: list[str]) -> None:
    assert answer(question(tmp_path, may_time=False)) == [None]
    assert answer(question(tmp_path, may_time=False, ratio=0.1)) == {"untimed": True}
    assert timed == []


def test_times_of_other_threads_do_not_count(tmp_path: Path) -> None:
    answer(question(tmp_path))
    assert answer(question(tmp_path, may_time=False, threads=2)) == [None]


def test_solved_widths_build_the_network_that_is_told_of(tmp_path: Path) -> None:
    told = answer(question(tmp_path, ratio=0.1))
    assert abs(told["share"] - 0.1) <= 0.01
    assert told["left"]["seconds"] / told["whole"]["seconds"] == pytest.approx(1 - told["share"])
    network = build_network(small(), 10, 32, widths=read_widths(told["widths"]))
    assert sum(value.numel() for value in network.parameters()) == told["params"] < told["params_before"]


def test_the_same_table_gives_the_same_widths(tmp_path: Path, timed: list[str]) -> None:
    first = answer(question(tmp_path, ratio=0.1))
    timed.clear()
    assert answer(question(tmp_path, ratio=0.1, may_time=False)) == first
    assert timed == []


def test_what_cannot_be_is_told_with_its_fix(tmp_path: Path) -> None:
    told = answer(question(tmp_path, ratio=0.95))
    assert told["what"].startswith("prune.ratio 0.95: only ")
    assert told["fix"].startswith("ask for at most 0.")
    bare = {"network": {"arch": "timm/convnextv2_atto"}, "image_size": 64}
    assert "knows no unit of convnextv2_atto" in answer({**question(tmp_path, ratio=0.1), **bare})["what"]


def test_references_are_timed_with_their_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(child, "REFERENCES", {"one": REFERENCES["mobilenetv3_small_100 224"]})
    monkeypatch.setattr(
        child,
        "time_pieces",
        lambda pieces, threads, wholes: {**dict.fromkeys(pieces, 0.5), **dict.fromkeys(wholes, 9.0)},
    )
    found = child.time_references(1, "fp32", 1)
    assert found.wholes["one"].seconds == 9.0
    assert found.wholes["one"].summed >= 0.5 * len(found.pieces) > 0
    assert "one" not in found.pieces


def test_a_damaged_table_is_timed_anew(tmp_path: Path) -> None:
    asked = question(tmp_path)
    answer(asked)
    Path(asked["table"]).write_text("{")
    assert answer({**asked, "may_time": False}) == [None]
    assert answer(asked)[0]["ms"] > 0
    assert read_times(Path(asked["table"]), SETTING).pieces


def test_a_pruned_network_is_told_with_what_stays_of_it(tmp_path: Path) -> None:
    asked = question(tmp_path)
    asked["networks"] += [{**asked["networks"][0], "prune": {"ratio": 0.3, "of": "macs", "criterion": "taylor"}}]
    whole, pruned = answer(asked)
    assert pruned["ms"] < whole["ms"]
    assert 1 - pruned["macs"] / pruned["macs_before"] == pytest.approx(0.3, abs=0.01)
    network = build_network(small(), 10, 32)
    assert pruned["params_before"] == sum(value.numel() for value in network.parameters()) > pruned["params"]
    assert "params" not in whole
