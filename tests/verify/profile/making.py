"""Timings as a profile may have them, for who judges or draws them: times are seconds of a step."""

from __future__ import annotations

from typing import Any

from engine.verify.profile.summary import Summary
from engine.verify.profile.timings import PARTS, Beside, CardWork, Checkpoint, StepTime, Surroundings, Timings

COMPUTING = {"forward": 0.03, "backward": 0.06, "optimizer": 0.01}
WAITING = {"load": 0.05, "forward": 0.02, "backward": 0.03}
ABOUT: dict[str, Any] = {
    "device": "cpu", "kind": "cpu", "precision": "fp32", "threads": 2, "cores": 4, "workers": 1, "batch": 64,
    "images": 64.0, "micro_batch": None, "compiled": None, "save_seconds": 600.0, "epoch_steps": 1000, "taught": "",
    "keeps_views": False, "parameters": 1000,
}  # fmt: skip


def summary(
    parts: dict[str, float],
    *,
    pairs: int = 5,
    cpu: float = 0.1,
    cost: float = 0.0,
    idle: float | None = 3.0,
    beside: dict[str, float] | None = None,
    waits: float = 0.01,
    card: dict[str, Any] | None = None,
    ends: tuple[float, ...] = (),
    epochs: int = 0,
    **about: Any,
) -> Summary:
    """Return a profile of `pairs` timed steps with these parts, and plain ones that are `cost` shorter."""
    whole = {**dict.fromkeys(PARTS, 0.0), **parts}
    wall = sum(whole.values())
    is_gpu = about.get("kind") == "gpu"
    timed = StepTime(wall=wall, cpu=cpu, parts=whole, host=whole if is_gpu else None, host_wall=wall)
    plain = StepTime(wall=wall - cost, cpu=cpu, host_wall=wall - cost)
    work = None if card is None else CardWork(**{"launches": None, "waits": 0.0, "lines": [], "busy": None, **card})
    return Summary(
        Timings(
            about=Surroundings(**{**ABOUT, **about}),
            steps=[timed, plain] * pairs,
            warm_up=3,
            epochs=epochs,
            beside=Beside(thread=beside or {}, busy=beside or {}, device={}),
            checkpoints=[Checkpoint(waits=waits, beside=0.1)],
            ends=list(ends),
            idle_cores=idle,
            card=work,
        )
    )
