"""What there is to do and who is doing it: SQLAlchemy over one SQLite file (WAL), which is never the only truth.

Where schedulers of several hosts share it, it is a schema on a PostgreSQL server instead (XP_QUEUE).

    place    whether it is a file or on a server, and where
    tables   the schema and how a connection to a file is opened
    file     what is SQLite's own
    postgres  what is PostgreSQL's own: words of SQL, locks, who changed anything
    sql      how a statement is written
    rows     the frozen rows that go in and out
    submit   experiments in: runs, jobs, needs; what a new submission changes
    claims   the scheduler's side: which jobs are ready, leases, outcomes
    orders   a person's side: cancel, pause, resume, retry, priority
    remove   experiments and jobs out
    batches  an order of any length in parts, between which others write
    status   what `status` shows
    find     what an id that a person typed may mean
    lists    a page of the queue, and what is counted beside it
    connection  transactions on it, wherever it is
    queue    class Queue: each of the above in a transaction of its own

Everything here can be made again from `experiments/` and `jobs/`; so a call that was cut off is simply made again.
"""

from __future__ import annotations

from store.queue.claims import Ended, WaitingRow
from store.queue.find import FoundName
from store.queue.lists import Need, ReadyCount
from store.queue.place import START_SERVER, QueueRefused, find_server, is_on_server
from store.queue.queue import Queue
from store.queue.rows import (
    RUN_ORDER,
    AttemptRow,
    Claim,
    End,
    ExperimentRow,
    JobRow,
    Owners,
    RunningRow,
    RunRow,
    Start,
    Verdict,
    combine_states,
)
from store.queue.tables import NewerQueue, QueueFault, is_damage

__all__ = [
    "RUN_ORDER",
    "START_SERVER",
    "AttemptRow",
    "Claim",
    "End",
    "Ended",
    "ExperimentRow",
    "FoundName",
    "JobRow",
    "Need",
    "NewerQueue",
    "Owners",
    "Queue",
    "QueueFault",
    "QueueRefused",
    "ReadyCount",
    "RunRow",
    "RunningRow",
    "Start",
    "Verdict",
    "WaitingRow",
    "combine_states",
    "find_server",
    "is_damage",
    "is_on_server",
]
