"""`xp init`: the shipped specs and their schema are laid out, and nothing that is there is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.starter_specs import SCHEMA_FILE, SHIPPED, lay_out
from engine.errors import HomeError
from engine.spec import Spec


def test_every_shipped_file_is_copied_whole(tmp_path: Path) -> None:
    made = lay_out(tmp_path)
    shipped = sorted(str(path.relative_to(SHIPPED)) for path in SHIPPED.rglob("*") if path.is_file())
    told = [str(path.relative_to(tmp_path / "specs")) for path in made]
    assert sorted(told) == sorted([*shipped, SCHEMA_FILE])
    assert "paper/claims.yaml" in told
    for name in shipped:
        assert (tmp_path / "specs" / name).read_bytes() == (SHIPPED / name).read_bytes()


def test_the_schema_is_that_of_a_spec(tmp_path: Path) -> None:
    lay_out(tmp_path)
    text = (tmp_path / "specs" / SCHEMA_FILE).read_text()
    assert json.loads(text) == Spec.model_json_schema()
    assert text.endswith("}\n")


def test_what_is_there_stays_as_a_person_left_it(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    for name in ("quickstart.yaml", SCHEMA_FILE):
        (tmp_path / "specs" / name).write_text("mine")
    made = {path.name for path in lay_out(tmp_path)}
    assert not made & {"quickstart.yaml", SCHEMA_FILE}
    assert {(tmp_path / "specs" / name).read_text() for name in ("quickstart.yaml", SCHEMA_FILE)} == {"mine"}
    assert lay_out(tmp_path) == []


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="cannot write here: ") as caught:
        lay_out(tmp_path / "file")
    assert caught.value.where == str(tmp_path / "file" / "specs")
    assert caught.value.fix
