"""How far a search is: what its last look wrote down for people, and how that reads. The record is the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.home.files import read_object, write_atomic, write_json
from engine.home.paths import Home


@dataclass(frozen=True)
class ArmProgress:
    """An arm's trials by how they stand, and the best of those that keep every bound (of several metrics the front).

    `open` were asked for and have not ended, whether their jobs run or wait; `refused` were not trained and do not
    count; `best` has a trial's arm and its figures by metric.
    """

    arm: str
    asked: int
    done: int
    open: int
    failed: int
    refused: int
    best: tuple[tuple[str, dict[str, float]], ...]
    is_stopped: bool = False

    def __str__(self) -> str:
        counts = [f"{self.done} of {self.asked} trials done"]
        counts += [f"{number} {word}" for word in ("open", "failed", "refused") if (number := getattr(self, word))]
        counts += ["stopped"] if self.is_stopped and self.done < self.asked else []
        told = f"{self.arm}: {', '.join(counts)}"
        if len(self.best) == 1:
            return f"{told}; best {_figures(self.best[0][1])} ({self.best[0][0]})"
        if not self.best:
            return told
        points = "; ".join(f"{_figures(values)} ({arm})" for arm, values in self.best[:MOST_SHOWN])
        more = f"; and {len(self.best) - MOST_SHOWN} more" if len(self.best) > MOST_SHOWN else ""
        return f"{told}; front: {points}{more}"


MOST_SHOWN = 5


def _figures(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def write_progress(home: Home, name: str, arms: Sequence[ArmProgress]) -> None:
    write_json(home.search_mark(name, ".json"), {"arms": [asdict(arm) for arm in arms]})


def drop_progress(home: Home, name: str) -> None:
    """Forget how far another search of this name was."""
    home.search_mark(name, ".json").unlink(missing_ok=True)


def tell_problem(home: Home, name: str, problem: str) -> None:
    """Write down why nothing could be asked for, "" that it could."""
    told = home.search_mark(name, ".problem")
    if problem:
        write_atomic(told, problem)
    else:
        told.unlink(missing_ok=True)


def read_problem(home: Home, name: str) -> str:
    """Return why the last look at an open search ended in an error; "" where it did not."""
    try:
        return home.search_mark(name, ".problem").read_text() if home.search_mark(name).exists() else ""
    except OSError:
        return ""


def read_progress(home: Home, name: str) -> tuple[ArmProgress, ...]:
    """Return how far a search is; nothing where there is none, or what is there is no such file."""
    told = read_object(home.search_mark(name, ".json")) or {}
    try:
        return tuple(_read_arm(arm) for arm in told.get("arms", ()))
    except (TypeError, ValueError, KeyError):
        return ()


def _read_arm(told: dict[str, Any]) -> ArmProgress:
    told = {"open" if word == "running" else word: value for word, value in told.items()}  # as it was called first
    return ArmProgress(**{**told, "best": tuple((str(arm), dict(values)) for arm, values in told["best"])})
