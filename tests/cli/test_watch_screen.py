"""What watching shows: never more than the terminal has, the chosen row among it, and what is said last."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from engine.cli.render import CleanConsole
from engine.cli.watch_screen import HELP, draw_screen
from engine.cli.watcher import Watcher
from engine.home.files import write_json
from engine.home.paths import Home
from store.journal import JournalWriter
from store.queue import Queue
from tests.helpers.queueing import Probe, make_home, make_record

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Forty runs, of which the first is at work, has a log and curves."""
    home = make_home(tmp_path_factory.mktemp("watched"))
    record = make_record("one", [Probe(f"train-{number:02d}") for number in range(40)], at=1.0)
    for run in record["runs"]:
        run |= {"cell": "default", "jobs": {"student": run["jobs"]["role0"]}}
    home.experiment("one").mkdir()
    write_json(home.experiment("one") / "1.json", record)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record)
        assert queue.lease("train-00", 1, "cpu:0", boot_id="b", expires=9.0, now=1.0)
    attempt = home.job("train-00").attempt(1)
    attempt.root.mkdir(parents=True)
    attempt.log.write_text("".join(f"line {number}\n" for number in range(100)))
    write_json(attempt.heartbeat, {"phase": "train", "step": 20, "steps": 40, "epoch": 1, "epochs": 4})
    with JournalWriter(attempt.journal) as journal:
        journal.metrics([("train_loss", 2.0), ("val_loss", 3.0), ("val_top1", 0.5)], step=1, epoch=0)
        journal.metrics([("train_loss", 1.0), ("val_loss", 2.0), ("val_top1", 0.75)], step=2, epoch=1)
    return home


def shown(watcher: Watcher, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(draw_screen(watcher, width, height))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def watch(home: Home, *keys: str, name: str | None = "one") -> Watcher:
    watcher = Watcher(home, name)
    watcher.look()
    for key in keys:
        watcher.press(key)
    return watcher


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (40, 10), (20, 5)])
@pytest.mark.parametrize("keys", [(), ("l",), ("c",), ("?",), ("end", "x"), ("end", "c")])
def test_a_screen_is_exactly_as_large_as_the_terminal(home: Home, keys: tuple[str, ...], size: tuple[int, int]) -> None:
    lines = shown(watch(home, *keys), *size)
    assert len(lines) == size[1]
    assert max(map(len, lines)) <= size[0]


def test_the_chosen_run_is_always_among_the_rows(home: Home) -> None:
    for keys, seed in (((), "0"), (("end",), "39"), (("page down", "page down", "l"), "20")):
        lines = shown(watch(home, *keys))
        assert any(line.split()[1:2] == [seed] for line in lines if line.startswith("arm "))


def test_the_first_choice_is_what_runs(home: Home) -> None:
    assert watch(home).chosen == "run-train-00"


def test_a_log_is_shown_to_its_end_and_follows(home: Home) -> None:
    watcher = watch(home, "l")
    assert "line 99" in shown(watcher)
    assert any(line.startswith("── log of one/arm@0 (train-00) ─") for line in shown(watcher))
    with home.job("train-00").attempt(1).log.open("a") as log:
        log.write("the newest\n")
    assert "the newest" in shown(watcher)
    assert "  it has written nothing yet" in shown(watch(home, "end", "l"))


def test_a_text_of_a_log_steers_no_screen(home: Home) -> None:
    attempt = home.job("train-01").attempt(1)
    attempt.root.mkdir(parents=True)
    attempt.log.write_text("a\x1b]52;c;eA==\x07b\n")
    console = CleanConsole(file=io.StringIO(), width=80, height=24)
    console.print(draw_screen(watch(home, "j", "l"), 80, 24))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "ab" in told.splitlines()
    assert "\x1b]" not in told


def test_curves_are_those_of_the_run_that_is_chosen(home: Home) -> None:
    told = "\n".join(shown(watch(home, "c"), height=40))
    assert "train_loss 1" in told
    assert "val_top1 0.75" in told
    assert "nothing was logged yet" in "\n".join(shown(watch(home, "end", "c"), height=40))


def test_the_last_line_asks_says_or_tells_the_keys(home: Home) -> None:
    assert shown(watch(home))[-1].startswith("j k choose · l log")
    assert shown(watch(home, "end", "x"))[-1] == "cancel one/arm@39? y/n"
    assert shown(watch(home, "end", "r"))[-1] == "retry one/arm@39: nothing to do: 1 queued"
    assert "enter runs" in shown(watch(home, name=None))[-1]


def test_every_key_is_told(home: Home) -> None:
    lines = shown(watch(home, "?"))
    assert all(any(what in line for line in lines) for _, what in HELP)


def test_experiments_are_shown_with_their_counts(home: Home) -> None:
    lines = shown(watch(home, name=None))
    assert lines[0] == "1 experiment"
    assert any(line.startswith("one ") and "1 running, 39 queued" in line for line in lines)
    assert any("no scheduler works here" in line for line in lines)
