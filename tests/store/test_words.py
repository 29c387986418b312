"""Every metric, relation and column has its words, and none is told that is not there."""

from __future__ import annotations

import duckdb
import pytest

from store.metrics import METRICS
from store.results.schema import schema_sql
from store.words import RELATIONS, column_words, metric_words


def columns_there() -> dict[str, list[str]]:
    """Return the columns of each relation that a query sees."""
    found: dict[str, list[str]] = {}
    with duckdb.connect() as db:
        db.execute(schema_sql())
        query = "select table_name, column_name from duckdb_columns() where schema_name = 'main' and not internal"
        for relation, column in db.execute(query).fetchall():
            found.setdefault(relation, []).append(column)
    return found


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_sentence(name: str) -> None:
    words = metric_words(METRICS[name])
    assert words.endswith(".")
    assert 20 <= len(words) <= 220


def test_every_column_there_has_words_and_no_other() -> None:
    there = columns_there()
    assert set(there) == set(RELATIONS)
    for relation, columns in there.items():
        assert all(column_words(relation, column).endswith(".") for column in columns), relation
        assert set(RELATIONS[relation].columns) <= set(columns), relation


def test_every_example_is_a_query_that_runs() -> None:
    with duckdb.connect() as db:
        db.execute(schema_sql())
        for relation in RELATIONS.values():
            db.execute(relation.example)


def test_a_map_of_one_kind_is_told_by_its_kind() -> None:
    assert metric_words(METRICS["deletion_gain_gradcam"]).endswith("Of maps of one kind: Grad-CAM.")
    assert "random map" in metric_words(METRICS["deletion_gain_gradcam"])


def test_what_is_not_there_has_no_words() -> None:
    with pytest.raises(KeyError):
        column_words("cells", "zzz")
    with pytest.raises(KeyError):
        column_words("results", "zzz")
