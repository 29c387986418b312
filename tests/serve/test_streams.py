"""The stream of changes: told once, to all, by one task, and soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from engine.collect import collect
from engine.schedule.growing import WAITING, mark_search
from engine.schedule.searched import ArmProgress, write_progress
from engine.serve import streams
from engine.serve.site import Site
from engine.serve.streams import Look, changes
from store.queue import Queue
from tests.collect.reading import log_steps
from tests.helpers.queueing import Probe, submit_probes
from tests.helpers.synthetic import SyntheticHome

JOB = "train-1"


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    """A home with one running job that has not logged anything."""
    made = SyntheticHome(tmp_path / "home")
    submit_probes(made.home, "study", [Probe(JOB)])
    with Queue(made.home.queue_db) as queue:
        assert queue.lease(JOB, 1, "cpu:0", boot_id="b", expires=1e9, now=1.0)
    return made


def listening(site: Site, *tests: Callable[[list[AsyncIterator[str]]], Awaitable[None]], readers: int = 1) -> None:
    """Open streams, read their greeting, and hand them on."""

    async def run() -> None:
        opened = [changes(site.watcher) for _ in range(readers)]
        for one in opened:
            assert await anext(one) == "retry: 2000\n\n"
        await asyncio.sleep(0.1)
        for test in tests:
            await test(opened)
        for one in opened:
            await one.aclose()  # type: ignore[attr-defined]  # an async generator, said to be what it is used as
        assert site.watcher._task is None

    asyncio.run(run())


def test_a_new_line_is_told_within_a_second(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    log_steps(journal, 1)

    async def test(opened: list[AsyncIterator[str]]) -> None:
        for step in range(2, 5):
            started = time.monotonic()
            log_steps(journal, step)
            assert await anext(opened[0]) == f"event: points\ndata: {JOB}\n\n"
            assert time.monotonic() - started < 5.0  # on a machine that is busy with other tests

    listening(Site(made.home), test)
    journal.close()


def test_all_who_listen_are_told_by_one_task(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Look] = []

    def look(self: Look) -> dict[str, set[str]]:
        looks.append(self)
        return {"queue": {"queue"}}

    monkeypatch.setattr(Look, "changed", look)

    async def test(opened: list[AsyncIterator[str]]) -> None:
        assert [await anext(one) for one in opened] == ["event: queue\ndata: queue\n\n"] * 20
        assert len(looks) < 10

    listening(Site(made.home), test, readers=20)


def test_a_publication_is_told(made: SyntheticHome) -> None:
    async def test(opened: list[AsyncIterator[str]]) -> None:
        await asyncio.to_thread(collect, made.home)
        assert "event: results\n" in await anext(opened[0])

    listening(Site(made.home), test)


def test_a_silent_home_gives_signs_of_life(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALIVE", 0.05)

    async def test(opened: list[AsyncIterator[str]]) -> None:
        assert await anext(opened[0]) == ": alive\n\n"

    listening(Site(made.home), test)


def test_a_look_names_only_what_changed(made: SyntheticHome) -> None:
    _, journal = made.attempt(JOB, 1)
    look = Look(Site(made.home))
    look.changed()
    assert look.changed() == {}
    log_steps(journal, 1)
    assert look.changed() == {"points": {JOB}}
    assert look.changed() == {}
    with Queue(made.home.queue_db) as queue:
        queue.set_priority("study", 5)
    assert look.changed() == {"queue": {"queue"}}
    _, second = made.attempt(JOB, 2)
    assert look.changed() == {"points": {JOB}}
    journal.close()
    second.close()


def test_an_empty_home_can_be_watched(tmp_path: Path) -> None:
    look = Look(Site(SyntheticHome(tmp_path).home))
    look.changed()
    assert look.changed() == {}


def test_what_a_slow_listener_missed_is_one_event(made: SyntheticHome) -> None:
    listener = streams.Listener()
    for job in ("b", "a", "b"):
        listener.tell("points", {job})
    listener.tell("queue", {"queue"})
    told = asyncio.run(listener.next_text())
    assert told == "event: points\ndata: a b\n\nevent: queue\ndata: queue\n\n"


def test_how_far_a_search_is_is_news_of_the_queue(made: SyntheticHome) -> None:
    look = Look(Site(made.home))
    look.changed()
    mark_search(made.home, "study", WAITING)
    assert look.changed() == {"queue": {"queue"}}
    assert look.changed() == {}
    write_progress(made.home, "study", [ArmProgress("study", 9, 1, 0, 0, 0, ())])
    assert look.changed() == {"queue": {"queue"}}
    mark_search(made.home, "study", None)
    assert look.changed() == {"queue": {"queue"}}
