"""The results file: read-only for readers, for certain; errors in one line; answers of a bounded size."""

from __future__ import annotations

import hashlib
import json
import resource
import threading
import time
from pathlib import Path

import duckdb
import pytest

from engine.collect import collect
from engine.home.paths import Home
from store.format import format_rows
from store.readonly import StoreError
from store.results import ask_bounded, open_snapshot, read_names, run_query
from store.results.bounds import FREE
from tests.helpers.synthetic import ARMS, SyntheticHome

HOSTILE = [
    "",
    "  -- nothing",
    "select",
    "selct 1",
    "select 1; drop table jobs",
    "select 1; select 2",
    "insert into jobs values ('a')",
    "update jobs set state = 'done'",
    "delete from jobs",
    "drop view results",
    "create table mine as select 1",
    "create temp table mine as select 1",
    "create or replace view results as select 1",
    "alter table jobs add column a int",
    "truncate jobs",
    "copy jobs to '{out}'",
    "copy (select 1) to '{out}' (format json)",
    "export database '{out}'",
    "attach '{out}' as other",
    "detach results",
    "use memory",
    "install httpfs",
    "load httpfs",
    "set threads = 1",
    "set enable_external_access = true",
    "reset enable_external_access",
    "pragma database_size",
    "call pragma_version()",
    "checkpoint",
    "vacuum",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/*')",
    "select * from read_json('https://example.invalid/a.json')",
    "select * from sniff_csv('/etc/passwd')",
    "explain analyze insert into jobs values ('a')",
    "explain analyze copy jobs to '{out}'",
    "with gone as (delete from jobs returning *) select * from gone",
    "select * from query('drop table jobs')",
    "prepare p as select 1",
    "execute p",
    "begin",
    "select tst_top1 from results",
    "select * from result",
    "select * from runs where arm = ",
    "select cast('word' as integer)",
    "select no_such_function(1)",
    "select * from home",
    "select getenv('HOME')",
    "select * from read_blob('{results}')",
    "select * from read_text('.tmp/spilled')",
    "select * from '.tmp/spilled'",
    "select * from read_blob('/etc/passwd')",
    "select * from parquet_metadata('/etc/passwd')",
    "summarize select * from '/etc/passwd'",
    "copy (select 1) to '/dev/stdout'",
    "import database '{out}'",
    "create macro twice(a) as 2 * a",
    "comment on table jobs is 'mine'",
    "select * from cells where metric = test_top1",
    "select 'nan'::integer",
    "select sum(arm) from cells",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    return made.home


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_query_gets_one_line_and_changes_nothing(home: Home, sql: str, tmp_path: Path) -> None:
    before = hashlib.sha256(home.results_db.read_bytes()).hexdigest()
    with pytest.raises(StoreError) as caught:
        run_query(home, sql.replace("{out}", str(tmp_path / "out")).replace("{results}", str(home.results_db)))
    assert "\n" not in str(caught.value)
    assert 0 < len(str(caught.value)) <= 600
    assert hashlib.sha256(home.results_db.read_bytes()).hexdigest() == before
    assert not list(tmp_path.iterdir())


WRITING = [
    "copy (select 1) to '{results}'",
    "copy (select 1) to '{results}' (use_tmp_file false)",
    "use memory; detach results; attach '{results}' as results; create table results.main.mine as select 1",
    "attach '{results}' as other (read_only)",
    "attach '{results}' as other (read_write)",
    "create table results.main.mine as select 1",
    "select * from read_blob('{results}')",
    "export database '{out}'",
    "set disabled_filesystems = ''",
    "set temp_directory = '{out}'",
    "create persistent secret mine (type http)",
    "load httpfs",
    *(sql for sql in HOSTILE if "'/" in sql or "{out}" in sql),
]


@pytest.mark.parametrize("sql", WRITING)
def test_reader_that_is_handed_out_opens_no_file(
    home: Home, sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hashlib.sha256(home.results_db.read_bytes()).hexdigest()
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "spilled").write_text("secret")
    with open_snapshot(home) as db, pytest.raises(duckdb.Error):
        db.execute(sql.replace("{out}", str(tmp_path / "out")).replace("{results}", str(home.results_db)))
    assert hashlib.sha256(home.results_db.read_bytes()).hexdigest() == before
    assert [path.name for path in tmp_path.rglob("*")] == [".tmp", "spilled"]


def test_reader_that_is_handed_out_writes_no_relation(home: Home, tmp_path: Path) -> None:
    with open_snapshot(home) as db:
        for path in (tmp_path / "out.csv", home.results_db):
            with pytest.raises(duckdb.PermissionException):
                db.sql("select 1").write_csv(str(path))
        assert db.sql("from duckdb_secrets()").fetchall() == []
        assert db.sql("select count(*) from metrics").fetchall() != [(0,)]
    assert not list(tmp_path.iterdir())


def test_query_that_heeds_no_interrupt_is_left_and_the_next_waits_for_its_end(home: Home) -> None:
    """One value is made to its end: who asked has an answer long before, and no second one runs beside it."""
    with pytest.raises(StoreError, match=r"more than 0\.1 seconds and was stopped"):
        run_query(home, "select length(lpad('x', 60_000_000, 'y'))", seconds=0.1)
    assert [thread for thread in threading.enumerate() if thread.name == "xp query"]
    with pytest.raises(StoreError, match="has not ended yet") as caught:
        run_query(home, "select 1", seconds=0.0)
    assert "ask again" in caught.value.fix
    assert run_query(home, "select 1").rows == [(1,)]
    assert resource.getrlimit(resource.RLIMIT_DATA) == FREE


def test_a_query_reads_no_file_of_the_working_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (".tmp", "."):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "secret.csv").write_text("a,b\n1,2\n")
        for path in (f"{place}/secret.csv", tmp_path / place / "secret.csv"):
            with pytest.raises(StoreError, match="may not read or write files"):
                run_query(home, f"select * from read_csv('{path}')")


def test_huge_answer_truncated_off_and_says_so(home: Home) -> None:
    found = run_query(home, "select * from range(1_000_000_000)", limit=100)
    assert len(found.rows) == 100
    assert found.truncated


def test_answer_of_a_few_huge_cells_is_refused(home: Home) -> None:
    with pytest.raises(StoreError, match="larger than 64 MB"):
        run_query(home, "select repeat('x', 40_000_000) from range(2)")


@pytest.mark.parametrize(
    "sql", ["select repeat('x', 3_000_000_000)", "select list(range) from range(2_000_000_000)",
            "select string_agg(repeat('x', 1_000_000), '') from range(20_000)"],
)  # fmt: skip
def test_query_that_wants_all_memory_is_refused_at_once(home: Home, sql: str) -> None:
    before, started = resource.getrlimit(resource.RLIMIT_DATA), time.monotonic()
    with pytest.raises(StoreError, match=r"more memory than one may have|larger than 64 MB"):
        run_query(home, sql)
    assert time.monotonic() - started < 20
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_number_that_is_none_is_an_answer(home: Home) -> None:
    found = run_query(home, "select 'nan'::double as nothing, 1 / 0.0 as endless")
    assert json.loads(format_rows(found, "json")) == [{"nothing": None, "endless": None}]


def test_notebook_gets_a_frame_and_an_arrow_table(home: Home) -> None:
    with open_snapshot(home.root) as db:
        query = "select arm, seed, test_top1 from results order by arm, seed"
        frame, table = db.sql(query).df(), db.sql(query).to_arrow_table()
        rows = db.sql(query).fetchall()
    assert list(frame.columns) == table.column_names == ["arm", "seed", "test_top1"]
    assert list(frame.itertuples(index=False, name=None)) == rows
    assert [tuple(row.values()) for row in table.to_pylist()] == rows


def test_endless_query_is_stopped(home: Home) -> None:
    with pytest.raises(StoreError, match=r"more than 0\.3 seconds"):
        run_query(home, "select sum(a.range * b.range) from range(10000000000) a, range(1000000) b", seconds=0.3)


def test_unknown_names_bring_the_nearest_ones(home: Home) -> None:
    with pytest.raises(StoreError, match="no column 'tst_top1'; nearest: test_top1"):
        run_query(home, "select tst_top1 from results")
    with pytest.raises(StoreError, match="no table 'cell'; nearest: cells"):
        run_query(home, "from cell")
    with pytest.raises(StoreError, match="no column 'propsed'; text is written in single quotes: 'propsed'; columns: "):
        run_query(home, 'select mean from cells where arm = "propsed"')
    with pytest.raises(StoreError, match="no column 'xyz'; columns: arm, cell, experiment"):
        run_query(home, "select xyz from cells")
    with pytest.raises(StoreError, match=r"no column 'test_top1' in cells: it is one of results; .* quotes"):
        run_query(home, "select mean from cells where metric = test_top1")


@pytest.mark.parametrize(
    "sql",
    [
        "show tables",
        "describe results",
        "summarize cells",
        "from cells",
        "explain select 1",
        "values (1)",
        "pivot cells on metric using first(mean) group by arm",
    ],
)
def test_reading_statements_are_let_through(home: Home, sql: str) -> None:
    assert run_query(home, sql).rows


def test_snapshot_opens_from_a_folder_name_and_refuses_writes(home: Home) -> None:
    with open_snapshot(str(home.root)) as db:
        assert db.execute("select count(*) from runs").fetchall() == [(6,)]
        with pytest.raises(Exception, match="read-only"):
            db.execute("delete from jobs")


def test_new_snapshot_is_seen_beside_an_old_connection(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("first", {"only": ARMS["original"]}, seeds=(0,))
    collect(made.home)
    with open_snapshot(tmp_path) as old:
        made.experiment("second", {"only": ARMS["original"]}, seeds=(0,))
        collect(made.home)
        assert old.execute("select count(*) from experiments").fetchall() == [(1,)]
        assert run_query(tmp_path, "select count(*) from experiments").rows == [(2,)]


def test_home_without_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no results yet"):
        run_query(tmp_path, "select 1")


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.duckdb").write_text("what is this" * 1000)
    with pytest.raises(StoreError, match=r"results\.duckdb"):
        run_query(tmp_path, "select 1")


def test_answer_of_exactly_as_many_rows_as_asked_is_whole(home: Home) -> None:
    found = run_query(home, "select * from range(5)", limit=5)
    assert (found.columns, found.types, found.truncated) == (["range"], ["BIGINT"], False)
    assert [row[0] for row in found.rows] == [0, 1, 2, 3, 4]
    assert run_query(home, "select * from range(6)", limit=5).truncated


def test_names_are_the_relations_of_a_reader_with_their_columns_in_order(home: Home) -> None:
    names = read_names(home)
    assert names["cells"] == [
        "experiment",
        "arm",
        "cell",
        "metric",
        "n",
        "mean",
        "std",
        "low",
        "high",
        "not_finite",
        "split",
    ]
    assert names["run_jobs"] == ["run", "job", "role"]
    assert "results" in names
    assert not {"results_live", "results_now", "chains", "meta"} & names.keys()


def test_times_are_shown_in_utc_wherever_one_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(run_query(home, "select current_setting('TimeZone')").rows[0][0]) == "UTC"


def test_query_leaves_no_timer_and_no_bound_behind(home: Home) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    run_query(home, "select 1", seconds=10_000.0)
    with pytest.raises(StoreError):
        run_query(home, "selct 1", seconds=10_000.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "xp query"]
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_snapshot_of_another_release_is_refused_with_a_fix(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    collect(made.home)
    with duckdb.connect(str(made.home.results_db)) as db:
        db.execute("delete from raw.meta where name = 'version'")
    with pytest.raises(StoreError, match="another release") as caught:
        open_snapshot(made.home)
    assert caught.value.fix == "xp rebuild makes it anew from the job folders"


def test_file_itself_may_be_named_and_a_quote_in_its_path_is_no_harm(tmp_path: Path, home: Home) -> None:
    path = tmp_path / "it's.duckdb"
    path.write_bytes(home.results_db.read_bytes())
    assert run_query(path, "select count(*) from experiments").rows == [(1,)]


def test_want_of_memory_is_not_taken_for_damage(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a small `ulimit -v` nothing is wrong with the file, and no rebuild would help."""

    class Poor:
        def execute(self, _: str) -> None:
            raise duckdb.OutOfMemoryException("Allocation failure")

        def close(self) -> None:
            pass

    monkeypatch.setattr(duckdb, "connect", lambda *_, **__: Poor())
    with pytest.raises(StoreError, match="not the memory to read") as caught:
        open_snapshot(home)
    assert "rebuild" not in caught.value.fix


def test_a_query_of_others_on_an_open_snapshot_takes_values_and_names_its_line(home: Path) -> None:
    with open_snapshot(home, seconds=None) as db:
        found = ask_bounded(db, "select $a as one", {"a": 1, "b": [2]})
        assert (found.columns, found.rows) == (["one"], [(1,)])
        with pytest.raises(StoreError, match=r"no value \$c"):
            ask_bounded(db, "select $c", {"a": 1})
        with pytest.raises(StoreError, match="nearest: job") as caught:
            ask_bounded(db, "select\njbo from jobs", {})
        assert caught.value.line == 2
        with pytest.raises(StoreError, match="took more than"):
            ask_bounded(db, "select count(*) from range(10000000000)", {}, seconds=0.2)
        assert ask_bounded(db, "select 2", {}).rows == [(2,)]
