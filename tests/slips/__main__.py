"""`python -m tests.slips --count 1000 --seed 0`: the rates by kind of slip; --show prints what fell short."""

from __future__ import annotations

import argparse
import tempfile
from itertools import groupby
from pathlib import Path

from tests.slips.judging import Outcome, count_rates, judge_slips


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.slips", description="Slips in specs, and what xp says.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", choices=("none", "broken", "placed", "mended", "legal"), default="none")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = judge_slips(Path(folder), asked.count, asked.seed)
    outcomes.sort(key=lambda one: one.slip.kind)
    for kind, part in groupby(outcomes, lambda one: one.slip.kind):
        print_rates(kind, list(part))
    print_rates("all", outcomes)
    for outcome in outcomes:
        if falls_short(outcome, asked.show):
            print_outcome(outcome)


def print_rates(kind: str, outcomes: list[Outcome]) -> None:
    rates = count_rates(outcomes)
    print(
        f"{kind:15} {rates.slips:5} slips, {rates.legal:4} legal, {rates.broken:3} broken, "
        f"line {rates.placed:6.1%}, fix {rates.mended:6.1%}"
    )


def falls_short(outcome: Outcome, of: str) -> bool:
    if of in ("broken", "legal"):
        return outcome.verdict == of
    return outcome.verdict == "told" and not {"placed": outcome.is_placed, "mended": outcome.is_mended}.get(of, True)


def print_outcome(outcome: Outcome) -> None:
    slip = outcome.slip
    print(f"\n== {slip.kind} in {outcome.name}, lines {sorted(slip.lines)}: {slip.about}")
    print("\n".join(outcome.told.text.splitlines()[:8]))


main()
