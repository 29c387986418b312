"""What submissions wrote down, and what is wrong with it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.files import read_json, write_json
from engine.home.records import find_record_damage, newest_records, read_record
from engine.home.seals import seal
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    runs = made.experiment("paper", {"only": Arm()}, seeds=(0, 1))
    made.record("paper", runs[:1], "only")
    return made


def found(made: SyntheticHome, *, deep: bool = False) -> dict[str, str]:
    root = made.home.experiments_root
    return {one.path.relative_to(root).as_posix(): one.what for one in find_record_damage(made.home, deep=deep)}


def test_a_whole_record_is_read_and_the_newest_counts(made: SyntheticHome) -> None:
    assert found(made, deep=True) == {}
    assert newest_records(made.home) == {"paper": made.home.experiment("paper") / "2.json"}
    assert len(read_record(made.home.experiment("paper") / "2.json")["runs"]) == 1


def test_a_record_of_an_older_version_is_read_as_before(tmp_path: Path) -> None:
    old = SyntheticHome(tmp_path / "old")
    old.experiment("paper", {"only": Arm()}, seeds=(0,))
    assert found(old, deep=True) == {}
    assert read_record(old.home.experiment("paper") / "1.json")["name"] == "paper"


def test_each_change_of_a_record_is_named_and_none_is_read(made: SyntheticHome) -> None:
    path = made.home.experiment("paper") / "2.json"
    told = read_json(path)
    changes = {
        "is no JSON object": [told],
        "is damaged: its checksum does not hold": {**told, "baseline": "other"},
        "is damaged: it has no runs": seal({key: told[key] for key in told if key not in ("runs", "self")}),
        "is that of other, number 2": seal({**told, "name": "other"}),
        "is that of paper, number 1": seal({**told, "number": 1}),
    }
    for what, changed in changes.items():
        write_json(path, changed)
        assert found(made) == {"paper/2.json": what}
        with pytest.raises(HomeError, match=re.escape(what)):
            read_record(path)


def test_an_earlier_record_is_only_looked_at_when_all_are(made: SyntheticHome) -> None:
    (made.home.experiment("paper") / "1.json").write_text("{")
    assert found(made) == {}
    assert list(found(made, deep=True)) == ["paper/1.json"]


def test_a_doubled_or_a_missing_record_is_found(made: SyntheticHome) -> None:
    folder = made.home.experiment("paper")
    shutil.copy(folder / "1.json", folder / "3.json")
    assert found(made) == {"paper/3.json": "is that of paper, number 1"}
    (folder / "3.json").unlink()
    (folder / "1.json").unlink()
    assert found(made) == {"paper/1.json": "is gone"}
    (folder / "2.json").unlink()
    assert found(made) == {"paper/1.json": "is gone"}


@pytest.mark.parametrize("job", ["../../etc", "/etc/passwd", "", ".", "a\nb", 7])
def test_an_id_that_leads_out_of_the_jobs_is_no_id(tmp_path: Path, job: object) -> None:
    old = SyntheticHome(tmp_path / "old")
    old.experiment("paper", {"only": Arm()}, seeds=(0,))
    path = old.home.experiment("paper") / "1.json"
    told = read_json(path)
    told["runs"][0]["jobs"]["student"] = job
    write_json(path, told)
    with pytest.raises(HomeError, match=r"runs\.0\.jobs\.student"):
        read_record(path)
