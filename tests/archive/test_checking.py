"""`xp archive verify`: holds where nothing was touched, and names the member where one byte was."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from engine.archive.checking import verify_archive
from engine.archive.making import Made
from engine.archive.members import ABOUT, SUMS, About
from engine.archive.opened import find_changed, open_members, read_about
from engine.errors import ArchiveError
from engine.home.files import encode_json
from engine.home.seals import seal
from tests.archive.zips import flip, forge, read_all, write_all

Told = list[str]


def test_an_archive_holds_elsewhere(made: Made) -> None:
    told: Told = []
    found = verify_archive(made.path, told.append)
    assert found.holds, found.problems
    assert found.about_sha256 == made.about_sha256
    assert f"{made.members:,} members are as they were written (paper)" in told[0]
    assert any("rows made again from the job folders, the same" in line for line in told)
    assert any("files made again, the same bytes" in line for line in told)


def test_one_byte_of_any_member_is_found_by_name(made: Made, tmp_path: Path) -> None:
    inside, chance = read_all(made.path), random.Random(4)
    names = chance.sample(sorted(name for name, data in inside.items() if data), 30)
    for name in {*names, ABOUT, SUMS, "results/results.parquet"}:
        data = inside[name]
        changed = write_all(tmp_path / "x.zip", {**inside, name: flip(data, chance.randrange(len(data)))})
        assert name in _refusal(changed)


def _refusal(path: Path) -> str:
    try:
        with open_members(path) as members:
            return "\n".join(find_changed(members, read_about(members)))
    except ArchiveError as error:
        return str(error)


def test_a_byte_of_the_packed_file_is_found(made: Made, tmp_path: Path) -> None:
    """Without repacking: what is stored no longer has the sum that the .zip states."""
    raw = made.path.read_bytes()
    place = raw.index(b"results/results.parquet") + 200
    (tmp_path / "x.zip").write_bytes(flip(raw, place))
    assert "results/results.parquet" in _refusal(tmp_path / "x.zip")


def test_members_that_went_or_came_are_found(made: Made, tmp_path: Path) -> None:
    inside = read_all(made.path)
    less = {name: data for name, data in inside.items() if name != "report/paper/report.md"}
    assert _refusal(write_all(tmp_path / "x.zip", less)) == "report/paper/report.md: it is gone"
    more = {**inside, "report/paper/more.md": b"x"}
    assert _refusal(write_all(tmp_path / "x.zip", more)) == "report/paper/more.md: no checksum vouches for it"


def _nicer_table(inside: dict[str, bytes]) -> None:
    inside["results/cells.parquet"] = inside["results/runs.parquet"]


def _nicer_page(inside: dict[str, bytes]) -> None:
    inside["report/paper/report.html"] += b"<p>It is the best.</p>"


def _nicer_journal(inside: dict[str, bytes]) -> None:
    name = next(name for name in sorted(inside) if "/train-" in name and name.endswith("journal.jsonl"))
    line = next(line for line in inside[name].splitlines() if b'"test_top1"' in line)
    told = json.loads(line)
    inside[name] = inside[name].replace(line, line.replace(str(told["value"]).encode(), b"0.99"))


def test_who_makes_all_sums_anew_is_found_by_the_job_folders(made: Made, tmp_path: Path) -> None:
    """And the versions of what draws are named, as they may be why."""
    inside = read_all(made.path)
    for change in (_nicer_table, _nicer_page, _nicer_journal):
        change(inside)
    about = About.model_validate(json.loads(inside[ABOUT]))
    older = {**about.model_dump(mode="json"), "made_with": {**about.made_with, "matplotlib": "2.0"}}
    forged = forge({**inside, ABOUT: json.dumps(older).encode()})
    found = verify_archive(write_all(tmp_path / "x.zip", forged), lambda line: None)
    assert not found.holds
    told = {line.partition(": ")[0] for line in found.problems}
    assert {"results/cells.parquet", "report/paper/report.html", "results/results.parquet"} <= told
    assert "matplotlib 2.0 there" in found.problems[-1]


def test_names_that_lead_out_of_a_folder_are_refused(made: Made, tmp_path: Path) -> None:
    """All sums are right, as those of a forger: nothing is written outside of the folders that are made for it."""
    inside = read_all(made.path)
    about = {**json.loads(inside[ABOUT]), "experiments": ["../../paper"]}
    with pytest.raises(ArchiveError, match="it is damaged: String should match pattern"):
        verify_archive(write_all(tmp_path / "x.zip", forge({**inside, ABOUT: json.dumps(about).encode()})), print)
    record = json.loads(inside["home/experiments/paper/1.json"])
    for run in record["runs"]:
        run["arm"] = "../../../out"
    forged = forge({**inside, "home/experiments/paper/1.json": encode_json(seal(record)).encode()})
    with pytest.raises(ArchiveError, match=r"no arm may be called '../../../out'"):
        verify_archive(write_all(tmp_path / "x.zip", forged), lambda line: None)
