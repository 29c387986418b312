"""What PostgreSQL is told; that it answers the same is asked of a real server (tests/cluster/test_postgres.py)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from store.queue.place import QueueRefused, Server
from store.queue.postgres import PostgresQueue, rewrite
from store.queue.sql import SKIP_TAKEN

NAMES = "%(names)s::VARCHAR"


@pytest.mark.parametrize(
    ("sqlite", "postgres"),
    [
        (f"SELECT job FROM jobs j WHERE +j.state = 'queued' {SKIP_TAKEN}",
         "SELECT job FROM jobs j WHERE j.state = 'queued' FOR UPDATE SKIP LOCKED"),
        ("FROM leases l CROSS JOIN wanted w ON w.job = l.job", "FROM leases l JOIN wanted w ON w.job = l.job"),
        ("SELECT json_group_array(job) FROM x", "SELECT CAST(coalesce(json_agg(job), '[]') AS text) FROM x"),
        ("SET crashed = crashed + %(a)s", "SET crashed = crashed + %(a)s"),
        ("instr(run, '-') + 1", "strpos(run, '-') + 1"),
    ],
)  # fmt: skip
def test_words_of_sqlite_become_words_of_postgresql(sqlite: str, postgres: str) -> None:
    assert rewrite(sqlite) == postgres


def test_a_list_in_one_value_is_unfolded() -> None:
    told = rewrite(f"job IN (SELECT value FROM json_each({NAMES}))")
    assert f"json_array_elements_text(CAST({NAMES} AS json))" in told
    assert "json_each" not in told
    assert rewrite(f"FROM json_each({NAMES}) named JOIN x ON x.job = named.value").count(" AS named JOIN") == 1


def test_a_driver_that_is_missing_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(QueueRefused, match="psycopg, which is not installed") as caught:
        PostgresQueue(Server("postgresql://host/db", "xp_0123456789ab")).open(readonly=True)
    assert caught.value.fix == "pip install 'xp-engine[postgres]'"


def test_who_claims_shares_the_lock_and_who_changes_does_not() -> None:
    class Connection:
        def __init__(self, **options: Any) -> None:
            self.options, self.said = options, list[str]()

        def get_execution_options(self) -> dict[str, Any]:
            return self.options

        def exec_driver_sql(self, statement: str) -> None:
            self.said.append(statement)

    queue = PostgresQueue(Server("postgresql://host/db", "xp_0123456789ab"))
    reads, claims, changes = Connection(only_reads=True), Connection(only_claims=True), Connection()
    for each in (reads, claims, changes):
        queue._begin(each)  # type: ignore[arg-type]  # what it asks of a connection
    assert "READ ONLY" in reads.said[0]
    assert claims.said[0].startswith("SELECT pg_advisory_xact_lock_shared(")
    assert changes.said[0].startswith("SELECT pg_advisory_xact_lock(")
