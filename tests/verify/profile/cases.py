"""For each sentence about what bounds a step: a profile of which it is true, and one of which it must not be said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.verify.profile.verdict import judge
from tests.verify.profile.making import COMPUTING, WAITING, summary

Told = Callable[[], str]


def judged(parts: dict[str, float], **more: Any) -> Told:
    return lambda: "\n".join(judge(summary(parts, **more)))


def on_gpu(parts: dict[str, float] = COMPUTING, *, compiled: str | None = None, **card: Any) -> Told:
    return judged(parts, kind="gpu", compiled=compiled, card=card)


BUSY = {"render": 0.5}  # of ten steps, one second in all: half of a thread's time
FULL = {"render": 0.98}
TAUGHT, LOGGED = {"teacher": 0.6, "forward": 0.4}, {"log": 0.6, "forward": 0.4}
INSIDE = {"render": 0.06, "forward": 0.04}
COMPUTE, WAIT, DRAW = judged(COMPUTING), judged(WAITING), judged(INSIDE, workers=0)
SHARED = {"load": 0.2, "forward": 0.6, "teacher": 0.15, "log": 0.12}
DEAR = {"waits": 1.0, "epoch_steps": 20}

PROFILE_CASES: dict[str, tuple[Told, Told]] = {
    "bound_compute": (COMPUTE, judged({"load": 0.06, "forward": 0.04})),
    "bound_feeding": (judged({"load": 0.06, "forward": 0.04}), COMPUTE),
    "bound_feeding_inside": (DRAW, judged(INSIDE, workers=1)),
    "bound_teacher": (judged(TAUGHT), COMPUTE), "bound_log": (judged(LOGGED), COMPUTE),
    "also_compute": (judged(TAUGHT), COMPUTE), "also_feeding": (judged(SHARED), COMPUTE),
    "also_feeding_inside": (judged(SHARED, workers=0), judged(SHARED)),
    "also_teacher": (judged(SHARED), COMPUTE), "also_log": (judged(SHARED), COMPUTE),
    "load_beside": (DRAW, judged(INSIDE, workers=0, idle=0.2)),
    "more_workers": (judged(WAITING, beside=FULL), judged(WAITING, beside=BUSY)),
    "cores_full": (judged(WAITING, beside=FULL, idle=0.1), judged(WAITING, beside=FULL)),
    "short_epochs": (
        judged(WAITING, beside=BUSY, epochs=2, epoch_steps=5), judged(WAITING, beside=FULL, epochs=2, epoch_steps=5)
    ),
    "idle_unknown": (on_gpu(why="nobody tells"), on_gpu(busy=0.09)),
    "bound_host": (on_gpu(busy=0.06, launches=900.0), on_gpu(busy=0.09, launches=900.0)),
    "compile_it": (on_gpu(busy=0.06), on_gpu(busy=0.06, compiled="max")),
    "bound_card": (on_gpu(busy=0.09), on_gpu(busy=0.06)),
    "card_waits": (on_gpu(waits=2.0, lines=["a.py:1"]), on_gpu(waits=0.06, lines=["a.py:1"])),
    "cores_used": (COMPUTE, lambda: ""), "crowded": (judged(COMPUTING, idle=0.0), COMPUTE),
    "views_kept": (
        judged(COMPUTING, keeps_views=True, beside=BUSY), judged(COMPUTING, keeps_views=True)
    ),
    "dear_checkpoint": (judged(COMPUTING, **DEAR), COMPUTE),
}  # fmt: skip
