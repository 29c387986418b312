"""The site: one open snapshot for all requests, and the next one as soon as it is published."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from engine.analysis.snapshot import Snapshot
from engine.home.paths import Home
from engine.serve.site import Site
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.serve.conftest import published


def experiments(site: Site) -> list[str]:
    with site.snapshot() as snapshot:
        assert snapshot is not None
        return [row[0] for row in snapshot.db.execute("select experiment from experiments order by 1").fetchall()]


def test_without_results_there_is_none(empty_home: Home) -> None:
    with Site(empty_home).snapshot() as snapshot:
        assert snapshot is None


def test_what_was_asked_once_is_known(done_home: Home) -> None:
    site = Site(done_home)
    with site.snapshot() as first:
        assert first is not None
        first.ask("claims_experiments")
        first.known[("claims_experiments",)][0]["experiment"] = "marked"
    with site.snapshot() as second:
        assert second is not None
        assert second.ask("claims_experiments")[0]["experiment"] == "marked"


def test_a_new_publication_is_seen(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("one", {"a": ARMS["original"]}, seeds=(0,))
    site = Site(published(made.home))
    assert experiments(site) == ["one"]
    made.experiment("two", {"a": ARMS["original"]}, seeds=(0,))
    published(made.home)
    assert experiments(site) == ["one", "two"]


def test_who_reads_the_old_results_reads_on(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("one", {"a": ARMS["original"]}, seeds=(0,))
    site = Site(published(made.home))
    with site.snapshot() as old:
        made.experiment("two", {"a": ARMS["original"]}, seeds=(0,))
        published(made.home)
        assert experiments(site) == ["one", "two"]
        assert old is not None
        assert old.db.execute("select count(*) from experiments").fetchall() == [(1,)]


def test_results_that_went_away_are_none(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("one", {"a": ARMS["original"]}, seeds=(0,))
    site = Site(published(made.home))
    assert experiments(site) == ["one"]
    os.unlink(site.home.results_db)
    with site.snapshot() as snapshot:
        assert snapshot is None


def test_many_threads_share_the_file(done_home: Home) -> None:
    site = Site(done_home)
    found: list[int] = []

    def look() -> None:
        for _ in range(5):
            with site.snapshot() as snapshot:
                assert isinstance(snapshot, Snapshot)
                found.append(len(snapshot.db.execute("select * from results").fetchall()))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [21] * 40
