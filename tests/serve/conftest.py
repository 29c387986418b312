"""Homes that pages are made of, once for each folder of tests: an empty one, one with results, one half done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from engine.collect import rebuild
from engine.home.paths import Home, open_home
from engine.schedule.worker.rebuild import rebuild_queue
from engine.serve.app import make_app
from engine.serve.site import Site
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.search.objective import SPACE, finish_open, make_spec, submit_study
from tests.search.working import work_off

Browse = Callable[[Home], TestClient]


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home to which nothing was submitted."""
    return open_home(tmp_path_factory.mktemp("empty"), create=True)


@pytest.fixture(scope="session")
def done_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two experiments that are done: `study`, three arms, two splits, three seeds, and `other`, one arm."""
    made = SyntheticHome(tmp_path_factory.mktemp("done"))
    claim = {"id": "better", "text": "Sparse is better.", "metric": "test_top1", "arm": "proposed",
             "against": "original", "expect": "greater"}  # fmt: skip
    made.experiment("study", ARMS, splits=("60/20/20", "80/10/10"), claims=(claim,))
    made.experiment("other", {"alone": ARMS["original"]})
    return published(made.home)


@pytest.fixture(scope="session")
def half_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One experiment of which the last student was never begun."""
    made = SyntheticHome(tmp_path_factory.mktemp("half"))
    runs = made.experiment("study", ARMS)
    made.unfinish(runs[2])
    return published(made.home)


@pytest.fixture(scope="session")
def searched_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three searches: `study`, of one of its two arms, with finals; `front` by two figures; `fresh`, not begun."""
    pytest.importorskip("optuna", reason="needs the extra `search`")
    home = open_home(tmp_path_factory.mktemp("searched") / "home", create=True)
    spec = make_spec(trials=4, final={"seeds": [1, 2]}, arms={"plain": None})
    submit_study(home, {**spec, "arms": {"plain": {}, "sought": {"train.batch_size": 64}}, "baseline": "plain"})
    work_off(home)
    space = {"train.lr": SPACE["train.lr"], "train.epochs": {"int": [1, 6]}, "train.min_lr": {"choice": [0.0, 4e-4]}}
    by = {"metric": ["val_top1", "epochs_spent"], "direction": ["max", "min"], "sampler": "random"}
    submit_study(home, make_spec("front", trials=5, space=space, **by))
    work_off(home, "front")
    submit_study(home, make_spec("fresh", trials=4))
    finish_open(home)
    rebuild(home)
    return home


def published(home: Home) -> Home:
    """Take in what lies in a home, and give it a queue."""
    rebuild(home)
    rebuild_queue(home)
    return home


@pytest.fixture
def browse() -> Iterator[Browse]:
    """Give what opens a home as a browser does, without a socket; nothing is checked that the guard checks."""
    opened: list[TestClient] = []

    def begin(home: Home) -> TestClient:
        opened.append(TestClient(make_app(Site(home))))
        return opened[-1]

    yield begin
    for client in opened:
        client.close()
