"""Any path that the file system takes is a home, and that very folder; or it is refused before anything is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.collect import collect, rebuild
from engine.errors import HomeError
from engine.home.paths import Home, open_home
from engine.inspect import doctor
from engine.inspect.doctor import Finding
from engine.schedule.worker import rebuild_queue, run_worker
from store.queue import Queue
from store.readonly import StoreError
from store.results import open_snapshot, run_query
from tests.helpers.queueing import PROBE, Probe, states, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome

ODD = (
    "run#1", "has%41", 'it\'s "quoted"', "new\nline", "x" * 250, "日本語", "a[b]", "star*", " -a:b;{a,b}$HOME%s ",
)  # fmt: skip
# What a reader of URLs, patterns or escapes might take each of them for.
OTHERS = ("run", "hasA", "its", "ab", "start", "a", "b", "x")
REFUSED = ("run?a", "back\\slash", os.fsdecode(b"\xff\xfe"), "y" * 300)
ALL = "all [a]*#%41'\"\n{b,c};$HOME 日本語:~"


def journal_home(root: Path, value: float) -> Home:
    made = SyntheticHome(root, sealed=True)
    made.job("train-a", "train")
    attempt, journal = made.attempt("train-a", 1)
    with journal:
        journal.metric("loss", value, step=1, epoch=0)
    made.finish("train-a", attempt)
    return made.home


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_that_home_and_no_other(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.SMALLEST", 0)
    for other in OTHERS:
        (tmp_path / other / "cache").mkdir(parents=True)
        (tmp_path / other / "cache" / "ingest.duckdb.stage").write_text("no lines of ours")
    home = journal_home(tmp_path / name, 5.0)
    submit_probes(home, "one", [Probe("train-b")])
    collect(home)
    assert home.job("train-a").attempt(1).compacted.exists()
    rebuild(home)
    assert run_query(home, "select value from metrics").rows == [(5.0,)]
    assert rebuild_queue(home) == 1
    assert states(home) == {"train-b": "queued"}
    assert sorted(os.listdir(tmp_path)) == sorted({name, *OTHERS})
    assert all(os.listdir(tmp_path / other) == ["cache"] for other in OTHERS)


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_opened_is_refused_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    for create in (True, False):
        with pytest.raises(HomeError, match=r"fix: name another folder") as caught:
            open_home(tmp_path / name, create=create)
        str(caught.value).encode()
    assert os.listdir(tmp_path) == []


def test_a_plain_name_that_leads_to_a_refused_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run?a").mkdir()
    (tmp_path / "plain").symlink_to(tmp_path / "run?a")
    with pytest.raises(HomeError, match="may not hold"):
        open_home(tmp_path / "plain", create=True)
    assert os.listdir(tmp_path / "run?a") == []
    (tmp_path / "run?a" / "results.duckdb").write_bytes(b"")
    with pytest.raises(StoreError, match="DuckDB opens no file whose path holds"):
        open_snapshot(tmp_path / "plain")


def test_two_homes_whose_names_begin_alike_have_two_queues(tmp_path: Path) -> None:
    for name in ("run#a", "run#b"):
        submit_probes(open_home(tmp_path / name, create=True), name[-1], [Probe(f"train-{name[-1]}")])
    for name in ("run#a", "run#b"):
        assert states(open_home(tmp_path / name)) == {f"train-{name[-1]}": "queued"}
    assert sorted(os.listdir(tmp_path)) == ["run#a", "run#b"]


def test_a_queue_takes_any_path_at_all(tmp_path: Path) -> None:
    path = tmp_path / "q?mode=memory&x=\\#%41" / "queue.db"
    path.parent.mkdir()
    with Queue(path):
        pass
    assert path.stat().st_size > 0
    with Queue.open_readonly(f"/{path}") as queue:
        assert queue.experiment_names() == []


SPEC = """
name: odd
data: {{source: folder, root: "{root}", image_size: 32}}
student: {{arch: tiny_vit_5m}}
"""


def test_every_command_works_where_all_of_it_is_odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_imports", lambda: Finding("torch with timm", True, "loads"))
    monkeypatch.setenv("XP_CACHE", str(tmp_path / f"cache {ALL}?\\"))
    monkeypatch.setenv("ROOT", str(tmp_path / f"images {ALL}?\\"))
    monkeypatch.chdir(tmp_path)
    for number in range(24):
        place = tmp_path / f"images {ALL}?\\" / f"class {number % 2}" / f"{number} {ALL}?.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number, 9, 9)).save(place)
    spec = tmp_path / f"spec {ALL}.yaml"
    spec.write_text(SPEC.format(root="${ROOT}"))
    made = SyntheticHome(tmp_path / ALL, sealed=True)
    made.experiment("paper", {"a": Arm(), "b": Arm(0.8)}, seeds=(0, 1, 2))
    submit_probes(made.home, "probes", [Probe("train-p")])

    def run(*words: str, code: int = 0) -> Result:
        answer = CliRunner().invoke(app, [*words, "--home", str(made.home.root)], catch_exceptions=False)
        assert answer.exit_code == code, answer.output
        return answer

    assert run_worker(open_home(made.home.root), until_idle=True, preload=PROBE, collect=None) == 0
    assert states(made.home)["train-p"] == "done"
    run("submit", str(spec), "--no-start")
    assert "odd" in run("status").output
    count = "select count(*) from results where experiment = 'paper'"
    assert run("sql", count, "--fresh", "--format", "csv").stdout.split() == ["count_star()", "6"]
    run("report", "paper", "--format", "md", "-o", str(tmp_path / f"report {ALL}?\\"))
    assert (tmp_path / f"report {ALL}?\\" / "report.md").exists()
    run("rebuild")
    run("rebuild", "--queue")
    run("doctor", "--deep")
    run("logs", "probes")
