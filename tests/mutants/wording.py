"""Words for verdicts: takes verdicts, gives progress lines, the survivors with their diffs, a summary, JSON."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mutants.choosing import Choice
from tests.mutants.judging import Verdict
from tests.mutants.texts import Mutant, diff_of

WIDTH = 110


def progress_line(number: int, whole: int, verdict: Verdict) -> str:
    return f"{number} of {whole}  {verdict.outcome:8}  {verdict.seconds:5.1f} s  {change_line(verdict.mutant)}"


def change_line(mutant: Mutant) -> str:
    """Return the place and the changed part of the line, cut to what differs and a little around it."""
    old, new = mutant.old, mutant.new
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, same - 30)
    lead = "..." if start else ""
    return f"{mutant.place}  {lead}{old[start:][:WIDTH]}  ->  {lead}{new[start:][:WIDTH]}"


def survivor_table(root: Path, verdicts: list[Verdict]) -> str:
    alive = [verdict for verdict in verdicts if not verdict.is_killed]
    parts = [_survivor_text(root, verdict) for verdict in alive]
    return "\n\n".join([f"{len(alive)} survived:", *parts]) if alive else "none survived"


def _survivor_text(root: Path, verdict: Verdict) -> str:
    mutant = verdict.mutant
    scope = f" in {mutant.scope}" if mutant.scope else ""
    nth = f" #{mutant.nth}" if mutant.nth > 1 else ""
    note = f", {verdict.killer}" if verdict.killer else ""
    return f"{mutant.place}{scope}{nth} ({mutant.kind}{note})\n{diff_of((root / mutant.path).read_text(), mutant)}"


def summary_line(verdicts: list[Verdict], choice: Choice) -> str:
    killed = sum(verdict.is_killed for verdict in verdicts)
    left = f", {len(choice.left_out)} equivalent left out" if choice.left_out else ""
    return f"killed {killed} of {len(verdicts)} ({share_killed(verdicts):.0f} %){left}"


def share_killed(verdicts: list[Verdict]) -> float:
    """Return per cent; of no mutants, all are killed."""
    return 100 * sum(verdict.is_killed for verdict in verdicts) / len(verdicts) if verdicts else 100.0


def fault_table(verdicts: list[Verdict]) -> str:
    """Return fault -> killing test, a line each."""
    return "\n".join(f"{change_line(verdict.mutant)}\n    {_ending(verdict)}" for verdict in verdicts)


def _ending(verdict: Verdict) -> str:
    if verdict.outcome == "killed":
        return f"killed by {verdict.killer}"
    return "SURVIVED" + (f": {verdict.killer}" if verdict.killer else "") if not verdict.is_killed else "out of time"


def as_json(room: str, verdicts: list[Verdict], choice: Choice) -> str:
    rows = [
        {
            "path": verdict.mutant.path,
            "line": verdict.mutant.line,
            "function": verdict.mutant.scope,
            "nth": verdict.mutant.nth,
            "kind": verdict.mutant.kind,
            "old": verdict.mutant.old,
            "new": verdict.mutant.new,
            "outcome": verdict.outcome,
            "killer": verdict.killer,
            "seconds": round(verdict.seconds, 2),
        }
        for verdict in verdicts
    ]
    killed = sum(verdict.is_killed for verdict in verdicts)
    whole = {"room": room, "killed": killed, "judged": len(verdicts), "left_out": len(choice.left_out), "mutants": rows}
    return json.dumps(whole, indent=1, ensure_ascii=False)
