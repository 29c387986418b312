"""Jobs that do not train log what they were asked for, of the network and the images that they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.measure import Figure, Speed, count_macs, count_params
from engine.home.files import read_json
from engine.run import jobs
from engine.run.attempt import Attempt
from engine.run.inputs import bare_network
from engine.spec import Student
from store.journal import read_journal
from tests.run.bench import NETWORK, write_spec
from tests.run.test_memory import make_attempt

MEASURE = {"batch_sizes": [1, 8], "threads": [1, 2], "seconds": 0.5}
SETTINGS: dict[str, Any] = {"network": NETWORK, "num_classes": 10, "image_size": 24, "precision": "bf16"}


def make_job(folder: Path, kind: str, settings: dict[str, Any]) -> Attempt:
    attempt = make_attempt(folder, 0, "auto")
    write_spec(attempt.job, kind, {}, settings)
    return Attempt(attempt.order)


def lines_of(attempt: Attempt, name: str) -> list[dict[str, Any]]:
    return [line for line in read_journal(attempt.folder.journal)[0] if line.get("name") == name]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Put a stopwatch that is known in the place of the real one; give what it was asked."""
    calls: list[tuple[Any, ...]] = []

    def measure(network: torch.nn.Module, size: int, batch: int, **words: Any) -> Speed:
        calls.append((size, batch, words["threads"], words["seconds"], words["precision"], network.training))
        rate = 100.0 * batch + words["threads"]
        return Speed(Figure(rate, rate - 1, rate + 1, 7), Figure(1000 / rate, 0.5, 2.0, 7))

    monkeypatch.setattr(jobs, "measure_speed", measure)
    monkeypatch.setattr(jobs, "prepare_device", lambda slot, threads, deterministic: torch.device("cpu"))
    monkeypatch.setattr(jobs, "write_origin", lambda *args: None)
    return calls


def test_every_batch_size_is_measured_with_every_thread_count(tmp_path: Path, asked: list[tuple[Any, ...]]) -> None:
    attempt = make_job(tmp_path, "measure", {**SETTINGS, "measure": MEASURE})
    jobs.run_measure(attempt)
    assert asked == [(24, batch, threads, 0.5, "bf16", False) for threads in (1, 2) for batch in (1, 8)]
    figures = read_json(attempt.job.result)["figures"]
    network = bare_network(Student.model_validate(NETWORK), 10, 24, None)
    assert (figures["params"], figures["macs"]) == (count_params(network), count_macs(network, 24))
    for threads in (1, 2):
        for batch in (1, 8):
            assert figures[f"infer_images_per_second_{batch}_{threads}"] == 100.0 * batch + threads
    rates = lines_of(attempt, "infer_images_per_second")
    assert [(line["batch_size"], line["threads"], line["value"]) for line in rates] == [
        (1, 1, 101.0),
        (8, 1, 801.0),
        (1, 2, 102.0),
        (8, 2, 802.0),
    ]
    assert {(line["unit"], line["n"], line["precision"], line["device"]) for line in rates} == {
        ("images/s", 7, "bf16", "cpu")
    }
    assert [(line["p5"], line["p95"]) for line in rates][:1] == [(100.0, 102.0)]
    waits = lines_of(attempt, "infer_latency")
    assert [(line["unit"], line["value"]) for line in waits][:1] == [("ms", 1000 / 101.0)]
    assert [line["value"] for line in lines_of(attempt, "macs")] == [figures["macs"]]


def test_keys_of_a_pack_are_logged_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pack:
        keys = tuple("abcdefg")

        def __len__(self) -> int:
            return len(self.keys)

    monkeypatch.setattr(jobs, "SAMPLES_IN_A_LINE", 3)
    attempt = make_attempt(tmp_path, 0, "auto")
    jobs._log_samples(attempt, Pack())  # type: ignore[arg-type]
    found = {name: lines_of(attempt, name) for name in ("samples 0", "samples 3", "samples 6", "samples 9")}
    assert ["".join(line["value"]) for lines in found.values() for line in lines] == ["abc", "def", "g"]


def test_colours_of_maps_run_evenly_from_dark_to_light() -> None:
    colours = jobs.map_colours()
    assert (colours.shape, str(colours.dtype)) == ((256, 3), "uint8")
    light = colours[::16].astype(float) @ np.array([0.3, 0.59, 0.11])
    assert (np.diff(light) > 0).all()
    assert light[-1] - light[0] > 150
