"""What an id that a person typed may mean: takes the beginning of one, gives the runs and jobs that begin so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from store.queue.sql import text

# `train-3f9c` and `3f9c` both begin `train-3f9c0a1b2c4d`.
# No LIKE: it ignores case, and takes _ and % for wildcards.
BEGINS = "(substr({id}, 1, length(:t)) = :t OR substr({id}, instr({id}, '-') + 1, length(:t)) = :t)"


@dataclass(frozen=True)
class FoundName:
    """A run or a job; a run belongs to one experiment, a job to any number."""

    kind: Literal["run", "job"]
    name: str
    experiment: str | None


def find_ids(connection: Connection, beginning: str, most: int) -> list[FoundName]:
    """Return up to `most` runs and jobs whose id begins so."""
    words = {"t": beginning, "most": most}
    runs = connection.execute(
        text(f"SELECT run, experiment FROM runs WHERE {BEGINS.format(id='run')} ORDER BY run LIMIT :most"), words
    )
    found = [FoundName("run", run, experiment) for run, experiment in runs]
    jobs = connection.execute(
        text(f"SELECT job FROM jobs WHERE {BEGINS.format(id='job')} ORDER BY job LIMIT :most"), words
    )
    return [*found, *(FoundName("job", job, None) for job in jobs.scalars())][:most]
