"""`make mutants ROOM=report`: takes a room's name or given faults, prints what its tests notice of them.

Ends with 0 when enough mutants were killed, 1 when too few were, 2 when nothing could be judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from subprocess import SubprocessError

from tests.mutants.choosing import Choice, choose_mutants
from tests.mutants.judging import NotGreen, Verdict, open_bench
from tests.mutants.rooms import UnknownRoom, files_of, find_room
from tests.mutants.selection import select_tests
from tests.mutants.texts import Mutant, textual_mutant
from tests.mutants.wording import as_json, change_line, fault_table, progress_line, share_killed, summary_line
from tests.mutants.wording import survivor_table as survivors

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str] | None = None) -> int:
    order = read_order(words)
    try:
        if order.apply or order.table:
            faults = [_fault(order.apply)] if order.apply else _faults(Path(order.table))
            return _show_faults(judge_all(faults, order.workers))
        return _judge_room(order)
    except (UnknownRoom, NotGreen, ValueError, OSError, SubprocessError) as problem:
        print(problem, file=sys.stderr)
        return 2


def read_order(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Mutation test of one room.")
    parser.add_argument("room", nargs="?", default="", help="a folder or file of engine/ or store/, by its name")
    parser.add_argument("--most", type=int, default=60, help="how many mutants (60)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (0)")
    parser.add_argument("--least", type=float, default=85.0, help="per cent to be killed, else exit 1 (85)")
    parser.add_argument("--workers", type=int, default=2, help="copies of the tree that work side by side (2)")
    parser.add_argument("--json", action="store_true", help="all verdicts as JSON")
    parser.add_argument("--list", action="store_true", help="only say which mutants would be judged")
    parser.add_argument("--apply", nargs=3, metavar=("FILE:LINE", "OLD", "NEW"), help="judge this one fault")
    parser.add_argument("--table", metavar="FILE", help="judge faults: lines of path:line, old, new with tabs between")
    return parser.parse_args(words)


def _judge_room(order: argparse.Namespace) -> int:
    room = find_room(ROOT, order.room)
    choice = choose_mutants(ROOT, files_of(ROOT, room), order.most, order.seed)
    for key in choice.stale:
        print(f"equivalent.txt has an entry that fits nothing: {key}", file=sys.stderr)
    if order.list:
        print("\n".join(change_line(mutant) for mutant in choice.mutants))
        return 0
    verdicts = judge_all(choice.mutants, order.workers)
    _print_verdicts(order, room, verdicts, choice)
    return 0 if share_killed(verdicts) >= order.least else 1


def _print_verdicts(order: argparse.Namespace, room: str, verdicts: list[Verdict], choice: Choice) -> None:
    if order.json:
        print(as_json(room, verdicts, choice))
    else:
        print(survivors(ROOT, verdicts))
        print(f"\n{summary_line(verdicts, choice)}")


def judge_all(mutants: list[Mutant], workers: int) -> list[Verdict]:
    """Judge mutants with progress on stderr. Raises NotGreen where their tests fail without them."""
    groups = {mutant.path: select_tests(ROOT, mutant.path) for mutant in mutants}
    tests = sorted({test for path in groups.values() for group in path for test in group})
    with open_bench(ROOT, max(1, min(workers, len(mutants)))) as bench:
        seconds = bench.measure(tests)
        print(f"{len(tests)} test files pass unmutated in {sum(seconds.values()):.0f} s", file=sys.stderr)
        return list(_told(bench.judge(mutants, groups, seconds), len(mutants)))


def _told(verdicts: Iterable[Verdict], whole: int) -> Iterable[Verdict]:
    for number, verdict in enumerate(verdicts, 1):
        print(progress_line(number, whole, verdict), file=sys.stderr, flush=True)
        yield verdict


def _show_faults(verdicts: list[Verdict]) -> int:
    print(fault_table(verdicts))
    return 0 if all(verdict.is_killed for verdict in verdicts) else 1


def _faults(table: Path) -> list[Mutant]:
    lines = [line for line in table.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [_fault(line.split("\t")) for line in lines]


def _fault(parts: list[str]) -> Mutant:
    if len(parts) != 3:
        raise ValueError(f"a fault is path:line, old and new: {parts!r}")
    path, _, line = parts[0].rpartition(":")
    if not (ROOT / path).is_file() or not line.isdigit():
        raise ValueError(f"{parts[0]!r} is no path:line of this tree")
    old, new = (text.replace("\\n", "\n") for text in parts[1:])
    return textual_mutant((ROOT / path).read_text(), path, int(line), old, new)


if __name__ == "__main__":
    sys.exit(main())
