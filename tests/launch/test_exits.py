"""The numbers are part of what users and clusters rely on."""

from __future__ import annotations

from engine.launch.exits import Exit


def test_exit_codes_stay_what_they_were() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "DONE": 0, "CRASHED": 1, "TAKEN": 75, "STOPPED": 85, "OUT_OF_MEMORY": 86, "NOT_FINITE": 87, "FAILED": 88,
        "NO_MEMORY": 89, "LACKING": 90,
    }  # fmt: skip
