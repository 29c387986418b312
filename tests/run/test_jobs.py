"""Jobs that do not train log what they were asked for, of the network and the images that they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.run import jobs
from engine.run.attempt import Attempt
from store.journal import read_journal
from tests.run.test_memory import make_attempt


def lines_of(attempt: Attempt, name: str) -> list[dict[str, Any]]:
    return [line for line in read_journal(attempt.folder.journal)[0] if line.get("name") == name]


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
