"""The way out and back: the same values, in any form, as often as it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect
from engine.errors import DataError, QueryError
from engine.exchange.exporting import WRITERS, export_runs
from engine.exchange.importing import Imported, Wish, import_runs
from engine.home.paths import Home
from store.results import run_query

Brought = tuple[Home, list[Imported]]
VALUES = (
    'select arm, seed, name, step, round(epoch(m."at"), 3), {value} from metrics m join run_jobs using (job)'
    " join runs using (run) where experiment = '{name}' and not starts_with(name, 'results/') order by all"
)


def values_of(home: Home, name: str, value: str) -> str:
    return str(run_query(home, VALUES.format(name=name, value=value)).rows)


@pytest.mark.parametrize(("tool", "value"), [("mlflow", "value"), ("tensorboard", "value::float"), ("wandb", "value")])
def test_what_went_out_comes_back_with_every_value(home: Home, tmp_path: Path, tool: str, value: str) -> None:
    done = export_runs(home, tool, "cifar", tmp_path / "out")
    assert (done.runs, done.values) == (4, 15 + 4)
    (back,) = import_runs(home, tool, tmp_path / "out", Wish(name="back"))
    collect(home)
    assert back.new == 4
    assert values_of(home, "back", value) == values_of(home, "cifar", value)
    query = "select arm, cell, seed, settings -> '$.params' from runs where experiment = '{}' order by all"
    places = [str(run_query(home, query.format(name)).rows) for name in ("back", "cifar")]
    # W&B nests what has a dot.
    assert places[0].replace('{"opt":{"lr":"0.1"}', '{"opt.lr":"0.1"') == places[1]


@pytest.mark.parametrize("tool", WRITERS)
def test_again_replaces_and_leaves_the_rest_alone(brought: Brought, tmp_path: Path, tool: str) -> None:
    home, out = brought[0], tmp_path / "out"
    first = export_runs(home, tool, "cifar", out)
    export_runs(home, tool, "proj", out)
    (out / "mine.txt").write_text("kept")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = export_runs(home, tool, "cifar", out)
    assert (first.is_again, again.is_again) == (False, True)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_xp_did_not_write_is_not_replaced(brought: Brought, tmp_path: Path) -> None:
    (tmp_path / "cifar").mkdir()
    (tmp_path / "cifar" / "mine").write_text("kept")
    with pytest.raises(DataError, match="did not write"):
        export_runs(brought[0], "tensorboard", "cifar", tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["cifar", "mine"]


@pytest.mark.parametrize("paths", [["../../precious"], ["."], [".."], ["/"], [7], "precious", [None]])
def test_mark_that_was_changed_removes_nothing_elsewhere(brought: Brought, tmp_path: Path, paths: object) -> None:
    import json

    (tmp_path / "precious").mkdir()
    out = tmp_path / "a" / "out"
    out.mkdir(parents=True)
    (out / "xp-cifar.json").write_text(json.dumps({"tool": "tensorboard", "paths": paths}))
    export_runs(brought[0], "tensorboard", "cifar", out)
    assert (tmp_path / "precious").is_dir()


def test_two_tools_do_not_share_a_folder(brought: Brought, tmp_path: Path) -> None:
    export_runs(brought[0], "mlflow", "cifar", tmp_path / "out")
    with pytest.raises(DataError, match="exported to mlflow"):
        export_runs(brought[0], "wandb", "cifar", tmp_path / "out")


def test_unknown_names_are_refused(brought: Brought, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="exports nothing"):
        export_runs(brought[0], "neptune", "cifar", tmp_path / "out")
    with pytest.raises(QueryError):
        export_runs(brought[0], "mlflow", "nothing", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="no folder"):
        export_runs(brought[0], "mlflow", "cifar", tmp_path / "file")
