"""What tests of collecting ask: rows of a query, the whole store sorted, the steps of a job; and a way to log some."""

from __future__ import annotations

from typing import Any

from engine.home.paths import Home
from store.journal import JournalWriter
from store.results import run_query

TABLES = ("experiments", "claims", "runs", "jobs", "run_jobs", "attempts", "metrics", "metrics_last", "predictions",
          "measurements", "teachers", "facts", "provenance", "published", "results", "cells")  # fmt: skip


def read_rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    return run_query(home, sql, limit=1_000_000).rows


def export_rows(home: Home) -> dict[str, list[str]]:
    return {table: sorted(map(repr, read_rows(home, f"from {table}"))) for table in TABLES}


def read_steps(home: Home, job: str) -> list[int]:
    return [step for (step,) in read_rows(home, f"select step from metrics where job = '{job}' order by step")]


def log_steps(journal: JournalWriter, *steps: int) -> None:
    for step in steps:
        journal.metric("train_loss", float(step), step=step, epoch=0)
