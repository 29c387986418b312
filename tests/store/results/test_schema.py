"""The SQL of the results is filled from the table of metrics, and every number of a run is one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.collect import collect
from engine.errors import HomeError
from store.metrics import METRICS, UnknownMetric
from store.readonly import StoreError
from store.results import Ingest, open_snapshot, schema
from store.results.schema import check_columns, schema_sql, version_of
from tests.helpers.synthetic import ARMS, SyntheticHome

STEPS = replace(METRICS["host_peak_rss"], name="steps", source="figures['host_peak_rss'] + 1")
MORE = (*METRICS.values(), STEPS)


def test_no_mark_is_left_in_the_schema() -> None:
    text = schema_sql()
    assert "{{" not in text
    assert "}}" not in text
    assert text.count("test_top1::double as test_top1") == 1


def test_new_metric_has_its_column_and_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.results.ingest.schema_sql", lambda: schema_sql(MORE))
    monkeypatch.setattr(schema, "METRICS", {**METRICS, "steps": STEPS})
    made = SyntheticHome(tmp_path / "home")
    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    collect(made.home)
    with open_snapshot(made.home) as db:
        assert db.execute("select steps - host_peak_rss from results").fetchall() == [(1.0,)]
        cells = "select mean from cells where metric in ('steps', 'host_peak_rss') order by metric"
        (peak,), (steps,) = db.execute(cells).fetchall()
    assert steps == peak + 1


def test_version_follows_metrics_and_not_comments() -> None:
    now = version_of(schema_sql())
    assert version_of(schema_sql(MORE)) != now
    assert version_of(schema_sql([replace(one, source=f"({one.source})") for one in METRICS.values()])) != now
    assert version_of(schema_sql([replace(one, label="another") for one in METRICS.values()])) == now
    assert version_of(schema_sql() + "\n-- a remark\n\n") == now


def test_results_of_other_metrics_are_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    collect(made.home)
    monkeypatch.setattr("store.results.ingest.schema_sql", lambda: schema_sql(MORE))
    monkeypatch.setattr(schema, "METRICS", {**METRICS, "steps": STEPS})
    for room in ("ingest", "reading"):
        monkeypatch.setattr(f"store.results.{room}.SCHEMA_VERSION", version_of(schema_sql(MORE)))
    with pytest.raises(StoreError, match="another release"):
        open_snapshot(made.home)
    collect(made.home)
    with open_snapshot(made.home) as db:
        assert db.execute("select count(steps) from results").fetchall() == [(1,)]


def test_number_that_is_no_metric_stops_the_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.results.ingest.schema_sql", lambda: schema_sql(MORE))
    with pytest.raises(UnknownMetric, match=r"no metrics of store/metrics\.py: steps"):
        Ingest(tmp_path / "ingest.duckdb")
    made = SyntheticHome(tmp_path / "home")
    with pytest.raises(HomeError, match="steps") as caught:
        collect(made.home)
    assert "store/metrics.py" in caught.value.fix


@pytest.mark.parametrize(
    "kind", ["DOUBLE", "FLOAT", "BIGINT", "INTEGER", "TINYINT", "UBIGINT", "HUGEINT", "DECIMAL(18,3)"]
)
def test_every_type_of_number_must_be_a_metric(kind: str) -> None:
    with pytest.raises(UnknownMetric, match="steps"):
        check_columns({"run": "VARCHAR", "params": "BIGINT", "steps": kind})


def test_text_and_what_tells_of_a_run_need_no_entry() -> None:
    texts = dict.fromkeys(("run", "note"), "VARCHAR") | {"is_odd": "BOOLEAN", "at": "TIMESTAMP", "ids": "INTEGER[]"}
    check_columns({**texts, "seed": "BIGINT", "test_images": "BIGINT", "test_low": "DOUBLE", "macs": "BIGINT"})


def test_lines_without_a_name_do_not_stop_a_publication(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    runs = made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    for role in ("student", "measure"):
        with open(made.home.job(runs[0]["jobs"][role]).attempt(1).journal, "a") as journal:
            for kind in ("metric", "measurement", "teacher"):
                journal.write(f'{{"v":1,"seq":99,"type":"{kind}","at":1.0,"value":1,"step":1,"epoch":0}}\n')
    collect(made.home)
    with open_snapshot(made.home) as db:
        assert db.execute("select count(test_top1), count(macs) from results").fetchall() == [(1, 1)]
